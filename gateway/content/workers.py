"""Worker processes with deadlines: a large or hostile text holds nobody up, and cannot look for ever.

Python cannot stop a running thread, so the only deadline that holds is one on a process.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from gateway.content import worker
from scanners.errors import ScanIncomplete

if TYPE_CHECKING:
    from collections.abc import Hashable
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from gateway.content.engines import EngineParts
    from gateway.content.look import Answer, Job
    from gateway.content.settings import ContentSettings

START_DEADLINE_S = 30.0


class ScanWorker:
    """One process and the pipe to it, started when it is first needed. One thread at a time."""

    def __init__(self, parts: EngineParts, memory_bytes_max: int, deadline_s: float) -> None:
        """Nothing runs yet."""
        self._deadline_s = deadline_s
        self._parts = parts
        self._memory_bytes_max = memory_bytes_max
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def ask(self, job: Job) -> Answer:
        """The answer; blocks until there is one.

        Raises:
            ScanIncomplete: the process ended, or was killed, instead.
        """
        try:
            if self._process is None or not self._process.is_alive():
                self._start()
            assert self._pipe is not None
            self._pipe.send(job)
            answer: Answer | None = self._pipe.recv() if self._pipe.poll(self._deadline_s) else None
        except (OSError, EOFError, RuntimeError) as error:
            self.close()
            raise ScanIncomplete("the process that looks at large values ended without an answer") from error
        if answer is None:
            self.close()
            raise ScanIncomplete(f"the look at it took longer than {self._deadline_s:g} s")
        return answer

    def kill(self) -> None:
        """End the process, whatever it is doing; may come from another thread."""
        # ValueError: another thread has just reaped it.
        with contextlib.suppress(ValueError):
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """Kill, reap and free."""
        self.kill()
        if self._process is not None:
            self._process.join()
            self._process.close()
            self._process = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def _start(self) -> None:
        self.close()
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        with theirs:
            process = context.Process(
                target=worker.serve,
                args=(theirs, self._parts, self._memory_bytes_max),
                name="scan-worker",
                daemon=True,
            )
            process.start()
        # Only now: a process object that has not started cannot be killed.
        self._process = process
        if not self._pipe.poll(START_DEADLINE_S):
            raise EOFError
        self._pipe.recv()


class ScanWorkers:
    """Lends each large value a worker."""

    def __init__(self, parts: EngineParts, settings: ContentSettings) -> None:
        """Nothing runs until the first large value comes."""
        self._deadline_s = settings.deadline_s
        self._workers = [
            ScanWorker(parts, settings.worker_bytes_max, settings.deadline_s) for _ in range(settings.workers)
        ]
        self._idle: asyncio.LifoQueue[ScanWorker] = asyncio.LifoQueue()
        for each in self._workers:
            self._idle.put_nowait(each)
        self._threads = ThreadPoolExecutor(settings.workers, thread_name_prefix="scan-worker")
        self._turns: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def answer(self, job: Job, *, whose: Hashable) -> Answer:
        """What a worker makes of a value.

        Args:
            job: the value, and what to do.
            whose: on whose behalf. One at a time for each: a flood of one makes nobody else wait for more
                than its one value.

        Raises:
            ScanIncomplete: not within the deadline, or no process runs.
        """
        turn = self._turns.setdefault(whose, asyncio.Lock())
        try:
            async with asyncio.timeout(self._deadline_s):
                await turn.acquire()
        except TimeoutError:
            raise ScanIncomplete("too many large values of the same agent wait to be looked at") from None
        try:
            return await self._answer(job)
        finally:
            turn.release()

    async def _answer(self, job: Job) -> Answer:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._deadline_s):
                lent = await self._idle.get()
        except TimeoutError:
            raise ScanIncomplete("everybody who looks at large values was busy") from None
        # The worker keeps its own deadline, from when its process is there; this is for one that is stuck.
        try:
            asked = loop.run_in_executor(self._threads, lent.ask, job)
        except RuntimeError as error:
            self._idle.put_nowait(lent)
            raise ScanIncomplete("the gateway is shutting down") from error
        timer = loop.call_later(2 * self._deadline_s + START_DEADLINE_S, lent.kill)
        asked.add_done_callback(lambda done: self._returned(lent, timer, done))
        # Shielded: a caller that goes away does not free a worker that is still busy.
        return await asyncio.shield(asked)

    def _returned(self, lent: ScanWorker, timer: asyncio.TimerHandle, done: asyncio.Future[Answer]) -> None:
        timer.cancel()
        done.cancelled() or done.exception()  # seen, whether anybody waits for it or not
        self._idle.put_nowait(lent)

    async def aclose(self) -> None:
        """Kill every process and wait until they are gone."""
        for each in self._workers:
            each.kill()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        for each in self._workers:
            each.close()
