"""What a transport offers to the connection that owns it, and what a handshake yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ports import ProgressSink, ToolReply, ToolSend
    from gateway.upstream.messages import Answer, Era


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who answered, and in which protocol."""

    era: Era
    protocol_version: str
    server: str = ""
    """Name and version as claimed; for people only."""
    announces_tools: bool = False
    """It says when its tools change."""


class Link(Protocol):
    """One transport to one upstream.

    Only ``UpstreamError`` leaves these methods. After ``connect`` succeeded the others may be called
    at any time, any number at once, until ``watch`` returns or raises.
    """

    @property
    def alive(self) -> bool:
        """False once nothing can be sent any more before another ``connect``."""
        ...

    async def connect(self) -> Peer:
        """Open what needs opening and negotiate the era; may be called again after a loss."""
        ...

    async def call_tool(
        self, send: ToolSend, *, deadline_s: float, on_progress: ProgressSink | None
    ) -> ToolReply:
        """One call; a cancelled coroutine cancels it upstream."""
        ...

    async def list_page(self, cursor: str | None, *, deadline_s: float) -> Answer:
        """One page of ``tools/list``; its result is only checked on the outside."""
        ...

    async def watch(self, on_changed: Callable[[], None]) -> None:
        """Report changes of the tools until the link is lost; raises or returns then."""
        ...

    async def aclose(self) -> None:
        """End it, politely first."""
        ...


def list_params(cursor: str | None) -> dict[str, Any]:
    """The params of ``tools/list``."""
    return {} if cursor is None else {"cursor": cursor}
