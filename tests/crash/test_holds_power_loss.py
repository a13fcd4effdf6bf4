"""Power loss at every step of a store of held calls: nothing acknowledged is lost, no row is half there.

The store runs in a process of its own under strace; what it did to its files is played into a model of a
disk, which at every step is turned into a folder as it may be when power comes back, and a store is opened
on it. The same check must find losses when the store is weakened.
"""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from durable.errors import StoreUnavailable
from durable.holds.tx import Tx
from durable.stores import storage
from durable.stores.migrations import Version, known_migrations
from durable.stores.sqlite import SqliteStore
from tests.contract.stores.rows import file_one, put
from tests.crash.disk_traces import Disk, Event, trace

pytestmark = [pytest.mark.abuse(116), pytest.mark.needs("strace")]
PROGRAM = Path(__file__).with_name("holds_process.py")
ROOT = PROGRAM.parent.parent.parent
NAME = "holds.sqlite3"
Promises = dict[str, int]
"""Per hold the version that was acknowledged."""


def work(folder: Path, *, run: str = "x", inject: str = "", weakened: str = "") -> list[Event]:
    """What a process did that filed and changed some holds, two lives of a store long."""
    return trace(
        [sys.executable, str(PROGRAM), "work", str(folder / NAME), run],
        folder,
        inject=inject,
        environment={"PYTHONPATH": str(ROOT), "HOLDS_WEAKENED": weakened},
        log=folder.with_suffix(".strace"),
    )


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(folder / NAME, clock_ms=lambda: 0, monotonic_ms=lambda: 0)
    try:
        yield store
    finally:
        await store.aclose()


def state(tx: Tx) -> dict[str, Any]:
    return {
        "integrity": tx.rows("PRAGMA integrity_check"),
        "holds": {row["id"]: row["version"] for row in tx.rows("SELECT id, version FROM hold")},
        "events": {
            row["hold"]: (row["count"], row["last"])
            for row in tx.rows(
                "SELECT hold, COUNT(*) AS count, MAX(seq) AS last FROM hold_event GROUP BY hold"
            )
        },
        "untold": {
            row["hold"]: row["count"]
            for row in tx.rows(
                "SELECT hold, COUNT(*) AS count FROM hold_outbox WHERE channel = 'log' GROUP BY hold"
            )
        },
    }


async def lost_in(folder: Path, promises: Promises) -> str:
    """What is wrong with a store that is opened on this folder; empty if nothing is."""
    try:
        async with opened(folder) as store:
            problem = await lost_of(store, promises)
            await store.run(put, "one more")
    except StoreUnavailable as exc:
        return f"{exc.code}: {exc.reason}"
    return problem


async def lost_of(store: SqliteStore, promises: Promises) -> str:
    found = await store.read(state)
    if found["integrity"] != [{"integrity_check": "ok"}]:
        return f"damaged: {found['integrity'][:1]}"
    holds = found["holds"]
    halves = [
        name
        for name, version in holds.items()
        if found["events"].get(name) != (version, version) or found["untold"].get(name) != version
    ]
    if halves or found["events"].keys() - holds.keys():
        return f"half there: {halves}"
    lost = [name for name, version in promises.items() if holds.get(name, 0) < version]
    return f"lost: {lost}" if lost else ""


def heard(event: Event, promises: Promises) -> bool:
    """Whether it is something that the process said; what it promised by it."""
    if event[0] != "said":
        return False
    word, *rest = event[1].split()
    if word == "acknowledged":
        promises[rest[0]] = int(rest[1])
    return True


async def losses(
    events: list[Event], disk: Disk, images: Path, *, seeds: int, before: Promises | None = None
) -> list[str]:
    """Power lost before each sync, change of a name and third write, with several fates of what was not synced."""
    promises = dict(before or {})
    found, count = [], 0
    for position, event in enumerate(events):
        if heard(event, promises):
            continue
        # Within a row of writes, what any of them leaves is among what a later one may leave.
        for seed in range(seeds if event[0] != "write" or position % 3 == 0 else 0):
            target = images / f"{position}-{seed}"
            disk.image(target, random.Random(f"{position} {seed}"))
            if problem := await lost_in(target, promises):
                found.append(f"{position} {event[:2]}: {problem}")
            shutil.rmtree(target)
            count += 1
        disk.apply(event)
    print(f"{count} images, {len(promises)} holds acknowledged, {len(found)} with losses: {found[:3]}")
    return found


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody cuts the power of the test itself."""
    monkeypatch.setattr(storage, "SYNCHRONOUS", "OFF")
    monkeypatch.setattr("durable.files.SystemFiles.sync", lambda *_: None)
    monkeypatch.setattr("durable.files.SystemFiles.sync_directory", lambda *_: None)


def folder_for(tmp_path: Path, name: str = "data") -> Path:
    folder = (tmp_path / name).resolve()
    folder.mkdir()
    return folder


async def test_nothing_acknowledged_is_lost_at_any_step(tmp_path: Path) -> None:
    folder = folder_for(tmp_path)
    disk = Disk(folder)
    events = work(folder)
    assert sum(event[0] == "said" and event[1] == "closed" for event in events) == 2
    assert sum(event[0] == "sync" for event in events) > 40
    assert await losses(events, disk, tmp_path, seeds=2) == []


@pytest.mark.parametrize("weakened", ["NORMAL", "OFF"])
async def test_the_same_check_catches_a_store_that_does_not_sync_each_commit(
    tmp_path: Path, weakened: str
) -> None:
    folder = folder_for(tmp_path)
    disk = Disk(folder)
    found = await losses(work(folder, weakened=weakened), disk, tmp_path, seeds=1)
    assert sum("lost" in problem for problem in found) > 10


FAILING = ["when=4+7", "when=9+8", "when=2+11"]
"""Of each thread's syncs, the first that fails and how often one does after it."""


