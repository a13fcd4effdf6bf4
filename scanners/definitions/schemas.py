"""Schemas that point elsewhere, or that ask for more work than any value is worth.

One walk over a definition, bounded in steps and never by a clock: what is beyond the bounds is not looked at,
and is reported for that. Nothing is ever fetched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scanners.definitions.costly_patterns import is_costly
from scanners.definitions.finding import pointer_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NODES_MAX: Final = 10_000
"""Values and members of one definition; more take a person longer to read than anybody has."""
CHARACTERS_MAX: Final = 256 << 10
"""Of all strings of one definition."""
DEPTH_MAX: Final = 64
BRANCHES_MAX: Final = 200
"""Of one ``anyOf``, ``oneOf`` or ``allOf``."""
EXPANDED_NODES_MAX: Final = 100_000
"""With every reference replaced by what it leads to. Clients do that before they show a schema to a model."""
PATTERN_CHARACTERS_MAX: Final = 10_000
"""Of all regular expressions of one definition."""

_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_SEVERAL: Final = ("allOf", "anyOf", "oneOf")
_ONE: Final = ("not", "if", "then", "else")
_NAMES: Final = ("$id", "$anchor", "$dynamicAnchor")
_INTERESTING: Final = frozenset(
    (*_REFERENCES, *_SEVERAL, *_NAMES, "$schema", "pattern", "patternProperties", "properties", "arguments")
)
_DIALECTS: Final = ("http://json-schema.org/", "https://json-schema.org/")
_REFERENCE_CHAIN_MAX: Final = 100

_TOO_LARGE: Final = "it is larger than a definition that somebody could read"
_TOO_COSTLY: Final = "to hold one value against it, or to spell it out, is more work than any value is worth"


class Place(NamedTuple):
    """Something in a definition, and why it is of interest."""

    rule: str
    reason: str
    pointer: str
    text: str


@dataclass(slots=True)
class Outline:
    """What one walk over a definition found."""

    complete: bool = True
    """False: a bound was reached, and the rest was not looked at."""
    places: list[Place] = field(default_factory=list)
    parameters: list[tuple[str, str]] = field(default_factory=list)
    """Names under any ``properties``, and of a prompt's arguments, each with its pointer."""
    pattern_characters: int = 0


def outlined(members: Mapping[str, Any]) -> Outline:
    """Walk over all members, unknown ones included."""
    outline = Outline()
    named: set[str] = set()
    references: list[tuple[str, str]] = []
    nodes = characters = 0
    waiting: list[tuple[Any, tuple[Any, ...]]] = [(members, ())]
    while waiting:
        item, path = waiting.pop()
        kind = type(item)
        if kind is str:
            characters += len(item)
        elif kind is dict or kind is list:
            nodes += len(item) if kind is list else 2 * len(item)
            if nodes > NODES_MAX or len(path) > DEPTH_MAX:
                return _cut(outline, path)
            if kind is dict:
                characters += sum(map(len, item))
                if not _INTERESTING.isdisjoint(item):
                    _look_at(item, path, outline, references, named)
                waiting.extend((member, (*path, name)) for name, member in item.items())
            else:
                _count_branches(item, path, outline)
                waiting.extend((one, (*path, place)) for place, one in enumerate(item))
        if characters > CHARACTERS_MAX:
            return _cut(outline, path)
    outline.places += _leading_elsewhere(references, named)
    if references:
        outline.places += _bombs(members)
    return outline


