"""The log in health: what is acknowledged is there, in order, once; one writer; nothing depends on the caller staying."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from durable.audit.entry import Draft, PayloadDraft
from durable.audit.tree import CompactRange, leaf_hash
from durable.errors import AuditClosed, AuditCorrupt, AuditLocked, AuditQueueFull, AuditSyncSlow, DraftRefused

Make = Callable[..., Draft]


async def test_a_new_log_begins_by_naming_itself(folder: Any) -> None:
    async with folder.log():
        pass
    assert [(line["seq"], line["kind"], line["origin"]) for line in folder.lines()] == [
        (0, "log_created", "log.example")
    ]


async def test_an_appended_entry_is_on_the_disk_when_append_returns(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        (appended,) = await log.append(intent("c1"))
        stored = folder.segment().read_bytes().split(b"\n")[appended.seq]
        assert json.loads(stored)["call"] == "c1"
        assert appended.leaf == leaf_hash(stored)
        assert appended.at_us == folder.clock.now_us


async def test_a_group_is_one_write_and_one_sync(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        folder.files.journal.clear()
        await asyncio.gather(*(log.append(intent(f"c{number}")) for number in range(16)))
        steps = [operation for operation, path in folder.files.journal if path.endswith(".jsonl")]
        assert steps == ["write", "sync"]
    assert {line["group"] for line in folder.lines()[1:]} == {1}


async def test_entries_handed_over_while_the_disk_is_busy_share_the_next_group(
    folder: Any, gate: threading.Event, intent: Make
) -> None:
    async with folder.log() as log:
        gate.clear()
        first = asyncio.ensure_future(log.append(intent("c0")))
        await asyncio.sleep(0)
        more = [asyncio.ensure_future(log.append(intent(f"c{number}"))) for number in range(1, 6)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, *more)
    assert len({line["group"] for line in folder.lines()[1:]}) <= 2


async def test_the_drafts_of_one_append_stay_together_and_in_order(
    folder: Any, intent: Make, outcome: Make
) -> None:
    async with folder.log() as log:
        places = await asyncio.gather(
            *(log.append(intent(f"c{number}"), outcome(f"c{number}")) for number in range(20))
        )
    for first, second in places:
        assert second.seq == first.seq + 1
    lines = folder.lines()
    assert [line["seq"] for line in lines] == list(range(41))
    assert all(lines[first.seq]["call"] == lines[second.seq]["call"] for first, second in places)


async def test_an_enqueued_outcome_is_written_without_anybody_waiting(
    folder: Any, intent: Make, outcome: Make
) -> None:
    async with folder.log() as log:
        await log.append(intent("c1"))
        assert log.health().unresolved_intents == 1
        log.enqueue(outcome("c1"))
    assert [line["kind"] for line in folder.lines()] == ["log_created", "intent", "outcome"]
    assert log.health().unresolved_intents == 0


async def test_health_carries_the_root_over_the_stored_lines(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        await log.append(*(intent(f"c{number}") for number in range(10)))
        health = log.health()
    tree = CompactRange()
    for line in folder.segment().read_bytes().split(b"\n")[:-1]:
        tree.add(leaf_hash(line))
    assert health.root == tree.root()
    assert (health.state, health.entries, health.queued_entries) == ("ok", 11, 0)
    assert health.last_sync_ms > 0


async def test_a_log_continues_where_it_ended(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        await log.append(intent("c1"))
        before = log.health()
    async with folder.log() as log:
        assert log.health().root == before.root
        (appended,) = await log.append(intent("c2"))
        assert appended.seq == before.entries
        assert [found.call for found in log.unresolved_at_open] == ["c1"]
        assert log.health().unresolved_intents == 2


async def test_segments_roll_by_size_and_are_named_by_their_first_entry(folder: Any, intent: Make) -> None:
    folder.limits = replace(folder.limits, segment_bytes_max=1000)
    async with folder.log() as log:
        for number in range(30):
            await log.append(intent(f"c{number}"))
    names = sorted(path.name for path in folder.segments.iterdir())
    assert len(names) > 3
    for name in names:
        first = json.loads((folder.segments / name).read_bytes().split(b"\n")[0])
        assert name == f"{first['seq']:012d}.jsonl"
    async with folder.log() as log:
        assert log.health().entries == 31


async def test_a_cancelled_caller_does_not_take_its_entry_back(
    folder: Any, gate: threading.Event, intent: Make
) -> None:
    async with folder.log() as log:
        gate.clear()
        early, late = (asyncio.ensure_future(log.append(intent(call))) for call in ("early", "late"))
        await asyncio.sleep(0)
        early.cancel()
        await asyncio.sleep(0)
        late.cancel()
        gate.set()
        await log.append(intent("after"))
    assert early.cancelled()
    assert late.cancelled()
    assert [line["call"] for line in folder.lines()[1:]] == ["early", "late", "after"]


@pytest.mark.abuse(117)
async def test_a_clock_stepped_back_a_day_changes_no_order(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        await log.append(intent("c1"))
        folder.clock.now_us -= 86_400_000_000
        await log.append(intent("c2"))
        assert log.health().clock_behind_us == 86_400_000_000
    async with folder.log() as log:
        await log.append(intent("c3"))
        folder.clock.now_us += 2 * 86_400_000_000
        await log.append(intent("c4"))
        assert log.health().clock_behind_us == 0
    lines = folder.lines()[1:]
    assert [line["call"] for line in lines] == ["c1", "c2", "c3", "c4"]
    times = [line["at"] for line in lines]
    assert times == sorted(times)
    assert times[0] == times[1] == times[2] < times[3]


@pytest.mark.abuse(118)
async def test_a_second_writer_is_refused_and_told_who_has_it(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        with pytest.raises(AuditLocked) as caught:
            await folder.open_log()
        assert caught.value.pid == os.getpid()
        assert str(os.getpid()) in caught.value.reason
        await log.append(intent("c1"))
    async with folder.log() as log:
        await log.append(intent("c2"))
    assert [line["seq"] for line in folder.lines()] == [0, 1, 2]


@pytest.mark.abuse(118)
async def test_foreign_bytes_in_the_segment_stop_the_log_for_good(
    folder: Any, intent: Make, until: Any
) -> None:
    log = await folder.open_log()
    await log.append(intent("c1"))
    with folder.segment().open("ab") as foreign:
        foreign.write(
            b'{"v":1,"seq":2,"group":2,"at":"2026-09-21T14:13:20.000001Z","kind":"intent","tenant":"x"}\n'
        )
    with pytest.raises(AuditCorrupt):
        await log.append(intent("c2"))
    assert log.health().code == "audit_corrupt"
    with pytest.raises(AuditCorrupt):
        await log.append(intent("c3"))
    await log.aclose()


async def test_another_origin_is_another_log(folder: Any) -> None:
    async with folder.log():
        pass
    segment = folder.segment()
    segment.write_bytes(segment.read_bytes().replace(b"log.example", b"bad.example"))
    with pytest.raises(AuditCorrupt, match=r"bad\.example"):
        await folder.open_log()
    segment.write_bytes(segment.read_bytes().replace(b"bad.example", b"log.example"))
    async with folder.log() as log:
        assert log.health().state == "ok"


async def test_a_closed_log_takes_nothing(folder: Any, intent: Make) -> None:
    log = await folder.open_log()
    log.enqueue(intent("c1"))
    await log.aclose()
    await log.aclose()
    with pytest.raises(AuditClosed):
        await log.append(intent("c2"))
    log.enqueue(intent("c3"))
    health = log.health()
    assert (health.state, health.unwritten_entries) == ("closed", 1)
    assert [line.get("call") for line in folder.lines()] == [None, "c1"]


async def test_a_full_queue_refuses_instead_of_growing(
    folder: Any, gate: threading.Event, intent: Make
) -> None:
    folder.limits = replace(folder.limits, queue_entries_max=5)
    async with folder.log() as log:
        gate.clear()
        waiting = [asyncio.ensure_future(log.append(intent(f"c{number}"))) for number in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(AuditQueueFull):
            await log.append(intent("one too many"))
        log.enqueue(intent("two too many"))
        assert log.health().unwritten_entries == 1
        assert log.health().queued_entries == 5
        gate.set()
        await asyncio.gather(*waiting)
        await log.append(intent("room again"))


async def test_an_outcome_that_cannot_be_an_entry_is_counted_and_explained(
    folder: Any, outcome: Make
) -> None:
    async with folder.log() as log:
        log.enqueue(Draft("outcome", {"call": "c1", "note": "\ud800"}, "acme"), outcome("c2"))
        health = log.health()
        assert health.unwritten_entries == 1
        assert "not representable" in health.unwritten_reason
    assert [line["call"] for line in folder.lines()[1:]] == ["c2"]


async def test_bytes_waiting_are_bounded_too(folder: Any, gate: threading.Event, intent: Make) -> None:
    folder.limits = replace(folder.limits, queue_bytes_max=10_000)
    async with folder.log() as log:
        draft = Draft("note", {}, "acme", (PayloadDraft(name="result", subject="ana", body=b"x" * 10_000),))
        with pytest.raises(AuditQueueFull):
            await log.append(draft)
        await log.append(intent("small"))


async def test_what_one_append_may_hold_is_bounded(folder: Any) -> None:
    async with folder.log() as log:
        lines = [Draft("note", {"text": "x" * 60_000}, "acme")] * 18
        with pytest.raises(DraftRefused):
            await log.append(*lines)
        payload = PayloadDraft(name="result", subject="ana", body=bytes(9 << 20))
        with pytest.raises(DraftRefused):
            await log.append(*[Draft("note", {}, "acme", (payload,))] * 2)
        assert await log.append() == ()
        assert len(await log.append(*lines[:17])) == 17


@pytest.mark.abuse(112)
async def test_a_sync_that_does_not_return_refuses_in_time_and_says_not_sent_later(
    folder: Any, gate: threading.Event, intent: Make, outcome: Make, until: Any
) -> None:
    folder.limits = replace(folder.limits, sync_deadline_s=0.5)
    log = await folder.open_log()
    await log.append(intent("before"))
    gate.clear()
    log.enqueue(outcome("before"))
    with pytest.raises(AuditSyncSlow):
        await log.append(intent("stuck"))
    assert (log.health().state, log.health().code) == ("refusing", "audit_sync_slow")
    with pytest.raises(AuditSyncSlow):
        await log.append(intent("refused at once"))
    gate.set()
    await until(log, "ok")
    await log.append(intent("after"))
    await log.aclose()
    story = [(line["kind"], line.get("call")) for line in folder.lines()[1:]]
    assert story == [
        ("intent", "before"),
        ("outcome", "before"),
        ("intent", "stuck"),
        ("not_sent", "stuck"),
        ("recovered", None),
        ("intent", "after"),
    ]
    assert folder.lines()[4]["intent_stored"] is True
    assert log.health().unresolved_intents == 1


class HeldCommits:
    """Holds the writer back behind a commit, before its report, until the test lets go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def append(self, _: int) -> None:
        self.reached.set()
        self.go_on.wait()


