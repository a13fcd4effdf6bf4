"""Held calls in one SQLite file, for one process: what the gateway uses unless it is given a server.

Group commit: scripts that are handed over while the group before them is written share one transaction and
one sync (writer.py). Reads have threads and connections of their own (readers.py).
"""

from __future__ import annotations

import asyncio
import copy
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar, cast

from durable.errors import (
    StoreClosed,
    StoreQueueFull,
    StoreSlow,
    StoreUnavailable,
)
from durable.stores.base import StoreHealth, Waiters
from durable.stores.clock import StoreClock
from durable.stores.limits import StoreLimits
from durable.stores.migrations import known_migrations
from durable.stores.readers import Readers
from durable.stores.storage import Storage
from durable.stores.transaction import Job
from durable.stores.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from durable.holds.tx import Tx
    from durable.stores.migrations import Migrated, Migration
    from durable.stores.writer import Report

    P = ParamSpec("P")
    T = TypeVar("T")


class SqliteStore:
    """See ``base.HoldStore``. The only process with that file: a second one is refused.

    Every file it makes lies in the database's directory and is readable by its owner only.
    """

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock_ms: Callable[[], int],
        monotonic_ms: Callable[[], int],
        lock_path: Path | None = None,
        limits: StoreLimits | None = None,
        migrations: Sequence[Migration] | None = None,
    ) -> Self:
        """Lock, recover, migrate and begin; makes the database if there is none.

        Args:
            path: of the database; SQLite puts its log beside it.
            clock_ms: unix milliseconds.
            monotonic_ms: milliseconds that only go on.
            lock_path: names the process that has the database; beside it by default.
            limits: bounds.
            migrations: of this release.

        Raises:
            StoreLocked: another process has it.
            SchemaUnknown: it is of a newer major version; nothing was changed.
            StoreUnavailable: the storage fails, or the file is damaged.
        """
        limits = limits or StoreLimits()
        lock_path = lock_path or path.with_suffix(".lock")
        clock = StoreClock(clock_ms, monotonic_ms)
        storage = Storage(path, lock_path, limits=limits)
        migrated = await asyncio.to_thread(_take_over, storage, clock, migrations or known_migrations())
        return cls(storage, migrated, clock, limits=limits)

    def __init__(
        self,
        storage: Storage,
        migrated: Migrated,
        clock: StoreClock,
        *,
        limits: StoreLimits,
    ) -> None:
        """Use ``open``."""
        self.migrated = migrated
        """What was done to the schema when it was opened, and where the backup is."""
        self._clock = clock
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._waiters = Waiters()
        self._awaited: dict[Job, None] = {}
        self._watchdog: asyncio.TimerHandle | None = None
        self._stalled: StoreSlow | None = None
        self._reads = 0
        self._closed = False
        self._readers = Readers(storage.connect_reader, clock, threads=limits.reader_threads)
        self._writer = Writer(storage, self._readers, clock, limits=limits, report=self._tell)
        self._standing = self._writer.standing()
        self._writer.start()

    async def run(self, script: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See ``HoldStore``."""
        if (refusal := self._refusal()) is not None:
            raise copy.copy(refusal)
        if len(self._awaited) >= self._limits.queued_scripts_max:
            raise StoreQueueFull("too many transactions wait", next_step="look at the disk's load")
        loop = self._loop
        waiter = loop.create_future()
        job = Job(script=script, args=args, kwargs=kwargs, waiter=waiter, handed_s=loop.time())
        self._awaited[job] = None
        if self._watchdog is None:
            self._watchdog = loop.call_later(self._limits.deadline_s, self._look_at_waiters)
        self._writer.take(job)
        await waiter
        return cast("T", _outcome(job))

    async def read(self, script: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See ``HoldStore``."""
        if (refusal := self._closed_to_this_process()) is not None:
            raise refusal
        if self._reads >= self._limits.queued_reads_max:
            raise StoreQueueFull("too many reads wait", next_step="look at the machine's load")
        self._reads += 1
        job = Job(script=script, args=args, kwargs=kwargs)
        try:
            await self._loop.run_in_executor(self._readers.threads, self._readers.read, job)
        finally:
            self._reads -= 1
        return cast("T", _outcome(job))

    async def changed(self, hold_id: str, after_version: int, *, timeout_s: float) -> None:
        """See ``HoldStore``."""
        await self._waiters.changed(self, hold_id, after_version, timeout_s=timeout_s)

    def wake_all(self) -> None:
        """See ``HoldStore``."""
        self._waiters.ring_all()

    def watch(self) -> AbstractContextManager[AsyncIterator[str]]:
        """See ``HoldStore``."""
        return self._waiters.watch()

    def health(self) -> StoreHealth:
        """See ``HoldStore``."""
        standing = self._standing
        failure = None if self._closed else self._stalled or standing.failure
        return StoreHealth(
            state="closed" if self._closed else "refusing" if failure else "ok",
            code=failure.code if failure else "",
            reason=failure.reason if failure else "",
            next_step=failure.next_step if failure else "",
            since_ms=standing.since_ms,
            schema=str(self.migrated.after),
            queued_scripts=len(self._awaited),
            commits=standing.commits,
            last_commit_ms=standing.last_commit_ms,
            clock_ahead_ms=self._clock.ahead_ms(),
        )

    async def aclose(self) -> None:
        """See ``HoldStore``; bounded by the deadline of a script."""
        if self._closed:
            return
        self._closed = True
        self._waiters.end()
        self._writer.stop()
        await asyncio.to_thread(self._writer.join, self._limits.deadline_s)
        await asyncio.sleep(0)  # The thread's last reports are in the loop's queue.
        self._give_up(list(self._awaited), StoreSlow("the store was closed while the storage was stuck"))
        if self._watchdog is not None:
            self._watchdog.cancel()

    def _refusal(self) -> StoreUnavailable | None:
        return self._closed_to_this_process() or self._stalled or self._standing.failure

    def _closed_to_this_process(self) -> StoreClosed | None:
        if self._closed or os.getpid() != self._pid:
            return StoreClosed("the store is closed, or belongs to the process this one was forked from")
        return None

    def _tell(self, report: Report) -> None:
        """From the writer's thread; a loop that is gone has nobody left to tell."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, report)

    def _settle(self, report: Report) -> None:
        self._standing = report.standing
        self._stalled = None
        for job in report.jobs:
            self._awaited.pop(job, None)
            if job.waiter and not job.waiter.done():
                job.waiter.set_result(None)
        if report.everybody:
            self._waiters.ring_all()
        else:
            self._waiters.ring(report.woken)
        if report.ended:
            self._closed = True
            self._give_up(list(self._awaited), StoreClosed("the store was closed"))

    def _look_at_waiters(self) -> None:
        """Refuse those who waited for too long: the thread may be stuck in a sync that does not return."""
        self._watchdog = None
        now_s, deadline_s = self._loop.time(), self._limits.deadline_s
        late = [job for job in self._awaited if now_s - job.handed_s >= deadline_s]
        if late:
            self._stalled = StoreSlow(f"no answer within {deadline_s} s", next_step="look at the disk's load")
            self._give_up(late, self._stalled)
        if self._awaited:
            oldest_s = next(iter(self._awaited)).handed_s
            self._watchdog = self._loop.call_at(oldest_s + deadline_s, self._look_at_waiters)

    def _give_up(self, jobs: list[Job], error: StoreUnavailable) -> None:
        for job in jobs:
            job.given_up = True
            self._awaited.pop(job, None)
            if job.waiter and not job.waiter.done():
                job.waiter.set_exception(copy.copy(error))


def _take_over(storage: Storage, clock: StoreClock, migrations: Sequence[Migration]) -> Migrated:
    migrated = storage.open_at_boot(migrations, at_ms=clock.now_ms())
    try:
        clock.raise_to(storage.stored_clock_ms())
    except BaseException:
        storage.give_back()
        raise
    return migrated


def _outcome(job: Job) -> object:
    """What the script returned or raised. A failure of the store is shared: each caller gets its own copy."""
    error = job.error
    if error is None:
        return job.value
    if isinstance(error, StoreUnavailable):
        raise copy.copy(error) from error
    raise error
