"""The one thread that writes: takes what waits, commits it as a group, and survives the storage's failures.

Two states. *Writing*: take, commit, report, carry the log over. *Refusing*: after any failure everybody who
waits is refused, the connection is closed, and with pauses that double the files are opened again as at
boot. A commit of its own proves that the storage takes one before it goes back to writing. Nothing here
runs on the event loop; reports go there, one per group.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable.errors import StoreClosed, StoreCorrupt, StoreLocked, StoreSyncFailed, StoreUnavailable
from durable.stores.transaction import Transactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from durable.stores.clock import StoreClock
    from durable.stores.limits import StoreLimits
    from durable.stores.readers import Readers
    from durable.stores.storage import Storage
    from durable.stores.transaction import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The writer's state at the moment of a report."""

    failure: StoreUnavailable | None
    since_ms: int
    commits: int
    last_commit_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the event loop has to know."""

    standing: Standing
    jobs: tuple[Job, ...] = ()
    """Done, well or not."""
    woken: tuple[str, ...] = ()
    everybody: bool = False
    """Anything may have changed: a refused group may be stored all the same."""
    ended: bool = False
    """The thread's last word."""


class Writer:
    """Owns the storage while its thread runs.

    Args:
        storage: open.
        readers: asked to let go of the files before they are opened again.
        clock: the store's.
        limits: see there.
        report: called from the thread, once per group and once per change of state.
    """

    def __init__(
        self,
        storage: Storage,
        readers: Readers,
        clock: StoreClock,
        *,
        limits: StoreLimits,
        report: Callable[[Report], None],
    ) -> None:
        """Nothing runs yet."""
        self._storage = storage
        self._readers = readers
        self._clock = clock
        self._limits = limits
        self._report = report
        self._inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._waiting: deque[Job] = deque()
        self._group: tuple[Job, ...] = ()
        self._transactor = self._new_transactor()
        self._failure: StoreUnavailable | None = None
        self._since_ms = clock.now_ms()
        self._pause_s = 0.0
        self._retry_at_s = 0.0
        self._commits = 0
        self._commits_carried = 0
        self._last_commit_ms = 0.0
        self._thread = threading.Thread(target=self._run, name="holds-writer", daemon=True)

    def start(self) -> None:
        """Begin writing."""
        self._thread.start()

    def take(self, job: Job) -> None:
        """Give it work; from any thread, never blocks."""
        self._inbox.put(job)

    def stop(self) -> None:
        """Ask it to finish what it was given, and to close the files."""
        self._inbox.put(None)

    def join(self, deadline_s: float) -> bool:
        """Wait for its end; False if it is still stuck in the storage."""
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def standing(self) -> Standing:
        """The state now; from the thread, or before it runs."""
        return Standing(
            failure=self._failure,
            since_ms=self._since_ms,
            commits=self._commits,
            last_commit_ms=self._last_commit_ms,
        )

    # Everything below runs in the thread only.

    def _run(self) -> None:
        try:
            running = True
            while running:
                running = self._receive()
                self._guarded(self._work)
        finally:
            self._guarded(self._close)
            self._refuse(self._waiting, StoreClosed("the store was closed"), ended=True)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except StoreUnavailable as exc:
            self._fail(exc)
        except BaseException as exc:  # noqa: BLE001 - the thread's edge: a bug must refuse, not leave callers hanging
            self._fail(StoreSyncFailed(f"unexpected {exc!r}", next_step="this is a defect: report it"))

    def _receive(self) -> bool:
        """Wait for work, or until it is time to try again; False when it is time to end."""
        try:
            job = self._inbox.get(timeout=self._idle_s())
            while job is not None:
                self._waiting.append(job)
                job = self._inbox.get_nowait()
        except queue.Empty:
            return True
        return False

    def _idle_s(self) -> float | None:
        if self._failure is None or isinstance(self._failure, StoreCorrupt):
            return None
        return max(0.0, self._retry_at_s - time.monotonic())

    def _work(self) -> None:
        if self._failure is None:
            while self._waiting:
                self._commit()
                self._carry_over()
            return
        self._refuse(self._waiting, self._failure)
        self._waiting.clear()
        if not isinstance(self._failure, StoreCorrupt) and time.monotonic() >= self._retry_at_s:
            self._recover()

    def _commit(self) -> None:
        """One group: one transaction, one sync, one report."""
        count = min(len(self._waiting), self._limits.group_scripts_max)
        taken = [self._waiting.popleft() for _ in range(count)]
        # Whoever was told that it took too long before it was begun is told the truth.
        self._group = tuple(job for job in taken if not job.given_up)
        if not self._group:
            return
        self._storage.check_identity()
        started_s = time.monotonic()
        woken = self._transactor.commit(self._group)
        self._last_commit_ms = (time.monotonic() - started_s) * 1000
        self._commits += 1
        group, self._group = self._group, ()
        self._report(Report(standing=self.standing(), jobs=group, woken=tuple(woken)))

    def _carry_over(self) -> None:
        limits, due = self._limits, self._commits - self._commits_carried
        if self._transactor.rows_changed >= limits.checkpoint_rows or due >= limits.checkpoint_commits:
            self._transactor.rows_changed, self._commits_carried = 0, self._commits
            self._storage.carry_over()

    def _fail(self, error: StoreUnavailable) -> None:
        """Stop writing. Who waits is refused now."""
        if self._failure is None:
            self._since_ms = self._clock.now_ms()
            self._pause_s = self._limits.retry_first_s
        else:
            self._pause_s = min(2 * self._pause_s, self._limits.retry_last_s)
        self._failure = error
        self._retry_at_s = time.monotonic() + self._pause_s
        self._storage.close_writer()
        refused, self._group = [*self._group, *self._waiting], ()
        self._waiting.clear()
        self._refuse(refused, error)

    def _refuse(self, jobs: Iterable[Job], error: StoreUnavailable, *, ended: bool = False) -> None:
        refused = tuple(jobs)
        for job in refused:
            job.error = error
        self._report(Report(standing=self.standing(), jobs=refused, ended=ended))

    def _recover(self) -> None:
        """Open the files again, and prove with a commit that the storage is back."""
        try:
            if not self._readers.pause():
                raise StoreLocked("a read does not end, so the files cannot be opened again")
            self._storage.open()
            self._transactor = self._new_transactor()
            self._transactor.keep_clock()
        finally:
            self._readers.resume()
        self._failure, self._since_ms = None, self._clock.now_ms()
        self._report(Report(standing=self.standing(), everybody=True))

    def _new_transactor(self) -> Transactor:
        return Transactor(
            connection=self._storage.writer, clock=self._clock, clock_kept_ms=self._limits.clock_kept_ms
        )

    def _close(self) -> None:
        """Leave one file with everything in it, unless the storage fails: then the log stays beside it."""
        self._readers.close()
        tidy = False
        try:
            if self._failure is None:
                self._storage.carry_over(everything=True)
                tidy = True
        finally:
            self._storage.give_back(tidy=tidy)
