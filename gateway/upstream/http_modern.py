"""Revision 2026-07-28 over HTTP: no session, every request complete in itself."""

from __future__ import annotations

import asyncio
import importlib
import re
import sys
from typing import TYPE_CHECKING, Any

from gateway.core.methods import METHODS
from gateway.upstream import messages
from gateway.upstream.http_wire import POST_HEADERS
from gateway.upstream.link import list_params
from gateway.upstream.listening import Listening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.ports import NoticeSink, Reply, Send
    from gateway.upstream.http_wire import HttpWire
    from gateway.upstream.messages import Answer, Message

# What travels in a header as it is. Anything else needs the protocol's codec, whose module is slow
# to import and which most tool names never need.
_PLAIN = re.compile(r"(?!=\?)[!-~](?:[ -~]*[!-~])?")
_CODEC = "mcp.shared.inbound"


class ModernHttp:
    """Requests, lists and listens at 2026-07-28."""

    era: messages.Era = "modern"

    def __init__(
        self,
        wire: HttpWire,
        *,
        client: Mapping[str, str],
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._wire = wire
        self._meta = messages.ModernMeta(client)
        self._headers = {**POST_HEADERS, "MCP-Protocol-Version": messages.MODERN_VERSION}
        self.listening = Listening(self._listen, wire.party, clock=clock, random=random)

    async def discover(self, *, deadline_s: float) -> Answer:
        """Ask what the server speaks and offers."""
        return await self._ask("server/discover", {}, deadline_s=deadline_s)

    async def list_page(self, method: str, cursor: str | None, *, deadline_s: float) -> Answer:
        """One page of a list."""
        return await self._ask(method, list_params(cursor), deadline_s=deadline_s, strict=False)

    async def call(self, send: Send, *, deadline_s: float, on_notice: NoticeSink | None) -> Reply:
        """One request; leaving early closes the stream, which is how this revision cancels."""
        number = self._wire.number()
        headers = {**self._headers, "Mcp-Method": send.method, **await _routing(send)}
        answer = await self._wire.ask(
            number,
            messages.request_for(number, send, self._meta.of(send)),
            headers=headers,
            deadline_s=deadline_s,
            on_message=_notices(number, on_notice) if on_notice is not None else None,
        )
        return messages.reply_of(answer, send, era="modern", party=self._wire.party)

    async def _listen(
        self, params: dict[str, Any], on_message: Callable[[Message], Awaitable[None]]
    ) -> Answer:
        return await self._ask("subscriptions/listen", params, deadline_s=None, on_message=on_message)

    async def _ask(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        deadline_s: float | None,
        on_message: Callable[[Message], Awaitable[None]] | None = None,
        strict: bool = True,
    ) -> Answer:
        number = self._wire.number()
        return await self._wire.ask(
            number,
            messages.request(number, method, {**params, "_meta": self._meta.plain}),
            headers={**self._headers, "Mcp-Method": method},
            deadline_s=deadline_s,
            on_message=on_message,
            strict=strict,
        )


def _notices(number: int, sink: NoticeSink) -> Callable[[Message], Awaitable[None]]:
    async def take(message: Message) -> None:
        found = messages.notice_of(message)
        if found is not None and found[0] in {None, number}:
            await sink(found[1])

    return take


async def _routing(send: Send) -> dict[str, str]:
    """``Mcp-Name`` and ``Mcp-Param-*``, which a router may read instead of the body."""
    if not METHODS[send.method].target:
        return {}
    if not send.param_headers and _PLAIN.fullmatch(send.name):
        return {"Mcp-Name": send.name}
    # Its first import takes half a second, which the other calls must not wait for.
    codec: Any = sys.modules.get(_CODEC) or await asyncio.to_thread(importlib.import_module, _CODEC)
    headers: dict[str, str] = codec.mcp_param_headers(send.param_headers, send.arguments)
    return {"Mcp-Name": codec.encode_header_value(send.name), **headers}
