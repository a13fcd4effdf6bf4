"""The canonical call: parsed once, seen alike by policy, reviewer, audit and upstream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.core.canonical import canonical_json, sha256_hex

if TYPE_CHECKING:
    from gateway.core.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One governed request, after parsing and before anything was decided."""

    method: str
    upstream: str
    name: str
    """What it is about: a tool's, prompt's or agent's name, or a URI."""
    arguments: dict[str, Any]
    arguments_json: bytes
    """RFC 8785 bytes of ``arguments``: what is digested, recorded and sent."""
    target: str
    """``upstream/name``, as policy knows it, whatever the route."""


def canonical_call(method: str, upstream: str, name: str, arguments: dict[str, Any]) -> Call:
    """Canonicalise the arguments and hand out the value that is read back from the canonical bytes.

    Reading back matters: ``1.0`` and ``1`` are one canonical literal, and policy must see the one
    that the upstream will see.
    """
    encoded = canonical_json(arguments)
    return Call(
        method=method,
        upstream=upstream,
        name=name,
        arguments=json.loads(encoded),
        arguments_json=encoded,
        target=f"{upstream}/{name}",
    )


def call_digest(call: Call, principal: Principal, definition_digest: str) -> str:
    """SHA-256 over tenant, principal, canonical call and definition digest (DESIGN: call digest)."""
    head = canonical_json(
        {
            "definition": definition_digest,
            "method": call.method,
            "name": call.name,
            "principal": [principal.subject.type, principal.subject.id, principal.agent],
            "tenant": principal.tenant,
            "upstream": call.upstream,
        }
    )
    return sha256_hex(head + b"\n" + call.arguments_json)
