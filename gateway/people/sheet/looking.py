"""What a person can look at of a held call's arguments, and what they confirm it by. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.core.visible_text import ALARMING, is_plain, pieces, visible
from gateway.people.sheet.values import Leaf, Unreadable, leaves_of, pointer_of

if TYPE_CHECKING:
    from gateway.people.sheet_models import HoldSheetModel

CHARACTERS_MAX = 1_000
"""A longer string is shown by its ends."""
LINES_MAX = 24
END_CHARACTERS = 300
END_LINES = 12
TYPED_CHARACTERS_MAX = 64
COUNTED_CHARACTERS = 60
"""Of a longer string it is said how long it is."""
AROUND_CHARACTERS = 60
"""Shown before and behind a difference in long strings."""

SIMPLE_NAME = re.compile(r"[A-Za-z_$@][A-Za-z0-9_.$@-]*")
"""A name that needs no quotes in a path."""

CROWDED = "crowded"
"""Everything was hidden at once: the arguments hold more secrets than are hidden one by one."""
FOREIGN_MARKER = "foreign-marker"


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


def ends(text: str) -> tuple[int, int]:
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


def about_marker(kind: str) -> str:
    """What stands in the place of a redacted value."""
    if kind == FOREIGN_MARKER:
        return "looks like a marker for a secret, but came with the text and stands for nothing"
    if kind == CROWDED:
        return "everything is hidden: it holds more secrets than are hidden one by one"
    return f"a secret is hidden here: {visible(kind)}"
