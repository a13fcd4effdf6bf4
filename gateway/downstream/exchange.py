"""One POST's answer: plain JSON unless something has to be said before the end.

The first notification, or a silence as long as the keep-alive, turns the answer into an event
stream. Until then errors keep their HTTP status. A short call costs no extra task: the companion
that watches for the client hanging up starts only after a moment.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gateway.downstream.events import PING, STREAM_HEADERS, event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from gateway.downstream.replay import Replay
    from gateway.downstream.wire import Receive, Send

    StartTask = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None] | None]

SHORT_CALL_S = 0.05
_JSON_HEADER = (b"content-type", b"application/json")


async def send_response(
    send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = (_JSON_HEADER,)
) -> None:
    """A complete response in two ASGI messages."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


class Exchange:
    """The answer side of one POST."""

    def __init__(
        self,
        receive: Receive,
        send: Send,
        start_task: StartTask,
        *,
        streams: bool,
        ping_s: float,
        hang_up_cancels: bool,
        begin_replay: Callable[[], Replay] | None = None,
    ) -> None:
        """Prepare to answer.

        Args:
            receive: the rest of the request; after the body only a disconnect can come.
            send: where the answer goes.
            start_task: the background's ``start``.
            streams: whether the client accepts ``text/event-stream``.
            ping_s: silence after which the answer becomes a stream, and between keep-alives.
            hang_up_cancels: closing the stream cancels the call (2026-07-28); before, it did not.
            begin_replay: keeps what is sent on a stream for a client that comes back.
        """
        self._receive = receive
        self._send = send
        self._start_task = start_task
        self._streams = streams
        self._ping_s = ping_s
        self._hang_up_cancels = hang_up_cancels
        self._begin_replay = begin_replay
        self.replay: Replay | None = None
        self._streaming = False
        self._writing = asyncio.Lock()
        self._companion: asyncio.Task[None] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._withdrawn = False
        self._over = False
        self.hung_up = False

    def withdraw(self) -> None:
        """The agent cancelled this request (legacy ``notifications/cancelled``)."""
        if self._task is not None:
            self._withdrawn = True
            self._task.cancel()

    async def run(self, work: Awaitable[tuple[int, bytes]], *, withdrawn: bytes = b"") -> None:
        """Await ``(status, body)`` and deliver it, unless the client has gone.

        Args:
            work: the call; cancelled when the agent withdraws it.
            withdrawn: the body to end with in that case; its reader has stopped waiting.
        """
        self._task = asyncio.current_task()
        timer = asyncio.get_running_loop().call_later(SHORT_CALL_S, self._watch)
        try:
            status, body = await work
            timer.cancel()
            await self._finish(status, body)
        except asyncio.CancelledError:
            if self._task is None or not (self.hung_up or self._withdrawn):
                raise
            # Cancelled by ourselves, on the agent's behalf; not by a shutdown.
            self._task.uncancel()
            await self._finish(200, withdrawn)
        finally:
            self._over = True
            timer.cancel()
            if self._companion is not None:
                self._companion.cancel()

    async def notify(self, message: bytes) -> bool:
        """Send something before the answer; False, and nothing sent, where nobody takes a stream."""
        if self._over or not self._streams or (self.hung_up and self.replay is None):
            return False
        await self._say(message, last=False)
        return True

    async def _say(self, message: bytes, *, last: bool) -> None:
        async with self._writing:
            await self._begin_stream()
            told = event(message)
            if self.replay is not None:
                told = self.replay.add(told, last=last)
            if not self.hung_up:
                await self._send({"type": "http.response.body", "body": told, "more_body": not last})

    async def _begin_stream(self) -> None:
        if self._streaming or self.hung_up:
            return
        self._streaming = True
        await self._send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
        if self._begin_replay is not None:
            self.replay = self._begin_replay()
            first = self.replay.first()
            await self._send({"type": "http.response.body", "body": first, "more_body": True})

    def _watch(self) -> None:
        self._companion = self._start_task(self._accompany(), "exchange companion")

    async def _accompany(self) -> None:
        gone = asyncio.ensure_future(self._receive())
        try:
            if self._streams and self._begin_replay is not None:
                # From here on the client has something to come back with, should it be cut off.
                async with self._writing:
                    await self._begin_stream()
            while True:
                done, _ = await asyncio.wait({gone}, timeout=self._ping_s)
                if done:
                    break
                if self._streams:
                    await self._ping()
        finally:
            gone.cancel()
        self.hung_up = True
        if self._hang_up_cancels and self._task is not None:
            self._task.cancel()

    async def _finish(self, status: int, body: bytes) -> None:
        if self.hung_up and self.replay is None:
            return
        if not self._streaming:
            await send_response(self._send, status, body)
            return
        if self._companion is not None and not self.hung_up:
            self._companion.cancel()
        await self._say(body, last=True)

    async def _ping(self) -> None:
        # Notices and keep-alives come from different tasks, and a send may wait for the reader.
        async with self._writing:
            await self._begin_stream()
            await self._send({"type": "http.response.body", "body": PING, "more_body": True})
