"""Every bound of a store, with its unit."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimits:
    """What an operator may change."""

    group_scripts_max: int = 256
    """Of one commit."""
    queued_scripts_max: int = 10_000
    queued_reads_max: int = 1_000
    reader_threads: int = 4
    deadline_s: float = 5.0
    """From handing over to the answer; later means refused."""
    busy_ms: int = 1_000
    """How long another process may keep the database locked before scripts are refused."""
    retry_first_s: float = 0.25
    """Pause before the database is opened again after a failure; doubles up to the last."""
    retry_last_s: float = 5.0
    checkpoint_rows: int = 1_000
    """The write-ahead log is carried over after so many rows were changed..."""
    checkpoint_commits: int = 250
    """...or after so many commits."""
    clock_kept_ms: int = 60_000
    """How far the stored clock may be behind while nothing else is written."""
    log_bytes_aim: int = 64 * MIB
    """The write-ahead log is cut to this after it has been larger."""
    cache_bytes: int = 16 * MIB
    """Pages that the writing connection keeps."""
