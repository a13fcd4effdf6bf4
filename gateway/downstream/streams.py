"""Open notification streams: a legacy GET, a modern ``subscriptions/listen``.

"It changed" is a level, not a queue: a stream that did not read yet has one notice waiting for each thing
that changed, however often it did meanwhile, so a slow reader costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.downstream.events import PING, STREAM_HEADERS, event
from gateway.errors import AgentOverLimit, Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.core.principal import PrincipalKey
    from gateway.downstream.settings import WireSettings
    from gateway.downstream.wire import Receive, Send


class Topic(enum.Enum):
    """What a stream can be about; the value is the method that says it changed."""

    TOOLS = "notifications/tools/list_changed"
    PROMPTS = "notifications/prompts/list_changed"
    RESOURCES = "notifications/resources/list_changed"


LISTS = frozenset(Topic)
UPDATED = "notifications/resources/updated"
_encode = msgspec.json.Encoder().encode


class ChangeStream:
    """One stream, from its first frame until either side ends it."""

    __slots__ = ("_about", "_closed", "_meta", "_pending", "_upstream", "_woken")

    def __init__(
        self, *, about: frozenset[Topic], upstream: str | None, meta: Mapping[str, Any] | None = None
    ) -> None:
        """Carry changes of these lists of ``upstream`` (None: any), and of subscribed resources.

        ``meta`` goes into every notice (2026-07-28: whose subscription it is).
        """
        self._about = about
        self._upstream = upstream
        self._meta = meta
        self._pending: dict[Topic | str, None] = {}
        """What has changed and was not said yet: a list, or a resource by its URI; in order."""
        self._closed = False
        self._woken: asyncio.Future[None] | None = None
        """What ``serve`` waits for. Thousands of these idle, and an event with its task are 2.5 KiB more."""

    def list_changed(self, upstream: str, topic: Topic) -> None:
        """Leave a notice if this stream is about that list."""
        if self._upstream in {None, upstream} and topic in self._about:
            self._pending[topic] = None
            self._wake()

    def resource_updated(self, uri: str) -> None:
        """Leave a notice about a resource that was subscribed to."""
        self._pending[uri] = None
        self._wake()

    def _notice(self, what: Topic | str) -> bytes:
        params: dict[str, Any] = {} if isinstance(what, Topic) else {"uri": what}
        if self._meta is not None:
            params["_meta"] = self._meta
        method = what.value if isinstance(what, Topic) else UPDATED
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        return event(_encode(message | {"params": params} if params else message))

    def close(self) -> None:
        """End the stream after what is waiting was sent."""
        self._closed = True
        self._wake()

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
        gone.add_done_callback(self._wake)
        try:
            while not gone.done() and (self._pending or not self._closed):
                if not self._pending:
                    await self._silence(ping_s)
                if self._pending:
                    told = b"".join(map(self._notice, self._pending))
                    self._pending = {}
                    await _write(send, told)
                elif not self._closed and not gone.done():
                    await _write(send, PING)
            if not gone.done():
                await send({"type": "http.response.body", "body": last, "more_body": False})
        finally:
            gone.cancel()

    def _wake(self, *_: object) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    async def _silence(self, at_most_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._woken = loop.create_future()
        over = loop.call_later(at_most_s, self._wake)
        try:
            await self._woken
        finally:
            over.cancel()


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
        self._open: dict[ChangeStream, None] = {}
        self._count = 0
        self._counts: Counter[PrincipalKey] = Counter()

    def __len__(self) -> int:
        """Streams open now."""
        return self._count

    @contextlib.contextmanager
    def open(self, stream: ChangeStream, owner: PrincipalKey) -> Iterator[None]:
        """Count a stream in and reach it, for as long as the context lasts.

        Raises:
            Overloaded, AgentOverLimit: a bound is reached.
        """
        with self.counted(owner):
            self._open[stream] = None
            try:
                yield
            finally:
                self._open.pop(stream, None)

    @contextlib.contextmanager
    def counted(self, owner: PrincipalKey) -> Iterator[None]:
        """Count in one that is about a single request.

        Raises:
            Overloaded, AgentOverLimit: a bound is reached.
        """
        if self._counts[owner] >= self._settings.streams_per_principal_max:
            raise AgentOverLimit(
                "too many open streams of this agent", next_step="close streams you no longer read"
            )
        if len(self) >= self._settings.streams_max:
            raise Overloaded("too many open streams", next_step="try again later")
        self._counts[owner] += 1
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            self._counts[owner] -= 1
            if not self._counts[owner]:
                del self._counts[owner]

    def list_changed(self, upstream: str, topic: Topic) -> None:
        """Tell every stream that is about this list of this upstream."""
        for stream in self._open:
            stream.list_changed(upstream, topic)

    def close(self) -> None:
        """End all."""
        for stream in list(self._open):
            stream.close()
