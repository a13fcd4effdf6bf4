"""A store of held calls on a real file system that is full or read-only, and in processes that are killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from durable.stores.sqlite import SqliteStore
from tests.contract.stores.rows import names

PROGRAM = Path(__file__).with_name("holds_process.py")
ROOT = PROGRAM.parent.parent.parent
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
MOUNT = 'mount -t tmpfs -o size=4m tmpfs "$1" && shift && exec "$@"'
KILLS = 15


def in_small_tmpfs(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run with a 4 MiB file system on the folder, in a mount namespace that ends with the command."""
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", MOUNT, "sh", str(folder), *command],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
        timeout=120,
    )


def on_small_disk(tmp_path: Path, role: str) -> tuple[dict[str, str], Path]:
    """What the program said, and a copy of what it left."""
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    if not shutil.which("unshare") or in_small_tmpfs(disk, "true").returncode:
        pytest.skip("may not mount a tmpfs here: needs unshare(1) and the right to mount")
    script = '"$0" "$1" "$2" "$3/holds.sqlite3" && cp -r "$3" "$4"'
    command = (sys.executable, str(PROGRAM), role, str(disk), str(copy))
    done = in_small_tmpfs(disk, "sh", "-c", script, *command)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), copy


async def found_in(folder: Path) -> list[str]:
    store = await SqliteStore.open(folder / "holds.sqlite3", clock_ms=lambda: 0, monotonic_ms=lambda: 0)
    try:
        return await store.read(names)
    finally:
        await store.aclose()


@pytest.mark.abuse(112)
async def test_a_full_file_system_refuses_and_room_is_enough(tmp_path: Path) -> None:
    said, copy = on_small_disk(tmp_path, "full-disk")
    assert (said["refused"], said["state"]) == ("holds_disk_full", "refusing")
    found = await found_in(copy)
    assert len(found) == int(said["acknowledged"]) + 1 > 100
    assert found[-1] == "z after"


async def test_a_read_only_file_system_refuses_and_making_it_writable_is_enough(tmp_path: Path) -> None:
    said, copy = on_small_disk(tmp_path, "read-only")
    assert said == {"refused": "holds_read_only"}
    assert await found_in(copy) == ["before", "z after"]


@pytest.mark.abuse(116)
async def test_nothing_acknowledged_is_lost_in_kills_at_any_moment(tmp_path: Path) -> None:
    rng, acknowledged = random.Random(116), list[str]()
    for start in range(KILLS):
        with subprocess.Popen(
            [sys.executable, str(PROGRAM), "persist", str(tmp_path / "holds.sqlite3"), f"r{start:02}"],
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        ) as process:
            assert process.stdout
            said = [process.stdout.readline() for _ in range(rng.randint(1, 50))]
            process.send_signal(signal.SIGKILL)
            said += [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        acknowledged += [json.loads(line)["acknowledged"] for line in said]
        assert set(acknowledged) <= set(await found_in(tmp_path))
    assert len(set(acknowledged)) == len(acknowledged) > KILLS
