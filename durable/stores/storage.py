"""The files of a SQLite store: opening them so that what they show can be relied on, and closing them.

Opening is the same at boot and after a failure, and is done with no other connection of this process open.
After a failed sync the kernel's cache may show bytes that the device never got: so the write-ahead log is
written over itself and synced, and then carried over into the database and synced, before anything is
acknowledged on top of it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from durable.audit.lock import DirectoryLock
from durable.errors import AuditLocked, StoreCorrupt, StoreLocked, StoreSyncFailed
from durable.files import SystemFiles, rewrite_end
from durable.stores.failures import file_error, unavailable
from durable.stores.migrations import NOTHING, check, migrate, version_of
from durable.stores.transaction import stored_clock_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from durable.stores.limits import StoreLimits
    from durable.stores.migrations import Migrated, Migration

SYNCHRONOUS = "FULL"
"""NORMAL would not sync a commit: power loss would take back what was acknowledged."""
_STATEMENTS_KEPT = 256


class Storage:
    """The one connection that writes and carries the log over, and one that only keeps it company.

    As long as the companion is open, closing the writer does not close the last connection, with which
    SQLite would carry over and delete the log unasked, after a failure, too.
    """

    def __init__(self, path: Path, lock_path: Path, *, limits: StoreLimits) -> None:
        """Nothing is open yet."""
        self._path = path.absolute()
        self._lock_path = lock_path.absolute()
        self._lock: DirectoryLock | None = None
        self._log_path = self._path.with_name(f"{path.name}-wal")
        self._limits = limits
        self._files = SystemFiles()
        self._writer: sqlite3.Connection | None = None
        self._companion: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    @property
    def writer(self) -> sqlite3.Connection:
        """The one that is open."""
        assert self._writer
        return self._writer

    def open_at_boot(self, migrations: Sequence[Migration], *, at_ms: int) -> Migrated:
        """Lock it, make it if there is none, and bring it to this release's schema.

        Raises:
            StoreLocked: another process has it.
            SchemaUnknown: nothing was changed.
            StoreUnavailable: the storage fails, or the file is no database.
        """
        try:
            with _as_unavailable():
                self._take_lock()
                self._create()
                self._check_version(migrations)
                self.open()
                return migrate(self.writer, self._path, migrations=migrations, at_ms=at_ms)
        except BaseException:
            self.give_back()
            raise

    def open(self) -> None:
        """Open it, for the first time or again. Raises StoreUnavailable; nothing is open then."""
        self.close()
        try:
            with _as_unavailable():
                if self._identity:
                    self.check_identity()
                self._writer = connect_writer(self._path, limits=self._limits)
                self._companion = self.connect_reader()
                self._rewrite_log()
                self.carry_over(everything=True)
                status = self._path.stat()
                self._identity = (status.st_dev, status.st_ino)
        except BaseException:
            self.close()
            raise

    def check_identity(self) -> None:
        """Raises StoreCorrupt if the file is not the one that was opened: moved, removed or replaced."""
        found = None
        with suppress(OSError):
            status = self._path.stat()
            found = (status.st_dev, status.st_ino)
        if found != self._identity:
            raise StoreCorrupt(
                f"{self._path.name} is no longer the file that was opened",
                next_step="stop the gateway, put the file back, start it",
            )

    def carry_over(self, *, everything: bool = False) -> None:
        """Move what the log holds into the database, as far as readers let it. Raises StoreUnavailable."""
        with _as_unavailable():
            mode = "TRUNCATE" if everything else "PASSIVE"
            self.writer.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()

    def stored_clock_ms(self) -> int:
        """The highest time that was stored. Raises StoreUnavailable."""
        with _as_unavailable():
            return stored_clock_ms(self.writer)

    def close_writer(self) -> None:
        """The log stays as it is."""
        if self._writer:
            with suppress(sqlite3.Error):
                self._writer.close()
            self._writer = None

    def close(self) -> None:
        """Both, in the order that leaves the log as it is. Readers are closed before."""
        self.close_writer()
        self._close_companion()

    def give_back(self, *, tidy: bool = False) -> None:
        """Close, and let other processes have it. ``tidy``: the log is carried over and can go."""
        if tidy:
            self._close_companion()
        self.close()
        if self._lock:
            self._lock.release()
            self._lock = None

    def connect_reader(self) -> sqlite3.Connection:
        """A connection that only reads, and counts as open. Raises sqlite3.Error."""
        return connect_reader(self._path, limits=self._limits)

    def _close_companion(self) -> None:
        if self._companion:
            with suppress(sqlite3.Error):
                self._companion.close()
            self._companion = None

    def _take_lock(self) -> None:
        self._lock_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock = DirectoryLock(self._lock_path)
        except AuditLocked as exc:
            raise StoreLocked(
                f"process {exc.pid or 'unknown'} already has {self._path}",
                pid=exc.pid,
                next_step=exc.next_step,
            ) from exc

    def _rewrite_log(self) -> None:
        """With the right to write, so that no other process's log is overwritten meanwhile."""
        self.writer.execute("BEGIN IMMEDIATE")
        try:
            if self._log_path.exists():
                rewrite_end(self._files, self._log_path, self._log_path.stat().st_size)
        finally:
            self.writer.execute("ROLLBACK")

    def _create(self) -> None:
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._path.exists():
            return
        if self._log_path.exists():
            raise StoreCorrupt(
                f"{self._log_path.name} is there, and {self._path.name} is not",
                next_step="put the database back beside its log, or move the log away",
            )
        os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        # Before SQLite makes its log: a log without its database must never be all that power loss leaves.
        self._files.sync_directory(folder)

    def _check_version(self, migrations: Sequence[Migration]) -> None:
        """Without the right to change anything."""
        journal = self._path.with_name(f"{self._path.name}-journal")
        if not self._path.stat().st_size or journal.exists():
            # Power was lost while it was made; ``migrate`` looks again once SQLite has rolled that back.
            return
        with closing(self.connect_reader()) as connection:
            version = version_of(connection)
        if version != NOTHING:
            check(version, migrations)


def connect_writer(path: Path, *, limits: StoreLimits) -> sqlite3.Connection:
    """Raises sqlite3.Error, or StoreSyncFailed if there can be no write-ahead log on that file system."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=limits.busy_ms / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS_KEPT,
    )
    try:
        _keep_log(connection)
        for setting in (
            f"synchronous = {SYNCHRONOUS}",
            "foreign_keys = ON",
            "trusted_schema = OFF",
            # What a transaction may have to take back stays in memory: nothing is written outside the folder.
            "temp_store = MEMORY",
            # Carrying over is done between commits, and with its errors seen.
            "wal_autocheckpoint = 0",
            f"journal_size_limit = {limits.log_bytes_aim}",
            f"cache_size = -{limits.cache_bytes // 1024}",
        ):
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path, *, limits: StoreLimits) -> sqlite3.Connection:
    """Raises sqlite3.Error."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=ro",
        uri=True,
        timeout=limits.busy_ms / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS_KEPT,
    )
    try:
        for setting in ("query_only = ON", "trusted_schema = OFF", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {setting}")
        # Only now does SQLite open the files, and count this connection among those that are open.
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _keep_log(connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreSyncFailed(
            f"the file system lets SQLite keep no write-ahead log (it stays with {mode!r})",
            next_step="put the data directory on a local file system",
        )


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise unavailable(exc) or StoreCorrupt(f"the database does not answer as one: {exc}") from exc
    except OSError as exc:
        raise file_error(exc) from exc
