"""The one way in which a text that we did not write gets into a page.

``shown`` makes everything visible that could hide or pass as something else, and escapes it. It is what
every expression of a template goes through by itself (``rendering.py``): it cannot be forgotten.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from gateway.core.visible_text import ALARMING, Kind, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.core.visible_text import Piece


_NOTHING, _QUOTE, _BREAK = Markup(), Markup('"'), Markup("<br>")
_SPACED = Markup('<span class="w">{}</span>')
_SPACES = re.compile(r"^ |  | $")
_EVERYDAY = re.compile(r"(?:[!-~]+(?: [!-~]+)*)?")
"""Most texts by far: printable ASCII with single spaces in between, which is shown as it is."""
_MARK = Markup('<span class="m" title="{}">{}</span>')
_ALARM = Markup('<span class="m x" title="{}">{}</span>')


def shown(text: str) -> Markup:
    """A text in one line, as ``visible_text`` shows it; what is no plain text is marked."""
    if _EVERYDAY.fullmatch(text):
        return escape(text)
    return marked(pieces(text))


def quoted(text: str, *, head: bool = True, tail: bool = True) -> Markup:
    """A string as JSON has it, in quotes; without the quote where it is only an end of a longer one.

    Lines are broken where the string breaks them, behind the mark that says so: the words stay the same.
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    drawn = marked(pieces(escaped), lines=True)
    return (_QUOTE if head else _NOTHING) + drawn + (_QUOTE if tail else _NOTHING)


def marked(found: Iterable[Piece], *, lines: bool = False) -> Markup:
    """Pieces as HTML. Without its tags it reads exactly as the pieces do."""
    parts: list[Markup] = []
    for piece in found:
        if piece.kind is Kind.PLAIN:
            # Browsers make one space of several, unless they are told otherwise.
            parts.append(_SPACED.format(piece.text) if _SPACES.search(piece.text) else escape(piece.text))
            continue
        mark = _ALARM if piece.kind in ALARMING else _MARK
        parts.append(mark.format(piece.name or piece.kind.value, piece.text))
        if lines and piece.raw.startswith("\n"):
            # Of many line feeds, which the mark counts, two are as good as all.
            parts.append(_BREAK * min(len(piece.raw), 2))
    return Markup("").join(parts)


def lines(text: str) -> Markup:
    """A text of several lines, each of them shown."""
    return Markup("\n").join(shown(line) for line in text.split("\n"))
