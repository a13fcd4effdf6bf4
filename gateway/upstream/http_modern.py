"""Revision 2026-07-28 over HTTP: no session, every request complete in itself."""

from __future__ import annotations

import asyncio
import importlib
import re
import sys
from typing import TYPE_CHECKING, Any

from gateway.errors import UpstreamGone
from gateway.upstream import messages
from gateway.upstream.http_wire import POST_HEADERS
from gateway.upstream.link import list_params

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.ports import ProgressSink, ToolReply, ToolSend
    from gateway.upstream.http_wire import HttpWire
    from gateway.upstream.messages import Answer, Message

# What travels in a header as it is. Anything else needs the protocol's codec, whose module is slow
# to import and which most tool names never need.
_PLAIN = re.compile(r"(?!=\?)[!-~](?:[ -~]*[!-~])?")
_CODEC = "mcp.shared.inbound"


class ModernHttp:
    """Calls, lists and listens at 2026-07-28."""

    era: messages.Era = "modern"

    def __init__(self, wire: HttpWire, *, client: Mapping[str, str]) -> None:
        self._wire = wire
        self._meta = messages.modern_meta(client)
        self._headers = {**POST_HEADERS, "MCP-Protocol-Version": messages.MODERN_VERSION}

    async def discover(self, *, deadline_s: float) -> Answer:
        """Ask what the server speaks and offers."""
        return await self._ask("server/discover", {}, deadline_s=deadline_s)

    async def list_page(self, cursor: str | None, *, deadline_s: float) -> Answer:
        """One page of ``tools/list``."""
        return await self._ask("tools/list", list_params(cursor), deadline_s=deadline_s, strict=False)

    async def call_tool(
        self, send: ToolSend, *, deadline_s: float, on_progress: ProgressSink | None
    ) -> ToolReply:
        """One call; leaving early closes the stream, which is how this revision cancels."""
        number = self._wire.number()
        headers = {**self._headers, "Mcp-Method": "tools/call", **await _routing(send)}
        answer = await self._wire.ask(
            number,
            messages.tool_call(number, send, self._meta),
            headers=headers,
            deadline_s=deadline_s,
            on_message=_progress(number, on_progress) if on_progress is not None else None,
        )
        return messages.tool_reply(answer, era="modern", party=self._wire.party)

    async def listen(self, on_changed: Callable[[], None]) -> bool:
        """Subscribe to changes of the tools, until the stream ends.

        Returns:
            False if the server does not serve subscriptions after all.
        """

        async def take(message: Message) -> None:
            if message.method == messages.TOOLS_CHANGED:
                on_changed()

        try:
            answer = await self._ask(
                "subscriptions/listen",
                {"notifications": {"toolsListChanged": True}},
                deadline_s=None,
                on_message=take,
            )
        except UpstreamGone:
            return True
        return answer.error is None

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
            messages.request(number, method, {**params, "_meta": self._meta}),
            headers={**self._headers, "Mcp-Method": method},
            deadline_s=deadline_s,
            on_message=on_message,
            strict=strict,
        )


def _progress(number: int, sink: ProgressSink) -> Callable[[Message], Awaitable[None]]:
    async def take(message: Message) -> None:
        progress = messages.progress_of(message)
        if progress is not None and progress[0] == number:
            await sink(progress[1])

    return take


async def _routing(send: ToolSend) -> dict[str, str]:
    """``Mcp-Name`` and ``Mcp-Param-*``, which a router may read instead of the body."""
    if not send.param_headers and _PLAIN.fullmatch(send.tool):
        return {"Mcp-Name": send.tool}
    # Its first import takes half a second, which the other calls must not wait for.
    codec: Any = sys.modules.get(_CODEC) or await asyncio.to_thread(importlib.import_module, _CODEC)
    headers: dict[str, str] = codec.mcp_param_headers(send.param_headers, send.arguments)
    return {"Mcp-Name": codec.encode_header_value(send.tool), **headers}
