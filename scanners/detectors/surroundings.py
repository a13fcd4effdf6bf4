"""What stands around a candidate: the words of its member's name, the text before it, the bytes beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scanners.document import Document, Leaf

BEFORE_BYTES_MAX: Final = 64
BEHIND_BYTES_MAX: Final = 128
"""As far behind a word as it can be in front of a number, and the number."""
NAME_CHARACTERS_MAX: Final = 128

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A stretch of a document that may be what it looks like."""

    document: Document
    start: int
    end: int

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        return self.document.raw[self.start : self.end]

    @property
    def text(self) -> str:
        """One character a byte."""
        return self.raw.decode("latin-1")

    @property
    def byte_before(self) -> bytes:
        """Empty at the start of the document."""
        return self.document.raw[max(0, self.start - 1) : self.start]

    @property
    def byte_behind(self) -> bytes:
        """Empty at the end of the document."""
        return self.document.raw[self.end : self.end + 1]

    @property
    def stands_alone(self) -> bool:
        """No letter, digit or underscore touches it."""
        return not (_in_word(self.byte_before) or _in_word(self.byte_behind))

    @property
    def index(self) -> int:
        """Which leaf it stands in."""
        return self.document.index_at(self.start)

    @property
    def leaf(self) -> Leaf:
        """The leaf it stands in."""
        return self.document.leaves[self.index]

    @property
    def is_whole_leaf(self) -> bool:
        """Nothing but white space stands beside it."""
        return len(self.leaf.text.strip()) <= self.end - self.start

    @property
    def name(self) -> str:
        """Words of the name of the member around it, in lower case: of ``homePhoneNo`` home phone no."""
        return _words(self.leaf.key)

    @property
    def name_words(self) -> frozenset[str]:
        """The same as a set."""
        return frozenset(self.name.split())

    @property
    def outer_words(self) -> frozenset[str]:
        """The same of the next member outside: phones, of ``{"phones": [{"value": ...}]}``."""
        place, names = self.leaf.place, 0
        while place is not None:
            place, token = place
            names += isinstance(token, str)
            if names == 2:
                return frozenset(_words(str(token)).split())
        return frozenset()

    @property
    def before(self) -> str:
        """The text before it in the same leaf, in lower case."""
        begin = max(self.document.starts[self.index], self.start - BEFORE_BYTES_MAX)
        return self.document.raw[begin : self.start].decode("utf-8", "replace").lower()

    @property
    def before_of_siblings(self) -> str:
        """The text of the leaves before its own, as in ``{"type": "mobile", "value": ...}``."""
        begin = max(0, self.start - BEFORE_BYTES_MAX)
        return self.document.raw[begin : self.start].decode("utf-8", "replace").lower()


def _words(name: str) -> str:
    return " ".join(_WORD.findall(name[:NAME_CHARACTERS_MAX])).lower()


def _in_word(byte: bytes) -> bool:
    return byte.isalnum() or byte == b"_"


def regions(document: Document, matches: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Where something may stand that words announce: behind them, and in the member in whose name they are.

    Args:
        document: what the words were found in.
        matches: where they were found, in order.

    Yields:
        Start and end; in order, none overlapping another.
    """
    read = 0
    for start, end in matches:
        if end <= read:
            continue
        index = document.index_at(start)
        region_end = min(end + BEHIND_BYTES_MAX, len(document.raw))
        if document.leaves[index].in_name:
            region_end = max(region_end, _end_of_member(document, index))
        yield max(start, read), region_end
        read = region_end


def _end_of_member(document: Document, index: int) -> int:
    key = document.leaves[index].key
    last = index
    while last + 1 < len(document.leaves) and document.leaves[last + 1].key == key:
        last += 1
    return document.end_of(last)
