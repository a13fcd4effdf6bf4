"""One tool definition: the whole wire object, its digest, and the parts the gateway acts on."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gateway.core.canonical import canonical_json, sha256_hex
from gateway.core.naming import is_tool_name
from gateway.core.schema import ArgumentSchema
from gateway.errors import InvalidParams

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_PARAM_HEADERS: Mapping[tuple[str, ...], str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """A listed tool as it was admitted.

    The digest covers every member of the wire object, unknown ones included: whoever swaps a
    definition picks the member that reviewers do not read.
    """

    upstream: str
    name: str
    members: dict[str, Any]
    """The whole wire object as parsed; treated as immutable."""
    digest: str
    """SHA-256 of the RFC 8785 bytes, 64 hexadecimal digits."""
    arguments: ArgumentSchema
    """The compiled ``inputSchema`` that arguments are held against."""
    labels: tuple[str, ...] = ()
    """What the operator says about the tool (``read_only``, ``idempotent``); facts for policy."""
    param_headers: Mapping[tuple[str, ...], str] = field(default_factory=lambda: NO_PARAM_HEADERS)
    """Property path -> ``x-mcp-header`` token (MCP 2026-07-28, custom headers)."""

    @property
    def annotations(self) -> dict[str, Any]:
        """The server's own claims; never facts."""
        claims = self.members.get("annotations")
        return claims if isinstance(claims, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedDefinition:
    """A listed tool that is not offered, and why."""

    upstream: str
    name: str
    code: str
    reason: str


def parse_definition(
    upstream: str,
    members: Any,
    *,
    labels: tuple[str, ...] = (),
    param_headers: Mapping[tuple[str, ...], str] = NO_PARAM_HEADERS,
) -> ToolDefinition | RefusedDefinition:
    """Read one element of ``tools/list``. One malformed tool never costs the others."""
    name = members.get("name") if isinstance(members, dict) else None
    shown = name[:128] if isinstance(name, str) else "(no name)"

    def refused(code: str, reason: str) -> RefusedDefinition:
        return RefusedDefinition(upstream=upstream, name=shown, code=code, reason=reason)

    if not isinstance(members, dict) or not isinstance(name, str):
        return refused("definition_malformed", "not an object with a name")
    if not is_tool_name(name):
        return refused(
            "definition_name", "the name has characters outside A-Z a-z 0-9 _ . - or is over 128 long"
        )
    schema = members.get("inputSchema")
    if not isinstance(schema, dict):
        return refused("definition_schema", "inputSchema is missing or not an object")
    if schema.get("type", "object") != "object":
        return refused("definition_schema", "inputSchema does not describe an object")
    try:
        digest = sha256_hex(canonical_json(members))
        arguments = ArgumentSchema(schema)
    except InvalidParams as error:
        return refused("definition_schema", error.reason)
    return ToolDefinition(
        upstream=upstream,
        name=name,
        members=members,
        digest=digest,
        arguments=arguments,
        labels=labels,
        param_headers=param_headers,
    )
