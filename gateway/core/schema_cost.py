"""How much work a schema can make of one value: a schema of a kilobyte can ask for hours of it.

Keywords that look at the same value again (``$ref``, ``allOf`` and their like) multiply: twenty-four
definitions that each name the next one twice are sixteen million evaluations. Keywords that look
inside a value are bounded by the value, and are not followed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

EVALUATIONS_MAX = 100_000
"""Of one value; a few milliseconds. Real schemas stay below a thousand."""

_ONE = ("not", "if", "then", "else")
_SEVERAL = ("allOf", "anyOf", "oneOf")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_NAMES = ("$anchor", "$dynamicAnchor", "$id")


def too_costly(schema: dict[str, Any]) -> bool:
    """Whether some part of the schema can need more than ``EVALUATIONS_MAX`` evaluations of one value."""
    parts = list(_objects(schema))
    if not any(name in part for part in parts for name in _REFERENCES):
        return len(parts) > EVALUATIONS_MAX  # without references every part is looked at once
    names = {
        spelled: part
        for part in parts
        for name in _NAMES
        if isinstance(part.get(name), str)
        for spelled in (part[name], f"#{part[name]}")
    }
    known: dict[int, int] = {}
    try:
        return any(_evaluations(part, schema, names, known) > EVALUATIONS_MAX for part in parts)
    except RecursionError:
        return True  # a chain of references longer than anybody writes


def _evaluations(part: Any, root: dict[str, Any], names: dict[str, Any], known: dict[int, int]) -> int:
    if not isinstance(part, dict):
        return 1
    if id(part) not in known:
        known[id(part)] = 1  # met again on the way down: a cycle, which the validator cuts
        total = 1
        for again in _again(part, root, names):
            total += _evaluations(again, root, names, known)
        known[id(part)] = min(total, EVALUATIONS_MAX + 1)
    return known[id(part)]


def _again(part: dict[str, Any], root: dict[str, Any], names: dict[str, Any]) -> Iterator[Any]:
    """What else the value itself is held against."""
    yield from (part[name] for name in _ONE if name in part)
    for name in _SEVERAL:
        if isinstance(part.get(name), list):
            yield from part[name]
    dependent = part.get("dependentSchemas")
    if isinstance(dependent, dict):
        yield from dependent.values()
    for name in _REFERENCES:
        reference = part.get(name)
        if isinstance(reference, str):
            yield names[reference] if reference in names else _pointed_at(root, reference)


def _pointed_at(root: Any, reference: str) -> Any:
    base, _, pointer = reference.partition("#")
    found = None if base else root
    for step in _unescaped(pointer).split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            found = found.get(key) if isinstance(found, dict) else None
    return found


def _unescaped(pointer: str) -> str:
    plain = _ESCAPED.sub(lambda match: bytes.fromhex(match.group(1).decode()), pointer.encode())
    return plain.decode(errors="replace")


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
