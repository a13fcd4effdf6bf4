"""What the log says about itself: for readiness, pages and operators."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHealth:
    """The state now, without I/O."""

    state: str
    """``ok``, ``refusing`` (it recovers by itself; appends raise) or ``closed``."""
    code: str = ""
    """The error code while refusing."""
    reason: str = ""
    next_step: str = ""
    since_us: int = 0
    """Unix microseconds of the change to this state."""
    entries: int = 0
    root: bytes = b""
    """The RFC 6962 tree head over ``entries`` entries."""
    segment_bytes: int = 0
    """Size of the last segment."""
    last_sync_ms: float = 0.0
    """Of the last group: write and sync."""
    queued_entries: int = 0
    unresolved_intents: int = 0
    """Allowed calls without outcome: under way, or lost."""
    unwritten_entries: int = 0
    """Enqueued entries that are lost: refused as drafts, or without room in the queue of a long outage."""
    unwritten_reason: str = ""
    """Why the last of them was."""
    clock_behind_us: int = 0
    """How far the clock was behind the last entry, which then repeats the time of the one before it."""
