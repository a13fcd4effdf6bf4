"""The canonical call: parsed once, seen alike by policy, reviewer, audit and upstream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.core.canonical import canonical_json, sha256_hex

if TYPE_CHECKING:
    from gateway.core.definition import ToolDefinition
    from gateway.core.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One ``tools/call``, after parsing and before anything was decided."""

    upstream: str
    tool: str
    arguments: dict[str, Any]
    arguments_json: bytes
    """RFC 8785 bytes of ``arguments``: what is digested, recorded and sent."""

    @property
    def tool_id(self) -> str:
        """``upstream/tool``, the name policy knows, whatever the route."""
        return f"{self.upstream}/{self.tool}"


def tool_call(upstream: str, tool: str, arguments: dict[str, Any]) -> ToolCall:
    """Canonicalise the arguments and hand out the value that is read back from the canonical bytes.

    Reading back matters: ``1.0`` and ``1`` are one canonical literal, and policy must see the one
    that the upstream will see.
    """
    encoded = canonical_json(arguments)
    return ToolCall(upstream=upstream, tool=tool, arguments=json.loads(encoded), arguments_json=encoded)


def call_digest(call: ToolCall, principal: Principal, definition: ToolDefinition) -> str:
    """SHA-256 over tenant, principal, canonical call and definition digest (DESIGN: call digest)."""
    head = canonical_json(
        {
            "definition": definition.digest,
            "method": "tools/call",
            "name": call.tool,
            "principal": [principal.subject.type, principal.subject.id, principal.agent],
            "tenant": principal.tenant,
            "upstream": call.upstream,
        }
    )
    return sha256_hex(head + b"\n" + call.arguments_json)
