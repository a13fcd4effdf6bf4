"""What SQLite's errors mean for a store: a wrong statement, or a database that cannot be relied on."""

from __future__ import annotations

import errno
import sqlite3
from typing import TYPE_CHECKING

from durable.errors import (
    StatementRefused,
    StoreCorrupt,
    StoreDiskFull,
    StoreLocked,
    StoreReadOnly,
    StoreSyncFailed,
)

if TYPE_CHECKING:
    from durable.errors import StoreUnavailable

_BY_ITSELF = "the store then continues by itself"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_STORAGE = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_ABORT,
    }
)


def unavailable(error: sqlite3.Error) -> StoreUnavailable | None:
    """What it says about the database; None if only a statement was wrong."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    reason = f"{error} ({error.sqlite_errorname})"
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return StoreDiskFull(reason, next_step=f"free space; {_BY_ITSELF}")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return StoreReadOnly(reason, next_step=f"make the data directory writable; {_BY_ITSELF}")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreLocked(reason, next_step=f"end what else has the database open; {_BY_ITSELF}")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreCorrupt(reason, next_step="stop the gateway and restore the database from a backup")
        case primary if primary in _STORAGE:
            return StoreSyncFailed(
                reason, next_step=f"look at the kernel log and at free space; {_BY_ITSELF}"
            )
    return None


def store_error(error: sqlite3.Error) -> StoreUnavailable | StatementRefused:
    """As one of ours; SQLite's own words stay in the reason. They name tables and columns, never values."""
    return unavailable(error) or StatementRefused(str(error), next_step="this is a defect: report it")


def file_error(error: OSError) -> StoreUnavailable:
    """The same for the few file operations of our own."""
    reason = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    if error.errno in _NO_ROOM:
        return StoreDiskFull(reason, next_step=f"free space; {_BY_ITSELF}")
    if error.errno in _NOT_WRITABLE:
        return StoreReadOnly(reason, next_step=f"make the data directory writable; {_BY_ITSELF}")
    return StoreSyncFailed(reason, next_step=f"look at the kernel log; {_BY_ITSELF}")
