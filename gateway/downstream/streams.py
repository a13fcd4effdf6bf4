"""Open notification streams: a legacy GET, a modern ``subscriptions/listen``.

"The list changed" is a level, not a queue: a stream that did not read yet has one notice waiting,
however often the list changed meanwhile, so a slow reader costs nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from gateway.downstream.exchange import PING, STREAM_HEADERS, event
from gateway.errors import AgentOverLimit, Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.principal import PrincipalKey
    from gateway.downstream.settings import WireSettings
    from gateway.downstream.wire import Receive, Send


class ChangeStream:
    """One stream, from its first frame until either side ends it."""

    __slots__ = ("_changed", "_closed", "_notice", "_upstream", "_wake")

    def __init__(self, *, notice: bytes, upstream: str | None) -> None:
        """Carry ``notice`` whenever the list of ``upstream`` (None: any) changes."""
        self._notice = notice
        self._upstream = upstream
        self._changed = False
        self._closed = False
        self._wake = asyncio.Event()

    def list_changed(self, upstream: str) -> None:
        """Leave a notice if this stream is about that upstream."""
        if self._upstream in {None, upstream}:
            self._changed = True
            self._wake.set()

    def close(self) -> None:
        """End the stream after what is waiting was sent."""
        self._closed = True
        self._wake.set()

    async def serve(self, receive: Receive, send: Send, *, first: bytes, last: bytes, ping_s: float) -> None:
        """Run until the client hangs up or ``close`` is called.

        Args:
            receive: yields the disconnect.
            send: the response.
            first: a frame to open with (modern: the acknowledgement), or a comment.
            last: the final frame at a deliberate end (modern: the request's result), or empty.
            ping_s: between keep-alive comments.
        """
        await send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
        await _write(send, first)
        gone = asyncio.ensure_future(_hung_up(receive))
        try:
            while not gone.done() and (self._changed or not self._closed):
                if not self._changed:
                    await self._wait(gone, ping_s)
                self._wake.clear()
                if self._changed:
                    self._changed = False
                    await _write(send, event(self._notice))
                elif not self._closed and not gone.done():
                    await _write(send, PING)
            if not gone.done():
                await send({"type": "http.response.body", "body": last, "more_body": False})
        finally:
            gone.cancel()

    async def _wait(self, gone: asyncio.Future[Any], ping_s: float) -> None:
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({gone, woken}, timeout=ping_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()


async def _hung_up(receive: Receive) -> None:
    # A GET's empty body is a message of its own, and comes first.
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


class OpenStreams:
    """Counts and reaches every open stream."""

    def __init__(self, settings: WireSettings) -> None:
        """Start with none."""
        self._settings = settings
        self._owners: dict[ChangeStream, PrincipalKey] = {}
        self._counts: Counter[PrincipalKey] = Counter()

    def __len__(self) -> int:
        """Streams open now."""
        return len(self._owners)

    def add(self, stream: ChangeStream, owner: PrincipalKey) -> Callable[[], None]:
        """Count a stream in; returns what counts it out.

        Raises:
            Overloaded, AgentOverLimit: a bound is reached.
        """
        if self._counts[owner] >= self._settings.streams_per_principal_max:
            raise AgentOverLimit(
                "too many open streams of this agent", next_step="close streams you no longer read"
            )
        if len(self) >= self._settings.streams_max:
            raise Overloaded("too many open streams", next_step="try again later")
        self._owners[stream] = owner
        self._counts[owner] += 1
        return lambda: self._forget(stream)

    def _forget(self, stream: ChangeStream) -> None:
        owner = self._owners.pop(stream, None)
        if owner is None:
            return
        self._counts[owner] -= 1
        if not self._counts[owner]:
            del self._counts[owner]

    def list_changed(self, upstream: str) -> None:
        """Tell every stream that is about this upstream."""
        for stream in self._owners:
            stream.list_changed(upstream)

    def close(self) -> None:
        """End all."""
        for stream in list(self._owners):
            stream.close()
