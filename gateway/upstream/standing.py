"""How every upstream stands, for people: its connection, its definitions, how long its calls take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable.pins.state import State
from gateway.core.activity import UpstreamStanding

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.core.activity import Latency, Transport
    from gateway.ports import UpstreamHealth


class UpstreamStandings:
    """Satisfies ``UpstreamsDesk``."""

    def __init__(
        self,
        *,
        health: Callable[[], Mapping[str, UpstreamHealth]],
        transports: Mapping[str, Transport],
        counts: Callable[[], Awaitable[Mapping[tuple[str, State], int]]],
        latency_of: Callable[[str], Latency],
        redacted: Callable[[str], str],
    ) -> None:
        """Take whom to ask: of connections by id, of definitions by upstream and state."""
        self._health = health
        self._transports = transports
        self._counts = counts
        self._latency_of = latency_of
        self._redacted = redacted

    async def upstreams(self) -> tuple[UpstreamStanding, ...]:
        """All of them, as they are configured."""
        counts = await self._counts()
        return tuple(
            UpstreamStanding(
                id=upstream,
                state=health.state,
                reason=self._redacted(health.reason),
                era=health.era,
                protocol_version=self._redacted(health.protocol_version),
                server=self._redacted(health.server),
                transport=self._transports[upstream],
                in_flight=health.in_flight,
                definitions={state: counts.get((upstream, state), 0) for state in State},
                latency=self._latency_of(upstream),
            )
            for upstream, health in self._health().items()
        )
