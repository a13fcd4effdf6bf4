"""The session era, MCP 2024-11-05 to 2025-11-25 over streamable HTTP."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import msgspec

from gateway.core.capabilities import Grant, forwarded_capabilities
from gateway.core.log_level import LEVELS, is_level
from gateway.core.methods import METHODS
from gateway.core.versions import LEGACY_VERSIONS, negotiated_legacy
from gateway.downstream.answers import response
from gateway.downstream.errors import WireRefusal, error_body
from gateway.downstream.message import only_members
from gateway.downstream.sessions import NO_CAPABILITIES
from gateway.errors import InvalidParams, InvalidRequest, UnsupportedVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.downstream.exchange import Exchange
    from gateway.downstream.message import Message
    from gateway.downstream.sessions import Session

WITHDRAWN = -32800
"""JSON-RPC code for a request its sender cancelled (the Language Server Protocol's RequestCancelled)."""

_encode = msgspec.json.Encoder().encode


def session_id(headers: Mapping[bytes, bytes]) -> str:
    """The session header of a request after ``initialize``.

    Raises:
        WireRefusal: 400, none was sent (2025-11-25, streamable HTTP, session management).
    """
    value = headers.get(b"mcp-session-id")
    if not value:
        raise WireRefusal(400, "Mcp-Session-Id is missing; initialize first")
    return value.decode("latin-1")


def check_version(headers: Mapping[bytes, bytes], session: Session) -> None:
    """The version header, when sent, must be the negotiated one.

    Raises:
        UnsupportedVersion: another revision.
    """
    value = headers.get(b"mcp-protocol-version")
    if value is not None and value.decode("latin-1") != session.version:
        raise UnsupportedVersion(f"this session speaks {session.version}")


def opening(message: Message) -> Opening:
    """Read ``initialize``.

    Raises:
        InvalidParams: required members are missing.
    """
    params = message.params
    only_members(params, METHODS[message.method].parameters | {"_meta"}, message.method)
    asked, capabilities, client = (
        params.get("protocolVersion"),
        params.get("capabilities"),
        params.get("clientInfo"),
    )
    if not isinstance(asked, str) or not isinstance(capabilities, dict) or not isinstance(client, dict):
        raise InvalidParams("initialize needs protocolVersion, capabilities and clientInfo")
    return Opening(
        version=negotiated_legacy(asked),
        client=f"{client.get('name', '')} {client.get('version', '')}".strip()[:128],
        # Thousands of sessions idle: what no upstream can be told of is not kept.
        capabilities=forwarded_capabilities(capabilities, frozenset(get_args(Grant))) or NO_CAPABILITIES,
    )


class Opening(NamedTuple):
    """What a client says of itself at the start of a session."""

    version: str
    """The revision that answers what it asked for."""
    client: str
    capabilities: Mapping[str, Any]


def opened(
    message: Message,
    version: str,
    capabilities: dict[str, Any],
    *,
    server_info: dict[str, str],
    instructions: str,
) -> bytes:
    """The answer to ``initialize``."""
    result: dict[str, Any] = {
        "protocolVersion": version,
        "capabilities": capabilities,
        "serverInfo": server_info,
        "instructions": instructions,
    }
    return response(message.id, _encode(result))


def set_level(message: Message, session: Session) -> None:
    """Take a ``logging/setLevel``; it counts for the requests that follow.

    Raises:
        InvalidParams: not a level.
    """
    only_members(message.params, METHODS[message.method].parameters | {"_meta"}, message.method)
    level = message.params.get("level")
    if not isinstance(level, str) or not is_level(level):
        raise InvalidParams("level must be one of " + ", ".join(LEVELS))
    session.log_level = level


def notified(message: Message, session: Session) -> None:
    """Act on a notification: only a cancellation changes anything."""
    if message.method != "notifications/cancelled" or session.running is None:
        return
    request_id = message.params.get("requestId")
    if isinstance(request_id, bool) or not isinstance(request_id, str | int):
        return
    running = session.running.get(request_id)
    if running is not None:
        running.withdraw()


def is_legacy_header(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the version header, if any, names a revision of this era."""
    value = headers.get(b"mcp-protocol-version")
    return value is None or value.decode("latin-1") in LEGACY_VERSIONS


@contextmanager
def running(session: Session, message: Message, exchange: Exchange) -> Iterator[None]:
    """Make a call reachable for ``notifications/cancelled`` while it runs.

    Raises:
        InvalidRequest: the id is in use; answers must not be able to cross.
    """
    request_id = message.id
    if request_id is None:
        raise InvalidRequest("a call needs an id")
    calls = session.running = {} if session.running is None else session.running
    if request_id in calls:
        raise InvalidRequest("this request id is in use by a call that is still running")
    calls[request_id] = exchange
    try:
        yield
    finally:
        del calls[request_id]
        if not calls:
            session.running = None


def withdrawn_body(message: Message) -> bytes:
    """How a request that its sender cancelled ends."""
    return error_body(message.id, {"code": WITHDRAWN, "message": "cancelled by the client"})
