"""Worker processes that can be killed: for evaluations longer than the event loop can wait.

Python cannot stop a running thread, so the only deadline that holds is one on a process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from policies.engines import worker
from policies.errors import (
    PolicyBudgetExceeded,
    PolicyConflict,
    PolicyCrashed,
    PolicyError,
    PolicyTimeout,
    PolicyUndefined,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from policies.engines.release import Release

START_DEADLINE_S = 20.0
RETRY_S = 5.0
_FAULTS = {
    fault.code: fault for fault in (PolicyBudgetExceeded, PolicyConflict, PolicyCrashed, PolicyUndefined)
}


class WorkerGone(PolicyError):
    """The process ended instead of replying. Never leaves this file."""

    code = "policy_worker_gone"


class WorkerLate(WorkerGone):
    """It was killed because its deadline had passed."""


class Worker:
    """One process and the pipe to it. Used by one thread at a time; only ``kill`` may come from another."""

    def __init__(self, memory_bytes_max: int) -> None:
        self._memory_bytes_max = memory_bytes_max
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._keys: list[str] = []
        self._late = False

    def ready(self, release: Release | None) -> None:
        """Running, with this release loaded. Blocks for as long as that takes; raises ``WorkerGone``."""
        if not self._process or not self._process.is_alive():
            self._start()
        if release:
            self._load(release)

    def ask(self, release: Release, evaluation: Mapping[str, Any], steps_max: int) -> dict[str, Any]:
        """The reply to one evaluation. Blocks until there is one or the process is gone."""
        self._load(release)
        return self._exchange({"evaluate": release.key, "input": evaluation, "steps_max": steps_max})

    def kill_late(self) -> None:
        """End the process because the evaluation in it has used up its time."""
        self._late = True
        self.kill()

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        # ValueError: another thread has just reaped it.
        with contextlib.suppress(ValueError):
            if self._process:
                self._process.kill()

    def close(self) -> None:
        """Kill, reap and free."""
        self.kill()
        if self._process:
            self._process.join()
            self._process.close()
            self._process = None
        if self._pipe:
            self._pipe.close()
            self._pipe = None

    def _start(self) -> None:
        self.close()
        self._late = False
        self._keys = []
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        try:
            with theirs:
                process = context.Process(
                    target=worker.serve,
                    args=(theirs, self._memory_bytes_max),
                    name="policy-worker",
                    daemon=True,
                )
                process.start()
            # Only now: a process object that has not started cannot be killed.
            self._process = process
            if not self._pipe.poll(START_DEADLINE_S):
                raise WorkerGone("it did not start in time")
            self._pipe.recv_bytes()
        except (OSError, EOFError, RuntimeError) as wrong:
            raise WorkerGone(f"it could not be started: {type(wrong).__name__} {wrong}") from wrong

    def _load(self, release: Release) -> None:
        if release.key in self._keys:
            return
        request = {"load": release.key, "plan": release.plan, "data": dict(release.bundle.data)}
        reply = self._exchange(request)
        if "fault" in reply:
            raise WorkerGone(f"it could not load the policy: {reply['reason']}")
        self._keys = [*self._keys, release.key][-worker.RELEASES_MAX :]

    def _exchange(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if not self._pipe:
            raise WorkerGone("it is not running")
        try:
            self._pipe.send_bytes(json.dumps(request).encode())
            reply: dict[str, Any] = json.loads(self._pipe.recv_bytes())
        except (OSError, EOFError) as wrong:
            late = self._late
            self.close()
            raise (WorkerLate if late else WorkerGone)("it ended without a reply") from wrong
        return reply


class WorkerPool:
    """Keeps its workers running and loaded, and lends them to one evaluation each.

    All methods belong to one event loop. Without any worker that runs, evaluations are refused
    as ``policy_budget``; a worker that could not start is tried again every few seconds.
    """

    def __init__(self, *, count: int, steps_max: int, memory_bytes_max: int) -> None:
        self._steps_max = steps_max
        self._workers = [Worker(memory_bytes_max) for _ in range(count)]
        self._threads = ThreadPoolExecutor(max_workers=max(count, 1), thread_name_prefix="policy-worker")
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        self._settling: set[asyncio.Future[None]] = set()
        self._down: dict[Worker, asyncio.TimerHandle] = {}
        self._release: Release | None = None
        self._started = False
        self._closed = False
        self.problem = ""
        """Why the last start failed; empty after one that succeeded."""

    @property
    def running(self) -> bool:
        """At least one worker runs or is about to."""
        return self._started and not self._closed and len(self._down) < len(self._workers)

    def start(self) -> None:
        """Begin starting every worker; returns at once."""
        if not self._started:
            self._started = True
            for each in self._workers:
                self._settle(each)

    async def warm(self, release: Release, *, deadline_s: float) -> None:
        """Load a release into the workers; busy ones follow later. Waits no longer than told."""
        self._release = release
        self.start()
        while not self._idle.empty():
            self._settle(self._idle.get_nowait())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                # Again, because one that had only started goes on to load the release.
                while self._settling:
                    await asyncio.wait(set(self._settling))

    async def evaluate(self, release: Release, evaluation: Mapping[str, Any], *, until_s: float) -> Any:
        """The decision document for one request.

        Args:
            release: may be older than the one last warmed.
            evaluation: the version 1 document.
            until_s: loop time at which the worker is killed.

        Raises ``PolicyUnavailable``.
        """
        if not self.running:
            raise PolicyBudgetExceeded(
                "it needs more work than fits beside other calls, and no policy worker runs"
            )
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(until_s):
                lent = await self._idle.get()
        except TimeoutError:
            raise PolicyTimeout("every policy worker was busy until the deadline") from None
        timer = loop.call_at(until_s, lent.kill_late)
        asked = loop.run_in_executor(self._threads, lent.ask, release, evaluation, self._steps_max)
        asked.add_done_callback(lambda done: self._returned(lent, timer, done))
        try:
            # Shielded: a caller that goes away does not free a worker that is still busy.
            reply = await asyncio.shield(asked)
        except WorkerLate:
            raise PolicyTimeout("the evaluation was stopped at its deadline") from None
        except WorkerGone as gone:
            raise PolicyCrashed(f"the policy worker failed: {gone}") from gone
        if "fault" in reply:
            raise _FAULTS.get(reply["fault"], PolicyCrashed)(reply["reason"])
        return reply["answer"]

    async def aclose(self) -> None:
        """Kill every worker and wait until they are gone."""
        self._closed = True
        for timer in self._down.values():
            timer.cancel()
        for each in self._workers:
            each.kill()
        with contextlib.suppress(asyncio.QueueEmpty):
            while True:
                self._idle.get_nowait()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        for each in self._workers:
            each.close()

    def _returned(
        self, lent: Worker, timer: asyncio.TimerHandle, done: asyncio.Future[dict[str, Any]]
    ) -> None:
        timer.cancel()
        if not done.cancelled():
            done.exception()
        self._settle(lent)

    def _settle(self, each: Worker) -> None:
        """Bring a worker to rest: running, loaded with the newest release, idle."""
        if self._closed:
            return
        self._down.pop(each, None)
        release = self._release
        loop = asyncio.get_running_loop()
        timer = loop.call_later(START_DEADLINE_S, each.kill)
        settling = loop.run_in_executor(self._threads, each.ready, release)
        self._settling.add(settling)
        settling.add_done_callback(lambda done: self._settled(each, release, timer, done))

    def _settled(
        self, each: Worker, release: Release | None, timer: asyncio.TimerHandle, done: asyncio.Future[None]
    ) -> None:
        timer.cancel()
        self._settling.discard(done)
        fault = None if done.cancelled() else done.exception()
        if self._closed:
            return
        if fault:
            self.problem = f"a policy worker is not running: {fault}"
            each.kill()
            self._down[each] = asyncio.get_running_loop().call_later(RETRY_S, self._settle, each)
        elif release is not self._release:
            self._settle(each)
        else:
            self.problem = ""
            self._idle.put_nowait(each)
