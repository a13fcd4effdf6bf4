"""The strings of a JSON value, and the value with some of them replaced. Any depth will do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping

_NUMBERS: Final = (int, float)
_SCALARS: Final = frozenset({int, float, bool, type(None)})


def strings_of(value: Any, *, numbers: bool) -> list[str]:
    """Every string and every name of a member, in no order; numbers as their text, if asked for.

    Raises:
        TypeError: the value holds something that JSON does not have.
    """
    strings: list[str] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if kind is str:
            strings.append(item)
        elif kind is dict:
            strings.extend(item)
            waiting.extend(item.values())
        elif kind is list:
            waiting.extend(item)
        elif kind not in _SCALARS:
            raise TypeError(f"not a JSON value: {kind.__name__}")
        elif numbers and kind in _NUMBERS:
            strings.append(str(item))
    return strings


def rebuilt(value: Any, texts: Mapping[str, str], replaced: Callable[[str, str, bool], None]) -> Any:
    """A new value in which each string and name that ``texts`` has is what ``texts`` says.

    Args:
        value: a JSON value; it is not changed, and the result shares no container with it.
        texts: from a string (or the text of a number) to what takes its place.
        replaced: told of each replacement, in the order of the document: the string, the JSON Pointer of
            where it stands in the result, and whether it is the name of that member.
    """
    root: list[Any] = [None]
    open_containers: list[tuple[Iterator[tuple[Any, Any]], Any, str]] = []

    def put(container: Any, place: Any, item: Any, pointer: str) -> None:
        kind = type(item)
        if kind is dict:
            made: dict[str, Any] = {}
            container[place] = made
            open_containers.append((_members(item, texts, pointer, replaced), made, pointer))
        elif kind is list:
            container[place] = items = [None] * len(item)
            open_containers.append((iter(enumerate(item)), items, pointer))
        elif kind is str or kind in _NUMBERS:
            text = item if kind is str else str(item)
            if text in texts:
                replaced(text, pointer, False)
            container[place] = texts.get(text, item)
        else:
            container[place] = item

    put(root, 0, value, "")
    while open_containers:
        entries, container, pointer = open_containers[-1]
        entry = next(entries, None)
        if entry is None:
            open_containers.pop()
        else:
            put(container, entry[0], entry[1], f"{pointer}/{_escaped(entry[0])}")
    return root[0]


def free_name(name: str, taken: Container[str]) -> str:
    """The name, or the name with a number if somebody has it: no member is lost to another."""
    if name not in taken:
        return name
    number = 2
    while (numbered := f"{name}#{number}") in taken:
        number += 1
    return numbered


def _members(
    item: dict[str, Any], texts: Mapping[str, str], pointer: str, replaced: Callable[[str, str, bool], None]
) -> Iterator[tuple[Any, Any]]:
    # Names that stay have precedence, wherever they stand.
    taken = {name for name in item if texts.get(name, name) == name}
    for name, member in item.items():
        given = name if name in taken else free_name(texts[name], taken)
        taken.add(given)
        if name in texts:
            replaced(name, f"{pointer}/{_escaped(given)}", True)
        yield given, member


def _escaped(token: str | int) -> str:
    return str(token).replace("~", "~0").replace("/", "~1")
