"""One writer per data directory."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from durable.errors import AuditLocked

if TYPE_CHECKING:
    from pathlib import Path


class DirectoryLock:
    """An exclusive ``flock``, given back by the kernel when the process ends, however it ends.

    ``flock`` and not ``fcntl`` locks: it also refuses a second writer in the same process, and on NFS
    Linux carries it to the server. A forked child shares it, so the log refuses to write from a child.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock or raise AuditLocked; the file then names this process."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            written = os.read(self._descriptor, 32).strip()
            os.close(self._descriptor)
            pid = int(written) if written.isdigit() else 0
            raise AuditLocked(
                f"process {pid or 'unknown'} already writes {path.parent}",
                pid=pid,
                next_step=f"ps -p {pid}" if pid else f"fuser -v {path}",
            ) from exc
        with suppress(OSError):
            # The name is a courtesy; the lock is held without it, also on a full disk.
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give it back. The file stays: removing it would let two processes lock two files."""
        os.close(self._descriptor)
