"""The arguments on the sheet: every value by its path, exactly, with everything hidden in it made visible."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from gateway.cli.approvals.addresses import addresses_in
from gateway.cli.approvals.paper import Paper, quoted, styled
from gateway.cli.approvals.values import (
    Leaf,
    Path,
    Unreadable,
    changes,
    difference,
    in_order,
    leaves_of,
    pointer_of,
)
from gateway.core.visible_text import ALARMING, is_plain, pieces, visible

if TYPE_CHECKING:
    from gateway.people.models import HoldSheetModel

CHARACTERS_MAX = 1_000
"""A longer string is shown by its ends."""
LINES_MAX = 24
END_CHARACTERS = 300
END_LINES = 12
LINKS_MAX = 20
PATH_COLUMNS_MAX = 28
COUNTED_CHARACTERS = 60
TYPED_CHARACTERS_MAX = 64
AROUND = 60
"""Characters shown before and behind a difference in long strings."""

CROWDED = "crowded"
"""Everything was hidden at once: the arguments hold more secrets than are hidden one by one."""
FOREIGN_MARKER = "foreign-marker"

_NAME = re.compile(r"[A-Za-z_$@][A-Za-z0-9_.$@-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What would run, as far as a person can look at it."""

    leaves: tuple[Leaf, ...]
    obstacle: str
    """Why nobody can look at it; empty if one can."""
    alarms: Counter[str]
    """What hides in it or passes as something else, and how often."""


def arguments_of(sheet: HoldSheetModel) -> Arguments:
    """The values out of the very text that an approval is about."""
    leaves: tuple[Leaf, ...] = ()
    obstacle = sheet.uninspectable
    if not obstacle:
        try:
            leaves = leaves_of(sheet.arguments_text)
        except Unreadable as error:
            obstacle = str(error)
    if any(one.kind == CROWDED for one in sheet.redactions):
        obstacle = obstacle or "it holds more secrets than are hidden one by one"
    texts = [sheet.hold.target, *(leaf.text for leaf in leaves)]
    texts += [part for leaf in leaves for part in leaf.path if isinstance(part, str)]
    alarms: Counter[str] = Counter()
    for text in texts:
        for piece in pieces(text):
            if piece.kind in ALARMING:
                alarms[piece.name] += max(len(piece.raw), 1)
    return Arguments(leaves=leaves, obstacle=obstacle, alarms=alarms)


def show_arguments(paper: Paper, sheet: HoldSheetModel, arguments: Arguments, *, full: bool) -> None:
    """Those that the rules want seen first, then all others; none is left out."""
    for name, count in sorted(arguments.alarms.items()):
        times = f" ({count} places)" if count > 1 else ""
        paper.alarm(f"made visible: {name}{times}")
    if not arguments.leaves:
        return
    first, rest, missing = in_order(arguments.leaves, sheet.hold.show)
    for pointer in missing:
        paper.alarm(f"a rule wants {visible(pointer)} looked at, and it is not among the arguments")
    columns = min(max(path_shown(leaf.path).cell_len for leaf in arguments.leaves), PATH_COLUMNS_MAX)
    for leaf in (*first, *rest):
        lead = Text.assemble("  ", path_shown(leaf.path))
        lead.pad_right(max(0, columns + 2 - lead.cell_len))
        lead.append(f"  {leaf.kind:<7} ", "dim")
        if leaf in first:
            lead.stylize("bold")
        _value(paper, leaf, lead, full=full)
        for redaction in sheet.redactions:
            if redaction.pointer == pointer_of(leaf.path):
                paper.note(_about_marker(redaction.kind), "yellow")


def show_changes(paper: Paper, sheet: HoldSheetModel, arguments: Arguments, *, full: bool) -> None:
    """What a reviewer changed in what the agent had sent."""
    paper.heading("What a reviewer changed (- the agent's, + what would run)")
    try:
        before = leaves_of(sheet.original_text)
    except Unreadable:
        paper.alarm("what the agent had sent cannot be compared")
        paper.value(pieces(sheet.original_text), Text("    "))
        return
    found = changes(before, arguments.leaves)
    if not found:
        paper.note("nothing")
    for change in found:
        paper.note(path_shown(change.path))
        if change.before is not None and change.after is not None and _long(change.before, change.after):
            _middle(paper, change.before.text, change.after.text)
            continue
        for sign, leaf, style in (("-", change.before, "red"), ("+", change.after, "green")):
            if leaf is not None:
                _value(paper, leaf, Text(f"    {sign} {leaf.kind:<7} ", style), full=full)


