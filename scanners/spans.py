"""Stretches of a text that scanners want replaced, and how overlapping ones become one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_CONTINUATION: Final = bytes(range(0x80, 0xC0))
"""Bytes of UTF-8 that begin no character."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One stretch: found in bytes of UTF-8, replaced in characters (`in_characters`)."""

    start: int
    end: int
    kind: str
    rule: str
    secret: bytes
    """What the digest is made of: of a known credential the literal, however it was encoded here."""
    order: int
    """0 for known credentials; rules count from 1, in the order of their file."""

    @property
    def precedence(self) -> tuple[bool, int, int]:
        """The lowest of overlapping spans names them all: known before guessed, longer before shorter."""
        return self.order > 0, self.start - self.end, self.order


def united(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, none overlapping another.

    Everything that a span covered stays covered. Pieces of one secret that touch are one span.
    """
    result: list[Span] = []
    best: tuple[bool, int, int] = (True, 0, 0)
    for span in sorted(spans, key=lambda one: (one.start, one.precedence)):
        last = result[-1] if result else None
        if last is None or not _belong_together(last, span):
            result.append(span)
            best = span.precedence
            continue
        end = max(last.end, span.end)
        if span.precedence < best:
            best = span.precedence
            result[-1] = replace(span, start=last.start, end=end)
        else:
            result[-1] = replace(last, end=end)
    return result


def in_characters(spans: Sequence[Span], raw: bytes) -> list[Span]:
    """The spans as they lie in the decoded text. A character that is covered in part is covered."""
    if raw.isascii():
        return list(spans)
    characters: dict[int, int] = {}
    before = count = 0
    for place in sorted({place for span in spans for place in (span.start, span.end)}):
        count += len(raw[before:place].translate(None, _CONTINUATION))
        characters[place] = count
        before = place
    return [
        replace(
            span,
            start=characters[span.start] - (raw[span.start] in _CONTINUATION),
            end=characters[span.end],
        )
        for span in spans
    ]


def _belong_together(last: Span, span: Span) -> bool:
    if span.start == last.end:
        return (span.kind, span.secret) == (last.kind, last.secret)
    return span.start < last.end
