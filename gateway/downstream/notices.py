"""What is said to an agent before its answer: progress under its own token, log messages it asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gateway.core.log_level import reaches
from gateway.errors import InvalidParams

if TYPE_CHECKING:
    from gateway.core.principal import Caller
    from gateway.downstream.exchange import Exchange
    from gateway.downstream.message import Message
    from gateway.ports import Notice, NoticeSink

_encode = msgspec.json.Encoder().encode
_read_level = msgspec.json.Decoder(str).decode


TOKEN_CHARACTERS_MAX = 256
"""It is sent back with every notice."""


def progress_token(message: Message) -> str | int | None:
    """The token under which an agent wants to hear of progress.

    Raises:
        InvalidParams: neither a string nor an integer.
    """
    token = message.meta.get("progressToken")
    if token is None:
        return None
    if isinstance(token, bool) or not isinstance(token, str | int):
        raise InvalidParams("progressToken must be a string or an integer")
    if isinstance(token, str) and len(token) > TOKEN_CHARACTERS_MAX:
        raise InvalidParams(f"progressToken is over {TOKEN_CHARACTERS_MAX} characters")
    return token


def notice_sink(token: str | int | None, caller: Caller, exchange: Exchange) -> NoticeSink | None:
    """Where what an upstream says before its answer goes, or None if the agent wants none of it."""
    if token is None and not caller.log_level:
        return None

    async def sink(notice: Notice) -> None:
        params: dict[str, Any] = dict(notice.params)
        if notice.method == "notifications/progress":
            if token is None:
                return
            params["progressToken"] = token
        elif notice.method == "notifications/message" and not reaches(_level(notice), caller.log_level):
            return
        await exchange.notify(_encode({"jsonrpc": "2.0", "method": notice.method, "params": params}))

    return sink


def _level(notice: Notice) -> str:
    try:
        return _read_level(bytes(notice.params.get("level", b"")))
    except msgspec.DecodeError:
        return ""
