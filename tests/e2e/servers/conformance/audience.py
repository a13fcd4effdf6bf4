"""Who hears of a change: legacy sessions on their own stream, modern clients on the streams they asked for."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import anyio
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp_types import LoggingLevel

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.server.session import ServerSession

SEND_S = 1.0
LEVELS: tuple[str, ...] = get_args(LoggingLevel)


@dataclass
class LegacySession:
    """What a client of the era before 2026-07-28 has told us in its session."""

    session: ServerSession
    level: str = "debug"
    uris: set[str] = field(default_factory=set)

    def wants(self, event: ServerEvent) -> bool:
        """List changes go to everybody, a resource's only to those who subscribed to it."""
        return not isinstance(event, ResourceUpdated) or event.uri in self.uris

    async def tell(self, event: ServerEvent) -> None:
        """One notification on the session's standalone stream."""
        match event:
            case ToolsListChanged():
                await self.session.send_tool_list_changed()
            case PromptsListChanged():
                await self.session.send_prompt_list_changed()
            case ResourceUpdated(uri=uri):
                await self.session.send_resource_updated(uri)


class Audience:
    """Everybody connected, in both eras."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self._sessions: dict[str, LegacySession] = {}

    def session(self, ctx: ServerRequestContext[Any, Any]) -> LegacySession | None:
        """The legacy session a request belongs to; ``None`` in the modern era and for ``initialize``."""
        number = ctx.request.headers.get("mcp-session-id") if ctx.request is not None else None
        if number is None:
            return None
        return self._sessions.setdefault(number, LegacySession(ctx.session))

    async def announce(self, event: ServerEvent) -> None:
        """Tell everybody who wants to know."""
        await self.bus.publish(event)
        for number, session in list(self._sessions.items()):
            if not session.wants(event):
                continue
            told = False
            # A session that was ended, or whose client stopped reading, is not told again.
            with contextlib.suppress(Exception), anyio.move_on_after(SEND_S):
                await session.tell(event)
                told = True
            if not told:
                del self._sessions[number]


AUDIENCE = Audience()
