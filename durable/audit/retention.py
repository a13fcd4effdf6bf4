"""Sealed values that are older than anybody wants to keep them: whole files of them are removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable.audit.layout import Layout
    from durable.files import Files

DAY_US = 24 * 60 * 60 * 1_000_000


def remove_older(layout: Layout, *, before_us: int, files: Files) -> tuple[str, ...]:
    """Remove every file that got its last value before this time, except the one that is written to.

    The entries stay; their values read as missing. A hold whose arguments are among them cannot run any more,
    so the time has to be longer than anything waits.

    Returns:
        The names of what was removed. Raises OSError.
    """
    paths = sorted(layout.payloads.glob("*.sealed"))
    removed = [path for path in paths[:-1] if path.stat().st_mtime_ns // 1000 < before_us]
    for path in removed:
        files.remove(path)
    if removed:
        files.sync_directory(layout.payloads)
    return tuple(path.name for path in removed)
