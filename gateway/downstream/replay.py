"""What a client of the session era missed on the stream of a request, until it comes back for it.

MCP 2025-11-25, streamable HTTP, resumability: a disconnect does not cancel a request. Its stream begins with
an event that has an id and no data; whoever asks with the last id it has seen gets what followed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from gateway.downstream.events import PING, STREAM_HEADERS
from gateway.errors import UnknownSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.downstream.wire import Receive, Send

KEPT_S = 60.0
"""After the end of its request."""
REPLAYS_MAX = 1000
BYTES_MAX = 64 << 20
"""All replays together; the oldest makes room."""
RETRY_MS = 1000

RESUMABLE_SINCE = "2025-11-25"
"""Clients before it read the first, empty event as a message."""


class Replay:
    """The events of one request's stream."""

    __slots__ = ("_events", "_grown", "_woken", "ended", "id", "size_bytes")

    def __init__(self, replay_id: str, grown: Callable[[int], None]) -> None:
        """``grown(bytes)`` is told of everything kept."""
        self.id = replay_id
        self._events: list[bytes] = []
        self._woken: list[asyncio.Future[None]] = []
        self._grown = grown
        self.size_bytes = 0
        self.ended = False

    @property
    def count(self) -> int:
        """Events so far, without the first, empty one."""
        return len(self._events)

    def first(self) -> bytes:
        """The event that tells a client where to come back to, and when."""
        return b"id: %b-0\nretry: %d\ndata: \n\n" % (self.id.encode(), RETRY_MS)

    def add(self, event: bytes, *, last: bool) -> bytes:
        """Keep an event; returns it with its id."""
        numbered = b"id: %b-%d\n" % (self.id.encode(), len(self._events) + 1) + event
        if self.ended:
            # It made room for others: nobody can come back for it.
            return numbered
        self._events.append(numbered)
        self.size_bytes += len(numbered)
        self._grown(len(numbered))
        if last:
            self.end()
        self._wake()
        return numbered

    def end(self) -> None:
        """Nothing follows."""
        self.ended = True
        self._wake()

    async def serve(self, seen: int, receive: Receive, send: Send, *, ping_s: float) -> None:
        """Send what followed event ``seen``, and what still follows, until the end or a hang-up."""
        await send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
        gone = asyncio.ensure_future(_hung_up(receive))
        try:
            while not gone.done():
                fresh = self._events[seen:]
                seen += len(fresh)
                if fresh or self.ended:
                    last = self.ended and seen == len(self._events)
                    body = {"type": "http.response.body", "body": b"".join(fresh), "more_body": not last}
                    await send(body)
                    if last:
                        return
                elif not await self._more(gone, ping_s):
                    await send({"type": "http.response.body", "body": PING, "more_body": True})
        finally:
            gone.cancel()

    async def _more(self, gone: asyncio.Future[None], within_s: float) -> bool:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._woken.append(woken)
        try:
            done, _ = await asyncio.wait({woken, gone}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            return bool(done)
        finally:
            self._woken.remove(woken)

    def _wake(self) -> None:
        for woken in self._woken:
            if not woken.done():
                woken.set_result(None)


class Replays:
    """All of them, by session; bounded."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        """``new_id`` must be unguessable."""
        self._new_id = new_id
        self._kept: OrderedDict[tuple[str, str], Replay] = OrderedDict()
        self._size_bytes = 0

    def begin(self, session_id: str) -> Replay:
        """One for a request of this session."""
        replay = Replay(self._new_id(), self._grown)
        self._kept[(session_id, replay.id)] = replay
        while len(self._kept) > REPLAYS_MAX:
            self._forget(next(iter(self._kept)))
        return replay

    def find(self, session_id: str, last_event_id: str) -> tuple[Replay, int]:
        """The replay that an event id belongs to, and how much of it was seen.

        Raises:
            UnknownSession: no such event of this session, or no longer.
        """
        replay_id, _, number = last_event_id.rpartition("-")
        replay = self._kept.get((session_id, replay_id))
        if (
            replay is None
            or not number.isascii()
            or not number.isdigit()
            or len(number) > 9
            or int(number) > replay.count
        ):
            raise UnknownSession("no such event in this session", next_step="send the request again")
        return replay, int(number)

    def ended(self, session_id: str, replay: Replay, *, heard: bool) -> None:
        """A request is over. What its client seems to have heard to the end is the first to make room.

        It is kept all the same: bytes that were written are not bytes that have arrived.
        """
        key = (session_id, replay.id)
        if heard and key in self._kept:
            self._kept.move_to_end(key, last=False)
        asyncio.get_running_loop().call_later(KEPT_S, self._forget, key)

    def _grown(self, size_bytes: int) -> None:
        self._size_bytes += size_bytes
        while self._size_bytes > BYTES_MAX and self._kept:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: tuple[str, str]) -> None:
        replay = self._kept.pop(key, None)
        if replay is not None:
            self._size_bytes -= replay.size_bytes
            replay.end()


async def _hung_up(receive: Receive) -> None:
    # A GET's empty body is a message of its own, and comes first.
    while (await receive())["type"] != "http.disconnect":
        pass
