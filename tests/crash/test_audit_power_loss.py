"""Power loss at every step: the disk then holds any part of what was not synced, and nothing acknowledged is lost.

A model of the disk follows every file operation of a running log. Unsynced sectors survive or not by
chance, names survive only after their directory was synced, and a failed sync marks sectors clean that
the device never got, as Linux does. At every step the model is turned into a data directory, and a log
is opened on it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from durable.audit import reading
from durable.audit.entry import Draft, PayloadDraft
from durable.audit.keyring import read_master_key
from durable.audit.limits import Limits
from durable.audit.payloads import read_payload
from durable.audit.segments import AuditLog
from durable.errors import AuditUnavailable, PayloadMissing
from durable.files import SystemFiles

pytestmark = pytest.mark.abuse(116)
SECTOR = 512
LIMITS = Limits(
    segment_bytes_max=1500,
    payload_segment_bytes_max=5000,
    ballast_bytes=SECTOR,
    payload_sync_s=0.0,
    retry_first_s=0.001,
    retry_last_s=0.001,
)
Event = tuple[Any, ...]


@dataclass
class DiskFile:
    cache: bytearray = field(default_factory=bytearray)
    disk: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set)
    named: bool = False

    def write(self, offset: int, content: bytes) -> None:
        self.cache[offset : offset + len(content)] = content
        self.dirty |= set(range(offset // SECTOR, -(-(offset + len(content)) // SECTOR)))

    def sync(self, *, fails: bool) -> None:
        if not fails:
            self.disk = self._with(self.dirty, len(self.cache))
        self.dirty = set()

    def after_power_loss(self, rng: random.Random) -> bytes:
        kept = {sector for sector in self.dirty if rng.random() < 0.5}
        # Rewriting what is there never makes a file shorter; only cutting it does.
        grown = (min((sector + 1) * SECTOR, len(self.cache)) for sector in kept)
        sizes = [len(self.disk), len(self.cache), *(size for size in grown if size > len(self.disk))]
        return bytes(self._with(kept, rng.choice(sizes)))

    def _with(self, sectors: set[int], size: int) -> bytearray:
        content = (self.disk + bytes(max(0, size - len(self.disk))))[:size]
        for sector in sectors:
            start, end = sector * SECTOR, min((sector + 1) * SECTOR, size, len(self.cache))
            if start < end:
                content[start:end] = self.cache[start:end]
        return content


class Disk:
    """What the device holds, and what only the page cache shows."""

    def __init__(self, root: Path, *, ignore: str = "") -> None:
        self.root = root
        self.ignore = ignore
        self.files: dict[str, DiskFile] = {}

    @classmethod
    def holding(cls, root: Path) -> Disk:
        """A disk that holds a directory as it is."""
        disk = cls(root)
        for path in (root / "audit").rglob("*"):
            if path.is_file() and path.suffix in {".jsonl", ".sealed", ".bytes"}:
                content = path.read_bytes()
                disk.files[str(path)] = DiskFile(
                    cache=bytearray(content), disk=bytearray(content), named=True
                )
        return disk

    def apply(self, event: Event) -> None:
        operation, path, *rest = event
        if operation == self.ignore:
            return
        if operation == "sync_directory":
            for name, file in self.files.items():
                file.named = file.named or str(Path(name).parent) == path
        elif operation == "remove":
            self.files.pop(path, None)
        elif operation == "open":
            self.files.setdefault(path, DiskFile())
        elif operation == "write" or operation == "rewrite":
            self.files[path].write(*rest)
        elif operation == "truncate":
            del self.files[path].cache[rest[0] :]
            self.files[path].dirty.add(rest[0] // SECTOR)
        elif operation in {"sync", "failed sync"}:
            self.files[path].sync(fails=operation == "failed sync")

    def image(self, target: Path, rng: random.Random) -> None:
        """A data directory as it may be when power comes back."""
        for name in ("keys", "audit/keys"):
            if (self.root / name).is_dir():
                shutil.copytree(self.root / name, target / name)
        for name, file in self.files.items():
            if file.named or rng.random() < 0.5:
                path = target / Path(name).relative_to(self.root)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.after_power_loss(rng))


class UnsyncedFiles(SystemFiles):
    """For reading an image: nobody cuts the power of the test itself."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        pass


