"""Argument validation against the served input schema: JSON Schema, offline, linear-time patterns."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from gateway.core.schema_cost import too_costly
from gateway.errors import InvalidArguments, InvalidParams

PROBLEMS_MAX = 5
BACKTRACKS_MAX = 50_000


class ArgumentSchema:
    """A compiled input schema.

    Compiled offline: an external ``$ref`` is an error here and never a fetch. Patterns run in linear
    time, or where they need look-around with a bound on backtracking, so a definition cannot bring
    a regular expression that hangs the gateway.
    """

    __slots__ = ("_folded", "_properties", "_validator")

    def __init__(self, schema: dict[str, Any]) -> None:
        """Compile; the dialect is the schema's ``$schema``, by default 2020-12 (MCP 2025-11-25).

        Raises:
            InvalidParams: not a JSON Schema, not one that can be used without network, or a bomb.
        """
        if too_costly(schema):
            raise InvalidParams("unusable schema: its references multiply to more work than a call is worth")
        try:
            self._validator = _compile(schema)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            raise InvalidParams(f"unusable schema: {_one_line(str(error))}") from error
        properties = schema.get("properties")
        self._properties = frozenset(properties) if isinstance(properties, dict) else frozenset[str]()
        self._folded = frozenset(map(_fold, self._properties))

    def check(self, arguments: dict[str, Any], tool: str) -> None:
        """Hold arguments against the schema.

        Raises:
            InvalidParams: a name that another reader could take for a parameter's.
            InvalidArguments: with up to five places and what is wrong there. Values are left out:
                they may be secrets, and the sender knows them.
        """
        for name in arguments.keys() - self._properties:
            if _fold(name) in self._folded:
                # A case-insensitive reader behind us (Go's encoding/json) would take it for that one.
                raise InvalidParams(
                    f"arguments of {tool}: {name[:64]!r} differs from a parameter only in spelling",
                    next_step="use the exact name from the input schema",
                )
        if self._validator.is_valid(arguments):
            return
        problems: list[str] = []
        for error in self._validator.iter_errors(arguments):
            if len(problems) == PROBLEMS_MAX:
                problems.append("and more")
                break
            problems.append(f"{pointer(error.instance_path) or '(arguments)'}: {_one_line(error.message)}")
        raise InvalidArguments(
            f"arguments of {tool} do not match its input schema: " + "; ".join(problems),
            next_step="correct the arguments and call again",
        )


def pointer(path: list[str | int]) -> str:
    """RFC 6901 JSON Pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _compile(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.validator_for(
            schema, pattern_options=jsonschema_rs.RegexOptions(), offline=True, mask="the value"
        )
    except jsonschema_rs.ValidationError:
        # Look-around is legal in ECMA-262 patterns and has no linear-time engine: bounded instead.
        bounded = jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACKS_MAX)
        return jsonschema_rs.validator_for(schema, pattern_options=bounded, offline=True, mask="the value")


def _fold(name: str) -> str:
    # Go folds by simple Unicode case folding; casefold() covers it, the long s and the Kelvin sign included.
    return name.casefold()


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
