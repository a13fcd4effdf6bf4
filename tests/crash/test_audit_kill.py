"""kill -9 at any moment: whatever was acknowledged is there after recovery, once and in order."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from durable.audit import reading
from durable.audit.keyring import read_master_key
from durable.audit.limits import Limits
from durable.audit.payloads import read_payload
from durable.audit.segments import AuditLog
from durable.errors import AuditLocked

PROGRAM = Path(__file__).with_name("audit_process.py")
ROOT = PROGRAM.parent.parent.parent
KILLS = 30


def start(role: str, directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), role, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def kill_after(role: str, directory: Path, acknowledgements: int) -> list[str]:
    """Let it acknowledge so many calls, kill it, and return every call it acknowledged."""
    process = start(role, directory)
    assert process.stdout
    seen = [json.loads(process.stdout.readline()) for _ in range(acknowledgements)]
    process.send_signal(signal.SIGKILL)
    rest = [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    return seen + [json.loads(line) for line in rest]


async def open_log(directory: Path) -> AuditLog:
    return await AuditLog.open(
        directory,
        clock=lambda: time.time_ns() // 1000,
        origin="crash.example",
        master_key=directory / "keys" / "audit.key",
        random_bytes=os.urandom,
        limits=Limits(segment_bytes_max=64 * 1024),
    )


def missing(directory: Path, acknowledged: list[str]) -> set[str]:
    """Acknowledged calls that are not in the log; also checks that the log itself is whole."""
    entries = list(reading.tail(directory))
    assert [entry.seq for entry in entries] == list(range(len(entries)))
    calls = [entry.members["call"] for entry in entries if entry.kind == "intent"]
    assert len(calls) == len(set(calls))
    return set(acknowledged) - set(calls)


@pytest.mark.abuse(116)
async def test_no_acknowledged_entry_is_lost_in_thirty_kills(tmp_path: Path) -> None:
    rng = random.Random(1116)
    acknowledged: list[str] = []
    for _ in range(KILLS):
        acknowledged += kill_after("write", tmp_path, rng.randint(1, 200))
        log = await open_log(tmp_path)
        entries = log.health().entries
        await log.aclose()
        assert missing(tmp_path, acknowledged) == set()
        assert entries >= len(acknowledged)
    master = read_master_key(tmp_path / "keys" / "audit.key")
    for entry in reading.tail(tmp_path):
        if entry.kind == "intent":
            payload = read_payload(
                tmp_path, master, tenant="acme", subject="ana", commitment=entry.payloads["arguments"]
            )
            assert payload.body.decode() == entry.members["call"]


@pytest.mark.abuse(116)
async def test_the_same_check_catches_a_writer_that_acknowledges_before_writing(tmp_path: Path) -> None:
    rng = random.Random(1116)
    lost: set[str] = set()
    for attempt in range(KILLS):
        directory = tmp_path / str(attempt)
        acknowledged = kill_after("broken", directory, rng.randint(1, 200))
        log = await open_log(directory)
        await log.aclose()
        lost |= missing(directory, acknowledged)
        if lost:
            break
    assert lost


@pytest.mark.abuse(118)
async def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    process = start("hold", tmp_path)
    assert process.stdout
    pid = json.loads(process.stdout.readline())
    with pytest.raises(AuditLocked) as caught:
        await open_log(tmp_path)
    assert caught.value.pid == pid
    process.kill()
    process.wait()
    process.stdout.close()
    log = await open_log(tmp_path)
    assert [found.call for found in log.unresolved_at_open] == ["held"]
    await log.aclose()


@pytest.mark.abuse(118)
def test_a_forked_child_cannot_write_to_the_log_it_inherited(tmp_path: Path) -> None:
    process = start("fork", tmp_path)
    said, _ = process.communicate(timeout=60)
    assert json.loads(said) == {"child": 7}
    calls = [entry.members.get("call") for entry in reading.tail(tmp_path, 0)]
    assert calls == ["parent", "parent again"]
