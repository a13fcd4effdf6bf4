"""Every bound of the log, with its unit."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
GROUP_BYTES_MAX = 2 * MIB
"""No group commit is larger, so no more than this can be unconfirmed at the end of a segment."""
GROUP_BYTES_AIM = MIB // 2
"""A group takes no further append once it has this many bytes of lines."""
GROUP_ENTRIES_AIM = 1024
APPEND_BYTES_MAX = MIB
"""Of lines in one append, which is never split: AIM plus this stays below the group's bound."""
APPEND_PAYLOAD_BYTES_MAX = 16 * MIB
GROUP_PAYLOAD_BYTES_AIM = 4 * MIB
UNSYNCED_PAYLOAD_BYTES_AIM = 8 * MIB
"""A payload sync comes early once this much waits for it."""
UNSYNCED_PAYLOAD_BYTES_MAX = (
    UNSYNCED_PAYLOAD_BYTES_AIM + GROUP_PAYLOAD_BYTES_AIM + 2 * APPEND_PAYLOAD_BYTES_MAX
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an operator may change."""

    segment_bytes_max: int = 64 * MIB
    """A segment takes no further group beyond this."""
    payload_segment_bytes_max: int = 256 * MIB
    payload_segment_us: int = 24 * 60 * 60 * 1_000_000
    """A payload file takes no further value so long after its first: retention removes whole files."""
    payload_bytes_max: int = MIB
    """Of one value; a longer one is stored cut, with length and digest of the whole, unless it is durable."""
    ballast_bytes: int = MIB
    sync_deadline_s: float = 2.0
    """From handing over to acknowledgement; later means refused."""
    patience_s: float = 0.005
    """How long an entry that nobody waits for is kept back, to share the sync of one that somebody does."""
    payload_sync_s: float = 1.0
    """The longest a sealed value waits for its sync, unless its draft asks for one before the line."""
    queue_entries_max: int = 20_000
    queue_bytes_max: int = 64 * MIB
    retry_first_s: float = 0.25
    """Pause before the first recovery after a failure; doubles up to the last."""
    retry_last_s: float = 5.0
