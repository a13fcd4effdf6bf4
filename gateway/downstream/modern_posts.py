"""POSTs of MCP 2026-07-28: each complete in itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.capabilities import ALL_GRANTS, forwarded_capabilities
from gateway.core.methods import Way
from gateway.core.versions import META_CAPABILITIES, META_LOG_LEVEL
from gateway.downstream import modern
from gateway.downstream.answers import response
from gateway.downstream.errors import MODERN_STATUS
from gateway.downstream.exchange import send_response
from gateway.downstream.serving import needs_stream, with_status

if TYPE_CHECKING:
    from gateway.core.principal import Caller
    from gateway.downstream.serving import Serving
    from gateway.downstream.streams import ChangeStream
    from gateway.downstream.surface import Post


class ModernPosts:
    """Answers them."""

    def __init__(self, serving: Serving) -> None:
        """Take the surface and its wire."""
        self._serving = serving

    async def answer(self, post: Post) -> None:
        """Answer one."""
        message, headers = post.message, post.request.headers
        if message.id is None:
            # Nothing a notification could do on a stateless wire; hanging up is how to cancel.
            await send_response(post.send, 202, b"", ())
            return
        version = modern.check_envelope(message, headers)
        row = self._serving.surface.row(message, modern=True)
        caller = post.caller(
            era="modern",
            protocol_version=version,
            client=modern.client_name(message),
            capabilities=forwarded_capabilities(message.meta[META_CAPABILITIES], ALL_GRANTS),
            log_level=message.meta.get(META_LOG_LEVEL, ""),
        )
        if row.way is Way.CALL:
            asked = await self._serving.surface.asked(post, caller, modern=True)
            if message.method == "tools/call":
                modern.check_param_headers(
                    self._serving.surface.requests.definition(asked.call), asked.call, headers
                )
            exchange = self._serving.exchange(post, hang_up_cancels=True)
            with self._serving.load.call(post.principal.key):
                await exchange.run(
                    with_status(self._serving.work(post, asked, caller, exchange, None), MODERN_STATUS)
                )
        elif row.way is Way.LIST:
            page = await self._serving.surface.page(post, caller, modern=True)
            await send_response(post.send, 200, response(message.id, page))
        elif message.method == "subscriptions/listen":
            await self._listen(post, caller)
        else:
            await self._serving.surface.first_listing(post.upstream)
            said = self._serving.surface.announcements
            body = modern.discovered(
                message,
                said.capabilities(post.upstream, modern=True),
                server_info=self._serving.surface.server_info,
                instructions=said.instructions(post.upstream),
            )
            await send_response(post.send, 200, body)

    async def _listen(self, post: Post, caller: Caller) -> None:
        needs_stream(post.request.headers)
        subscription = modern.Subscription(post.message)
        # It idles for hours, and needs nothing more of what it was asked with.
        post.message.params.clear()
        stream = subscription.stream(post.upstream)
        honoured: list[tuple[str, str]] = []
        # Counted before anything is asked of an upstream: waiting for one is no way to have more.
        with self._serving.open(stream, post.principal):
            try:
                await self._subscribe(subscription.uris, post, caller, stream, honoured)
                await self._serving.serve_stream(
                    stream,
                    post.receive,
                    post.send,
                    first=subscription.first([uri for _, uri in honoured]),
                    last=subscription.last(),
                )
            finally:
                self._serving.surface.subscriptions.drop(stream, honoured)

    async def _subscribe(
        self,
        uris: tuple[str, ...],
        post: Post,
        caller: Caller,
        stream: ChangeStream,
        honoured: list[tuple[str, str]],
    ) -> None:
        """Each is a governed request of its own; those that are refused are not honoured."""
        if uris:
            await self._serving.surface.first_listing(post.upstream)
        for uri in uris:
            call = self._serving.surface.requests.subscription(uri, post.upstream)
            if call is not None and await self._serving.surface.may_subscribe(call, caller):
                self._serving.surface.subscriptions.add(call.upstream, uri, stream)
                honoured.append((call.upstream, uri))