@pytest.mark.abuse(112)
async def test_who_was_refused_while_the_entry_became_durable_is_denied_in_the_log(
    folder: Any, intent: Make, until: Any
) -> None:
    """Both sides are in time by their own clocks, and still the caller was told no: the call was not made."""
    folder.limits = replace(folder.limits, sync_deadline_s=0.5)
    folder.commits = HeldCommits()
    log = await folder.open_log()
    folder.commits.reached.clear()
    folder.commits.go_on.clear()
    written = asyncio.ensure_future(log.append(intent("written")))
    await asyncio.to_thread(folder.commits.reached.wait)
    waiting = asyncio.ensure_future(log.append(intent("still waiting")))
    for refused in (written, waiting):
        with pytest.raises(AuditSyncSlow):
            await refused
    folder.commits.go_on.set()
    await until(log, "ok")
    await log.aclose()
    calls = [(line["kind"], line["call"]) for line in folder.lines()[1:]]
    assert calls == [("intent", "written"), ("not_sent", "written")]


async def test_closing_with_a_stuck_disk_ends_all_the_same(
    folder: Any, gate: threading.Event, intent: Make
) -> None:
    folder.limits = replace(folder.limits, sync_deadline_s=0.5)
    log = await folder.open_log()
    gate.clear()
    with pytest.raises(AuditSyncSlow):
        await log.append(intent("stuck"))
    await log.aclose()
    assert log.health().state == "closed"
