"""The session era, MCP 2024-11-05 to 2025-11-25 over streamable HTTP."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.core.versions import LEGACY_VERSIONS, negotiated_legacy
from gateway.downstream.errors import WireRefusal, error_body
from gateway.downstream.message import only_members
from gateway.downstream.tools import Body, response
from gateway.errors import InvalidParams, InvalidRequest, UnknownMethod, UnsupportedMethod, UnsupportedVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.core.principal import Principal
    from gateway.downstream.exchange import Exchange
    from gateway.downstream.message import Message
    from gateway.downstream.sessions import Session, Sessions
    from gateway.downstream.tools import Tools

CALL_MEMBERS = frozenset({"name", "arguments", "_meta"})
LIST_MEMBERS = frozenset({"cursor", "_meta"})
INITIALIZE_MEMBERS = frozenset({"protocolVersion", "capabilities", "clientInfo", "_meta"})
WITHDRAWN = -32800
"""JSON-RPC code for a request its sender cancelled (the Language Server Protocol's RequestCancelled)."""
LIST_CHANGED = b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'

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


class LegacyEra:
    """The methods of this era, other than ``tools/call``."""

    def __init__(
        self, tools: Tools, sessions: Sessions, *, server_info: dict[str, str], instructions: str
    ) -> None:
        """Take the tools surface, the sessions and what we say of ourselves."""
        self._tools = tools
        self._sessions = sessions
        self._server_info = server_info
        self._instructions = instructions

    def initialize(
        self, message: Message, principal: Principal, upstream: str | None
    ) -> tuple[Body, Session]:
        """Open a session.

        Raises:
            InvalidParams: required members are missing.
            Overloaded: too many sessions.
        """
        params = message.params
        only_members(params, INITIALIZE_MEMBERS, message.method)
        asked, capabilities, client = (
            params.get("protocolVersion"),
            params.get("capabilities"),
            params.get("clientInfo"),
        )
        if not isinstance(asked, str) or not isinstance(capabilities, dict) or not isinstance(client, dict):
            raise InvalidParams("initialize needs protocolVersion, capabilities and clientInfo")
        version = negotiated_legacy(asked)
        name = f"{client.get('name', '')} {client.get('version', '')}".strip()[:128]
        session = self._sessions.open(principal, upstream=upstream, version=version, client=name)
        result: dict[str, Any] = {
            "protocolVersion": version,
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": self._server_info,
            "instructions": self._instructions,
        }
        return Body(response(message.id, _encode(result))), session

    def answer(self, message: Message, upstream: str | None) -> Body:
        """Answer a request that needs no flow.

        Raises:
            UnknownMethod, UnsupportedMethod, InvalidParams.
        """
        row = message.row
        if row is None or not row.legacy:
            raise UnknownMethod(f"no method {message.method!r} in this protocol revision")
        if not row.carried:
            raise UnsupportedMethod(f"{message.method} is not supported yet")
        if message.method == "ping":
            only_members(message.params, frozenset({"_meta"}), message.method)
            return Body(response(message.id, b"{}"))
        only_members(message.params, LIST_MEMBERS, message.method)
        return self._tools.list(message, upstream=upstream, modern=False)

    def notified(self, message: Message, session: Session) -> None:
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
