"""A redacted value cut to a size, for lists: what is missing is always stated.

Redact first, then cut: of a secret cut in half, no scanner would know the first half.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final

from scanners.json_strings import free_name
from scanners.markers import MARKER_CHARACTERS_MAX, PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

CHARACTERS_MIN: Final = 64
"""The least bound: anything can be stated in it."""

DEPTH_MAX: Final = 16
"""What lies in more containers than this is stated, not shown."""

_SHARE_CHARACTERS_MIN: Final = 32
"""Room in which any value can be stated. Rather than give an entry less, fewer are shown."""

_CONTAINER_CHARACTERS: Final = 120
"""Of several containers fewer are shown, so that of each more is seen than how many members it has."""

_NAME_CHARACTERS_MAX: Final = 64
_NUMBER_CHARACTERS: Final = 8
"""Kept in a name that was cut for the number that tells it from others."""

_REST_CHARACTERS: Final = 34
"""Kept for the statement of what is missing: a comma, the name ``…`` with a number, ``+1234567 members``."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def bounded_view(value: Any, *, characters_max: int) -> Any:
    """The value itself if it is short and flat; else one like it whose compact JSON is within the bound.

    A string that was cut ends in ``…(+N characters)``, an array in the item ``…(+N items)``, an object in
    the member ``…`` that says ``+N members``. Short entries stay whole at the expense of long ones.

    Args:
        value: a JSON value without secrets.
        characters_max: of ``json.dumps(view, ensure_ascii=False, separators=(",", ":"))``.
    """
    if characters_max < CHARACTERS_MIN:
        raise ValueError(f"a view has room for at least {CHARACTERS_MIN} characters")
    return _View(characters_max).of(value, characters_max, 1)


@dataclass(slots=True)
class _Entry:
    """A member or an item: what its name and comma take, and what its value would."""

    name: str
    value: Any
    overhead: int
    size: int
    renamed: bool = False

    def least(self, *, first: bool) -> int:
        """What it takes to say something about it; of further containers, enough to be read."""
        worth = (
            _CONTAINER_CHARACTERS
            if isinstance(self.value, dict | list) and not first
            else _SHARE_CHARACTERS_MIN
        )
        return self.overhead + min(self.size, worth)


@dataclass(slots=True)
class _View:
    characters_max: int
    _sizes: dict[tuple[int, int], int] = field(default_factory=dict)

    def of(self, value: Any, room: int, depth: int) -> Any:
        """The value in at most ``room`` characters of JSON, which is never less than the least share."""
        if self._size(value, depth) <= room:
            return value
        if isinstance(value, str):
            return _cut(value, room)
        if not isinstance(value, dict | list):
            return f"…(+{len(_encode(value))} digits)"
        if depth > DEPTH_MAX:
            return f"…({_rest(value, 0)})"
        entries = self._shown(value, room - 2, depth)
        left_out = len(entries) < len(value)
        share = _share(entries, room - 2 - (_REST_CHARACTERS if left_out else 0))
        shown = [self.of(entry.value, min(entry.size, share), depth + 1) for entry in entries]
        if isinstance(value, list):
            return [*shown, f"…({_rest(value, len(shown))})"] if left_out else shown
        members = dict(zip(_names(entries), shown, strict=True))
        if left_out:
            # No member that is left out may seem to be shown, so the name is nobody's.
            members[free_name("…", value.keys() | members.keys())] = _rest(value, len(shown))
        return members

    def _shown(self, value: dict[str, Any] | list[Any], room: int, depth: int) -> list[_Entry]:
        """As many of the first entries as can all be stated, with room for what is said about the others."""
        entries: list[_Entry] = []
        needed = fitting = 0
        for entry in islice(self._entries(value, depth), room):
            entries.append(entry)
            needed += entry.least(first=needed == 0)
            if needed <= room - _REST_CHARACTERS:
                fitting = len(entries)
            if needed > room:
                break
        return entries if len(entries) == len(value) and needed <= room else entries[:fitting]

    def _entries(self, value: dict[str, Any] | list[Any], depth: int) -> Iterator[_Entry]:
        if isinstance(value, list):
            for item in value:
                yield _Entry("", item, 1, self._size(item, depth + 1))
            return
        for name, item in value.items():
            size, taken = self._size(item, depth + 1), self._string_size(name)
            if taken <= _NAME_CHARACTERS_MAX:
                yield _Entry(name, item, taken + 2, size)
            else:
                short = _cut(name, _NAME_CHARACTERS_MAX - _NUMBER_CHARACTERS)
                yield _Entry(short, item, _NAME_CHARACTERS_MAX + 2, size, renamed=True)

    def _size(self, value: Any, depth: int) -> int:
        """Characters of the value's JSON; more than the bound, if it cannot be shown whole at all."""
        if isinstance(value, str):
            return self._string_size(value)
        if not isinstance(value, dict | list) or not value:
            return len(_encode(value))
        if depth > DEPTH_MAX:
            return self.characters_max + 1
        size = self._sizes.get((id(value), depth))
        if size is None:
            size = self._sizes[id(value), depth] = self._container_size(value, depth)
        return size

    def _container_size(self, value: dict[str, Any] | list[Any], depth: int) -> int:
        size = 1
        for place in value:
            item = place
            if isinstance(value, dict):
                item = value[place]
                size += self._string_size(place) + 1
            size += self._size(item, depth + 1) + 1
            if size > self.characters_max:
                return self.characters_max + 1
        return size

    def _string_size(self, text: str) -> int:
        return len(encode_basestring(text)) if len(text) < self.characters_max else self.characters_max + 1


def _share(entries: list[_Entry], room: int) -> int:
    """The most that one value may take if all are to fit, short ones whole."""
    available = room - sum(entry.overhead for entry in entries)
    waiting = len(entries)
    for size in sorted(entry.size for entry in entries):
        if size * waiting > available:
            return available // waiting
        available -= size
        waiting -= 1
    return room


def _names(entries: list[_Entry]) -> Iterator[str]:
    taken = {entry.name for entry in entries if not entry.renamed}
    for entry in entries:
        name = free_name(entry.name, taken) if entry.renamed else entry.name
        taken.add(name)
        yield name


def _rest(value: dict[str, Any] | list[Any], shown: int) -> str:
    return f"+{len(value) - shown} {'items' if isinstance(value, list) else 'members'}"


def _cut(text: str, room: int) -> str:
    """The beginning of the text and how much is missing, in at most ``room`` characters of JSON."""
    kept = room
    while True:
        head = _without_broken_marker(text[: max(kept, 0)])
        result = f"{head}…(+{len(text) - len(head)} characters)"
        excess = len(_encode(result)) - room
        if excess <= 0 or not head:
            return result
        kept = len(head) - -(-excess // 6)  # no character takes more than six


def _without_broken_marker(head: str) -> str:
    begin = head.rfind("[", max(len(head) - MARKER_CHARACTERS_MAX, 0))
    rest = head[begin:]
    broken = begin >= 0 and "]" not in rest and (rest.startswith(PREFIX) or PREFIX.startswith(rest))
    return head[:begin] if broken else head
