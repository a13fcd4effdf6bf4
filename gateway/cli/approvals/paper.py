"""Lines for a terminal: foreign text made visible, folded to the width, and kept behind a rule of its own.

The rule ``│`` stands at the left of every line of a value. No value can show one, so none can pass for our
words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from gateway.core.visible_text import ALARMING, Kind, Piece, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LABEL_COLUMNS = 11
RULE = "│ "
PLACE_RULE = "  ┆ "
"""Before the further lines of a long place, which is foreign text, too."""
WIDTH_MIN = 40

ALARM_STYLE = "bold white on red"
RISK_STYLE = {"low": "green", "medium": "yellow", "high": "bold red"}
_STYLES = {kind: ALARM_STYLE if kind in ALARMING else "cyan" for kind in Kind} | {Kind.PLAIN: ""}


def shown(text: str, style: str = "") -> Text:
    """Foreign text in one line."""
    return styled(pieces(text), style)


def styled(found: Iterable[Piece], style: str = "") -> Text:
    """Pieces in the colours of what they are."""
    text = Text()
    for piece in found:
        text.append(piece.text, _STYLES[piece.kind] or style)
    return text


def quoted(text: str) -> tuple[Piece, ...]:
    """A string as JSON would have it, in quotes, everything in it visible."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    quote = Piece('"', '"', Kind.PLAIN)
    return (quote, *pieces(escaped), quote)


class Paper:
    """Lines, top to bottom."""

    def __init__(self, width: int) -> None:
        """Fold at ``width`` columns."""
        self._width = max(width, WIDTH_MIN)
        self.lines: list[Text] = []

    def blank(self) -> None:
        """An empty line."""
        self.lines.append(Text())

    def heading(self, text: Text | str, style: str = "bold") -> None:
        """A line that begins a block, after an empty one."""
        if self.lines:
            self.blank()
        self._fold(text if isinstance(text, Text) else Text(text, style), "", "  ")

    def row(self, label: str, text: Text | str, style: str = "") -> None:
        """A label, and what it is about."""
        content = text if isinstance(text, Text) else Text(text, style)
        self._fold(content, f"  {label:<{LABEL_COLUMNS}} ", " " * (LABEL_COLUMNS + 3))

    def note(self, text: Text | str, style: str = "dim") -> None:
        """Our own words beneath a value."""
        self._fold(text if isinstance(text, Text) else Text(text, style), "    ", "      ")

    def alarm(self, text: str) -> None:
        """Something nobody may miss."""
        self._fold(Text(text, ALARM_STYLE), "  ! ", "  ! ")

    def value(self, found: Iterable[Piece], lead: Text) -> None:
        """A value behind its rule, beside ``lead`` or beneath it; a line feed in it begins another line."""
        columns = cell_len(lead.plain)
        if columns > self._width // 2:
            place = lead.copy()
            place.rstrip()
            self._fold(place, "", PLACE_RULE)
            lead, columns = Text("    "), 4
        for number, line in enumerate(_folded(found, self._width - columns - len(RULE))):
            first = lead if number == 0 else Text(" " * columns)
            self.lines.append(Text.assemble(first, (RULE, "dim"), line))

    def _fold(self, text: Text, first: str, further: str) -> None:
        room = self._width - len(first)
        for number, line in enumerate(_wrapped(text, room)):
            self.lines.append(Text.assemble((first if number == 0 else further, "dim"), line))


def _wrapped(text: Text, room: int) -> Iterator[Text]:
    """At spaces where there are some: the text is ours or one line, so nothing is lost with a space."""
    plain = text.plain
    start = 0
    while (end := _cut(plain, start, room)) < len(plain):
        space = plain.rfind(" ", start, end + 1)
        at_space = bool(plain[start : max(space, start)].strip())
        yield text[start : space if at_space else end]
        start = space + 1 if at_space else end
    yield text[start:]


def _folded(found: Iterable[Piece], room: int) -> Iterator[Text]:
    """Every character counts, so lines are cut where they end; a mark stays whole where it fits."""
    line = Text()
    for piece in found:
        left = room - cell_len(line.plain)
        if piece.kind is not Kind.PLAIN and left < cell_len(piece.text) <= room:
            yield line
            line, left = Text(), room
        start = 0
        while (end := _cut(piece.text, start, left)) < len(piece.text):
            line.append(piece.text[start:end], _STYLES[piece.kind])
            yield line
            line, left, start = Text(), room, end
        line.append(piece.text[start:], _STYLES[piece.kind])
        if piece.kind is Kind.BREAK and "LF" in piece.text:
            yield line
            line = Text()
    if line.plain:
        yield line


def _cut(text: str, start: int, room: int) -> int:
    """Where the part of the text that has room ends."""
    most = min(start + max(room, 0), len(text))
    columns = 0
    for index in range(start, most):
        columns += 1 if " " <= text[index] <= "~" else cell_len(text[index])
        if columns > room:
            return index
    # Characters that take no column of their own stay with the one before.
    while most < len(text) and text[most] > "~" and cell_len(text[most]) == 0:
        most += 1
    return most
