"""The arguments on the sheet: every value by its path, exactly, with everything hidden in it made visible."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from rich.text import Text

from gateway.cli.approvals.paper import Paper, quoted, styled
from gateway.core.visible_text import is_plain, pieces, visible
from gateway.people.sheet.addresses import addresses_in
from gateway.people.sheet.looking import (
    AROUND_CHARACTERS,
    CHARACTERS_MAX,
    COUNTED_CHARACTERS,
    SIMPLE_NAME,
    about_marker,
    ends,
)
from gateway.people.sheet.values import (
    Leaf,
    Path,
    Unreadable,
    changes,
    difference,
    in_order,
    leaves_of,
    pointer_of,
)

if TYPE_CHECKING:
    from gateway.people.sheet.looking import Arguments
    from gateway.people.sheet_models import HoldSheetModel

LINKS_MAX = 20
PATH_COLUMNS_MAX = 28


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
    said = _Said(sheet)
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
                paper.note(about_marker(redaction.kind), "yellow")
        said.of(paper, leaf)


class _Said:
    """What the tool's schema says of arguments, each beneath the first value that it is about."""

    def __init__(self, sheet: HoldSheetModel) -> None:
        self._left = {one.pointer: one.text for one in sheet.described}

    def of(self, paper: Paper, leaf: Leaf) -> None:
        """Of this value, and of what it stands in."""
        for depth in range(1, len(leaf.path) + 1):
            text = self._left.pop(pointer_of(leaf.path[:depth]), "")
            if text:
                about = Text() if depth == len(leaf.path) else path_shown(leaf.path[:depth]).append("  ")
                paper.note(Text.assemble("its server says: ", about, styled(pieces(text))))


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
        elif SIMPLE_NAME.fullmatch(part):
            found.append(part)
        else:
            found.append_text(styled(quoted(part)))
    return found if path else Text("(the whole)")


def _value(paper: Paper, leaf: Leaf, lead: Text, *, full: bool) -> None:
    if leaf.kind != "string":
        paper.value(pieces(leaf.text), lead)
        return
    text = leaf.text
    head, tail = (len(text), len(text)) if full else ends(text)
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
        paper.note(styled(pieces(address.sentence), "cyan"))
    if len(found) > LINKS_MAX:
        paper.note(f"and {len(found) - LINKS_MAX:,} more addresses", "bold yellow")


def _long(*leaves: Leaf) -> bool:
    return all(leaf.kind == "string" for leaf in leaves) and any(
        ends(leaf.text)[0] < len(leaf.text) for leaf in leaves
    )


def _middle(paper: Paper, before: str, after: str) -> None:
    """Two long strings around the place where they differ: their ends may well be the same."""
    head, tail = difference(before, after)
    for sign, text, style in (("-", before, "red"), ("+", after, "green")):
        start, end = max(0, head - AROUND_CHARACTERS), min(len(text), len(text) - tail + AROUND_CHARACTERS)
        part = text[start:end]
        if len(part) > CHARACTERS_MAX:
            part = part[: CHARACTERS_MAX // 2]
            paper.note(
                f"the next is only the first {len(part)} of {end - start:,} characters that differ",
                "bold yellow",
            )
        paper.value(quoted(part), Text(f"    {sign} string  ", style))
        paper.note(f"characters {start + 1:,} to {start + len(part):,} of {len(text):,}")
