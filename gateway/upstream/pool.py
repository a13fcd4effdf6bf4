"""All configured upstreams, by id."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

from gateway.errors import ConfigurationError
from gateway.upstream.breaker import Breaker
from gateway.upstream.connection import UpstreamConnection
from gateway.upstream.http import HttpLink
from gateway.upstream.party import Party
from gateway.upstream.stdio import StdioLink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gateway.background import Background
    from gateway.egress import Egress
    from gateway.ports import Upstream, UpstreamEvents, UpstreamHealth
    from gateway.upstream.link import Link
    from gateway.upstream.settings import UpstreamSettings

# With a first pause of 1/16 s the fifth failure, which opens the circuit, pauses for 1 s.
HTTP_FIRST_PAUSE_S = 1 / 16
CHILD_FIRST_PAUSE_S = 0.5
CHILD_STEADY_S = 10.0


@cache
def client_claim() -> dict[str, str]:
    """What we say we are, in both eras."""
    try:
        version = metadata.version("toolgate")
    except metadata.PackageNotFoundError:
        version = "0"
    return {"name": "toolgate", "version": version}


def upstream_for(
    upstream: str,
    settings: UpstreamSettings,
    egress: Egress,
    background: Background,
    *,
    clock: Callable[[], float],
    random: Callable[[], float],
    redacted: Callable[[str], str],
) -> Upstream:
    """Build the connection to one upstream; nothing is opened yet.

    Args:
        upstream: its id.
        settings: of this upstream alone.
        egress: the shared HTTP client; holds no credential.
        background: owns the task that keeps it connected.
        clock: seconds, never stepping back.
        random: uniform in [0, 1), for spreading retries.
        redacted: takes secrets out of what the upstream says in failures.
    """
    link: Link
    party = Party(upstream, redacted)
    if settings.url is not None:
        link = HttpLink(
            party, settings, egress, background, client=client_claim(), clock=clock, random=random
        )
        first_pause_s, steady_s, next_step = (
            HTTP_FIRST_PAUSE_S,
            0.0,
            f"start it, or fix `url` under upstreams.{upstream}",
        )
    else:
        link = StdioLink(party, settings, background, client=client_claim(), clock=clock, random=random)
        first_pause_s, steady_s = CHILD_FIRST_PAUSE_S, CHILD_STEADY_S
        next_step = f"run its `command` by hand to see why, or fix it under upstreams.{upstream}"
    return UpstreamConnection(
        party,
        link,
        settings,
        background,
        Breaker(first_pause_s=first_pause_s),
        next_step=next_step,
        steady_s=steady_s,
        clock=clock,
        random=random,
    )


class UpstreamPool:
    """Every upstream that is not disabled."""

    def __init__(
        self,
        settings: Mapping[str, UpstreamSettings],
        egress: Egress,
        background: Background,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        redacted: Callable[[str], str],
    ) -> None:
        self._upstreams: dict[str, Upstream] = {
            upstream: upstream_for(
                upstream, each, egress, background, clock=clock, random=random, redacted=redacted
            )
            for upstream, each in settings.items()
            if not each.disabled
        }

    def __iter__(self) -> Iterator[Upstream]:
        return iter(self._upstreams.values())

    def __len__(self) -> int:
        return len(self._upstreams)

    def get(self, upstream: str) -> Upstream:
        """The upstream of that id.

        Raises:
            ConfigurationError: there is none, or it is disabled.
        """
        try:
            return self._upstreams[upstream]
        except KeyError:
            raise ConfigurationError(
                f"no upstream {upstream!r} is configured and enabled",
                next_step="add it under `upstreams`, or remove `disabled`",
            ) from None

    async def start(self, events: UpstreamEvents) -> None:
        """Begin connecting all; returns at once."""
        for upstream in self:
            await upstream.start(events)

    def health(self) -> dict[str, UpstreamHealth]:
        """The state of each, by id."""
        return {upstream.id: upstream.health() for upstream in self}

    async def aclose(self) -> None:
        """End all at the same time; bounded by the slowest, 5 s."""
        await asyncio.gather(*(upstream.aclose() for upstream in self))
