"""Space kept back for the end of a full disk.

While the log refuses because the disk is full, the ballast is gone and its space takes what must still
be written: ``not_sent`` for refused intents, and outcomes of calls already under way. New intents are
taken again only when the ballast lies there again with as much room beside it: at the very edge the log
would otherwise refuse and recover by turns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from durable.files import Files

_CHUNK_BYTES = 64 * 1024


class Ballast:
    """A file of ``size_bytes`` random bytes: zeros would take no space where the file system compresses."""

    def __init__(
        self, path: Path, *, size_bytes: int, files: Files, random_bytes: Callable[[int], bytes]
    ) -> None:
        """Nothing is touched yet."""
        self._path = path
        self._size_bytes = size_bytes
        self._files = files
        self._random_bytes = random_bytes

    def lay(self) -> None:
        """Make sure the space is taken. Raises OSError, and then leaves none of it taken."""
        if self._path.exists() and self._path.stat().st_size == self._size_bytes:
            return
        self.free()
        try:
            self._write()
        except OSError:
            self.free()
            raise

    def free(self) -> None:
        """Give the space to the file system."""
        self._files.remove(self._path)

    def _write(self) -> None:
        descriptor = self._files.open_append(self._path)
        try:
            missing = 2 * self._size_bytes
            while missing:
                missing -= self._files.write(descriptor, self._random_bytes(min(missing, _CHUNK_BYTES)))
            self._files.sync(descriptor)
            self._files.truncate(descriptor, self._size_bytes)
        finally:
            self._files.close(descriptor)
