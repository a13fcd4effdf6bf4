"""A rule as it is written, with its line numbers and what helps to read it. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup

from gateway.people.pages import foreign

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r'(?P<comment>#.*)|(?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)'
    r"|(?P<word>\b(?:allow|as|contains|default|deny|else|every|false|hold|if|import|in|not|null|package|some|true|with)\b)"
)
_SPANS = {
    "comment": Markup('<span class="c">{}</span>'),
    "string": Markup('<span class="s">{}</span>'),
    "word": Markup('<span class="k">{}</span>'),
    "code": Markup('<mark class="s">{}</mark>'),
}
_LINE = Markup('<span class="n">{}</span> {}')


def rego(text: str, first_row: int, code: str) -> Markup:
    """The rule's lines; the literal that says why a call is held stands out."""
    drawn = [
        _LINE.format(f"{first_row + index:4d}", Markup().join(_line(line, code)))
        for index, line in enumerate(text.split("\n"))
    ]
    return Markup("\n").join(drawn)


def _line(line: str, code: str) -> Iterator[Markup]:
    end = 0
    for found in _TOKEN.finditer(line):
        yield foreign.shown(line[end : found.start()])
        kind = found.lastgroup or ""
        if kind == "string" and found[0][1:-1] == code:
            kind = "code"
        yield _SPANS[kind].format(foreign.shown(found[0]))
        end = found.end()
    yield foreign.shown(line[end:])
