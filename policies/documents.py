"""Reads one data file so that every reader of the same bytes sees the same document.

JSON and YAML have corners where parsers disagree (duplicate keys, NaN, dates, aliases). A policy's
data decides calls, so those corners are refused instead of guessed.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import yaml

DEPTH_MAX = 64


class UnreadableData(ValueError):
    """The bytes are not one plain JSON document; ``row`` counts from 1, 0 when unknown."""

    def __init__(self, message: str, row: int = 0) -> None:
        """Keep the place."""
        super().__init__(message)
        self.row = row


def read_data(raw: bytes, *, yaml_syntax: bool) -> dict[str, Any]:
    """The document, an object of JSON values. Raises ``UnreadableData``."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableData("the file is not UTF-8 text") from None
    try:
        document = _read_yaml(text) if yaml_syntax else _read_json(text)
        _judge(document, depth=0)
    except RecursionError:
        raise UnreadableData(f"nested deeper than {DEPTH_MAX}") from None
    if not isinstance(document, dict):
        raise UnreadableData("the top level of a data file is an object")
    return document


def _read_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as wrong:
        raise UnreadableData(f"not JSON: {wrong.msg}", wrong.lineno) from None
    except ValueError as wrong:
        if isinstance(wrong, UnreadableData):
            raise
        raise UnreadableData("a number has too many digits") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise UnreadableData(f"the key {key!r} occurs twice in one object")
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise UnreadableData(f"{name} is not JSON")


# How the plain scalars that every YAML version reads alike look. PyYAML follows 1.1, where
# ``no`` is false, ``12:30`` is 750 and ``010`` is 8; OPA's reader differs.
_SAME_IN_ALL_YAML = {
    "tag:yaml.org,2002:bool": re.compile(r"true|false"),
    "tag:yaml.org,2002:int": re.compile(r"-?(0|[1-9][0-9]*)"),
    "tag:yaml.org,2002:float": re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+([eE][+-]?[0-9]+)?"),
    "tag:yaml.org,2002:timestamp": re.compile(r"(?!)"),
}


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases (which can unfold to any size), duplicate keys and scalars of unclear type."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse aliases where they are used, and unclear scalars."""
        if self.check_event(yaml.AliasEvent):
            row = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise UnreadableData("YAML aliases are not read", row)
        node = super().compose_node(parent, index)
        clear = _SAME_IN_ALL_YAML.get(node.tag) if node else None
        if clear and isinstance(node, yaml.ScalarNode) and not clear.fullmatch(node.value):
            raise UnreadableData(
                f"{node.value!r} could mean two things; put it in quotes", node.start_mark.line + 1
            )
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Refuse duplicate keys and keys that JSON cannot have."""
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            row = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise UnreadableData(f"the key {key!r} is not a string; put it in quotes", row)
            if key in seen:
                raise UnreadableData(f"the key {key!r} occurs twice in one object", row)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _read_yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.MarkedYAMLError as wrong:
        row = wrong.problem_mark.line + 1 if wrong.problem_mark else 0
        raise UnreadableData(f"not YAML: {wrong.problem}", row) from None
    except (yaml.YAMLError, ValueError) as wrong:
        if isinstance(wrong, UnreadableData):
            raise
        raise UnreadableData("not YAML") from None


def _judge(document: Any, *, depth: int) -> None:
    """Refuse what JSON cannot say and what could not be encoded again."""
    if depth > DEPTH_MAX:
        raise UnreadableData(f"nested deeper than {DEPTH_MAX}")
    if isinstance(document, str):
        if any("\ud800" <= char <= "\udfff" for char in document):
            raise UnreadableData("a string holds half of a surrogate pair")
    elif isinstance(document, float):
        if not math.isfinite(document):
            raise UnreadableData("a number is out of range")
    elif isinstance(document, dict):
        for key, value in document.items():
            _judge(key, depth=depth)
            _judge(value, depth=depth + 1)
    elif isinstance(document, list):
        for value in document:
            _judge(value, depth=depth + 1)
    elif document is not None and not isinstance(document, (bool, int)):
        raise UnreadableData(f"a value of type {type(document).__name__} has no place in JSON")
