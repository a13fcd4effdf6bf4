"""All texts of one value, joined, so that one pass looks at them; and the value with some of them rewritten.

A value's strings are scanned as what they are, never as serialised JSON. They are joined in the order of the
document by a character that is part of no secret, so what is spread over neighbouring strings lies together.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scanners.pattern_set import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    Place = tuple["Place", str | int] | None


class Number:
    """A number that keeps its spelling: nothing to scan, and nothing to change."""

    __slots__ = ("literal",)

    def __init__(self, literal: str) -> None:
        """As it stands in the JSON text."""
        self.literal = literal

    def __eq__(self, other: object) -> bool:
        """Equal where it is spelled alike."""
        return isinstance(other, Number) and self.literal == other.literal

    def __hash__(self) -> int:
        """Of the spelling."""
        return hash(self.literal)


_SCALARS: Final = frozenset({int, float, bool, type(None), Number})
_NUMBERS: Final = frozenset({int, float, Number})
_SEPARATOR: Final = SEPARATOR.decode()


class Leaf(NamedTuple):
    """One string of a value, or the name of a member."""

    text: str
    key: str
    """The name of the nearest member that it stands in; of a name, that name. Empty outside any object."""
    in_name: bool
    place: Place
    is_number: bool = False
    """It is the spelling of a number; what stands in its place is a text."""

    @property
    def pointer(self) -> str:
        """JSON Pointer (RFC 6901) of the string; of the member, if it is a name."""
        tokens = []
        place = self.place
        while place is not None:
            place, token = place
            tokens.append(str(token).replace("~", "~0").replace("/", "~1"))
        return "".join(f"/{token}" for token in reversed(tokens))


class Document:
    """The leaves of a value in the order of the document, and the bytes that are scanned."""

    __slots__ = ("_starts", "leaves", "raw")

    def __init__(self, leaves: list[Leaf]) -> None:
        """Join them."""
        self.leaves = leaves
        joined = _SEPARATOR.join([leaf.text for leaf in leaves])
        # A lone surrogate is no text, but to look at it must not fail.
        self.raw = joined.encode("utf-8", "surrogatepass")
        self._starts: list[int] = []

    @property
    def starts(self) -> list[int]:
        """Where each leaf begins in ``raw``."""
        if not self._starts and self.leaves:
            if len(self.raw) == sum(len(leaf.text) for leaf in self.leaves) + len(self.leaves) - 1:
                sizes = [len(leaf.text) + 1 for leaf in self.leaves]
            else:
                sizes = [len(leaf.text.encode("utf-8", "surrogatepass")) + 1 for leaf in self.leaves]
            self._starts = list(accumulate(sizes[:-1], initial=0))
        return self._starts

    def index_at(self, offset_bytes: int) -> int:
        """Which leaf the byte belongs to; a separator belongs to the leaf before it."""
        return bisect_right(self.starts, offset_bytes) - 1

    def end_of(self, index: int) -> int:
        """The first byte of ``raw`` behind a leaf."""
        return self.starts[index + 1] - 1 if index + 1 < len(self.leaves) else len(self.raw)


def document_of(value: Any, *, numbers: bool = False) -> Document:
    """The document of a JSON value; a bare string has one leaf. ``numbers``: they are leaves, too.

    Raises:
        TypeError: the value holds something that JSON does not have.
    """
    leaves: list[Leaf] = []
    waiting: list[tuple[Any, str, Place]] = [(value, "", None)]
    while waiting:
        item, key, place = waiting.pop()
        kind = type(item)
        if kind is str:
            leaves.append(Leaf(item, key, False, place))
        elif kind is _Name:
            leaves.append(Leaf(item.text, item.text, True, place))
        elif kind is dict:
            for name, member in reversed(item.items()):
                at: Place = (place, name)
                waiting.append((member, name, at))
                waiting.append((_Name(name), name, at))
        elif kind is list:
            waiting.extend((item[index], key, (place, index)) for index in range(len(item) - 1, -1, -1))
        elif kind not in _SCALARS:
            raise TypeError(f"not a JSON value: {kind.__name__}")
        elif numbers and kind in _NUMBERS:
            literal = item.literal if kind is Number else str(item)
            leaves.append(Leaf(literal, key, False, place, True))
    return Document(leaves)


class _Name(NamedTuple):
    text: str


def rewritten(value: Any, texts: Mapping[Place, str], names: Mapping[Place, str]) -> Any:
    """A new value with other texts in some places; it shares no container with the old one.

    Args:
        value: a JSON value; it is not changed.
        texts: by the place of a leaf, what stands there instead.
        names: the same for names of members. Names that become equal get numbers behind them, so that no
            member is lost.
    """
    root: list[Any] = [None]
    waiting: list[tuple[Any, Any, Any, Place]] = [(root, 0, value, None)]
    while waiting:
        container, token, item, place = waiting.pop()
        kind = type(item)
        if kind is dict:
            made: dict[str, Any] = {}
            container[token] = made
            # Set first, so that the order of members stays.
            given = _given_names(item, place, names)
            for name in given.values():
                made[name] = None
            waiting.extend((made, given[name], member, (place, name)) for name, member in item.items())
        elif kind is list:
            items = [None] * len(item)
            container[token] = items
            waiting.extend((items, index, one, (place, index)) for index, one in enumerate(item))
        else:
            container[token] = texts.get(place, item) if texts else item
    return root[0]


def _given_names(item: dict[str, Any], place: Place, names: Mapping[Place, str]) -> dict[str, str]:
    wanted = (
        {name: names.get((place, name), name) for name in item} if names else {name: name for name in item}
    )
    taken = {name for name in item if wanted[name] == name}
    given: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for name, new in wanted.items():
        free, number = new, numbers.get(new, 2)
        while new != name and free in taken:
            free, number = f"{new}#{number}", number + 1
        numbers[new] = number
        taken.add(free)
        given[name] = free
    return given
