"""Held calls in memory, for tests: the same scripts on the same engine, without files and threads."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar, cast

from durable.errors import StoreClosed
from durable.stores.base import StoreHealth, Waiters
from durable.stores.clock import StoreClock
from durable.stores.failures import store_error
from durable.stores.migrations import known_migrations, migrate
from durable.stores.transaction import Job, Transactor, snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractContextManager

    from durable.holds.tx import Tx
    from durable.stores.migrations import Migrated, Migration

    P = ParamSpec("P")
    T = TypeVar("T")


class MemoryStore:
    """See ``base.HoldStore``. Durable until it is closed; each script is a commit of its own."""

    @classmethod
    async def open(
        cls,
        *,
        clock_ms: Callable[[], int],
        monotonic_ms: Callable[[], int] = lambda: 0,
        migrations: Sequence[Migration] | None = None,
    ) -> Self:
        """An empty one. Without a monotonic clock, time is what ``clock_ms`` says, or what it has said."""
        clock = StoreClock(clock_ms, monotonic_ms)
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys = ON")
        migrated = migrate(
            connection, None, migrations=migrations or known_migrations(), at_ms=clock.now_ms()
        )
        return cls(connection, migrated, clock)

    def __init__(self, connection: sqlite3.Connection, migrated: Migrated, clock: StoreClock) -> None:
        """Use ``open``."""
        self.migrated = migrated
        self._connection = connection
        self._clock = clock
        self._transactor = Transactor(connection=connection, clock=clock, clock_kept_ms=0)
        self._waiters = Waiters()
        self._commits = 0
        self._closed = False

    async def run(self, script: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See ``HoldStore``."""
        self._check_open()
        job = Job(script=script, args=args, kwargs=kwargs)
        woken = self._transactor.commit([job])
        self._commits += 1
        self._waiters.ring(woken)
        return cast("T", _outcome(job))

    async def read(self, script: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See ``HoldStore``."""
        self._check_open()
        job = Job(script=script, args=args, kwargs=kwargs)
        self._connection.execute("PRAGMA query_only = ON")
        try:
            snapshot(self._connection, job, self._clock.now_ms())
        except sqlite3.Error as exc:
            raise store_error(exc) from exc
        finally:
            self._connection.execute("PRAGMA query_only = OFF")
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
        return StoreHealth(
            state="closed" if self._closed else "ok",
            schema=str(self.migrated.after),
            commits=self._commits,
            clock_ahead_ms=self._clock.ahead_ms(),
        )

    async def aclose(self) -> None:
        """See ``HoldStore``; what it held is gone."""
        if not self._closed:
            self._closed = True
            self._waiters.end()
            self._connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("the store is closed")


def _outcome(job: Job) -> object:
    if job.error is not None:
        raise job.error
    return job.value
