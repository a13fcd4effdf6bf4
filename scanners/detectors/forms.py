"""One way in which one kind of thing is written: a pattern that finds candidates, and a judge of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scanners.detectors.surroundings import Candidate

HYPHEN: Final = rb"(?:-|\xe2\x80[\x90-\x95])"
GAP: Final = rb"(?:[ .-]|\xc2\xa0|\xe2\x80[\x82-\x8a\x90-\x95\xaf])"
"""One hyphen, dot or space, in bytes of UTF-8: typographic ones are copied along with what they part."""

GROUP: Final = re.compile(r"[0-9]+")


class Value(NamedTuple):
    """A find: a stretch of the document, and the value in the one spelling that its digest is made of."""

    start: int
    end: int
    spelling: bytes


class Form(NamedTuple):
    """One way in which one kind is written."""

    kind: str
    rule: str
    pattern: bytes
    """RE2, read as bytes; what it matches is judged."""
    judge: Callable[[Candidate], Iterable[Value]]
    trigger: bytes = b""
    """RE2; occurs wherever the pattern is worth a search. Empty: the pattern itself."""
    near: bool = False
    """Candidates are only looked for near the trigger: behind it, and in the member that it names."""
    step_bytes: int = 0
    """How far behind the start of a candidate the search goes on. 0: behind its end."""


def whole(candidate: Candidate, spelling: str) -> Iterator[Value]:
    """The candidate, from its first to its last byte."""
    yield Value(candidate.start, candidate.end, spelling.encode("latin-1"))


def words(text: str) -> frozenset[str]:
    """A set of words, written as one text."""
    return frozenset(text.split())


def digits_of(text: str) -> str:
    """Its digits, without what parts them."""
    return "".join(GROUP.findall(text))
