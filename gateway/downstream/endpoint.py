"""The agents' port: a plain ASGI callable. Read ``__call__``, then ``_post``.

Order: head of the request, path, principal, body, message, era, method. Each step can only refuse.
"""

from __future__ import annotations

import contextlib
import logging
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.core.naming import is_upstream_id
from gateway.core.principal import Caller
from gateway.core.workflow import read_workflow
from gateway.downstream import legacy, modern
from gateway.downstream.errors import (
    LEGACY_STATUS,
    MODERN_STATUS,
    WireRefusal,
    error_body,
    error_object,
    extra_headers,
    http_status,
)
from gateway.downstream.exchange import Exchange, send_response
from gateway.downstream.message import read_message
from gateway.downstream.progress import progress_sink
from gateway.downstream.streams import ChangeStream
from gateway.errors import GatewayError, InternalFailure, UnsupportedVersion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.core.principal import Principal
    from gateway.downstream.exchange import StartTask
    from gateway.downstream.load import Load
    from gateway.downstream.message import Message
    from gateway.downstream.refusals import Refusals
    from gateway.downstream.sessions import Session, Sessions
    from gateway.downstream.settings import WireSettings
    from gateway.downstream.streams import OpenStreams
    from gateway.downstream.tools import Tools
    from gateway.downstream.wire import HttpRequest, Receive, Scope, Send, Wire

_UPSTREAM_PATH = re.compile(rb"/s/([A-Za-z0-9_-]{1,64})/mcp")
_SESSION_HEADER = b"mcp-session-id"
_logger = logging.getLogger("toolgate")


class _Post(NamedTuple):
    """One message and where its answer goes."""

    message: Message
    request: HttpRequest
    upstream: str | None
    principal: Principal
    receive: Receive
    send: Send

    def caller(self, *, era: str, protocol_version: str, client: str, session_id: str = "") -> Caller:
        """The request's origin, as the flow wants to know it."""
        return Caller(
            principal=self.principal,
            workflow=read_workflow(self.request.headers, self.message.meta),
            session_id=session_id,
            era=era,
            protocol_version=protocol_version,
            client=client,
            ip=self.request.ip,
            trace=_trace(self.message.meta),
        )


