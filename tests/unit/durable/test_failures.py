"""For every step of a group commit: it failed and was not stored, or it failed but was stored.

Whatever the step, the caller is refused, nothing acknowledged is lost, an outcome that nobody waited
for is there exactly once, a refused intent that may be in the log is followed by ``not_sent``, and the
log goes on without a restart.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from durable.audit.ballast import Ballast
from durable.audit.entry import Draft, PayloadDraft
from durable.errors import (
    AuditDiskFull,
    AuditReadOnly,
    AuditSyncFailed,
    AuditSyncSlow,
    AuditUnavailable,
    PayloadErased,
    audit_error,
)
from durable.files import SystemFiles

pytestmark = pytest.mark.abuse(112)
Make = Callable[..., Draft]
LINES, SEALED, FOLDER = ".jsonl", ".sealed", "segments"

# step: operation, path, error, stored, bytes kept -> refusal, not_sent written, intent found in the log
MATRIX = {
    "payload write, not stored": ("write", SEALED, errno.EIO, False, None, AuditSyncFailed, False, False),
    "payload write, stored": ("write", SEALED, errno.EIO, True, None, AuditSyncFailed, False, False),
    "payload write, short": ("write", SEALED, 0, False, 10, AuditDiskFull, False, False),
    "payload sync, not stored": ("sync", SEALED, errno.EIO, False, None, AuditSyncFailed, False, False),
    "payload sync, stored": ("sync", SEALED, errno.EIO, True, None, AuditSyncFailed, False, False),
    "new segment, not stored": ("open", LINES, errno.EIO, False, None, AuditSyncFailed, True, False),
    "new segment, stored": ("open", LINES, errno.EIO, True, None, AuditSyncFailed, True, False),
    "directory sync, not stored": (
        "sync_directory",
        FOLDER,
        errno.EIO,
        False,
        None,
        AuditSyncFailed,
        True,
        False,
    ),
    "directory sync, stored": ("sync_directory", FOLDER, errno.EIO, True, None, AuditSyncFailed, True, False),
    "line write, not stored": ("write", LINES, errno.EIO, False, None, AuditSyncFailed, True, False),
    "line write, stored": ("write", LINES, errno.EIO, True, None, AuditSyncFailed, True, True),
    "line write, disk full": ("write", LINES, errno.ENOSPC, False, None, AuditDiskFull, True, False),
    "line write, torn in the first line": ("write", LINES, 0, False, 100, AuditDiskFull, True, False),
    "line write, torn in the last line": ("write", LINES, 0, False, 450, AuditDiskFull, True, True),
    "line write, read-only": ("write", LINES, errno.EROFS, False, None, AuditReadOnly, True, False),
    "line sync, not stored": ("sync", LINES, errno.EIO, False, None, AuditSyncFailed, True, True),
    "line sync, stored": ("sync", LINES, errno.EIO, True, None, AuditSyncFailed, True, True),
}


@pytest.mark.parametrize("step", MATRIX)
async def test_a_failing_step_refuses_and_the_log_goes_on(
    folder: Any, fault: Any, intent: Make, outcome: Make, until: Any, step: str
) -> None:
    operation, path_end, error, stored, keep_bytes, refusal, says_not_sent, found = MATRIX[step]
    folder.limits = replace(folder.limits, segment_bytes_max=200)
    log = await folder.open_log()
    await log.append(intent("before"))
    folder.files.faults.append(fault(operation, path_end, error=error, stored=stored, keep_bytes=keep_bytes))
    payload = PayloadDraft(name="arguments", subject="ana", body=b"42", durable=True)
    refused = intent("refused")
    waiting = asyncio.ensure_future(log.append(replace(refused, payloads=(payload,))))
    await asyncio.sleep(0)
    log.enqueue(outcome("before"))
    with pytest.raises(refusal):
        await waiting
    assert not folder.files.faults[0].times, "the step was never reached"
    await until(log, "ok")
    await log.append(intent("after"))
    await log.aclose()

    lines = folder.lines()
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    story = [(line["kind"], line.get("call")) for line in lines]
    assert story.count(("intent", "before")) == 1
    assert story.count(("outcome", "before")) == 1
    assert story.count(("intent", "refused")) == found
    assert story.count(("not_sent", "refused")) == says_not_sent
    assert story.count(("recovered", None)) == 1
    assert story[-1] == ("intent", "after")
    denials = [line for line in lines if line["kind"] == "not_sent"]
    assert [line["intent_stored"] for line in denials] == [found] * says_not_sent
    assert [line["code"] for line in denials] == [refusal.code] * says_not_sent
    async with folder.log() as again:
        assert [lost.call for lost in again.unresolved_at_open] == ["after"]


async def test_without_a_fault_the_same_story_has_no_refusal(
    folder: Any, intent: Make, outcome: Make
) -> None:
    """The positive control of the matrix."""
    async with folder.log() as log:
        await log.append(intent("before"))
        waiting = asyncio.ensure_future(log.append(intent("not refused")))
        await asyncio.sleep(0)
        log.enqueue(outcome("before"))
        await waiting
        await log.append(intent("after"))
    story = [(line["kind"], line.get("call")) for line in folder.lines()[1:]]
    assert story == [
        ("intent", "before"),
        ("intent", "not refused"),
        ("outcome", "before"),
        ("intent", "after"),
    ]


@pytest.mark.parametrize("operation", ["write_at", "sync", "truncate", "open", "sync_directory"])
async def test_recovery_that_fails_is_tried_again(
    folder: Any, fault: Any, intent: Make, outcome: Make, until: Any, operation: str
) -> None:
    log = await folder.open_log()
    # The write leaves a torn line; then each of recovery's own steps fails three times.
    path_end = FOLDER if operation == "sync_directory" else LINES
    folder.files.faults += [
        fault("write", LINES, keep_bytes=40),
        fault(operation, path_end, times=3),
    ]
    waiting = asyncio.ensure_future(log.append(intent("refused")))
    await asyncio.sleep(0)
    log.enqueue(outcome("earlier"))
    with pytest.raises(AuditUnavailable):
        await waiting
    await until(log, "ok")
    await log.append(intent("after"))
    await log.aclose()
    assert not any(fault.times for fault in folder.files.faults)
    story = [(line["kind"], line.get("call")) for line in folder.lines()[1:]]
    assert story == [
        ("not_sent", "refused"),
        ("outcome", "earlier"),
        ("recovered", None),
        ("intent", "after"),
    ]


async def test_failing_again_while_writing_what_was_kept_repeats_nothing(
    folder: Any, fault: Any, intent: Make, outcome: Make, until: Any
) -> None:
    log = await folder.open_log()
    # The group, then twice the first group after recovery: stored although its sync failed.
    folder.files.faults += [fault("write", LINES), fault("write", LINES, stored=True, times=2)]
    waiting = asyncio.ensure_future(log.append(intent("refused")))
    await asyncio.sleep(0)
    log.enqueue(*(outcome(f"c{number}") for number in range(5)))
    with pytest.raises(AuditSyncFailed):
        await waiting
    await until(log, "ok")
    await log.aclose()
    calls = [line["call"] for line in folder.lines() if line["kind"] == "outcome"]
    assert calls == [f"c{number}" for number in range(5)]
    assert [line["kind"] for line in folder.lines()].count("not_sent") == 1


async def test_while_refusing_nothing_is_taken_but_outcomes_are_kept(
    folder: Any, fault: Any, intent: Make, outcome: Make, until: Any
) -> None:
    log = await folder.open_log()
    stuck = fault("sync", LINES, times=1_000_000)
    folder.files.faults.append(stuck)
    with pytest.raises(AuditSyncFailed):
        await log.append(intent("refused"))
    with pytest.raises(AuditSyncFailed):
        await log.append(intent("not taken"))
    log.enqueue(outcome("kept"))
    health = log.health()
    assert (health.state, health.code, health.queued_entries) == ("refusing", "audit_sync_failed", 1)
    stuck.times = 0
    await until(log, "ok")
    assert log.health().since_us >= health.since_us
    await log.aclose()
    calls = [line.get("call") for line in folder.lines()]
    assert "kept" in calls
    assert "not taken" not in calls


async def test_closing_while_refusing_counts_what_could_not_be_written(
    folder: Any, fault: Any, intent: Make, outcome: Make
) -> None:
    folder.limits = replace(folder.limits, retry_first_s=60.0)
    log = await folder.open_log()
    folder.files.faults.append(fault("sync", LINES, times=1_000_000))
    with pytest.raises(AuditSyncFailed):
        await log.append(intent("refused"))
    log.enqueue(outcome("lost"))
    await log.aclose()
    assert log.health().unwritten_entries == 1


async def test_closing_while_refusing_writes_what_it_can(
    folder: Any, fault: Any, intent: Make, outcome: Make
) -> None:
    folder.limits = replace(folder.limits, retry_first_s=60.0)
    log = await folder.open_log()
    folder.files.faults.append(fault("sync", LINES))
    with pytest.raises(AuditSyncFailed):
        await log.append(intent("refused"))
    log.enqueue(outcome("kept"))
    await log.aclose()
    assert log.health().unwritten_entries == 0
    assert [line.get("call") for line in folder.lines()][-3:-1] == ["refused", "kept"]


async def test_a_full_disk_frees_the_ballast_and_takes_calls_only_when_it_lies_again(
    folder: Any, fault: Any, intent: Make, outcome: Make, until: Any
) -> None:
    log = await folder.open_log()
    ballast = folder.path / "audit" / "ballast"
    assert ballast.stat().st_size == folder.limits.ballast_bytes
    full = fault("write", "ballast", error=errno.ENOSPC, times=1_000_000)
    folder.files.faults += [fault("write", LINES, error=errno.ENOSPC), full]
    with pytest.raises(AuditDiskFull):
        await log.append(intent("refused"))
    log.enqueue(outcome("under way"))
    async with asyncio.timeout(20):
        # The final records go into the ballast's space while calls are still refused.
        while not any(line.get("call") == "under way" for line in folder.lines()):
            await asyncio.sleep(0)
    assert size_bytes(ballast) < folder.limits.ballast_bytes
    assert log.health().code == "audit_disk_full"
    with pytest.raises(AuditDiskFull):
        await log.append(intent("still full"))
    full.times = 0
    await until(log, "ok")
    assert ballast.stat().st_size == folder.limits.ballast_bytes
    await log.append(intent("after"))
    await log.aclose()
    assert [line["kind"] for line in folder.lines()].count("recovered") == 1


def size_bytes(path: Path) -> int:
    """0 while it is not there: recovery is trying to lay it all the time."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


