"""What another process can read of a log, while it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from durable.audit import reading
from durable.audit.entry import Draft
from durable.audit.tree import leaf_hash
from durable.errors import AmbiguousCall, AuditCorrupt, UnknownCall

Make = Callable[..., Draft]


@pytest.fixture
async def written(folder: Any, intent: Make, outcome: Make) -> Any:
    """A log of several segments that is still open."""
    folder.limits = replace(folder.limits, segment_bytes_max=700)
    async with folder.log() as log:
        for number in range(10):
            await log.append(intent(f"call-{number}"))
            folder.clock.now_us += 60_000_000
            if number % 2:
                await log.append(outcome(f"call-{number}"))
        await log.append(Draft("intent", {"call": "call-1", "effect": "allow"}, "other"))
        yield folder


async def test_tail_goes_on_behind_the_last_entry_seen(written: Any) -> None:
    everything = list(reading.tail(written.path))
    assert [entry.seq for entry in everything] == list(range(17))
    for after in range(-1, 17):
        assert [entry.seq for entry in reading.tail(written.path, after)] == list(range(after + 1, 17))


async def test_a_line_reads_as_it_is_stored(written: Any) -> None:
    entry = next(reading.tail(written.path, 0))
    assert leaf_hash(entry.line) == leaf_hash(
        written.segments.joinpath("000000000000.jsonl").read_bytes().split(b"\n")[1]
    )
    assert (entry.kind, entry.tenant, entry.members["call"]) == ("intent", "acme", "call-0")
    assert not {"v", "seq", "kind", "payloads"} & entry.members.keys()


async def test_entries_are_narrowed_by_tenant_kind_and_time(written: Any) -> None:
    assert len(list(reading.entries(written.path, tenant="acme"))) == 15
    assert len(list(reading.entries(written.path, tenant="other"))) == 1
    assert len(list(reading.entries(written.path, tenant="nobody"))) == 0
    assert {entry.kind for entry in reading.entries(written.path, kinds={"outcome"})} == {"outcome"}
    some = [
        entry.at
        for entry in reading.entries(written.path, since="2026-09-21T14:15", until="2026-09-21T14:18")
    ]
    assert some
    assert all("2026-09-21T14:15" <= at < "2026-09-21T14:18" for at in some)
    assert len(some) < 17


async def test_a_call_is_shown_by_the_beginning_of_its_id(written: Any) -> None:
    shown = reading.show(written.path, "call-3")
    assert (shown.call, shown.tenant) == ("call-3", "acme")
    assert [entry.kind for entry in shown.entries] == ["intent", "outcome"]


async def test_an_ambiguous_beginning_lists_candidates(written: Any) -> None:
    with pytest.raises(AmbiguousCall) as caught:
        reading.show(written.path, "call-")
    assert caught.value.candidates[:2] == ("call-0", "call-1")
    with pytest.raises(AmbiguousCall):
        reading.show(written.path, "call-1")
    assert reading.show(written.path, "call-1", tenant="other").entries[0].tenant == "other"


async def test_an_id_in_full_wins_over_longer_ones(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        await log.append(intent("c1"), intent("c12"))
        assert reading.show(folder.path, "c1").call == "c1"


@pytest.mark.parametrize("prefix", ["nothing", 'call"', "call-1\\", "\ud7ff"])
async def test_an_unknown_call_is_said_to_be_unknown(written: Any, prefix: str) -> None:
    with pytest.raises(UnknownCall):
        reading.show(written.path, prefix)


async def test_an_id_with_special_characters_is_found(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        await log.append(intent('q"\\ü\n'))
        assert reading.show(folder.path, 'q"\\ü').call == 'q"\\ü\n'


async def test_unresolved_are_the_allowed_calls_without_outcome(written: Any) -> None:
    found = reading.unresolved(written.path, tenant="acme")
    assert [intent.call for intent in found] == ["call-0", "call-2", "call-4", "call-6", "call-8"]
    assert [intent.call for intent in reading.unresolved(written.path, tenant="other")] == ["call-1"]
    assert len(reading.unresolved(written.path)) == 6


async def test_a_write_under_way_is_not_read(written: Any) -> None:
    with written.segment().open("ab") as segment:
        segment.write(b'{"v":1,"seq":17,"group":17,"at":"2026-09-2')
        segment.flush()
        assert [entry.seq for entry in reading.tail(written.path, 15)] == [16]
        segment.truncate(segment.tell() - 42)


async def test_a_bad_line_before_the_last_segment_is_an_error(folder: Any, intent: Make) -> None:
    folder.limits = replace(folder.limits, segment_bytes_max=300)
    async with folder.log() as log:
        for number in range(6):
            await log.append(intent(f"c{number}"))
    first = min(folder.segments.iterdir())
    first.write_bytes(b"#" + first.read_bytes()[1:])
    with pytest.raises(AuditCorrupt, match="no entry at byte 0"):
        list(reading.tail(folder.path))


def test_no_log_has_no_entries(folder: Any) -> None:
    assert list(reading.tail(folder.path)) == []
    assert reading.unresolved(folder.path) == ()
