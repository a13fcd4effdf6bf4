"""Connections: where a host is, and whether a kept connection may be written into."""

from __future__ import annotations

import asyncio
import functools
import select
import socket
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.tracing import Trace

RESOLVE_S = 5.0
INFORMATIONAL_MAX = 16
"""Interim answers (1xx) to one request; each waits in memory with its headers until somebody reads it."""


class Journey:
    """How far one request has come."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


JOURNEY: ContextVar[Journey] = ContextVar("journey")


class PinningResolver(AbstractResolver):
    """Resolves a host once and keeps the answer, so that a name cannot move between two calls."""

    def __init__(
        self, resolver: AbstractResolver, *, clock: Callable[[], float], pin_s: float, pins_max: int
    ) -> None:
        self._resolver = resolver
        self._clock = clock
        self._pin_s = pin_s
        self._pins_max = pins_max
        self._pins: dict[tuple[str, int, int], tuple[float, list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The pinned addresses, or those found now."""
        key = (host, port, int(family))
        now = self._clock()
        if (pin := self._pins.get(key)) is not None and now < pin[0]:
            return list(pin[1])
        async with asyncio.timeout(RESOLVE_S):
            found = await self._resolver.resolve(host, port, family)
        self._pins.pop(key, None)
        while len(self._pins) >= self._pins_max:
            del self._pins[next(iter(self._pins))]
        self._pins[key] = (now + self._pin_s, found)
        return list(found)

    def forget(self, host: str) -> None:
        """Ask anew next time: nothing answered where the host was pinned, it may have moved."""
        for key in [key for key in self._pins if key[0] == host]:
            del self._pins[key]

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._resolver.close()


class _FewInterimAnswers(ResponseHandler):
    """The client's protocol, with an end to "102 Processing" said for ever: 30 MiB a second otherwise."""

    _interim = 0

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Take one answer, interim or final, into the queue."""
        self._interim = self._interim + 1 if data[0].code < 200 else 0
        if self._interim <= INFORMATIONAL_MAX:
            super().feed_data(data, size)
        elif self.transport is not None:
            self.transport.abort()
            self.set_exception(HttpProcessingError(message="too many interim answers"))


class QuietConnector(aiohttp.TCPConnector):
    """Marks the moment from which a request may be on its way, and hands out only quiet connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = cast("Any", functools.partial(_FewInterimAnswers, loop=self._loop))
        self._used: WeakSet[Any] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the base class's signature
    ) -> aiohttp.connector.Connection:
        """A connection on which nothing waits to be read.

        A pooled connection that has something to say was closed by the other side, and a request
        written into it would have an unknown outcome; or it holds an answer to nobody's question,
        which would be read as the answer to this one.
        """
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or protocol not in self._used:
                break
            if not protocol.should_close and _is_quiet(connection.transport):
                break
            connection.close()
        if protocol is not None:
            self._used.add(protocol)
        JOURNEY.get().sent = True
        return connection


def _is_quiet(transport: asyncio.Transport | None) -> bool:
    """Whether the kernel holds neither bytes nor an end of stream for this socket."""
    socket_ = transport.get_extra_info("socket") if transport is not None else None
    if socket_ is None:
        return False
    poll = select.poll()
    poll.register(socket_.fileno(), select.POLLIN)
    return not poll.poll(0)
