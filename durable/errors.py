"""What can go wrong with durable state, as types. Matched by ``code``; the text is for people."""

from __future__ import annotations

import errno


class DurableError(Exception):
    """Something durable was refused or could not be read. Never raised itself: every error says which."""

    code = "durable_error"

    def __init__(self, reason: str, *, next_step: str = "") -> None:
        """Keep the reason (one sentence) and what the reader can do about it (one sentence or empty)."""
        super().__init__(reason)
        self.reason = reason
        self.next_step = next_step


class AuditUnavailable(DurableError):
    """The entries were not acknowledged: whatever depended on them must not happen."""

    code = "audit_unavailable"


class AuditDiskFull(AuditUnavailable):
    """No room for the entries: no space, quota or file size limit. The log continues when there is."""

    code = "audit_disk_full"


class AuditSyncFailed(AuditUnavailable):
    """The storage reported an error for a write or a sync; whether the entries are stored is unknown."""

    code = "audit_sync_failed"


class AuditSyncSlow(AuditUnavailable):
    """The storage did not confirm in time; whether the entries are stored is unknown."""

    code = "audit_sync_slow"


class AuditReadOnly(AuditUnavailable):
    """The data directory cannot be written: read-only file system or missing permission."""

    code = "audit_read_only"


class AuditClosed(AuditUnavailable):
    """The log is closed, or this process is a fork of the one that opened it."""

    code = "audit_closed"


class AuditQueueFull(AuditUnavailable):
    """More entries wait for the disk than the bound allows; these were not taken."""

    code = "audit_queue_full"


class AuditLocked(AuditUnavailable):
    """Another process writes this data directory. ``pid`` names it, 0 if it left no readable name."""

    code = "audit_locked"

    def __init__(self, reason: str, *, pid: int, next_step: str = "") -> None:
        """Keep the process id found in the lock file."""
        super().__init__(reason, next_step=next_step)
        self.pid = pid


class AuditCorrupt(AuditUnavailable):
    """Something acknowledged is missing or altered. The log does not start over it: a person has to look."""

    code = "audit_corrupt"


class DraftRefused(DurableError):
    """The draft cannot become an entry: reserved member, not JSON, or too large. Nothing was written."""

    code = "audit_draft_refused"


class KeyUnusable(DurableError):
    """A key file is missing, has the wrong size, or does not open what it should."""

    code = "audit_key_unusable"


class PayloadErased(DurableError):
    """The subject's data key was destroyed; the value can never be read again."""

    code = "payload_erased"


class PayloadMissing(DurableError):
    """No such payload for this subject: lost with power before its sync, removed, or of somebody else."""

    code = "payload_missing"


class PayloadAltered(DurableError):
    """The stored value does not match the commitment in its entry."""

    code = "payload_altered"


class UnknownCall(DurableError):
    """No call id in the log begins like that."""

    code = "unknown_call"


class AmbiguousCall(DurableError):
    """Several call ids begin like that; ``candidates`` lists some of them."""

    code = "ambiguous_call"

    def __init__(self, reason: str, *, candidates: tuple[str, ...], next_step: str = "") -> None:
        """Keep the call ids, in the order of the log."""
        super().__init__(reason, next_step=next_step)
        self.candidates = candidates


class IndexUnavailable(DurableError):
    """The derived index cannot answer now. The log itself is not affected; read the segments instead."""

    code = "audit_index_unavailable"


class StoreUnavailable(DurableError):
    """The store of held calls did not confirm: whatever depended on it must not happen."""

    code = "holds_unavailable"


class StoreDiskFull(StoreUnavailable):
    """No room for the rows; nothing of the transaction is stored. The store continues when there is."""

    code = "holds_disk_full"


class StoreSyncFailed(StoreUnavailable):
    """The storage reported an error for a write or a sync; whether the rows are stored is unknown."""

    code = "holds_sync_failed"


class StoreSlow(StoreUnavailable):
    """The storage did not confirm in time; whether the rows are stored is unknown."""

    code = "holds_slow"


class StoreReadOnly(StoreUnavailable):
    """The database cannot be written: read-only file system or missing permission."""

    code = "holds_read_only"


class StoreLocked(StoreUnavailable):
    """Another process has the database. ``pid`` names it, 0 if it is not known."""

    code = "holds_locked"

    def __init__(self, reason: str, *, pid: int = 0, next_step: str = "") -> None:
        """Keep the process id found in the lock file."""
        super().__init__(reason, next_step=next_step)
        self.pid = pid


class StoreClosed(StoreUnavailable):
    """The store is closed, or this process is a fork of the one that opened it."""

    code = "holds_closed"


class StoreQueueFull(StoreUnavailable):
    """More transactions wait than the bound allows; this one was not taken."""

    code = "holds_queue_full"


class SchemaUnknown(StoreUnavailable):
    """The database is of a newer major version, or is no store of held calls. Nothing in it was changed."""

    code = "holds_schema_unknown"


class StoreCorrupt(StoreUnavailable):
    """The database is damaged or was replaced. The store does not go on by itself: a person has to look."""

    code = "holds_corrupt"


class StatementRefused(DurableError):
    """The schema does not allow what a script wrote, or its SQL is wrong. Nothing of the script is stored."""

    code = "holds_statement_refused"


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def audit_error(error: OSError) -> AuditUnavailable:
    """What a storage error means for the log; the operating system's own words stay in the reason."""
    reason = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    if error.errno in _NO_ROOM:
        return AuditDiskFull(reason, next_step="free space; the log then continues by itself")
    if error.errno in _NOT_WRITABLE:
        return AuditReadOnly(
            reason, next_step="make the data directory writable; the log then continues by itself"
        )
    return AuditSyncFailed(reason, next_step="look at the kernel log; the log retries by itself")
