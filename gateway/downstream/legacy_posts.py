"""POSTs of MCP 2024-11-05 to 2025-11-25: each within a session, but for the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.methods import Way
from gateway.downstream import legacy
from gateway.downstream.answers import response
from gateway.downstream.asking import ask_sink, take_response
from gateway.downstream.errors import LEGACY_STATUS
from gateway.downstream.exchange import send_response
from gateway.downstream.message import only_members
from gateway.downstream.replay import RESUMABLE_SINCE
from gateway.downstream.serving import with_status
from gateway.downstream.subscriptions import PER_LISTENER_MAX
from gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from gateway.core.principal import Caller, Principal
    from gateway.downstream.answers import Body
    from gateway.downstream.message import Response
    from gateway.downstream.replay import Replays
    from gateway.downstream.requests import Asked
    from gateway.downstream.serving import Serving
    from gateway.downstream.sessions import Session, Sessions
    from gateway.downstream.surface import Post
    from gateway.downstream.wire import HttpRequest, Send

_SESSION_HEADER = b"mcp-session-id"


class LegacyPosts:
    """Answers them."""

    def __init__(self, serving: Serving, sessions: Sessions, replays: Replays) -> None:
        """Take the surface, its wire, the sessions and what their clients may have missed."""
        self._replays = replays
        self._serving = serving
        self._sessions = sessions

    async def answer(self, post: Post) -> None:
        """Answer one."""
        message, headers = post.message, post.request.headers
        if message.method == "initialize":
            await self._initialize(post)
            return
        session = self._sessions.find(post.principal, legacy.session_id(headers), upstream=post.upstream)
        legacy.check_version(headers, session)
        if message.id is None:
            legacy.notified(message, session)
            await send_response(post.send, 202, b"", ())
            return
        row = self._serving.surface.row(message, modern=False)
        caller = post.caller(
            era="legacy",
            protocol_version=session.version,
            client=session.client,
            capabilities=session.capabilities,
            log_level=session.log_level,
            session_id=session.id,
        )
        if row.way is Way.CALL:
            await self._call_legacy(post, session, caller)
        elif row.way is Way.LIST:
            page = await self._serving.surface.page(post, caller, modern=False)
            await send_response(post.send, 200, response(message.id, page))
        else:
            self._settle_legacy(post, session)
            await send_response(post.send, 200, response(message.id, b"{}"))

    def _settle_legacy(self, post: Post, session: Session) -> None:
        """What the gateway itself sees to, and answers with an empty result."""
        message = post.message
        if message.method == "logging/setLevel":
            legacy.set_level(message, session)
        elif message.method == "resources/unsubscribe":
            call = self._serving.surface.requests.unsubscription(message, post.upstream)
            if call is not None and session.subscribed is not None:
                session.subscribed.discard((call.upstream, call.name))
                self._serving.surface.subscriptions.drop(session, [(call.upstream, call.name)])
        else:
            only_members(message.params, frozenset({"_meta"}), message.method)

    async def _initialize(self, post: Post) -> None:
        opening = legacy.opening(post.message)
        await self._serving.surface.first_listing(post.upstream)
        session = self._sessions.open(
            post.principal,
            upstream=post.upstream,
            version=opening.version,
            client=opening.client,
            capabilities=opening.capabilities,
        )
        said = self._serving.surface.announcements
        body = legacy.opened(
            post.message,
            opening.version,
            said.capabilities(post.upstream, modern=False),
            server_info=self._serving.surface.server_info,
            instructions=said.instructions(post.upstream),
        )
        issued = (_SESSION_HEADER, session.id.encode())
        await send_response(post.send, 200, body, ((b"content-type", b"application/json"), issued))

    async def _call_legacy(self, post: Post, session: Session, caller: Caller) -> None:
        message = post.message
        asked = await self._serving.surface.asked(post, caller, modern=False)
        resumable = session.version >= RESUMABLE_SINCE
        exchange = self._serving.exchange(
            post,
            hang_up_cancels=False,
            begin_replay=(lambda: self._replays.begin(session.id)) if resumable else None,
        )
        withdrawn = legacy.withdrawn_body(message)
        ask_agent = ask_sink(session, exchange) if session.capabilities else None

        async def work() -> Body:
            body = await self._serving.work(post, asked, caller, exchange, ask_agent)
            if message.method == "resources/subscribe" and not body.error_code:
                self._subscribed(session, asked)
            return body

        with self._serving.load.call(post.principal.key), legacy.running(session, message, exchange):
            try:
                await exchange.run(with_status(work(), LEGACY_STATUS), withdrawn=withdrawn)
            finally:
                if exchange.replay is not None:
                    self._replays.ended(session.id, exchange.replay, heard=not exchange.hung_up)

    def _subscribed(self, session: Session, asked: Asked) -> None:
        key = (asked.call.upstream, asked.call.name)
        subscribed = session.subscribed = set() if session.subscribed is None else session.subscribed
        if len(subscribed) >= PER_LISTENER_MAX and key not in subscribed:
            self._serving.surface.subscriptions.drop(session, [oldest := next(iter(subscribed))])
            subscribed.discard(oldest)
        subscribed.add(key)
        self._serving.surface.subscriptions.add(*key, session)
        if not self._sessions.holds(session):
            # It ended while the upstream was asked.
            self._serving.surface.subscriptions.drop(session, [key])

    async def responded(
        self, message: Response, request: HttpRequest, upstream: str | None, principal: Principal, send: Send
    ) -> None:
        """An answer to something we asked on a stream of the session era."""
        if not legacy.is_legacy_header(request.headers):
            raise InvalidRequest("a response to nothing that was asked: this revision has no such messages")
        session = self._sessions.find(principal, legacy.session_id(request.headers), upstream=upstream)
        legacy.check_version(request.headers, session)
        take_response(session, message)
        await send_response(send, 202, b"", ())
