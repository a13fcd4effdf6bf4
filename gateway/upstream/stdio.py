"""A tool server as child processes: one for everybody, and one more for each caller it may ask something.

A child of the session era is one session, told once what it may ask and not saying whom it asks. So a
caller that can be asked gets a child of its own; all others share the first one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.core.canonical import canonical_json
from gateway.errors import UpstreamError, UpstreamGone, UpstreamTimeout, UpstreamUnreachable
from gateway.upstream.link import Aside
from gateway.upstream.stdio_session import StdioSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.background import Background
    from gateway.ports import AskSink, NoticeSink, Reply, Send
    from gateway.upstream.link import LinkEvents, Peer
    from gateway.upstream.messages import Answer
    from gateway.upstream.party import Party
    from gateway.upstream.settings import EraSetting, UpstreamSettings


class NoChildOfOwn(Aside, UpstreamUnreachable):
    """A caller could not have a child of its own; the one that is shared is well."""


class ChildOfOwnGone(Aside, UpstreamGone):
    """A caller's own child ended; the one that is shared is well."""


class StdioLink:
    """The children of one upstream."""

    def __init__(
        self,
        party: Party,
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

        def session(capabilities: Mapping[str, object], era: EraSetting) -> StdioSession:
            return StdioSession(
                party,
                settings,
                background.start,
                client=client,
                era=era,
                capabilities=capabilities,
                clock=clock,
                random=random,
            )

        self._session = session
        self._shared = session({}, settings.era)
        self._own: dict[tuple[str, ...], StdioSession] = {}
        self._opening = asyncio.Lock()

    @property
    def alive(self) -> bool:
        """Whether there is a child to talk to."""
        return self._shared.alive

    async def connect(self) -> Peer:
        """Start the child that everybody shares."""
        await self._end([key for key, one in self._own.items() if not one.in_flight])
        return await self._shared.connect()

    async def call(
        self, send: Send, *, deadline_s: float, on_notice: NoticeSink | None, on_ask: AskSink | None
    ) -> Reply:
        """One request."""
        if not send.asks or self._shared.era == "modern":
            return await self._shared.call(send, deadline_s=deadline_s, on_notice=on_notice, on_ask=on_ask)
        end_at_s = self._clock() + deadline_s
        session = await self._own_session(send, deadline_s)
        remaining_s = max(end_at_s - self._clock(), 0.001)
        try:
            return await session.call(send, deadline_s=remaining_s, on_notice=on_notice, on_ask=on_ask)
        except UpstreamUnreachable as error:
            raise NoChildOfOwn(error.reason, sent=error.sent, next_step=error.next_step) from error
        except UpstreamGone as error:
            raise ChildOfOwnGone(error.reason, sent=error.sent, next_step=error.next_step) from error

    async def _own_session(self, send: Send, deadline_s: float) -> StdioSession:
        # By all that was declared: two clients of one principal may be able to answer different things.
        key = (*send.session_key, canonical_json(dict(send.capabilities)).decode())
        session = self._own.get(key)
        if session is not None and session.ready:
            return session
        try:
            async with asyncio.timeout(deadline_s), self._opening:
                session = self._own.get(key)
                if session is None or not session.ready:
                    session = await self._opened(key, send)
                return session
        except TimeoutError as error:
            raise UpstreamTimeout(f"{self._shared.party} started no child in time", sent=False) from error
        except UpstreamError as error:
            raise NoChildOfOwn(error.reason, sent=False, next_step=error.next_step) from error

    async def _opened(self, key: tuple[str, ...], send: Send) -> StdioSession:
        await self._make_room()
        # Its era is known; asking again could end it (probe.py), or take the whole time of a probe.
        session = self._own[key] = self._session(send.capabilities, "legacy")
        try:
            await session.connect()
        except BaseException:
            del self._own[key]
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
