"""Where things lie under one data directory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable.errors import AuditCorrupt

if TYPE_CHECKING:
    from pathlib import Path

_SEGMENT = re.compile(r"[0-9]{12}\.jsonl")


@dataclass(frozen=True, slots=True)
class Layout:
    """The names below ``<data>/audit``."""

    data: Path

    @property
    def root(self) -> Path:
        """Everything of the log."""
        return self.data / "audit"

    @property
    def segments(self) -> Path:
        """The truth: ``<first seq>.jsonl``."""
        return self.root / "segments"

    @property
    def payloads(self) -> Path:
        """Sealed values: ``<number>.sealed``."""
        return self.root / "payloads"

    @property
    def keys(self) -> Path:
        """One wrapped data key per subject; removing one erases what it sealed."""
        return self.root / "keys"

    @property
    def cut(self) -> Path:
        """Bytes that recovery removed from the end of a segment, kept for inspection."""
        return self.root / "cut"

    @property
    def lock(self) -> Path:
        """Held by the one writer."""
        return self.root / "lock"

    @property
    def ballast(self) -> Path:
        """Space reserved for the last entries before a full disk."""
        return self.root / "ballast"

    @property
    def index(self) -> Path:
        """Derived; may be deleted at any time."""
        return self.root / "index.sqlite3"

    def segment(self, first_seq: int) -> Path:
        """The segment whose first entry is that one."""
        return self.segments / f"{first_seq:012d}.jsonl"

    def make(self) -> None:
        """Create the directories, readable by their owner only."""
        for directory in (self.root, self.segments, self.payloads, self.keys, self.cut):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment file."""

    path: Path
    first_seq: int


def list_segments(layout: Layout) -> list[Segment]:
    """All segments in order.

    Raises:
        AuditCorrupt: the directory holds a file that is none, or the first segment is gone.
    """
    segments = []
    for path in sorted(layout.segments.iterdir()) if layout.segments.is_dir() else ():
        if not _SEGMENT.fullmatch(path.name):
            raise AuditCorrupt(
                f"{path} is not a segment of this log", next_step=f"mv {path} somewhere else and start again"
            )
        segments.append(Segment(path, int(path.name[:12])))
    if segments and segments[0].first_seq != 0:
        raise AuditCorrupt(
            f"the log begins at entry {segments[0].first_seq}: earlier segments are missing",
            next_step=f"restore the missing files into {layout.segments}",
        )
    return segments
