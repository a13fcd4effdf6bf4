"""Reading the segments from any process, while the writer runs: for operators and their command line.

Whoever may read the directory may read every tenant's entries; ``tenant`` narrows what is shown and
protects nothing. What is read at the very end may still be refused and cut (see writer.py).
"""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from durable.audit.entry import read_line, read_members
from durable.audit.intents import OpenIntents
from durable.audit.layout import Layout, list_segments
from durable.audit.lines import STORED_LINE_BYTES_MAX, read_at, whole_lines
from durable.errors import AmbiguousCall, AuditCorrupt, UnknownCall

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from durable.audit.entry import StoredLine
    from durable.audit.intents import UnresolvedIntent

CANDIDATES_MAX = 10
_PLACE = frozenset({"v", "seq", "group", "at", "kind", "tenant", "payloads"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry, read."""

    seq: int
    at: str
    kind: str
    tenant: str
    members: dict[str, Any]
    """What the draft said."""
    payloads: dict[str, Any]
    """Commitments by name; see ``payloads.read_payload``."""
    line: bytes
    """As stored, without newline: what the leaf hash is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Everything the log says about one call."""

    call: str
    tenant: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A line and where it is."""

    stored: StoredLine
    line: bytes
    segment: int
    """First sequence number of the segment."""
    offset_bytes: int


def tail(directory: Path, after_seq: int = -1, *, tenant: str | None = None) -> Iterator[Entry]:
    """Entries behind ``after_seq`` that are there now, in order; call again with the last to follow."""
    for located in located_lines(directory, after_seq + 1):
        if tenant is None or located.stored.tenant == tenant:
            yield _entry(located)


def entries(
    directory: Path,
    *,
    tenant: str | None = None,
    kinds: Collection[str] = (),
    since: str = "",
    until: str = "",
) -> Iterator[Entry]:
    """All entries in order, narrowed: ``since`` <= at < ``until``, RFC 3339 in UTC or a beginning of it."""
    for located in located_lines(directory):
        stored = located.stored
        if (
            (tenant is None or stored.tenant == tenant)
            and (not kinds or stored.kind in kinds)
            and stored.at >= since
            and (not until or stored.at < until)
        ):
            yield _entry(located)


def show(directory: Path, prefix: str, *, tenant: str | None = None) -> Shown:
    """The one call whose id begins like this.

    Raises:
        UnknownCall: there is none.
        AmbiguousCall: there are several; an id given in full is never ambiguous within a tenant.
    """
    found = calls_like(directory, prefix, tenant=tenant)
    owner, call = the_one(found, prefix)
    return Shown(call=call, tenant=owner, entries=tuple(found[owner, call]))


def calls_like(
    directory: Path, prefix: str, *, tenant: str | None = None, first_seq: int = 0
) -> dict[tuple[str, str], list[Entry]]:
    """What is said from ``first_seq`` on about calls whose ids begin like this, by tenant and id."""
    found: dict[tuple[str, str], list[Entry]] = {}
    needle = b'"call":' + json.dumps(prefix, ensure_ascii=False).encode()[:-1]
    for located in located_lines(directory, first_seq, needle=needle):
        call = located.stored.call
        if isinstance(call, str) and call.startswith(prefix) and tenant in {None, located.stored.tenant}:
            found.setdefault((located.stored.tenant, call), []).append(_entry(located))
    return found


def the_one(calls: Collection[tuple[str, str]], prefix: str) -> tuple[str, str]:
    """Of tenants and ids of calls that begin like this the one that is meant; raises as ``show`` does."""
    found = [key for key in calls if key[1] == prefix] or list(calls)
    if not found:
        raise UnknownCall(f"no call id begins with {prefix!r}", next_step="list calls with the log command")
    if len(found) > 1:
        raise AmbiguousCall(
            f"{len(found)} call ids begin with {prefix!r}",
            candidates=tuple(call for _, call in found[:CANDIDATES_MAX]),
            next_step="give more of the id",
        )
    return found[0]


def story(directory: Path, prefix: str, *, tenant: str | None = None) -> tuple[Entry, ...]:
    """Everything about the one held call whose id begins like this: requests, events, attempts, reads.

    Raises:
        UnknownCall: there is none.
        AmbiguousCall: there are several.
    """
    found: dict[str, list[Entry]] = {}
    needle = b'"hold":' + json.dumps(prefix, ensure_ascii=False).encode()[:-1]
    for located in located_lines(directory, needle=needle):
        hold = located.stored.hold
        if isinstance(hold, str) and hold.startswith(prefix) and tenant in {None, located.stored.tenant}:
            found.setdefault(hold, []).append(_entry(located))
    found = {prefix: found[prefix]} if prefix in found else found
    if not found:
        raise UnknownCall(f"no hold id begins with {prefix!r}", next_step="list calls with the log command")
    if len(found) > 1:
        raise AmbiguousCall(
            f"{len(found)} hold ids begin with {prefix!r}",
            candidates=tuple(found)[:CANDIDATES_MAX],
            next_step="give more of the id",
        )
    return tuple(next(iter(found.values())))


def unresolved(directory: Path, *, tenant: str | None = None) -> tuple[UnresolvedIntent, ...]:
    """Allowed calls without outcome, in order: they may have happened. Those under way are among them."""
    intents = OpenIntents()
    for located in located_lines(directory, needle=b'"call":"'):
        intents.see(located.stored)
    return tuple(intent for intent in intents.unresolved() if tenant in {None, intent.tenant})


def entry_at(directory: Path, segment: int, offset_bytes: int) -> Entry:
    """The entry at a place the index named. Raises AuditCorrupt if there is none."""
    path = Layout(directory).segment(segment)
    line = read_at(path, offset_bytes, STORED_LINE_BYTES_MAX).partition(b"\n")[0]
    stored = read_line(line)
    if stored is None:
        raise AuditCorrupt(f"{path} has no entry at byte {offset_bytes}", next_step="rebuild the index")
    return _entry(Located(stored=stored, line=line, segment=segment, offset_bytes=offset_bytes))


def located_lines(
    directory: Path, first_seq: int = 0, *, needle: bytes = b"", place: tuple[int, int] | None = None
) -> Iterator[Located]:
    """Lines from ``first_seq`` on, or from a known place (segment and offset in bytes).

    Args:
        directory: the data directory.
        first_seq: where to begin. Lines before it are not decoded: a segment has one per number.
        needle: only lines that contain these bytes; the others are not decoded either.
        place: begin with the line there instead.

    Raises:
        AuditCorrupt: a line that is no entry, anywhere but at the end of the last segment.
    """
    segments = list_segments(Layout(directory))
    start = bisect_right([segment.first_seq for segment in segments], place[0] if place else first_seq) - 1
    for segment in segments[max(0, start) :]:
        offset_bytes = place[1] if place and segment.first_seq == place[0] else 0
        skipped = 0 if place else first_seq - segment.first_seq
        for number, line in enumerate(whole_lines(segment.path, offset_bytes), 1):
            if number > skipped and needle in line:
                stored = read_line(line)
                if stored is None and segment is segments[-1]:
                    return
                if stored is None:
                    raise AuditCorrupt(
                        f"{segment.path} has no entry at byte {offset_bytes}",
                        next_step=f"tail -c +{offset_bytes + 1} {segment.path} | head -n 1",
                    )
                yield Located(stored=stored, line=line, segment=segment.first_seq, offset_bytes=offset_bytes)
            offset_bytes += len(line) + 1


def _entry(located: Located) -> Entry:
    members = read_members(located.line)
    payloads = members.get("payloads", {})
    return Entry(
        seq=located.stored.seq,
        at=located.stored.at,
        kind=located.stored.kind,
        tenant=located.stored.tenant,
        members={name: member for name, member in members.items() if name not in _PLACE},
        payloads=payloads,
        line=located.line,
    )