async def test_only_the_recovery_that_succeeds_says_so(folder: Any, fault: Any, until: Any) -> None:
    log = await folder.open_log()
    folder.files.faults.append(fault("write", LINES, times=4))
    with pytest.raises(AuditSyncFailed):
        await log.append(Draft("note", {}, "acme"))
    await until(log, "ok")
    await log.aclose()
    assert [line["kind"] for line in folder.lines()] == ["log_created", "recovered"]


async def test_a_failed_sync_of_payloads_nobody_waited_for_is_not_ignored(
    folder: Any, fault: Any, intent: Make, until: Any
) -> None:
    folder.limits = replace(folder.limits, payload_sync_s=0.0)
    log = await folder.open_log()
    folder.files.faults.append(fault("sync", SEALED))
    payload = PayloadDraft(name="arguments", subject="ana", body=b"42")
    await log.append(replace(intent("c1"), payloads=(payload,)))
    await until(log, "refusing")
    await until(log, "ok")
    await log.append(intent("after"))
    await log.aclose()
    assert "recovered" in [line["kind"] for line in folder.lines()]


@pytest.mark.parametrize("step", ["write_at", "sync", "sync_directory"])
async def test_an_erasure_interrupted_by_the_disk_is_completed_by_recovery(
    folder: Any, fault: Any, intent: Make, until: Any, read_back: Any, step: str
) -> None:
    log = await folder.open_log()
    payload = PayloadDraft(name="arguments", subject="ana", body=b"42")
    await log.append(replace(intent("c1"), payloads=(payload,)))
    assert read_back("c1", "ana") == b"42"
    folder.files.faults.append(fault(step, ".key" if step != "sync_directory" else "keys"))
    with pytest.raises(AuditSyncFailed):
        await log.erase_subject("acme", "ana", members={"by": "bo"})
    await until(log, "ok")
    with pytest.raises(PayloadErased):
        read_back("c1", "ana")
    await log.aclose()


