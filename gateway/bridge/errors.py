"""JSON-RPC errors of upstreams whose number changed with 2026-07-28."""

from __future__ import annotations

import msgspec

RESOURCE_NOT_FOUND_LEGACY = -32002
INVALID_PARAMS = -32602

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def agent_error(method: str, error: bytes, *, from_modern: bool, to_modern: bool) -> bytes:
    """The error object of an upstream as the agent's era numbers it; message and data stay as they are.

    A resource that is not there is -32602 since 2026-07-28, and was -32002 before.
    """
    if from_modern == to_modern or method != "resources/read":
        return error
    members = _decode(error)
    code = bytes(members["code"]).strip()
    if to_modern and code == b"%d" % RESOURCE_NOT_FOUND_LEGACY:
        return _encode(members | {"code": INVALID_PARAMS})
    if not to_modern and code == b"%d" % INVALID_PARAMS and b'"uri"' in bytes(members.get("data", b"")):
        return _encode(members | {"code": RESOURCE_NOT_FOUND_LEGACY})
    return error