class RecordedFiles(UnsyncedFiles):
    """The real operations, written down in the order in which they took effect; every ``failing`` sync fails."""

    def __init__(self, failing: Callable[[int, str], bool] = lambda number, path: False) -> None:
        self.events: list[Event] = []
        self.paths: dict[int, str] = {}
        self.syncs = 0
        self.failing = failing
        self.lock = threading.Lock()

    def record(self, *event: Any) -> None:
        with self.lock:
            self.events.append(event)

    def open_append(self, path: Path) -> int:
        self.record("open", str(path))
        descriptor = super().open_append(path)
        self.paths[descriptor] = str(path)
        return descriptor

    def open_update(self, path: Path) -> int:
        descriptor = super().open_update(path)
        self.paths[descriptor] = str(path)
        return descriptor

    def write(self, descriptor: int, buffer: bytes) -> int:
        self.record("write", self.paths[descriptor], self.size_bytes(descriptor), buffer)
        return super().write(descriptor, buffer)

    def write_at(self, descriptor: int, buffer: bytes, offset: int) -> int:
        if not self.paths[descriptor].endswith(".key"):
            self.record("rewrite", self.paths[descriptor], offset, buffer)
        return super().write_at(descriptor, buffer, offset)

    def sync(self, descriptor: int) -> None:
        path = self.paths[descriptor]
        self.syncs += 1
        if self.failing(self.syncs, path):
            self.record("failed sync", path)
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        super().sync(descriptor)
        self.record("sync", path)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        super().truncate(descriptor, size_bytes)
        self.record("truncate", self.paths[descriptor], size_bytes)

    def remove(self, path: Path) -> None:
        super().remove(path)
        self.record("remove", str(path))

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        self.record("sync_directory", str(path))


def value_of(call: str) -> bytes:
    """Longer than a sector: one whose sync failed is not saved by chance when its neighbour is written."""
    return (call * 300).encode()[:1100]


async def open_log(directory: Path, files: SystemFiles) -> AuditLog:
    return await AuditLog.open(
        directory,
        clock=lambda: 1_790_000_000_000_000,
        origin="crash.example",
        master_key=directory / "keys" / "audit.key",
        random_bytes=os.urandom,
        limits=LIMITS,
        files=files,
    )


async def work(directory: Path, files: RecordedFiles) -> list[Event]:
    """Some groups of some sizes, some with payloads; the events, acknowledgements among them."""
    log = await open_log(directory, files)

    async def append(call: str, *, durable: bool) -> None:
        payload = PayloadDraft(name="arguments", subject="ana", body=value_of(call), durable=durable)
        draft = Draft("intent", {"call": call, "effect": "allow", "note": "x" * 300}, "acme", (payload,))
        try:
            await log.append(draft)
        except AuditUnavailable:
            return
        files.record("acknowledged", call, durable)

    for turn in range(6):
        await asyncio.gather(
            *(
                append(f"c{turn}-{number}", durable=number == 0 and turn % 2 == 0)
                for number in range(1 + turn % 3)
            )
        )
        while log.health().state != "ok":
            await log.state_changed()
    files.failing = lambda number, path: False
    await append("last", durable=False)
    await log.aclose()
    # From here on every payload is promised, whether its draft asked for it or not.
    files.record("closed")
    return files.events


async def lost_at(disk: Disk, target: Path, acknowledged: dict[str, bool], rng: random.Random) -> set[str]:
    """Acknowledged calls that a log opened on the disk does not have, or whose durable payload is gone."""
    disk.image(target, rng)
    log = await open_log(target, UnsyncedFiles())
    (appended,) = await log.append(Draft("note", {}, "acme"))
    await log.aclose()
    entries = {entry.members.get("call"): entry for entry in reading.tail(target) if entry.kind != "not_sent"}
    assert [entry.seq for entry in reading.tail(target)] == list(range(appended.seq + 1))
    lost = acknowledged.keys() - entries.keys()
    master = read_master_key(target / "keys" / "audit.key")
    for call in acknowledged.keys() - lost:
        commitment = entries[call].payloads["arguments"]
        try:
            payload = read_payload(target, master, tenant="acme", subject="ana", commitment=commitment)
        except PayloadMissing:
            if acknowledged[call]:
                lost.add(call)
        else:
            assert payload.body == value_of(call)
    return lost


