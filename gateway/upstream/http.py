"""A tool server behind a URL: finds its era once, then speaks it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.errors import UpstreamError, UpstreamRefused, UpstreamUnreachable
from gateway.upstream.http_legacy import LegacyHttp
from gateway.upstream.http_modern import ModernHttp
from gateway.upstream.http_wire import HttpWire
from gateway.upstream.link import passes
from gateway.upstream.listening import end_stream, first_of
from gateway.upstream.probe import negotiate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.background import Background
    from gateway.egress import Egress
    from gateway.ports import AskSink, NoticeSink, Reply, Send
    from gateway.upstream.link import LinkEvents, Peer
    from gateway.upstream.messages import Answer
    from gateway.upstream.party import Party
    from gateway.upstream.settings import UpstreamSettings

LISTEN_PAUSE_S = 1.0
LISTEN_PAUSE_MAX_S = 60.0
STEADY_S = 30.0
"""A stream that lasted this long was no failure."""


class HttpLink:
    """One HTTP upstream; connections are the egress's, so a loss here is only the loss of the era."""

    def __init__(
        self,
        party: Party,
        settings: UpstreamSettings,
        egress: Egress,
        background: Background,
        *,
        client: Mapping[str, str],
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        wire = HttpWire(party, settings, egress)
        self.party = wire.party
        self._settings = settings
        self._clock = clock
        self._random = random
        self._modern = ModernHttp(wire, client=client, clock=clock, random=random)
        self._legacy = LegacyHttp(wire, settings, background, client=client, clock=clock)
        self._speech: ModernHttp | LegacyHttp = self._modern
        self._peer: Peer | None = None

    alive = True
    """There is nothing between two requests that could die."""

    async def connect(self) -> Peer:
        """Negotiate the era."""
        self._peer = await negotiate(self, era=self._settings.era)
        self._speech = self._modern if self._peer.era == "modern" else self._legacy
        return self._peer

    async def discover(self) -> Answer:
        """Ask as a modern client."""
        return await self._modern.discover(deadline_s=self._settings.probe_timeout_s)

    async def initialize(self) -> Answer:
        """Ask as a legacy client."""
        return await self._legacy.initialize()

    async def call(
        self, send: Send, *, deadline_s: float, on_notice: NoticeSink | None, on_ask: AskSink | None
    ) -> Reply:
        """One request in the negotiated era."""
        if self._speech is self._modern:
            return await self._modern.call(send, deadline_s=deadline_s, on_notice=on_notice)
        return await self._legacy.call(send, deadline_s=deadline_s, on_notice=on_notice, on_ask=on_ask)

    async def list_page(self, method: str, cursor: str | None, *, deadline_s: float) -> Answer:
        """One page of a list."""
        return await self._speech.list_page(method, cursor, deadline_s=deadline_s)

    async def subscribe(self, uri: str, *, deadline_s: float) -> None:
        """Hear of changes of a resource."""
        heard = self._modern.listening if self._speech is self._modern else self._legacy.subscribing
        await heard.subscribe(uri, deadline_s=deadline_s)

    def unsubscribe(self, uri: str) -> None:
        """No longer."""
        self._modern.listening.unsubscribe(uri)
        self._legacy.subscribing.unsubscribe(uri)

    async def watch(self, events: LinkEvents) -> None:
        """Listen for changes as long as the upstream announces them; raises once it is unreachable."""
        peer = self._peer
        if peer is not None and self._speech is self._modern:
            await self._modern.listening.run(peer, events)
        elif peer is not None:
            await self._watch_legacy(peer, events)
        await asyncio.Event().wait()

    async def _watch_legacy(self, peer: Peer, events: LinkEvents) -> None:
        self._legacy.listen_for(events)
        pause_s, ended = LISTEN_PAUSE_S, False

        def opened() -> None:
            if ended:
                # Whatever changed while nobody listened.
                events.list_changed()
                self._legacy.subscribing.repeat()

        while peer.changes or peer.says("resources", "subscribe"):
            opened_at_s = self._clock()
            asked_s: float | None = None
            try:
                asked_s = await self._listen_legacy(opened)
            except UpstreamUnreachable:
                raise
            except UpstreamRefused as refusal:
                if not passes(refusal):
                    opened()
                    break
            except UpstreamError:
                asked_s = None
            ended = True
            lasted = self._clock() - opened_at_s > STEADY_S
            pause_s = LISTEN_PAUSE_S if lasted else min(pause_s * 2, LISTEN_PAUSE_MAX_S)
            await asyncio.sleep(min(max(pause_s, asked_s or 0), LISTEN_PAUSE_MAX_S) * (0.5 + self._random()))

    async def _listen_legacy(self, opened: Callable[[], None]) -> float | None:
        """Read the control session's stream until it ends, or the session is another one."""
        await self._legacy.open()
        self._legacy.renewed.clear()
        reading = asyncio.ensure_future(self._legacy.listen(opened))
        try:
            await first_of(reading, self._legacy.renewed, None)
            return reading.result() if reading.done() else None
        finally:
            await end_stream(reading)

    async def aclose(self) -> None:
        """End the sessions, if it has any."""
        await self._legacy.aclose()