@pytest.mark.parametrize("when", FAILING)
async def test_nothing_acknowledged_is_lost_when_syncs_fail_too(tmp_path: Path, when: str) -> None:
    folder = folder_for(tmp_path)
    disk = Disk(folder)
    events = work(folder, inject=f"fdatasync:error=EIO:{when}")
    assert sum(event[0] == "failed sync" for event in events) >= 3
    assert sum(event[0] == "said" and event[1] == "closed" for event in events) >= 1
    assert await losses(events, disk, tmp_path, seeds=1) == []


def killed_at_a_failed_sync(folder: Path, number: int, *, weakened: str = "") -> list[Event]:
    """The kernel tells of a failed sync and the process dies of it; the next one goes on where it was."""
    first = work(
        folder, run="x", inject=f"fdatasync:error=EIO:signal=SIGKILL:when={number}", weakened=weakened
    )
    assert sum(event[0] == "failed sync" for event in first) == 1
    return first + work(folder, run="y", weakened=weakened)


@pytest.mark.parametrize("number", [8, 12, 19])
async def test_what_the_cache_shows_after_a_failed_sync_is_not_believed_by_the_next_process(
    tmp_path: Path, number: int
) -> None:
    folder = folder_for(tmp_path)
    disk = Disk(folder)
    events = killed_at_a_failed_sync(folder, number)
    assert await losses(events, disk, tmp_path, seeds=1) == []


async def test_the_same_check_catches_a_store_that_believes_the_cache(tmp_path: Path) -> None:
    folder = folder_for(tmp_path)
    disk = Disk(folder)
    events = killed_at_a_failed_sync(folder, 8, weakened="trusting")
    assert await losses(events, disk, tmp_path, seeds=1) != []


async def test_nothing_is_lost_when_power_fails_again_during_recovery(tmp_path: Path) -> None:
    folder = folder_for(tmp_path)
    disk, promises, rng = Disk(folder), Promises(), random.Random(116)
    events = work(folder)
    # Both ends of the first life, its carryings over, and some of the second.
    chosen = set(rng.sample(range(40, len(events)), 8))
    for position, event in enumerate(events):
        if position in chosen:
            image = tmp_path / f"first-{position}"
            disk.image(image, rng)
            start = Disk(image)
            again = work(image, run="again")
            assert await losses(again[:150], start, tmp_path, seeds=1, before=promises) == [], position
        if not heard(event, promises):
            disk.apply(event)


async def test_a_migration_is_there_as_a_whole_or_not_at_all_and_never_without_its_backup(
    tmp_path: Path,
) -> None:
    folder = folder_for(tmp_path)
    async with opened(folder) as store:
        await store.run(file_one, "old")
    later = tmp_path / "sql"
    shutil.copytree(ROOT / "durable" / "sql", later)
    number = len(known_migrations()) + 1
    (later / f"{number:04}_next.sql").write_text(
        "ALTER TABLE hold ADD COLUMN colour TEXT;\nCREATE TABLE hold_note (words TEXT);\n"
    )
    disk = Disk(folder)
    events = trace(
        [sys.executable, str(PROGRAM), "migrate", str(folder / NAME), str(later), "0"],
        folder,
        environment={"PYTHONPATH": str(ROOT)},
        log=tmp_path / "migration.strace",
    )
    seen = set()
    for position, event in enumerate(events):
        for seed in range(2):
            image = tmp_path / f"{position}-{seed}"
            disk.image(image, random.Random(f"{position} {seed}"))
            seen.add(version := await schema_in(image))
            if version != known_migrations()[-1].version:
                backup = image / f"holds.before-{number}.sqlite3"
                backup.rename(image / NAME)
                (image / f"{NAME}-wal").unlink(missing_ok=True)
                assert await schema_in(image) == known_migrations()[-1].version
            shutil.rmtree(image)
        disk.apply(event)
    assert seen == {known_migrations()[-1].version, known_migrations(later)[-1].version}


async def schema_in(folder: Path) -> Version:
    """After looking whether the rows are there and the schema is one of a whole migration."""
    async with opened(folder) as store:
        assert await lost_of(store, {"old": 1}) == ""
        tables = {
            row["name"] for row in await store.read(lambda tx: tx.rows("SELECT name FROM sqlite_master"))
        }
        columns = {row["name"] for row in await store.read(lambda tx: tx.rows("PRAGMA table_info(hold)"))}
        migrated = store.migrated.after
    is_new = migrated > known_migrations()[-1].version
    assert ("hold_note" in tables, "colour" in columns) == (is_new, is_new)
    return migrated
