"""The agents' port: a plain ASGI callable. Read ``__call__``, then ``_post``.

Order: head of the request, path, principal, body, message, era, method. Each step can only refuse.
"""

from __future__ import annotations

import contextlib
import logging
import re
from typing import TYPE_CHECKING

from gateway.core.naming import is_upstream_id
from gateway.downstream import legacy, modern
from gateway.downstream.errors import (
    WireRefusal,
    error_body,
    error_object,
    extra_headers,
    http_status,
)
from gateway.downstream.exchange import send_response
from gateway.downstream.legacy_posts import LegacyPosts
from gateway.downstream.message import Response, read_message
from gateway.downstream.modern_posts import ModernPosts
from gateway.downstream.serving import needs_stream
from gateway.downstream.streams import LISTS, ChangeStream
from gateway.downstream.surface import Post
from gateway.errors import GatewayError, InternalFailure, UnsupportedVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.core.principal import Principal
    from gateway.downstream.message import Message
    from gateway.downstream.refusals import Refusals
    from gateway.downstream.replay import Replays
    from gateway.downstream.serving import Serving
    from gateway.downstream.sessions import Sessions
    from gateway.downstream.wire import HttpRequest, Receive, Scope, Send, Wire

_UPSTREAM_PATH = re.compile(rb"/s/([A-Za-z0-9_-]{1,64})/mcp")
_logger = logging.getLogger("toolgate")


class AgentEndpoint:
    """Serves ``/mcp`` and ``/s/<upstream>/mcp``; everything else is not found."""

    def __init__(
        self,
        *,
        wire: Wire,
        authenticate: Callable[[str | None], Principal],
        upstream_ids: frozenset[str],
        serving: Serving,
        sessions: Sessions,
        replays: Replays,
        refusals: Refusals,
    ) -> None:
        """Take the parts; composed in app.py."""
        self._wire = wire
        self._authenticate = authenticate
        self._upstream_ids = upstream_ids
        self._serving = serving
        self._modern = ModernPosts(serving)
        self._legacy = LegacyPosts(serving, sessions, replays)
        self._sessions = sessions
        self._replays = replays
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        if scope["type"] != "http":
            # A WebSocket handshake: closing before accepting answers 403.
            await send({"type": "websocket.close", "code": 1008})
            return
        principal: Principal | None = None
        method = ""
        try:
            request = self._wire.open(scope)
            named = _route(request.path)
            principal = self._who(request.headers)
            upstream = self._known(named)
            if request.verb == "POST":
                message = read_message(await self._wire.body(request, receive))
                if isinstance(message, Response):
                    await self._legacy.responded(message, request, upstream, principal, send)
                else:
                    method = message.method
                    await self._post(Post(message, request, upstream, principal, receive, send))
            elif request.verb == "GET":
                await self._get(request, upstream, principal, receive, send)
            else:
                await self._delete(request, upstream, principal, send)
        except GatewayError as error:
            self._note(principal, error, method)
            await _send_error(send, error, None, modern_era=True)
        except Exception:  # the edge: a fault of ours must have an answer and a record, too
            _logger.exception("a request failed inside the gateway")
            failure = InternalFailure("the gateway failed; if this was a call, the log says how far it came")
            self._note(principal, failure, method)
            # Where the answer had begun there is nothing to add; the server ends the connection.
            with contextlib.suppress(RuntimeError):
                await _send_error(send, failure, None, modern_era=True)

    def _known(self, upstream: str | None) -> str | None:
        """Hold a path's upstream against the configuration; strangers are not told which ids exist."""
        if upstream is not None and upstream not in self._upstream_ids:
            raise _not_here()
        return upstream

    def _who(self, headers: Mapping[bytes, bytes]) -> Principal:
        value = headers.get(b"authorization")
        return self._authenticate(value.decode("latin-1") if value is not None else None)

    def _note(self, principal: Principal | None, error: GatewayError, method: str) -> None:
        if principal is None:
            self._refusals.count(f"http_{error.status}" if isinstance(error, WireRefusal) else error.code)
        else:
            self._refusals.record(principal, error.code, error.reason, method)

    async def _post(self, post: Post) -> None:
        is_modern = modern.is_modern(post.message, post.request.headers)
        try:
            if is_modern:
                await self._modern.answer(post)
            else:
                await self._legacy.answer(post)
        except UnsupportedVersion as error:
            self._note(post.principal, error, post.message.method)
            await send_response(post.send, 400, modern.version_error(post.message, error))
        except GatewayError as error:
            self._note(post.principal, error, post.message.method)
            await _send_error(post.send, error, post.message, modern_era=is_modern)

    async def _get(
        self, request: HttpRequest, upstream: str | None, principal: Principal, receive: Receive, send: Send
    ) -> None:
        headers = request.headers
        if b"mcp-session-id" not in headers or not legacy.is_legacy_header(headers):
            # 2026-07-28 has no GET; and without a session there is nothing to stream.
            raise WireRefusal(
                405, "GET opens a session's stream; send Mcp-Session-Id", headers=((b"allow", b"POST"),)
            )
        needs_stream(headers)
        session = self._sessions.find(principal, legacy.session_id(headers), upstream=upstream)
        last_event_id = headers.get(b"last-event-id")
        if last_event_id is not None:
            replay, seen = self._replays.find(session.id, last_event_id.decode("latin-1"))
            await self._serving.serve_replay(replay, seen, principal, receive, send)
            return
        stream = ChangeStream(about=LISTS, upstream=upstream)
        # Counted first: a stream that is refused must not cost the session the one it has.
        with self._serving.open(stream, principal):
            if session.stream is not None:
                # The newest stream wins: the older one's client has usually lost its connection.
                session.stream.close()
            session.stream = stream
            try:
                await self._serving.serve_stream(stream, receive, send, first=b": open\n\n", last=b"")
            finally:
                self._sessions.stream_ended(session, stream)

    async def _delete(
        self, request: HttpRequest, upstream: str | None, principal: Principal, send: Send
    ) -> None:
        if request.verb != "DELETE":
            allowed = ((b"allow", b"POST, GET, DELETE"),)
            raise WireRefusal(405, "only POST, GET and DELETE", headers=allowed)
        session = self._sessions.find(principal, legacy.session_id(request.headers), upstream=upstream)
        self._sessions.close(session)
        await send_response(send, 204, b"", ())


def _route(path: bytes) -> str | None:
    """The upstream a path names, or None for the aggregate route; exact spelling only."""
    if path == b"/mcp":
        return None
    match = _UPSTREAM_PATH.fullmatch(path)
    name = match.group(1).decode() if match else ""
    if not is_upstream_id(name):
        raise _not_here()
    return name


def _not_here() -> WireRefusal:
    # Clients without a token look for OAuth at such paths, and show people this text.
    return WireRefusal(
        404,
        "nothing is served at this path; agents call /mcp with the header Authorization: Bearer <token>",
    )


async def _send_error(send: Send, error: GatewayError, message: Message | None, *, modern_era: bool) -> None:
    body = error_body(message.id if message is not None else None, error_object(error))
    headers = ((b"content-type", b"application/json"), *extra_headers(error))
    await send_response(send, http_status(error, modern=modern_era), body, headers)
