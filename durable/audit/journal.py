"""The open end of the log: one write and one sync per group."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING

from durable.audit.recovery import End, recover
from durable.errors import AuditCorrupt

if TYPE_CHECKING:
    from durable.audit.entry import Placed
    from durable.audit.layout import Layout
    from durable.audit.recovery import Recovered
    from durable.files import Files


class Journal:
    """Appends groups of lines to the last segment. Used from one thread.

    After any exception it must be opened again before the next write: what the disk holds behind
    ``end`` is then unknown, and a failed descriptor is never synced twice.
    """

    def __init__(self, layout: Layout, *, files: Files, segment_bytes_max: int) -> None:
        """Nothing is opened yet."""
        self._layout = layout
        self._files = files
        self._segment_bytes_max = segment_bytes_max
        self._descriptor = -1
        self.end = End()
        """Behind the last acknowledged entry."""

    def open(self, *, at_boot: bool) -> Recovered:
        """Recover, from the beginning or from ``end``, and continue there. Raises AuditCorrupt, OSError.

        ``end`` moves behind what recovery found: that is durable now.
        """
        self.close()
        recovered = recover(self._files, self._layout, anchor=None if at_boot else self.end)
        self._open_segment(recovered.end.first_seq)
        self.end = recovered.end.copy()
        return recovered

    def write(self, group: Placed) -> None:
        """Append a group; durable when it returns.

        A crash before the write leaves nothing. One between write and sync leaves any part of it:
        recovery keeps the whole lines at its beginning, and nobody was told of them. One after the
        sync leaves all of it, and perhaps nobody was told.
        """
        if self.end.size_bytes >= self._segment_bytes_max:
            self._roll()
        if self._files.size_bytes(self._descriptor) != self.end.size_bytes:
            raise AuditCorrupt("somebody else wrote to or cut the last segment")
        buffer = b"\n".join(group.lines) + b"\n"
        taken = self._files.write(self._descriptor, buffer)
        if taken != len(buffer):
            raise OSError(errno.ENOSPC, f"short write, {taken} of {len(buffer)} bytes")
        self._files.sync(self._descriptor)
        for entry in group.appended:
            self.end.tree.add(entry.leaf)
        self.end.size_bytes += taken
        self.end.at_us = group.appended[-1].at_us

    def close(self) -> None:
        """Give the descriptor back, whatever the file system says about it; nothing unsynced matters."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with suppress(OSError):
                self._files.close(descriptor)

    def _roll(self) -> None:
        self.close()
        self._open_segment(self.end.seq)
        self.end.first_seq, self.end.size_bytes = self.end.seq, 0

    def _open_segment(self, first_seq: int) -> None:
        self._descriptor = self._files.open_append(self._layout.segment(first_seq))
        self._files.sync_directory(self._layout.segments)
