"""A tool server as child processes: one for everybody, and one more for each caller it may ask something.

A child of the session era is one session, told once what it may ask and not saying whom it asks. So a
caller that can be asked gets a child of its own; all others share the first one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.errors import UpstreamError, UpstreamUnreachable
from gateway.upstream.stdio_session import StdioSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.background import Background
    from gateway.ports import AskSink, NoticeSink, Reply, Send
    from gateway.upstream.link import LinkEvents, Peer
    from gateway.upstream.messages import Answer
    from gateway.upstream.settings import UpstreamSettings


class StdioLink:
    """The children of one upstream."""

    def __init__(
        self,
        upstream: str,
        settings: UpstreamSettings,
        background: Background,
        *,
        client: Mapping[str, str],
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._background = background
        self._clock = clock

        def session(capabilities: Mapping[str, object]) -> StdioSession:
            return StdioSession(
                upstream,
                settings,
                background.start,
                client=client,
                capabilities=capabilities,
                clock=clock,
                random=random,
            )

        self._session = session
        self._shared = session({})
        self._own: dict[tuple[str, ...], StdioSession] = {}
        self._opening = asyncio.Lock()

    @property
    def alive(self) -> bool:
        """Whether there is a child to talk to."""
        return self._shared.alive

    async def connect(self) -> Peer:
        """Start the child that everybody shares."""
        await self._end(list(self._own))
        return await self._shared.connect()

    async def call(
        self, send: Send, *, deadline_s: float, on_notice: NoticeSink | None, on_ask: AskSink | None
    ) -> Reply:
        """One request."""
        if not send.asks or self._shared.era == "modern":
            return await self._shared.call(send, deadline_s=deadline_s, on_notice=on_notice, on_ask=on_ask)
        started_at_s = self._clock()
        session = await self._own_session(send)
        remaining_s = max(deadline_s - (self._clock() - started_at_s), 0.001)
        return await session.call(send, deadline_s=remaining_s, on_notice=on_notice, on_ask=on_ask)

    async def _own_session(self, send: Send) -> StdioSession:
        key = (*send.session_key, *sorted(send.capabilities))
        async with self._opening:
            session = self._own.get(key)
            if session is not None and session.alive:
                return session
            await self._make_room()
            session = self._own[key] = self._session(send.capabilities)
            try:
                await session.connect()
            except UpstreamError as error:
                del self._own[key]
                error.sent = False
                raise
            return session

    async def _make_room(self) -> None:
        """End children that died or idle, and at the bound the one unused for longest."""
        now_s = self._clock()
        idle = [key for key, one in self._own.items() if not one.in_flight]
        ended = [
            key
            for key in idle
            if not self._own[key].alive or now_s - self._own[key].used_at_s > self._settings.session_idle_s
        ]
        if not ended and len(self._own) >= self._settings.children_max:
            if not idle:
                raise UpstreamUnreachable(
                    f"{self._shared.party} has {len(self._own)} children for callers of their own, all busy",
                    sent=False,
                    next_step="try again later, or raise its `children_max`",
                )
            ended = [min(idle, key=lambda key: self._own[key].used_at_s)]
        await self._end(ended)

    async def list_page(self, method: str, cursor: str | None, *, deadline_s: float) -> Answer:
        """One page of a list."""
        return await self._shared.list_page(method, cursor, deadline_s=deadline_s)

    async def subscribe(self, uri: str, *, deadline_s: float) -> None:
        """Hear of changes of a resource."""
        await self._shared.subscribe(uri, deadline_s=deadline_s)

    def unsubscribe(self, uri: str) -> None:
        """No longer."""
        self._shared.unsubscribe(uri)

    async def watch(self, events: LinkEvents) -> None:
        """Wait for the end of the shared child; changes are reported as their lines come."""
        await self._shared.watch(events)

    async def aclose(self) -> None:
        """End all children."""
        await self._end(list(self._own))
        await self._shared.aclose()

    async def _end(self, keys: list[tuple[str, ...]]) -> None:
        sessions = [self._own.pop(key) for key in keys]
        await asyncio.gather(*(session.aclose() for session in sessions))
