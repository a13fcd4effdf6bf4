"""The few file operations the log depends on, as a port, so that a test can make each one fail.

Paths go in as ``Path``, descriptors come back as ``int``. Every operation raises ``OSError``; none of
them retries. ``write`` may write less than it was given, as the system call may.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path


class Files(Protocol):
    """What a writer needs from a file system.

    Durability: bytes written survive the process at once, and power loss only after ``sync`` of that
    descriptor; a created or removed name survives power loss only after ``sync_directory``.
    """

    def open_append(self, path: Path) -> int:
        """Open for appending, creating it with mode 0600."""
        ...

    def open_update(self, path: Path) -> int:
        """Open an existing file for writing at given offsets."""
        ...

    def write(self, descriptor: int, buffer: bytes) -> int:
        """Append; returns how many bytes were taken."""
        ...

    def write_at(self, descriptor: int, buffer: bytes, offset: int) -> int:
        """Overwrite; only on a descriptor from ``open_update``."""
        ...

    def sync(self, descriptor: int) -> None:
        """Flush content and size to the device. After an error the descriptor must not be synced again."""
        ...

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """Cut the file."""
        ...

    def size_bytes(self, descriptor: int) -> int:
        """The file's size now."""
        ...

    def close(self, descriptor: int) -> None:
        """Give the descriptor back."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a name."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Flush created and removed names."""
        ...


class SystemFiles:
    """The real ones."""

    def open_append(self, path: Path) -> int:
        """See ``Files``. O_APPEND: a second writer could interleave but never overwrite."""
        return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def open_update(self, path: Path) -> int:
        """See ``Files``. Without O_APPEND, with which Linux lets pwrite append whatever the offset."""
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def write(self, descriptor: int, buffer: bytes) -> int:
        """See ``Files``."""
        return os.write(descriptor, buffer)

    def write_at(self, descriptor: int, buffer: bytes, offset: int) -> int:
        """See ``Files``."""
        return os.pwrite(descriptor, buffer, offset)

    def sync(self, descriptor: int) -> None:
        """See ``Files``. macOS has no fdatasync; its fsync leaves the drive's cache to the drive."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(descriptor)
        else:
            os.fsync(descriptor)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """See ``Files``."""
        os.ftruncate(descriptor, size_bytes)

    def size_bytes(self, descriptor: int) -> int:
        """See ``Files``."""
        return os.fstat(descriptor).st_size

    def close(self, descriptor: int) -> None:
        """See ``Files``."""
        os.close(descriptor)

    def remove(self, path: Path) -> None:
        """See ``Files``."""
        path.unlink(missing_ok=True)

    def sync_directory(self, path: Path) -> None:
        """See ``Files``."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def rewrite_end(files: Files, path: Path, length_bytes: int) -> None:
    """Write the last bytes of a file over themselves and sync them. Raises OSError.

    After a failed sync the page cache may show bytes as clean that the device never got; a sync alone
    would then succeed and do nothing. Interrupting this is harmless: the bytes are the same.
    """
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - length_bytes)
        file.seek(start)
        end = file.read()
    descriptor = files.open_update(path)
    try:
        while end:
            taken = files.write_at(descriptor, end, start)
            end, start = end[taken:], start + taken
        files.sync(descriptor)
    finally:
        files.close(descriptor)
