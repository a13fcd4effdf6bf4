"""Reading segment files line by line; never more of one than a line may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable.audit.entry import LINE_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORED_LINE_BYTES_MAX = LINE_BYTES_MAX + 16 * 1024
"""A line with its place and its payload commitments."""


def whole_lines(path: Path, start_bytes: int) -> Iterator[bytes]:
    """Lines that have a newline, without it; for one over the bound, bytes that are no entry.

    A rest without newline is not yielded: a write may be under way, or have been cut short.
    """
    with path.open("rb") as segment:
        segment.seek(start_bytes)
        while stored := segment.readline(STORED_LINE_BYTES_MAX):
            if stored.endswith(b"\n"):
                yield stored[:-1]
            elif len(stored) == STORED_LINE_BYTES_MAX:
                yield b""


def read_at(path: Path, start_bytes: int, length_bytes: int) -> bytes:
    """Up to so many bytes from there."""
    with path.open("rb") as segment:
        segment.seek(start_bytes)
        return segment.read(length_bytes)