async def test_a_payload_sync_that_takes_too_long_is_a_failure_too(
    folder: Any, gate: threading.Event, intent: Make, until: Any
) -> None:
    folder.limits = replace(folder.limits, payload_sync_s=0.0, sync_deadline_s=0.5)
    folder.files.gated = SEALED
    log = await folder.open_log()
    gate.clear()
    payload = PayloadDraft(name="arguments", subject="ana", body=b"42")
    await log.append(replace(intent("c1"), payloads=(payload,)))
    with pytest.raises(AuditSyncSlow):
        await log.append(intent("behind it"))
    gate.set()
    await until(log, "ok")
    await log.aclose()
    assert [line["after"] for line in folder.lines() if line["kind"] == "recovered"] == ["audit_sync_slow"]


class SmallDisk(SystemFiles):
    """Has room for so many bytes of ballast."""

    def __init__(self, room_bytes: int) -> None:
        self.room_bytes = room_bytes

    def write(self, descriptor: int, buffer: bytes) -> int:
        self.room_bytes -= len(buffer)
        if self.room_bytes < 0:
            raise OSError(errno.ENOSPC, "full")
        return super().write(descriptor, buffer)


@pytest.mark.parametrize(("room_bytes", "lies"), [(200_000, True), (199_999, False)])
def test_the_ballast_wants_as_much_room_beside_it(tmp_path: Path, room_bytes: int, lies: bool) -> None:
    path = tmp_path / "ballast"
    ballast = Ballast(path, size_bytes=100_000, files=SmallDisk(room_bytes), random_bytes=os.urandom)
    if lies:
        ballast.lay()
        assert path.stat().st_size == 100_000
    else:
        with pytest.raises(OSError, match="full"):
            ballast.lay()
        assert not path.exists()


