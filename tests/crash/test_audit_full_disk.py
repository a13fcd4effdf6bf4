"""A real full disk: refused with a reason, final records still written, recovered without a restart."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from durable.audit import reading

PROGRAM = Path(__file__).with_name("audit_process.py")
ROOT = PROGRAM.parent.parent.parent
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
MOUNT = 'mount -t tmpfs -o size=4m tmpfs "$1" && shift && exec "$@"'


def in_small_tmpfs(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run with a 4 MiB file system on ``directory``, in a mount namespace that ends with the command."""
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", MOUNT, "sh", str(directory), *command],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
        timeout=120,
    )


def story(lines: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(line["kind"], line.get("call")) for line in lines]


@pytest.mark.abuse(112)
def test_a_file_size_limit_refuses_and_lifting_it_is_enough(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "file-size-limit", str(tmp_path)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"code": "audit_disk_full", "refusing": "refusing", "unwritten": 0}
    entries = list(reading.tail(tmp_path))
    assert [entry.seq for entry in entries] == list(range(len(entries)))
    kinds = [(entry.kind, entry.members.get("call")) for entry in entries]
    assert ("outcome", "c0") in kinds
    assert kinds[-1] == ("intent", "after")
    assert [kind for kind, _ in kinds].count("recovered") == 1
    assert [kind for kind, _ in kinds].count("not_sent") == 1


@pytest.mark.abuse(112)
def test_a_full_file_system_refuses_and_room_is_enough(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    if not shutil.which("unshare") or in_small_tmpfs(tmp_path / "disk", "true").returncode:
        pytest.skip("may not mount a tmpfs here: needs unshare(1) and the right to mount")
    copy = tmp_path / "segments"
    script = '"$0" "$1" full-disk "$2" && cp -r "$2/audit/segments" "$3"'
    done = in_small_tmpfs(
        tmp_path / "disk", "sh", "-c", script, sys.executable, str(PROGRAM), str(tmp_path / "disk"), str(copy)
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "code": "audit_disk_full",
        "refusing": "refusing",
        "still": "audit_disk_full",
        "ballast_after": 256 * 1024,
        "unwritten": 0,
    }
    lines = [json.loads(line) for path in sorted(copy.iterdir()) for line in path.read_text().splitlines()]
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    told = story(lines)
    assert told[-2:] == [("recovered", None), ("intent", "after")]
    assert [kind for kind, _ in told].count("recovered") == 1
    # Every outcome of a call under way went into the space of the ballast, before there was room again.
    for number in range(8):
        assert ("outcome", f"c{number}") in told
