"""The derived index: which entries there are, for pages and queries. SQLite, behind the writer.

It may be deleted at any time, is made again from the segments when it is damaged or belongs to another
log, and is always a little behind. It follows what was acknowledged only. Nothing waits for it.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from durable.audit.entry import unix_us
from durable.audit.layout import Layout
from durable.audit.lock import DirectoryLock
from durable.audit.reading import located_lines
from durable.audit.tree import leaf_hash
from durable.errors import DurableError, IndexUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from durable.audit.reading import Located

BATCH_ENTRIES_MAX = 2000
BATCH_PAUSE_S = 0.05
RETRY_S = 5.0
QUERY_ROWS_MAX = 1000
CANDIDATES_MAX = 10
VERSION = 1
"""Of the schema; a file of another one is made again."""

_SCHEMA = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
PRAGMA user_version = {VERSION};
CREATE TABLE IF NOT EXISTS log (genesis BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS entry (
    seq INTEGER PRIMARY KEY, tenant TEXT NOT NULL, kind TEXT NOT NULL, call TEXT NOT NULL,
    subject TEXT NOT NULL, tool TEXT NOT NULL, effect TEXT NOT NULL, code TEXT NOT NULL,
    at_us INTEGER NOT NULL, segment INTEGER NOT NULL, offset_bytes INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS by_call ON entry (tenant, call, seq) WHERE call <> '';
CREATE INDEX IF NOT EXISTS by_kind ON entry (tenant, kind, seq);
CREATE INDEX IF NOT EXISTS by_subject ON entry (tenant, subject, seq) WHERE subject <> '';
CREATE INDEX IF NOT EXISTS by_tool ON entry (tenant, tool, seq) WHERE tool <> '';
"""
_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_LAST = "SELECT seq, segment, offset_bytes FROM entry ORDER BY seq DESC LIMIT 1"
_SELECT = (
    "SELECT seq, tenant, kind, call, subject, tool, effect, code, at_us, segment, offset_bytes FROM entry"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One entry as indexed; ``reading.entry_at`` with its place gives the entry itself."""

    seq: int
    tenant: str
    kind: str
    call: str
    subject: str
    tool: str
    effect: str
    code: str
    at_us: int
    segment: int
    offset_bytes: int


class StaleIndex(DurableError):
    """The index file does not describe these segments. Never leaves this module."""

    code = "audit_index_stale"


class AuditIndex:
    """Follows one log from its own thread, in the writer's process."""

    @classmethod
    def open(cls, directory: Path, *, on_progress: Callable[[], None] | None = None) -> Self:
        """Start following; give ``notify`` to ``AuditLog.open``. Raises nothing.

        ``on_progress`` is called from the index's thread whenever it knows more.
        """
        return cls(directory, on_progress or _nothing)

    def __init__(self, directory: Path, on_progress: Callable[[], None]) -> None:
        """Use ``open``."""
        self._on_progress = on_progress
        self._directory = directory
        self._path = Layout(directory).index
        self._next_seq = 0
        self._indexed_seq = 0
        self._reason = ""
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit-index", daemon=True)
        self._thread.start()

    def notify(self, next_seq: int) -> None:
        """Everything before ``next_seq`` is acknowledged. From any thread, never blocks."""
        self._next_seq = next_seq
        self._wake.set()

    @property
    def behind_entries(self) -> int:
        """How many acknowledged entries it does not know yet."""
        return max(0, self._next_seq - self._indexed_seq)

    @property
    def known_seq(self) -> int:
        """Everything before this it knows."""
        return self._indexed_seq

    @property
    def reason(self) -> str:
        """Why it does not advance; empty if it does."""
        return self._reason

    def close(self) -> None:
        """Stop following."""
        self._ending.set()
        self._wake.set()
        self._thread.join()

    def find(
        self,
        tenant: str,
        *,
        kind: str = "",
        subject: str = "",
        tool: str = "",
        effect: str = "",
        before_seq: int | None = None,
        limit: int = 50,
    ) -> list[Row]:
        """A tenant's entries, newest first. Blocking. Raises IndexUnavailable."""
        return self._find(
            {"tenant": tenant},
            {"kind": kind, "subject": subject, "tool": tool, "effect": effect},
            before_seq,
            limit,
        )

    def operator_find_in_all_tenants(
        self, *, kind: str = "", before_seq: int | None = None, limit: int = 50
    ) -> list[Row]:
        """For the operator's own pages only. Newest first. Blocking. Raises IndexUnavailable."""
        return self._find({}, {"kind": kind}, before_seq, limit)

    def entries_of_call(self, tenant: str, call: str) -> list[Row]:
        """What the log says about one call, in order. Blocking. Raises IndexUnavailable."""
        return self._query(
            f"{_SELECT} WHERE tenant = ? AND call = ? AND call <> '' ORDER BY seq LIMIT ?",
            tenant,
            call,
            QUERY_ROWS_MAX,
        )

    def ends_of_calls(self, tenant: str, calls: Collection[str]) -> list[Row]:
        """What says how calls ended, in order. Blocking. Raises IndexUnavailable."""
        marks = ", ".join("?" * len(calls))
        # The plus: there are many ends, and few calls are asked about.
        return self._query(
            f"{_SELECT} WHERE tenant = ? AND call IN ({marks}) AND call <> '' "
            "AND +kind IN ('outcome', 'not_sent', 'resolution') ORDER BY seq LIMIT ?",
            tenant,
            *calls,
            QUERY_ROWS_MAX,
        )

    def calls_of_prefix(self, tenant: str, prefix: str) -> list[str]:
        """Ids of a tenant's calls that begin like this, some of them. Blocking. Raises IndexUnavailable."""
        found = self._ask(
            "SELECT DISTINCT call FROM entry WHERE tenant = ? AND call >= ? AND call < ? AND call <> '' "
            "ORDER BY call LIMIT ?",
            tenant,
            prefix,
            prefix + "\U0010ffff",
            CANDIDATES_MAX,
        )
        return [call for (call,) in found]

    def newest_since(self, tenant: str, seq: int) -> int | None:
        """The number of a tenant's newest entry from there on, if any. Blocking. Raises IndexUnavailable."""
        # The plus: the few new entries are looked at, not the many of the tenant.
        found = self._ask(
            "SELECT seq FROM entry WHERE seq >= ? AND +tenant = ? ORDER BY seq DESC LIMIT 1", seq, tenant
        )
        return int(found[0][0]) if found else None

    def _find(
        self, scope: dict[str, str], wanted: dict[str, str], before_seq: int | None, limit: int
    ) -> list[Row]:
        terms = scope | {column: value for column, value in wanted.items() if value}
        # SQLite uses an index of some rows only for what says that it is about those.
        partial = [f"{column} <> ''" for column in ("subject", "tool") if column in terms]
        where = " AND ".join(["seq < ?", *(f"{column} = ?" for column in terms), *partial])
        last = self._next_seq if before_seq is None else before_seq
        sql = f"{_SELECT} WHERE {where} ORDER BY seq DESC LIMIT ?"
        return self._query(sql, last, *terms.values(), min(limit, QUERY_ROWS_MAX))

    def _query(self, sql: str, *values: str | int) -> list[Row]:
        return [Row(*row) for row in self._ask(sql, *values)]

    def _ask(self, sql: str, *values: str | int) -> list[tuple[Any, ...]]:
        try:
            with closing(
                sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, timeout=1.0)
            ) as connection:
                return connection.execute(sql, values).fetchall()
        except (sqlite3.Error, ValueError) as exc:
            raise IndexUnavailable(f"the index cannot answer: {exc}", next_step="read the segments") from exc

    # Everything below runs in the thread only.

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wake.wait()
            self._wake.clear()
            # A pause makes one transaction out of many groups.
            self._ending.wait(BATCH_PAUSE_S)
            try:
                with closing(connect(self._directory)) as connection:
                    self._follow(connection)
            except (sqlite3.Error, StaleIndex) as exc:
                self._reason = f"the index is made again: {exc}"
                self._indexed_seq = 0
                with suppress(OSError):
                    remove(self._directory)
                self._ending.wait(RETRY_S if isinstance(exc, sqlite3.OperationalError) else 0)
                self._wake.set()
            except (DurableError, OSError) as exc:
                self._reason = f"the index is behind: {exc}"
                self._ending.wait(RETRY_S)
                self._wake.set()

    def _follow(self, connection: sqlite3.Connection) -> None:
        """Index until told to end, or until something fails."""
        while not self._ending.is_set():
            for indexed_seq in advance(connection, self._directory, self._next_seq):
                self._indexed_seq = indexed_seq
                self._on_progress()
                if self._ending.is_set():
                    return
            self._reason = ""
            self._wake.wait()
            self._wake.clear()
            self._ending.wait(BATCH_PAUSE_S)