async def losses(
    root: Path,
    events: list[Event],
    images: Path,
    *,
    seeds: int,
    ignore: str = "",
    start: Disk | None = None,
    before: dict[str, bool] | None = None,
) -> dict[int, set[str]]:
    """Crash before every event, each with several fates of what was not synced."""
    disk, acknowledged = start or Disk(root, ignore=ignore), dict(before or {})
    found: dict[int, set[str]] = {}
    for position, event in enumerate(events):
        if event[0] == "acknowledged":
            acknowledged[event[1]] = event[2]
            continue
        if event[0] == "closed":
            acknowledged = dict.fromkeys(acknowledged, True)
        for seed in range(seeds):
            target = images / f"{position}-{seed}"
            lost = await lost_at(disk, target, acknowledged, random.Random(f"{position} {seed}"))
            shutil.rmtree(target)
            if lost:
                found[position] = lost
        if event[0] != "closed":
            disk.apply(event)
    return found


async def test_nothing_acknowledged_is_lost_at_any_step(tmp_path: Path) -> None:
    events = await work(tmp_path / "data", RecordedFiles())
    assert sum(event[0] == "acknowledged" for event in events) == 13
    assert await losses(tmp_path / "data", events, tmp_path, seeds=4) == {}


def every(period: int, path_end: str) -> Callable[[int, str], bool]:
    """Every so many-th sync of such a path fails."""
    seen = [0]

    def fails(_: int, path: str) -> bool:
        seen[0] += path.endswith(path_end)
        return path.endswith(path_end) and seen[0] % period == 0

    return fails


FAILING = [(3, ".jsonl"), (4, ".jsonl"), (2, ".sealed")]


@pytest.mark.parametrize(("period", "path_end"), FAILING)
async def test_nothing_acknowledged_is_lost_when_syncs_fail_too(
    tmp_path: Path, period: int, path_end: str
) -> None:
    events = await work(tmp_path / "data", RecordedFiles(every(period, path_end)))
    assert sum(event[0] == "failed sync" for event in events) >= 2
    assert await losses(tmp_path / "data", events, tmp_path, seeds=2) == {}


async def test_nothing_is_lost_when_power_fails_again_during_recovery(tmp_path: Path) -> None:
    events = await work(tmp_path / "data", RecordedFiles())
    rng = random.Random(1116)
    for round_number, position in enumerate(sorted(rng.sample(range(20, len(events) - 1), 20))):
        disk, acknowledged = Disk(tmp_path / "data"), dict[str, bool]()
        for event in events[:position]:
            if event[0] == "acknowledged":
                acknowledged[event[1]] = event[2]
            else:
                disk.apply(event)
        target = tmp_path / f"first-{round_number}"
        disk.image(target, rng)
        start, files = Disk.holding(target), RecordedFiles()
        log = await open_log(target, files)
        await log.aclose()
        found = await losses(target, files.events, tmp_path, seeds=1, start=start, before=acknowledged)
        assert found == {}, position


@pytest.mark.parametrize("ignore", ["sync", "sync_directory"])
async def test_the_same_check_catches_a_log_without_this_step(tmp_path: Path, ignore: str) -> None:
    events = await work(tmp_path / "data", RecordedFiles())
    with pytest.raises((AssertionError, AuditUnavailable)):
        assert await losses(tmp_path / "data", events, tmp_path, seeds=1, ignore=ignore) == {}


@pytest.mark.parametrize(("period", "path_end"), FAILING)
async def test_the_same_check_catches_a_log_that_trusts_the_page_cache_after_a_failed_sync(
    tmp_path: Path, period: int, path_end: str
) -> None:
    events = await work(tmp_path / "data", RecordedFiles(every(period, path_end)))
    with pytest.raises((AssertionError, AuditUnavailable)):
        assert await losses(tmp_path / "data", events, tmp_path, seeds=2, ignore="rewrite") == {}
