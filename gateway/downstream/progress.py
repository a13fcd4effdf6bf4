"""Progress towards an agent: the upstream's numbers, the agent's own token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gateway.errors import InvalidParams

if TYPE_CHECKING:
    from gateway.downstream.exchange import Exchange
    from gateway.downstream.message import Message
    from gateway.ports import ProgressSink

_encode = msgspec.json.Encoder().encode
_PASSED = ("progress", "total", "message")


def progress_sink(message: Message, exchange: Exchange) -> ProgressSink | None:
    """Where progress of this request goes, or None if the agent did not ask for any.

    Raises:
        InvalidParams: the token is neither a string nor an integer.
    """
    token = message.meta.get("progressToken")
    if token is None:
        return None
    if isinstance(token, bool) or not isinstance(token, str | int):
        raise InvalidParams("progressToken must be a string or an integer")

    async def sink(params: dict[str, Any]) -> None:
        passed = {name: params[name] for name in _PASSED if name in params}
        notification = {
            "jsonrpc": "2.0",
            "method": "notifications/progress",
            "params": {"progressToken": token, **passed},
        }
        await exchange.notify(_encode(notification))

    return sink
