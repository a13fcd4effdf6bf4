"""Running scripts on one SQLite connection: a group in one transaction, or one over a snapshot."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from durable.errors import StatementRefused, StoreSyncFailed, StoreUnavailable
from durable.stores.failures import store_error, unavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from durable.stores.clock import StoreClock

_KEEP_CLOCK = "UPDATE store_clock SET now_ms = :now_ms WHERE now_ms < :now_ms"


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A script on its way, and what came of it."""

    script: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    waiter: asyncio.Future[None] | None = None
    handed_s: float = 0.0
    """Loop time."""
    given_up: bool = False
    """Its caller was told that it took too long. Only the loop sets it."""
    value: Any = None
    error: BaseException | None = None


class SqliteTx:
    """See ``durable.holds.tx.Tx``. Of no use once its script has returned."""

    __slots__ = ("_run", "now_ms", "woken")

    def __init__(self, connection: sqlite3.Connection, now_ms: int) -> None:
        """In a transaction of this connection."""
        self._run: Callable[[str, dict[str, Any]], sqlite3.Cursor] = connection.execute
        self.now_ms = now_ms
        self.woken: list[str] = []

    def rows(self, sql: str, /, **values: Any) -> list[dict[str, Any]]:
        """See ``Tx``."""
        try:
            cursor = self._run(sql, values)
            found = cursor.fetchall()
        except sqlite3.Error as exc:
            raise self._error(exc) from exc
        if not found:
            return []
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def execute(self, sql: str, /, **values: Any) -> int:
        """See ``Tx``."""
        try:
            return self._run(sql, values).rowcount
        except sqlite3.Error as exc:
            raise self._error(exc) from exc

    def wake(self, hold_id: str) -> None:
        """See ``Tx``."""
        self.woken.append(hold_id)

    def end(self) -> None:
        """Whoever kept it cannot write outside of a transaction."""
        self._run = _ended

    def _error(self, error: sqlite3.Error) -> StoreUnavailable | StatementRefused:
        return store_error(error)


class SnapshotTx(SqliteTx):
    """One that only reads."""

    __slots__ = ()

    def execute(self, sql: str, /, **values: Any) -> int:
        """Refused: a read has nothing to execute."""
        raise StatementRefused("a read cannot write")

    def _error(self, error: sqlite3.Error) -> StoreUnavailable | StatementRefused:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY:
            return StatementRefused("a read cannot write")
        return store_error(error)


def _ended(_sql: str, _values: dict[str, Any]) -> sqlite3.Cursor:
    raise StatementRefused("the transaction has ended", next_step="this is a defect: report it")


@dataclass(slots=True, kw_only=True)
class Transactor:
    """The one that writes on a connection."""

    connection: sqlite3.Connection
    clock: StoreClock
    clock_kept_ms: int
    """How old the stored clock may get while nothing else is written."""
    stored_ms: int = field(init=False)
    rows_changed: int = 0
    """By scripts, since this was last set to zero."""

    def __post_init__(self) -> None:
        self.stored_ms = stored_clock_ms(self.connection)

    def commit(self, jobs: Sequence[Job]) -> list[str]:
        """All scripts in one transaction, each in a savepoint of its own; who raises loses only its own.

        Returns:
            The holds to ring for, once for each time a script asked for it. The commit is durable then.

        Raises:
            StoreUnavailable: none of the jobs is to be relied on; the connection neither.
        """
        try:
            return self._commit(jobs)
        except sqlite3.Error as exc:
            raise unavailable(exc) or StoreSyncFailed(f"unexpected {exc!r}") from exc
        finally:
            if self.connection.in_transaction:
                with suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")

    def keep_clock(self) -> None:
        """A commit of its own that shows whether the storage takes one. Raises StoreUnavailable."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.execute(
                "UPDATE store_clock SET now_ms = :now_ms", {"now_ms": self.clock.now_ms()}
            )
            self.connection.execute("COMMIT")
        except sqlite3.Error as exc:
            raise unavailable(exc) or StoreSyncFailed(f"unexpected {exc!r}") from exc

    def _commit(self, jobs: Sequence[Job]) -> list[str]:
        connection, woken = self.connection, list[str]()
        connection.execute("BEGIN IMMEDIATE")
        now_ms = self.clock.now_ms()
        changed = 0
        for job in jobs:
            tx = SqliteTx(connection, now_ms)
            before = connection.total_changes
            connection.execute("SAVEPOINT script")
            try:
                job.value = job.script(tx, *job.args, **job.kwargs)
            except StoreUnavailable:
                raise
            except BaseException as exc:  # noqa: BLE001 - whatever a script raises is its caller's
                _still_open(connection)
                job.error = exc
                connection.execute("ROLLBACK TO script")
            else:
                _still_open(connection)
                woken += tx.woken
                changed += connection.total_changes - before
            finally:
                tx.end()
            connection.execute("RELEASE script")
        stores_clock = changed or now_ms - self.stored_ms >= self.clock_kept_ms
        if stores_clock:
            connection.execute(_KEEP_CLOCK, {"now_ms": now_ms})
        connection.execute("COMMIT")
        if stores_clock:
            self.stored_ms = now_ms
        self.rows_changed += changed
        return woken


def _still_open(connection: sqlite3.Connection) -> None:
    """SQLite ends a transaction by itself after some storage errors; a script could end it by accident."""
    if not connection.in_transaction:
        raise StoreSyncFailed("a transaction was ended before its time")


def snapshot(connection: sqlite3.Connection, job: Job, now_ms: int) -> None:
    """Run a script that only reads. The connection must be in ``query_only`` mode.

    Raises:
        sqlite3.Error: the connection is of no use any more.
    """
    tx = SnapshotTx(connection, now_ms)
    connection.execute("BEGIN")
    try:
        job.value = job.script(tx, *job.args, **job.kwargs)
    except BaseException as exc:  # noqa: BLE001 - whatever a script raises is its caller's
        job.error = exc
    finally:
        tx.end()
    connection.execute("ROLLBACK")


def stored_clock_ms(connection: sqlite3.Connection) -> int:
    """The highest time that was stored."""
    row = connection.execute("SELECT now_ms FROM store_clock").fetchone()
    return int(row[0]) if row else 0