def _look_at(
    item: dict[str, Any],
    path: tuple[Any, ...],
    outline: Outline,
    references: list[tuple[str, str]],
    named: set[str],
) -> None:
    at = pointer_of(path)
    references += [(item[key], f"{at}/{key}") for key in _REFERENCES if isinstance(item.get(key), str)]
    named.update(item[key] for key in _NAMES if isinstance(item.get(key), str))
    dialect = item.get("$schema")
    if isinstance(dialect, str) and not dialect.startswith(_DIALECTS):
        reason = "it names a dialect that would have to be fetched"
        outline.places.append(Place("schema.external-reference", reason, f"{at}/$schema", dialect))
    properties = item.get("properties")
    if isinstance(properties, dict):
        under = f"{at}/properties"
        outline.parameters += [(name, f"{under}{pointer_of((name,))}") for name in properties]
    arguments = item.get("arguments")
    if not path and isinstance(arguments, list):
        outline.parameters += [
            (one["name"], f"/arguments/{place}/name")
            for place, one in enumerate(arguments)
            if isinstance(one, dict) and isinstance(one.get("name"), str)
        ]
    patterns = item.get("patternProperties")
    for pattern in (item.get("pattern"), *(patterns if isinstance(patterns, dict) else ())):
        if isinstance(pattern, str) and outline.pattern_characters <= PATTERN_CHARACTERS_MAX:
            outline.pattern_characters += len(pattern)
            if outline.pattern_characters > PATTERN_CHARACTERS_MAX or is_costly(pattern):
                reason = "a pattern that can take longer than anybody waits"
                outline.places.append(Place("schema.bomb", reason, at, pattern))


def _count_branches(item: list[Any], path: tuple[Any, ...], outline: Outline) -> None:
    if len(item) > BRANCHES_MAX and path and path[-1] in _SEVERAL:
        reason = f"{len(item)} alternatives, each of which a value is held against"
        outline.places.append(Place("schema.bomb", reason, pointer_of(path), ""))


def _cut(outline: Outline, path: tuple[Any, ...]) -> Outline:
    outline.complete = False
    outline.places.append(Place("schema.too-large", _TOO_LARGE, pointer_of(path[:8]), ""))
    return outline


def _leading_elsewhere(references: list[tuple[str, str]], named: set[str]) -> Iterator[Place]:
    for reference, pointer in references:
        if not reference.startswith("#") and reference.partition("#")[0] not in named:
            reason = "it refers to something that would have to be fetched"
            yield Place("schema.external-reference", reason, pointer, reference)


class _TooCostlyError(Exception):
    """Never leaves this module."""


def _bombs(members: Mapping[str, Any]) -> Iterator[Place]:
    for name, schema in members.items():
        if isinstance(schema, dict):
            try:
                _Expansion(schema).size(schema, 0)
            except (_TooCostlyError, RecursionError):
                yield Place("schema.bomb", _TOO_COSTLY, pointer_of((name,)), "")


class _Expansion:
    """How large a schema is once every reference in it is spelled out; a cycle is cut where it closes."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._known: dict[int, int] = {}
        self._open: dict[int, bool] = {}
        """Parts on the way down; whether the value itself is still held against them."""

    def size(self, part: Any, references: int, *, same_value: bool = False) -> int:
        """Nodes below a part.

        Raises:
            _TooCostlyError: more than ``EXPANDED_NODES_MAX``, an endless circle, or a chain without end.
        """
        if isinstance(part, list):
            return 1 + sum(self.size(one, references, same_value=same_value) for one in part)
        if not isinstance(part, dict):
            return 1
        key = id(part)
        if key in self._open:
            if same_value and self._circle(key):
                raise _TooCostlyError
            return 1
        if key not in self._known:
            if references > _REFERENCE_CHAIN_MAX:
                raise _TooCostlyError
            self._open[key] = same_value
            self._known[key] = total = 1 + sum(self._below(part, references))
            del self._open[key]
            if total > EXPANDED_NODES_MAX:
                raise _TooCostlyError
        return self._known[key]

    def _below(self, part: dict[str, Any], references: int) -> Iterator[int]:
        for name, member in part.items():
            if name in _REFERENCES and isinstance(member, str):
                yield self.size(self._target(member), references + 1, same_value=True)
            elif isinstance(member, dict | list):
                again = name in _ONE or name in _SEVERAL
                yield self.size(member, references, same_value=again)

    def _circle(self, key: int) -> bool:
        """Whether every step since then looked at the same value again: no value ends such a circle."""
        steps = list(self._open)
        return all(self._open[step] for step in steps[steps.index(key) + 1 :])

    def _target(self, reference: str) -> Any:
        found: Any = self._root if reference.startswith("#") else None
        for token in reference.partition("#")[2].split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list):
                found = (
                    found[int(key)] if key.isdecimal() and len(key) < 6 and int(key) < len(found) else None
                )
            else:
                found = found.get(key) if isinstance(found, dict) else None
        return found
