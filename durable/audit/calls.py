"""One call by the beginning of its id: by the index, and what that does not know yet from the segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable.audit.index import QUERY_ROWS_MAX
from durable.audit.reading import Shown, calls_like, entry_at, show, the_one
from durable.errors import IndexUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from durable.audit.index import AuditIndex, Row
    from durable.audit.reading import Entry

BEHIND_ENTRIES_MAX = 10_000
"""An index that is further behind is not asked: it is being made again, or cannot be made."""


def find_call(directory: Path, index: AuditIndex, prefix: str, *, tenant: str) -> Shown:
    """Everything the log says about the one call of a tenant whose id begins like this. Blocking.

    Raises:
        UnknownCall: there is none.
        AmbiguousCall: there are several; an id given in full is never ambiguous.
        AuditCorrupt: the segments are damaged.
        OSError: they cannot be read at the moment.
    """
    found = None
    if index.behind_entries <= BEHIND_ENTRIES_MAX:
        try:
            found = _found(directory, index, prefix, tenant)
        except IndexUnavailable:
            found = None
    return show(directory, prefix, tenant=tenant) if found is None else found


def entries_at(directory: Path, rows: Iterable[Row]) -> list[Entry]:
    """The entries that rows of the index name. Blocking.

    Raises:
        IndexUnavailable: it names something else: it is of another log, or damaged.
        AuditCorrupt, OSError: see ``entry_at``.
    """
    found = []
    for row in rows:
        entry = entry_at(directory, row.segment, row.offset_bytes)
        # Derived data is no witness: whose an entry is says the entry.
        if (entry.seq, entry.tenant) != (row.seq, row.tenant):
            raise IndexUnavailable(
                f"the index has another entry {row.seq} than the log", next_step="rebuild the index"
            )
        found.append(entry)
    return found


def _found(directory: Path, index: AuditIndex, prefix: str, tenant: str) -> Shown | None:
    """The same by the index; None if it does not know enough."""
    known_seq = index.known_seq
    newer = calls_like(directory, prefix, tenant=tenant, first_seq=known_seq) if index.behind_entries else {}
    older = {(tenant, call) for call in index.calls_of_prefix(tenant, prefix)}
    if index.known_seq < known_seq:
        # It was made again in the middle of this, and knew less than it had said.
        return None
    owner, call = the_one(sorted(older | newer.keys()), prefix)
    rows = index.entries_of_call(tenant, call)
    if len(rows) == QUERY_ROWS_MAX or index.known_seq < known_seq:
        return None
    entries = {entry.seq: entry for entry in (*entries_at(directory, rows), *newer.get((tenant, call), ()))}
    if any(entry.members.get("call") != call for entry in entries.values()):
        return None
    return Shown(call=call, tenant=owner, entries=tuple(entries[seq] for seq in sorted(entries)))
