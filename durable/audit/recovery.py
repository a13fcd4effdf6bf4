"""Finding the end of the log after anything: a clean stop, kill -9, power loss, a failed write.

The one way into a writable log, at boot and after every storage failure. It reads the lines from an
anchor (the beginning, or the last acknowledged entry), cuts what an unconfirmed group left torn, and
writes the end once more, because after a failed sync the page cache may show bytes the disk never got.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from durable.audit.attempts import HoldAttempts
from durable.audit.entry import LOG_CREATED, SUBJECT_ERASED, read_line, unix_us
from durable.audit.intents import OpenIntents
from durable.audit.layout import list_segments
from durable.audit.limits import GROUP_BYTES_MAX
from durable.audit.lines import read_at, whole_lines
from durable.audit.tree import CompactRange, leaf_hash
from durable.errors import AuditCorrupt
from durable.files import rewrite_end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.audit.entry import StoredLine
    from durable.audit.layout import Layout, Segment
    from durable.files import Files


@dataclass(slots=True, kw_only=True)
class End:
    """Where the log ends: everything the next group needs."""

    tree: CompactRange = field(default_factory=CompactRange)
    first_seq: int = 0
    """Of the last segment."""
    size_bytes: int = 0
    """Of the last segment."""
    at_us: int = 0
    """Of the last entry."""

    @property
    def seq(self) -> int:
        """The next entry's sequence number."""
        return self.tree.size

    def copy(self) -> End:
        """An independent end at the same place."""
        return End(
            tree=self.tree.copy(), first_seq=self.first_seq, size_bytes=self.size_bytes, at_us=self.at_us
        )


@dataclass(slots=True, kw_only=True)
class Recovered:
    """What recovery found."""

    end: End
    cut_bytes: int = 0
    cut_lines: int = 0
    """Newlines among the bytes cut, plus one for an unterminated rest."""
    cut_file: str = ""
    """Where the cut bytes are kept, inside the log's directory."""
    origin: str | None = None
    """As the first entry states it; None in a new log, or when recovery began later."""
    intents: OpenIntents = field(default_factory=OpenIntents)
    attempts: HoldAttempts = field(default_factory=HoldAttempts)
    erased_keys: set[str] = field(default_factory=set)


def recover(files: Files, layout: Layout, anchor: End | None = None) -> Recovered:
    """Read from the anchor to the end, cut the torn part, make the rest durable.

    Raises:
        AuditCorrupt: an acknowledged entry is missing or altered. Nothing was changed.
        OSError: the storage still fails. Calling it again is safe.
    """
    found = Recovered(end=anchor.copy() if anchor else End())
    segments = [segment for segment in list_segments(layout) if segment.first_seq >= found.end.first_seq]
    if anchor and anchor.seq and (not segments or segments[0].first_seq != anchor.first_seq):
        raise AuditCorrupt(f"{layout.segment(anchor.first_seq)} with acknowledged entries is gone")
    for segment in segments:
        is_last = segment is segments[-1]
        _read_segment(found, segment, layout, files, is_last=is_last, at_boot=anchor is None)
    if segments:
        rewrite_end(files, segments[-1].path, GROUP_BYTES_MAX)
        files.sync_directory(layout.segments)
    return found


def _read_segment(
    found: Recovered, segment: Segment, layout: Layout, files: Files, *, is_last: bool, at_boot: bool
) -> None:
    end = found.end
    if segment.first_seq == end.first_seq:
        start_bytes = end.size_bytes
    elif segment.first_seq == end.seq:
        end.first_seq, end.size_bytes, start_bytes = segment.first_seq, 0, 0
    else:
        raise AuditCorrupt(
            f"{segment.path} should begin at entry {end.seq}",
            next_step=f"restore the segment {layout.segment(end.seq).name} into {layout.segments}",
        )
    if segment.path.stat().st_size < start_bytes:
        raise AuditCorrupt(f"{segment.path} is shorter than what was acknowledged")
    lines = whole_lines(segment.path, start_bytes)
    for stored in lines:
        entry = read_line(stored)
        if entry is None or entry.seq != end.seq:
            _refuse_damage(segment, end, chain([stored], lines), is_last=is_last)
            break
        _take(found, entry, stored)
    _cut(found, segment, layout, files, is_last=is_last, at_boot=at_boot)


def _take(found: Recovered, entry: StoredLine, stored: bytes) -> None:
    end = found.end
    end.tree.add(leaf_hash(stored))
    end.size_bytes += len(stored) + 1
    end.at_us = max(end.at_us, unix_us(entry.at))
    found.intents.see(entry)
    found.attempts.see(entry)
    if entry.kind == LOG_CREATED and entry.seq == 0:
        found.origin = str(entry.origin)
    elif entry.kind == SUBJECT_ERASED:
        found.erased_keys.add(str(entry.key))


def _refuse_damage(segment: Segment, end: End, bad_and_rest: Iterator[bytes], *, is_last: bool) -> None:
    """Return only if the bad line and everything behind it can be one group that was never confirmed.

    A group is written after the one before it was confirmed, so an entry of a group that began after
    the bad line proves that the bad line had been confirmed.
    """
    damaged = not is_last
    for stored in bad_and_rest:
        entry = read_line(stored)
        damaged = damaged or (entry is not None and entry.group > end.seq)
    if damaged:
        number = end.seq - segment.first_seq + 1
        raise AuditCorrupt(
            f"{segment.path} line {number} is not entry {end.seq}, and confirmed entries follow it",
            next_step=f"sed -n {number}p {segment.path}; then restore the file from a copy",
        )


def _cut(
    found: Recovered, segment: Segment, layout: Layout, files: Files, *, is_last: bool, at_boot: bool
) -> None:
    end = found.end
    torn_bytes = segment.path.stat().st_size - end.size_bytes
    if torn_bytes == 0:
        return
    if not is_last or torn_bytes > GROUP_BYTES_MAX:
        raise AuditCorrupt(
            f"{segment.path}: {torn_bytes} torn bytes after entry {end.seq - 1}, more than a crash leaves",
            next_step=f"tail -c {torn_bytes} {segment.path}; then restore the file from a copy",
        )
    torn = read_at(segment.path, end.size_bytes, torn_bytes)
    found.cut_bytes = torn_bytes
    found.cut_lines = torn.count(b"\n") + (not torn.endswith(b"\n"))
    # Later recoveries cut what this process wrote itself, perhaps because the disk is full: nothing to keep.
    found.cut_file = _keep(files, layout, end.seq, torn) if at_boot else ""
    descriptor = files.open_update(segment.path)
    try:
        files.truncate(descriptor, end.size_bytes)
        files.sync(descriptor)
    finally:
        files.close(descriptor)


def _keep(files: Files, layout: Layout, seq: int, torn: bytes) -> str:
    """Keep what is cut for inspection, as far as there is room: the cut itself must not depend on it."""
    path = layout.cut / f"{seq:012d}.bytes"
    try:
        descriptor = files.open_append(path)
        try:
            files.write(descriptor, torn[-GROUP_BYTES_MAX:])
        finally:
            files.close(descriptor)
    except OSError:
        return ""
    return path.relative_to(layout.root).as_posix()