def path_shown(path: Path) -> Text:
    """Where a value stands. Positions in lists are bare numbers; names that are not simple are quoted."""
    found = Text()
    for part in path:
        found.append("/")
        if isinstance(part, int):
            found.append(str(part))
        elif _NAME.fullmatch(part):
            found.append(part)
        else:
            found.append_text(styled(quoted(part)))
    return found if path else Text("(the whole)")


def confirmation(sheet: HoldSheetModel, arguments: Arguments) -> tuple[str, str]:
    """What a person types to approve a call of high risk, and how that is called: the object, not a yes."""
    row = sheet.hold
    hidden = {one.pointer for one in sheet.redactions}
    for pointer in row.show[:1]:
        leaf = next((one for one in arguments.leaves if pointer_of(one.path) == pointer), None)
        if (
            leaf is not None
            and leaf.kind in {"string", "number"}
            and pointer not in hidden
            and 0 < len(leaf.text) <= TYPED_CHARACTERS_MAX
            and leaf.text == leaf.text.strip()
            and is_plain(leaf.text)
        ):
            return leaf.text, f"the value of {visible(pointer)}"
    if is_plain(row.tool) and 0 < len(row.tool) <= TYPED_CHARACTERS_MAX:
        return row.tool, "the name of the tool"
    return row.id, "the id of the held call, in full"


def _value(paper: Paper, leaf: Leaf, lead: Text, *, full: bool) -> None:
    if leaf.kind != "string":
        paper.value(pieces(leaf.text), lead)
        return
    text = leaf.text
    head, tail = (len(text), len(text)) if full else _ends(text)
    if head == len(text):
        paper.value(quoted(text), lead)
        if len(text) > COUNTED_CHARACTERS or not is_plain(text):
            paper.note(f"{len(text):,} characters")
    else:
        paper.value(quoted(text[:head])[:-1], lead)
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        paper.note(
            f"{tail - head:,} of {len(text):,} characters are not shown here; --full shows them. "
            f"SHA-256 of all: {digest}",
            "bold yellow",
        )
        paper.value(quoted(text[tail:])[1:], Text(" " * 4))
    found = addresses_in(text)
    for address in found[:LINKS_MAX]:
        paper.note(styled(pieces(address), "cyan"))
    if len(found) > LINKS_MAX:
        paper.note(f"and {len(found) - LINKS_MAX:,} more addresses", "bold yellow")


def _ends(text: str) -> tuple[int, int]:
    """How far the beginning is shown, and from where the end is; equal to the length if all of it is."""
    lines = text.count("\n")
    if len(text) <= CHARACTERS_MAX and lines <= LINES_MAX:
        return len(text), len(text)
    head, tail = min(END_CHARACTERS, len(text) // 2), max(len(text) - END_CHARACTERS, len(text) // 2)
    begin, end = text[:head], text[tail:]
    if begin.count("\n") > END_LINES:
        head = len("\n".join(begin.split("\n")[:END_LINES]))
    if end.count("\n") > END_LINES:
        tail = len(text) - len("\n".join(end.split("\n")[-END_LINES:]))
    return head, tail


def _long(*leaves: Leaf) -> bool:
    return all(leaf.kind == "string" for leaf in leaves) and any(
        _ends(leaf.text)[0] < len(leaf.text) for leaf in leaves
    )


def _middle(paper: Paper, before: str, after: str) -> None:
    """Two long strings around the place where they differ: their ends may well be the same."""
    head, tail = difference(before, after)
    for sign, text, style in (("-", before, "red"), ("+", after, "green")):
        start, end = max(0, head - AROUND), min(len(text), len(text) - tail + AROUND)
        part = text[start:end]
        if len(part) > CHARACTERS_MAX:
            part = part[: CHARACTERS_MAX // 2]
            paper.note(
                f"the next is only the first {len(part)} of {end - start:,} characters that differ",
                "bold yellow",
            )
        paper.value(quoted(part), Text(f"    {sign} string  ", style))
        paper.note(f"characters {start + 1:,} to {start + len(part):,} of {len(text):,}")


def _about_marker(kind: str) -> str:
    if kind == FOREIGN_MARKER:
        return "looks like a marker for a secret, but came with the text and stands for nothing"
    if kind == CROWDED:
        return "everything is hidden: it holds more secrets than are hidden one by one"
    return f"a secret is hidden here: {visible(kind)}"
