"""``subscriptions/listen`` of 2026-07-28 as a client: one stream, opened anew when what it is about changes.

The new stream is acknowledged before the old one ends, so no change falls between the two.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.errors import UpstreamError, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from gateway.upstream import messages
from gateway.upstream.link import passes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.upstream.link import LinkEvents, Peer
    from gateway.upstream.messages import Answer, Message

    Open = Callable[[dict[str, Any], Callable[[Message], Awaitable[None]]], Awaitable[Answer]]

PAUSE_S = 1.0
PAUSE_MAX_S = 60.0
STEADY_S = 30.0
"""A stream that lasted this long was no failure."""
ACKNOWLEDGED_S = 10.0
"""For a new stream to be acknowledged before the old one ends anyway."""
OVERLAP_S = 0.1
"""How long the old one stays then: what was said on it alone may still be on its way."""


class Listening:
    """What one upstream is listened to for."""

    def __init__(
        self, open_stream: Open, party: str, *, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        """``open_stream(params, on_message)`` asks ``subscriptions/listen`` and returns at its end."""
        self._open = open_stream
        self._party = party
        self._clock = clock
        self._random = random
        self._uris: set[str] = set()
        self._honoured: frozenset[str] = frozenset()
        """Those that the newest acknowledged stream is about; kept when it is lost, until the next one."""
        self._refused: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._acknowledged = asyncio.Event()
        self._useless = False

    async def subscribe(self, uri: str, *, deadline_s: float) -> None:
        """Listen for changes of a resource too.

        Raises:
            UpstreamError: the upstream does not honour it, or not in time.
        """
        if uri in self._honoured:
            return
        self._uris.add(uri)
        self._changed.set()
        try:
            async with asyncio.timeout(deadline_s):
                while uri not in self._honoured and not self._useless:
                    waiting = self._acknowledged
                    await waiting.wait()
                    if uri in self._refused:
                        break
        except TimeoutError as error:
            self._uris.discard(uri)
            raise UpstreamTimeout(f"{self._party} did not acknowledge a subscription", sent=True) from error
        if uri not in self._honoured:
            self._uris.discard(uri)
            raise UpstreamRefused(f"{self._party} offers no subscription to this resource", sent=True)

    def unsubscribe(self, uri: str) -> None:
        """Stop listening for changes of a resource."""
        if uri in self._uris:
            self._uris.discard(uri)
            self._honoured -= {uri}
            self._changed.set()

    async def run(self, peer: Peer, events: LinkEvents) -> None:
        """Listen for ever.

        Raises:
            UpstreamUnreachable: nothing answers there any more.
        """
        self._useless = False
        before: asyncio.Future[bool] | None = None
        current: asyncio.Future[bool] | None = None
        pause_s, was_served, missed_lists = PAUSE_S, False, False
        try:
            while True:
                self._changed.clear()
                while not peer.changes and not self._uris:
                    await end_stream(current)
                    current = None
                    await self._changed.wait()
                    self._changed.clear()
                before, heard_before, opened_at_s = current, self._honoured, self._clock()
                acknowledged = asyncio.Event()
                current = asyncio.ensure_future(self._stream(peer, events, acknowledged))
                await first_of(current, acknowledged, ACKNOWLEDGED_S)
                was_served |= acknowledged.is_set()
                if before is not None:
                    await asyncio.sleep(OVERLAP_S)
                    await end_stream(before)
                elif not current.done():
                    # From here on nothing is missed; while nobody listened something may have been.
                    self._make_up(events, heard_before, lists=missed_lists)
                await first_of(current, self._changed, None)
                if not current.done():
                    continue
                served, current = current.result(), None
                if not served and not was_served:
                    self._give_up()
                    await asyncio.Event().wait()
                pause_s = PAUSE_S if self._clock() - opened_at_s > STEADY_S else min(pause_s * 2, PAUSE_MAX_S)
                missed_lists = True
                await asyncio.sleep(pause_s * (0.5 + self._random()))
        finally:
            await end_stream(before)
            await end_stream(current)

    def _make_up(self, events: LinkEvents, uris: frozenset[str], *, lists: bool) -> None:
        if lists:
            events.list_changed()
        for uri in sorted(uris & self._uris):
            events.resource_updated(uri)

    def _give_up(self) -> None:
        self._useless = True
        self._honoured = frozenset()
        self._tell_waiters()

    def _tell_waiters(self) -> None:
        # A new event for whoever waits on.
        self._acknowledged.set()
        self._acknowledged = asyncio.Event()

    async def _stream(self, peer: Peer, events: LinkEvents, acknowledged: asyncio.Event) -> bool:
        """One stream to its end; False if the server serves none."""
        wanted = frozenset(self._uris)
        about: dict[str, Any] = {f"{name}ListChanged": True for name in peer.changes}
        if wanted:
            about["resourceSubscriptions"] = sorted(wanted)

        async def take(message: Message) -> None:
            if message.method in messages.LIST_CHANGES:
                events.list_changed(messages.LIST_CHANGES[message.method or ""])
            elif message.method == messages.RESOURCE_UPDATED:
                uri = messages.updated_uri(message)
                if uri is not None and uri in wanted and uri in self._uris:
                    events.resource_updated(uri)
            elif message.method == messages.ACKNOWLEDGED:
                self._honoured = wanted & _honoured_uris(message)
                self._refused = wanted - self._honoured
                acknowledged.set()
                self._tell_waiters()

        try:
            answer = await self._open({"notifications": about}, take)
        except UpstreamUnreachable:
            raise
        except UpstreamRefused as refusal:
            return passes(refusal)
        except UpstreamError:
            return True
        return answer.error is None


def _honoured_uris(message: Message) -> frozenset[str]:
    try:
        return frozenset(
            msgspec.json.decode(message.params, type=_Acknowledged).notifications.resourceSubscriptions
        )
    except msgspec.DecodeError:
        return frozenset()


class _Filter(msgspec.Struct):
    resourceSubscriptions: list[str] = []  # noqa: N815 - the protocol's name


class _Acknowledged(msgspec.Struct):
    notifications: _Filter


async def first_of(one: asyncio.Future[Any], event: asyncio.Event, within_s: float | None) -> None:
    """Wait until the one is done, the other is set, or the time is up."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({one, waiting}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def end_stream(stream: asyncio.Future[Any] | None) -> None:
    """Cancel it, if it is there, and wait until it has ended."""
    if stream is not None:
        stream.cancel()
        await asyncio.wait({stream})
        if not stream.cancelled():
            stream.exception()  # Looked at, so that nobody complains; it is of no interest any more.