def rebuild(directory: Path) -> int:
    """Make the index again from the segments, with no writer running; returns how many entries it has.

    Raises:
        AuditLocked: a writer runs: delete the index file, or let the writer repair it.
        AuditCorrupt: the segments are damaged.
    """
    lock = DirectoryLock(Layout(directory).lock)
    try:
        remove(directory)
        with closing(connect(directory)) as connection:
            return max(advance(connection, directory, next_seq=None), default=0)
    finally:
        lock.release()


def connect(directory: Path) -> sqlite3.Connection:
    """The one connection that writes; makes the file, or makes it again if it is of another log."""
    connection = sqlite3.connect(Layout(directory).index, isolation_level=None, check_same_thread=False)
    try:
        _check(connection.execute("PRAGMA user_version").fetchone()[0] in {0, VERSION})
        connection.executescript(_SCHEMA)
        first = next(located_lines(directory), None)
        genesis = leaf_hash(first.line) if first else b""
        known = connection.execute("SELECT genesis FROM log").fetchone()
        if first and known is None:
            connection.execute("INSERT INTO log VALUES (?)", (genesis,))
        _check(known is None or known[0] == genesis)
    except BaseException:
        connection.close()
        raise
    return connection


def advance(connection: sqlite3.Connection, directory: Path, next_seq: int | None) -> Iterator[int]:
    """Index up to ``next_seq`` (None: all there is), a transaction at a time; yields how far it is."""
    last = connection.execute(_LAST).fetchone()
    indexed = last[0] + 1 if last else 0
    batch: list[tuple[str | int, ...]] = []
    if next_seq is None or indexed < next_seq:
        lines = located_lines(directory, place=(last[1], last[2]) if last else None)
        if last:
            _check((again := next(lines, None)) is not None and again.stored.seq == last[0])
        for located in lines:
            if next_seq is not None and located.stored.seq >= next_seq:
                break
            batch.append(_row(located))
            if len(batch) == BATCH_ENTRIES_MAX:
                yield _insert(connection, batch)
                indexed = located.stored.seq + 1
    yield _insert(connection, batch) if batch else indexed


def remove(directory: Path) -> None:
    """Delete the index and what SQLite keeps beside it."""
    index = Layout(directory).index
    for suffix in ("", "-wal", "-shm"):
        index.with_name(index.name + suffix).unlink(missing_ok=True)


def _check(belongs: bool) -> None:  # noqa: FBT001 - reads as an assertion
    if not belongs:
        raise StaleIndex("it is of another log or another schema")


def _insert(connection: sqlite3.Connection, batch: list[tuple[str | int, ...]]) -> int:
    connection.execute("BEGIN")
    try:
        connection.executemany(_INSERT, batch)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    indexed = int(batch[-1][0]) + 1
    batch.clear()
    return indexed


def _row(located: Located) -> tuple[str | int, ...]:
    stored = located.stored
    columns = (stored.call, stored.subject, stored.tool, stored.effect, stored.code)
    return (
        stored.seq,
        stored.tenant,
        stored.kind,
        *(column if isinstance(column, str) else "" for column in columns),
        unix_us(stored.at),
        located.segment,
        located.offset_bytes,
    )


def _nothing() -> None:
    """Nobody waits for progress."""
