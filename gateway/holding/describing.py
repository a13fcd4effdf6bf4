"""What a tool's schema says of each argument that is there: the server's words. Pure; fetches nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.holding.earlier import Place

TEXT_CHARACTERS_MAX: Final = 300
DESCRIBED_MAX: Final = 100
"""Arguments that are described."""
LOOKS_MAX: Final = 2_000
"""Schemas that are looked at for one call, the same one counted each time."""
DEPTH_MAX: Final = 32
_BRANCHES: Final = ("allOf", "anyOf", "oneOf")

Schema = dict[str, Any]


def described(schema: Mapping[str, Any], arguments: Any) -> tuple[tuple[str, str], ...]:
    """JSON Pointer and description, in the order of the arguments; of what a list holds, the first of it."""
    looks = _Looks(dict(schema))
    found: dict[str, str] = {}
    seen: set[Place] = set()
    waiting: list[tuple[str, Place, Any, Callable[[], list[Schema]]]]
    waiting = [("", (), arguments, partial(looks.of, dict(schema)))]
    while waiting and len(found) < DESCRIBED_MAX and not looks.spent:
        pointer, place, value, find = waiting.pop()
        schemas = find()
        if pointer and place not in seen and (text := _text(schemas)):
            found[pointer] = text
        seen.add(place)
        if len(place) >= DEPTH_MAX:
            continue
        if isinstance(value, dict):
            below = [
                (
                    f"{pointer}/{_escaped(name)}",
                    (*place, name),
                    member,
                    partial(looks.of_member, name, schemas),
                )
                for name, member in value.items()
            ]
        elif isinstance(value, list):
            below = [
                (f"{pointer}/{index}", (*place, None), item, partial(looks.of_item, index, schemas))
                for index, item in enumerate(value[:DESCRIBED_MAX])
            ]
        else:
            continue
        waiting += reversed(below)
    return tuple(found.items())


class _Looks:
    """Finds schemas within one document."""

    def __init__(self, document: Schema) -> None:
        self._document = document
        self._left = LOOKS_MAX

    @property
    def spent(self) -> bool:
        """Whether no more are looked at."""
        return self._left <= 0

    def of(self, schema: Any) -> list[Schema]:
        """The schema with all that it refers to and consists of, itself first."""
        found: list[Schema] = []
        waiting, refs = [schema], set[str]()
        while waiting and not self.spent:
            one = waiting.pop(0)
            self._left -= 1
            if not isinstance(one, dict):
                continue
            found.append(one)
            ref = one.get("$ref")
            if isinstance(ref, str) and ref not in refs:
                refs.add(ref)
                waiting.append(self._at(ref))
            for branch in _BRANCHES:
                parts = one.get(branch)
                waiting += parts if isinstance(parts, list) else ()
        return found

    def of_member(self, name: str, schemas: list[Schema]) -> list[Schema]:
        """Of a member of an object with these."""
        named = [one["properties"].get(name) for one in schemas if isinstance(one.get("properties"), dict)]
        found = [part for one in named for part in self.of(one)]
        return found or [part for one in schemas for part in self.of(one.get("additionalProperties"))]

    def of_item(self, index: int, schemas: list[Schema]) -> list[Schema]:
        """Of an item of a list with these."""
        found: list[Schema] = []
        for one in schemas:
            first, rest = one.get("prefixItems"), one.get("items")
            if isinstance(rest, list):
                # Before 2020-12 the first items were described like this.
                first, rest = rest, one.get("additionalItems")
            placed = isinstance(first, list) and index < len(first)
            found += self.of(first[index] if placed and isinstance(first, list) else rest)
        return found

    def _at(self, ref: str) -> Any:
        """What a reference within the document leads to; None for any other."""
        if ref != "#" and not ref.startswith("#/"):
            return None
        value: Any = self._document
        for part in ref.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict):
                value = value.get(key)
            elif isinstance(value, list) and key.isdecimal() and len(key) < 5 and int(key) < len(value):
                value = value[int(key)]
            else:
                return None
        return value


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _text(schemas: list[Schema]) -> str:
    said = (one.get("description") for one in schemas)
    text = next((" ".join(one.split()) for one in said if isinstance(one, str) and one.strip()), "")
    return text if len(text) <= TEXT_CHARACTERS_MAX else text[:TEXT_CHARACTERS_MAX] + "…"