class AgentEndpoint:
    """Serves ``/mcp`` and ``/s/<upstream>/mcp``; everything else is not found."""

    def __init__(
        self,
        *,
        wire: Wire,
        settings: WireSettings,
        authenticate: Callable[[str | None], Principal],
        upstream_ids: frozenset[str],
        first_listing: Callable[[str | None], Awaitable[None]],
        tools: Tools,
        modern_era: modern.ModernEra,
        legacy_era: legacy.LegacyEra,
        sessions: Sessions,
        streams: OpenStreams,
        load: Load,
        refusals: Refusals,
        start_task: StartTask,
    ) -> None:
        """Take the parts; composed in app.py."""
        self._wire = wire
        self._settings = settings
        self._authenticate = authenticate
        self._upstream_ids = upstream_ids
        self._first_listing = first_listing
        self._tools = tools
        self._modern = modern_era
        self._legacy = legacy_era
        self._sessions = sessions
        self._streams = streams
        self._load = load
        self._refusals = refusals
        self._start_task = start_task

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
                method = message.method
                await self._post(_Post(message, request, upstream, principal, receive, send))
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

    async def _post(self, post: _Post) -> None:
        is_modern = modern.is_modern(post.message, post.request.headers)
        try:
            if is_modern:
                await self._post_modern(post)
            else:
                await self._post_legacy(post)
        except UnsupportedVersion as error:
            self._note(post.principal, error, post.message.method)
            await send_response(post.send, 400, modern.version_error(post.message, error))
        except GatewayError as error:
            self._note(post.principal, error, post.message.method)
            await _send_error(post.send, error, post.message, modern_era=is_modern)

    async def _post_modern(self, post: _Post) -> None:
        message, headers = post.message, post.request.headers
        if message.id is None:
            # Nothing a notification could do on a stateless wire; hanging up is how to cancel.
            await send_response(post.send, 202, b"", ())
            return
        version = modern.check_envelope(message, headers)
        if message.method == "tools/call":
            asked = self._tools.read(message, post.upstream, modern.CALL_MEMBERS)
            await self._first_listing(asked.upstream)
            modern.check_param_headers(self._tools.definition(asked), asked, headers)
            caller = post.caller(era="modern", protocol_version=version, client=modern.client_name(message))
            exchange = self._exchange(post, hang_up_cancels=True)
            sink = progress_sink(message, exchange)
            with self._load.call(post.principal.key):
                await exchange.run(
                    _with_status(self._tools.call(message, asked, caller, sink), MODERN_STATUS)
                )
        elif message.method == "subscriptions/listen":
            _needs_stream(headers)
            stream, first, last = self._modern.listen(message, post.upstream)
            await self._serve_stream(stream, post.principal, post.receive, post.send, first=first, last=last)
        else:
            if message.method == "tools/list":
                await self._first_listing(post.upstream)
            await send_response(post.send, 200, self._modern.answer(message, post.upstream).data)

    async def _post_legacy(self, post: _Post) -> None:
        message, headers = post.message, post.request.headers
        if message.method == "initialize":
            body, session = self._legacy.initialize(message, post.principal, post.upstream)
            issued = (_SESSION_HEADER, session.id.encode())
            await send_response(post.send, 200, body.data, ((b"content-type", b"application/json"), issued))
            return
        session = self._sessions.find(post.principal, legacy.session_id(headers), upstream=post.upstream)
        legacy.check_version(headers, session)
        if message.id is None:
            self._legacy.notified(message, session)
            await send_response(post.send, 202, b"", ())
        elif message.method == "tools/call":
            await self._call_legacy(post, session)
        else:
            if message.method == "tools/list":
                await self._first_listing(post.upstream)
            await send_response(post.send, 200, self._legacy.answer(message, post.upstream).data)

    async def _call_legacy(self, post: _Post, session: Session) -> None:
        message = post.message
        asked = self._tools.read(message, post.upstream, legacy.CALL_MEMBERS)
        await self._first_listing(asked.upstream)
        caller = post.caller(
            era="legacy", protocol_version=session.version, client=session.client, session_id=session.id
        )
        exchange = self._exchange(post, hang_up_cancels=False)
        sink = progress_sink(message, exchange)
        withdrawn = legacy.withdrawn_body(message)
        with self._load.call(post.principal.key), legacy.running(session, message, exchange):
            work = _with_status(self._tools.call(message, asked, caller, sink), LEGACY_STATUS)
            await exchange.run(work, withdrawn=withdrawn)

    async def _get(
        self, request: HttpRequest, upstream: str | None, principal: Principal, receive: Receive, send: Send
    ) -> None:
        headers = request.headers
        if b"mcp-session-id" not in headers or not legacy.is_legacy_header(headers):
            # 2026-07-28 has no GET; and without a session there is nothing to stream.
            raise WireRefusal(
                405, "GET opens a session's stream; send Mcp-Session-Id", headers=((b"allow", b"POST"),)
            )
        _needs_stream(headers)
        session = self._sessions.find(principal, legacy.session_id(headers), upstream=upstream)
        if session.stream is not None:
            # The newest stream wins: the older one's client has usually lost its connection.
            session.stream.close()
        stream = ChangeStream(notice=legacy.LIST_CHANGED, upstream=upstream)
        session.stream = stream
        try:
            await self._serve_stream(stream, principal, receive, send, first=b": open\n\n", last=b"")
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

    async def _serve_stream(
        self,
        stream: ChangeStream,
        principal: Principal,
        receive: Receive,
        send: Send,
        *,
        first: bytes,
        last: bytes,
    ) -> None:
        forget = self._streams.add(stream, principal.key)
        try:
            await stream.serve(receive, send, first=first, last=last, ping_s=self._settings.stream_ping_s)
        finally:
            forget()

    def _exchange(self, post: _Post, *, hang_up_cancels: bool) -> Exchange:
        return Exchange(
            post.receive,
            post.send,
            self._start_task,
            streams=_takes_stream(post.request.headers),
            ping_s=self._settings.stream_ping_s,
            hang_up_cancels=hang_up_cancels,
        )


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
    return WireRefusal(404, "nothing is served at this path")


async def _with_status(work: Any, statuses: Mapping[int, int]) -> tuple[int, bytes]:
    body = await work
    return (statuses.get(body.error_code, 200) if body.error_code else 200), body.data


async def _send_error(send: Send, error: GatewayError, message: Message | None, *, modern_era: bool) -> None:
    body = error_body(message.id if message is not None else None, error_object(error))
    headers = ((b"content-type", b"application/json"), *extra_headers(error))
    await send_response(send, http_status(error, modern=modern_era), body, headers)


def _takes_stream(headers: Mapping[bytes, bytes]) -> bool:
    accept = headers.get(b"accept", b"*/*")
    return b"text/event-stream" in accept or b"*/*" in accept or b"text/*" in accept


def _needs_stream(headers: Mapping[bytes, bytes]) -> None:
    if not _takes_stream(headers):
        raise WireRefusal(406, "this answer is a stream; accept text/event-stream")


def _trace(meta: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    # W3C trace context travels; baggage does not: it is the agent's to fill and the upstream's to believe.
    return tuple(
        (name, value)
        for name in ("traceparent", "tracestate")
        if isinstance(value := meta.get(name), str) and len(value) <= 512 and value.isprintable()
    )