async def test_the_directories_of_a_log_are_durable_before_anything_is_acknowledged(folder: Any) -> None:
    log = await folder.open_log()
    synced = [path for operation, path in folder.files.journal if operation == "sync_directory"]
    audit = folder.path / "audit"
    wanted = (folder.path.parent, folder.path, audit, audit / "segments", audit / "payloads")
    assert {str(path) for path in wanted} <= set(synced)
    await log.aclose()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "audit_disk_full"),
        (errno.EDQUOT, "audit_disk_full"),
        (errno.EFBIG, "audit_disk_full"),
        (errno.EROFS, "audit_read_only"),
        (errno.EACCES, "audit_read_only"),
        (errno.EIO, "audit_sync_failed"),
        (errno.ESTALE, "audit_sync_failed"),
    ],
)
def test_storage_errors_have_stable_codes(number: int, code: str) -> None:
    error = audit_error(OSError(number, "words of the system", "/a/path"))
    assert error.code == code
    assert "words of the system" in error.reason
    assert error.next_step


async def test_a_disk_that_is_full_at_the_start_is_said_then(folder: Any, fault: Any) -> None:
    folder.files.faults.append(fault("write", "ballast", error=errno.ENOSPC))
    with pytest.raises(AuditDiskFull):
        await folder.open_log()
    async with folder.log() as log:
        assert log.health().state == "ok"
