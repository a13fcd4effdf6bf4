"""What earlier calls of a tool had in their arguments, place by place. Pure.

A place is a path in which positions in lists do not count: the third recipient stands where the first does.
Of earlier calls only the redacted views are there, cut to a size; what was cut is taken for no value.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.holding.destinations import Destination, destinations_of, number_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

Place = tuple[str | None, ...]
"""Names of members from the top; None: somewhere in a list."""

LEAVES_MAX: Final = 2_000
"""Values of one call that are compared."""
EARLIER_LEAVES_MAX: Final = 4_000
"""Values of earlier calls; where they have more, fewer calls are compared with."""
DEPTH_MAX: Final = 64

_CUT: Final = re.compile(r"…\(\+(\d{1,9}) (?:characters|digits|items|members)\)\Z")
"""How a view says what is missing (scanners/bounded_view.py)."""
MARKER: Final = "[REDACTED:"


class Leaf(NamedTuple):
    """A value that holds no other."""

    pointer: str
    place: Place
    name: str
    """Of the nearest member that it stands under."""
    value: Any


class Member(NamedTuple):
    """A member of an object."""

    pointer: str
    place: Place
    """Of the object."""
    name: str
    value: Any


def parts_in(value: Any) -> Iterator[Leaf | Member]:
    """Members and leaves in the order of the text; an empty object or list is none."""
    waiting: list[tuple[str, Place, str, Any]] = [("", (), "", value)]
    leaves = 0
    while waiting and leaves < LEAVES_MAX:
        pointer, place, name, one = waiting.pop()
        if place and place[-1] is not None:
            yield Member(pointer, place[:-1], name, one)
        if not isinstance(one, dict | list):
            leaves += 1
            yield Leaf(pointer, place, name, one)
        elif len(place) < DEPTH_MAX:
            waiting += reversed(list(_below(pointer, place, name, one)))


def _below(
    pointer: str, place: Place, name: str, value: dict[str, Any] | list[Any]
) -> Iterator[tuple[str, Place, str, Any]]:
    if isinstance(value, dict):
        for key, member in value.items():
            escaped = key.replace("~", "~0").replace("/", "~1")
            yield f"{pointer}/{escaped}", (*place, key), key, member
        return
    for index, item in enumerate(value[:LEAVES_MAX]):
        yield f"{pointer}/{index}", (*place, None), name, item


def told_by(leaf: Leaf, *, shown: bool) -> tuple[Destination, ...]:
    """What should be among the earlier values: destinations, and what a rule wants looked at but numbers."""
    value = leaf.value
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        found = destinations_of(leaf.name, value)
        if found:
            return found
    if not shown or number_in(leaf.name, value) is not None:
        return ()
    text = value if isinstance(value, str) else json.dumps(value)
    return (Destination(kind="shown", text=text, raw=text),)


@dataclass(slots=True, kw_only=True)
class Earlier:
    """What the comparable ones had."""

    calls: int = 0
    texts: dict[Place, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How many calls had a destination there, by its compared text."""
    written: dict[Place, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """The same as it was written first."""
    cut: dict[Place, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    """Beginnings of values that were cut, and how long they were."""
    hosts: Counter[str] = field(default_factory=Counter)
    """Wherever they stood: a known one in another place is not a new one."""
    numbers: dict[Place, list[float]] = field(default_factory=lambda: defaultdict(list))
    longest: Counter[Place] = field(default_factory=Counter)
    members: dict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Of each object that there was."""
    partial: set[Place] = field(default_factory=set)
    """Where something of a list or an object was left out."""

    def knows(self, place: Place, text: str) -> bool:
        """Whether one of them had it there, as far as that can be seen."""
        if text in self.texts.get(place, ()):
            return True
        return any(len(text) == size and text.startswith(head) for head, size in self.cut.get(place, ()))


def earlier_of(views: Iterable[Mapping[str, Any]], *, shown: Collection[Place]) -> Earlier:
    """All of them together; ``shown`` are the places that rules want looked at in the call in question."""
    earlier, left = Earlier(), EARLIER_LEAVES_MAX
    for view in views:
        if view.keys() == {"…"}:
            # Erased, unreadable or never looked through: nothing can be said about it.
            continue
        earlier.calls += 1
        left -= _add(earlier, view, shown)
        if left <= 0:
            break
    return earlier


def _add(earlier: Earlier, view: Mapping[str, Any], shown: Collection[Place]) -> int:
    """How many values it has."""
    texts: dict[tuple[Place, str], Destination] = {}
    hosts: set[str] = set()
    leaves = 0
    earlier.members[()].update()
    for part in parts_in(view):
        if isinstance(part, Member):
            _add_member(earlier, part)
            continue
        leaves += 1
        place, value = part.place, part.value
        if isinstance(value, str) and "…(+" in value and (cut := _CUT.search(value)) is not None:
            head = value[: cut.start()]
            if not head:
                earlier.partial.add(place[:-1] if place and place[-1] is None else place)
                continue
            earlier.cut[place].append((head, size := len(head) + int(cut[1])))
            earlier.longest[place] = max(earlier.longest[place], size)
            continue
        if isinstance(value, str):
            earlier.longest[place] = max(earlier.longest[place], len(value))
        for one in told_by(part, shown=place in shown):
            texts.setdefault((place, one.text), one)
            if one.host:
                hosts.add(one.host)
        if (number := number_in(part.name, value)) is not None:
            earlier.numbers[place].append(number)
    for (place, text), one in texts.items():
        earlier.texts[place][text] += 1
        earlier.written[place].setdefault(text, one.raw)
    earlier.hosts.update(hosts)
    return leaves


def _add_member(earlier: Earlier, member: Member) -> None:
    if member.name.startswith("…"):
        earlier.partial.add(member.place)
        return
    earlier.members[member.place].add(member.name)
    if isinstance(member.value, dict):
        earlier.members[(*member.place, member.name)].update()
