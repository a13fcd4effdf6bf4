"""The arguments of a held call as a flat list of typed values, each number as it was written. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["string", "number", "boolean", "null", "object", "list"]
Path = tuple[str | int, ...]
"""Member names, and positions in lists, from the top."""


class Unreadable(ValueError):
    """The text is not one JSON value, or could be read in two ways."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A value that holds no other, or an empty object or list."""

    path: Path
    kind: Kind
    text: str
    """A string's characters; anything else as it is written in JSON."""


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def leaves_of(text: str) -> tuple[Leaf, ...]:
    """Every value of a JSON text, in its order.

    Raises:
        Unreadable: not JSON, a name twice, or nested too deep.
    """
    try:
        value = json.loads(
            text, parse_int=_Number, parse_float=_Number, parse_constant=_refuse, object_pairs_hook=_unique
        )
        found: list[Leaf] = []
        _collect(value, (), found)
    except (ValueError, RecursionError) as error:
        raise Unreadable("the arguments are not one JSON value that can only be read in one way") from error
    return tuple(found)


def pointer_of(path: Path) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def parts_of(pointer: str) -> tuple[str, ...]:
    """The parts of a JSON Pointer.

    Raises:
        Unreadable: it does not begin with a slash.
    """
    if pointer and not pointer.startswith("/"):
        raise Unreadable("a JSON Pointer begins with /")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def at(leaves: tuple[Leaf, ...], pointer: str) -> Leaf | None:
    """The value at a pointer, if it holds no others."""
    return next((leaf for leaf in leaves if pointer_of(leaf.path) == pointer), None)


def in_order(
    leaves: tuple[Leaf, ...], show: list[str]
) -> tuple[tuple[Leaf, ...], tuple[Leaf, ...], tuple[str, ...]]:
    """What the rules want seen first, then the rest, and which pointers of the rules lead nowhere."""
    first: dict[Path, Leaf] = {}
    missing: list[str] = []
    for pointer in show:
        under = {leaf.path: leaf for leaf in leaves if _is_under(pointer_of(leaf.path), pointer)}
        first = {**first, **{path: leaf for path, leaf in under.items() if path not in first}}
        if not under:
            missing.append(pointer)
    rest = tuple(leaf for leaf in leaves if leaf.path not in first)
    return tuple(first.values()), rest, tuple(missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A value that differs between two texts."""

    path: Path
    before: Leaf | None
    after: Leaf | None


def changes(before: tuple[Leaf, ...], after: tuple[Leaf, ...]) -> tuple[Change, ...]:
    """What differs, in the order of the newer one, then what is no more."""
    old = {leaf.path: leaf for leaf in before}
    new = {leaf.path: leaf for leaf in after}
    changed = [
        Change(path=path, before=old.get(path), after=leaf)
        for path, leaf in new.items()
        if old.get(path) != leaf
    ]
    gone = [Change(path=path, before=leaf, after=None) for path, leaf in old.items() if path not in new]
    return (*changed, *gone)


def difference(before: str, after: str) -> tuple[int, int]:
    """How many characters two texts have in common at the beginning and, beyond that, at the end."""
    most = min(len(before), len(after))
    head = next((index for index in range(most) if before[index] != after[index]), most)
    left = most - head
    tail = next((index for index in range(left) if before[-1 - index] != after[-1 - index]), left)
    return head, tail


def _is_under(pointer: str, above: str) -> bool:
    return pointer == above or pointer.startswith(above + "/")


def _collect(value: Any, path: Path, found: list[Leaf]) -> None:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            _collect(member, (*path, name), found)
    elif isinstance(value, list) and value:
        for index, element in enumerate(value):
            _collect(element, (*path, index), found)
    else:
        kind, text = _typed(value)
        found.append(Leaf(path=path, kind=kind, text=text))


def _typed(value: Any) -> tuple[Kind, str]:
    if isinstance(value, _Number):
        return "number", str(value)
    if isinstance(value, str):
        return "string", value
    if value is None:
        return "null", "null"
    if isinstance(value, bool):
        return "boolean", "true" if value else "false"
    return ("object", "{}") if isinstance(value, dict) else ("list", "[]")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Unreadable("a name stands there twice")
    return members


def _refuse(literal: str) -> Any:
    raise Unreadable(f"{literal} is not JSON")
