"""What the SQLite store promises beyond the port: groups, cancelled callers, files, one process."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from durable.errors import StoreClosed, StoreLocked, StoreQueueFull, StoreSlow
from durable.holds.tx import Tx
from durable.stores.limits import StoreLimits
from durable.stores.sqlite import SqliteStore
from tests.contract.stores.conftest import Cellar, Clocks
from tests.contract.stores.rows import (
    DAY_MS,
    NOON_MS,
    bump,
    file_one,
    names,
    now,
    put,
    put_and_fail,
    version,
)

PROGRAM = Path(__file__).parents[2] / "crash" / "holds_process.py"
ROOT = Path(__file__).parents[3]


class Gate:
    """A script that stays in the writer's thread until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, tx: Tx) -> str:
        self.entered.set()
        assert self.opened.wait(60)
        return "through"

    async def shut(self, store: SqliteStore) -> asyncio.Task[str]:
        held = asyncio.ensure_future(store.run(self))
        await asyncio.to_thread(self.entered.wait, 60)
        return held


# Groups.


async def test_scripts_that_wait_share_one_commit(cellar: Cellar) -> None:
    store, gate = await cellar.open(), Gate()
    held = await gate.shut(store)
    others = [asyncio.ensure_future(store.run(put, f"n{number:03}")) for number in range(100)]
    await asyncio.sleep(0)
    assert store.health().queued_scripts == 101
    before = store.health().commits
    gate.opened.set()
    assert await asyncio.gather(held, *others) == ["through", *[1] * 100]
    assert store.health().commits - before == 2
    assert store.health().queued_scripts == 0
    assert len(await store.read(names)) == 100


async def test_a_group_is_bounded(cellar: Cellar) -> None:
    cellar.limits = StoreLimits(group_scripts_max=10, deadline_s=60)
    store, gate = await cellar.open(), Gate()
    held = await gate.shut(store)
    others = [asyncio.ensure_future(store.run(put, f"n{number}")) for number in range(95)]
    await asyncio.sleep(0)
    gate.opened.set()
    await asyncio.gather(held, *others)
    assert store.health().commits == 11


async def test_scripts_of_one_group_see_what_those_before_them_wrote_and_not_what_failed(
    cellar: Cellar,
) -> None:
    store, gate = await cellar.open(), Gate()
    held = await gate.shut(store)
    tasks = [
        asyncio.ensure_future(store.run(put, "a")),
        asyncio.ensure_future(store.run(put_and_fail, "b", RuntimeError("a bug"))),
        asyncio.ensure_future(store.run(names)),
    ]
    await asyncio.sleep(0)
    gate.opened.set()
    await held
    first, second, third = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, repr(second), third) == (1, "RuntimeError('a bug')", ["a"])
    assert store.health().commits == 2


async def test_a_read_does_not_wait_behind_a_script_that_writes(cellar: Cellar) -> None:
    store, gate = await cellar.open(), Gate()
    await store.run(put, "a")

    def write_and_stay(tx: Tx) -> str:
        put(tx, "b")
        return gate(tx)

    held = asyncio.ensure_future(store.run(write_and_stay))
    await asyncio.to_thread(gate.entered.wait, 60)
    async with asyncio.timeout(30):
        assert await store.read(names) == ["a"]
    gate.opened.set()
    await held
    assert await store.read(names) == ["a", "b"]


# Callers that go away, and bounds.


async def test_a_cancelled_caller_does_not_undo_what_was_handed_over(cellar: Cellar) -> None:
    store, gate = await cellar.open(), Gate()
    held = await gate.shut(store)
    gone = asyncio.ensure_future(store.run(put, "gone"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    assert gone.cancelled()
    gate.opened.set()
    await held
    await store.run(put, "next")
    assert await store.read(names) == ["gone", "next"]


async def test_closing_finishes_what_was_handed_over(cellar: Cellar) -> None:
    store, gate = await cellar.open(), Gate()
    held = await gate.shut(store)
    last = asyncio.ensure_future(store.run(put, "last"))
    await asyncio.sleep(0)
    closing_it = asyncio.ensure_future(store.aclose())
    await asyncio.sleep(0)
    with pytest.raises(StoreClosed):
        await store.run(put, "too late")
    gate.opened.set()
    await closing_it
    assert (await held, await last) == ("through", 1)
    assert await (await cellar.open()).read(names) == ["last"]


async def test_what_finds_no_room_in_the_queue_is_refused(cellar: Cellar) -> None:
    cellar.limits = StoreLimits(queued_scripts_max=3, queued_reads_max=2, reader_threads=1, deadline_s=60)
    store, gate = await cellar.open(), Gate()
    held = await gate.shut(store)
    taken = [asyncio.ensure_future(store.run(put, name)) for name in "ab"]
    await asyncio.sleep(0)
    with pytest.raises(StoreQueueFull):
        await store.run(put, "c")
    gate.opened.set()
    await asyncio.gather(held, *taken)
    await store.run(put, "d")
    assert await store.read(names) == ["a", "b", "d"]

    slow = Gate()
    reading = [asyncio.ensure_future(store.read(slow)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(StoreQueueFull):
        await store.read(names)
    slow.opened.set()
    await asyncio.gather(*reading)
    assert await store.read(names) == ["a", "b", "d"]


async def test_who_waits_too_long_is_told_so_and_what_was_not_begun_never_runs(cellar: Cellar) -> None:
    cellar.limits = StoreLimits(deadline_s=0.5)
    store, gate = await cellar.open(), Gate()
    try:
        held = await gate.shut(store)
        behind = asyncio.ensure_future(store.run(put, "behind"))
        for late in (held, behind):
            with pytest.raises(StoreSlow):
                await late
        assert (store.health().state, store.health().code) == ("refusing", "holds_slow")
        with pytest.raises(StoreSlow):
            await store.run(put, "refused")
    finally:
        gate.opened.set()
    while store.health().state != "ok":
        await asyncio.sleep(0)
    await store.run(put, "after")
    assert await store.read(names) == ["after"]


async def test_a_bug_in_the_writers_thread_refuses_and_is_recovered_from(
    cellar: Cellar, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await cellar.open()
    with monkeypatch.context() as patched:
        patched.setattr(store._writer._storage, "check_identity", lambda: {}["a bug"])
        with pytest.raises(Exception, match="unexpected KeyError") as raised:
            await store.run(put, "x")
    assert raised.value.code == "holds_sync_failed"
    while store.health().state != "ok":
        await asyncio.sleep(0)
    assert await store.run(put, "y") == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_writers_thread_that_dies_leaves_nobody_waiting(
    cellar: Cellar, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, gate = await cellar.open(), Gate()
    held = await gate.shut(store)
    behind = asyncio.ensure_future(store.run(put, "behind"))
    await asyncio.sleep(0)
    monkeypatch.setattr(store._writer, "_receive", lambda: {}["the end"])
    gate.opened.set()
    async with asyncio.timeout(30):
        assert await held == "through"
        with pytest.raises(StoreClosed):
            await behind
        with pytest.raises(StoreClosed):
            await store.run(put, "x")
    store._writer._thread.join(30)
    await store.aclose()
    assert await (await cellar.open()).read(names) == []


# Time, over restarts.


@pytest.mark.abuse(90)
@pytest.mark.abuse(117)
async def test_what_expired_stays_expired_when_the_clock_is_set_back_over_a_restart(
    cellar: Cellar, clocks: Clocks
) -> None:
    store = await cellar.open()
    hold = await store.run(file_one, "h1")
    clocks.forward(hold.expires_ms - NOON_MS)
    await store.run(bump, "h1")
    await store.aclose()
    clocks.wall_ms -= DAY_MS
    store = await cellar.open()
    assert await store.read(now) == hold.expires_ms
    assert store.health().clock_ahead_ms == DAY_MS
    clocks.forward(7)
    assert await store.run(now) == hold.expires_ms + 7
    # The control: without the stored time the hold would be open again.
    assert clocks.wall_ms < hold.expires_ms


async def test_time_is_kept_without_writing_once_a_minute(cellar: Cellar, clocks: Clocks) -> None:
    store = await cellar.open()
    await store.run(put, "x")
    clocks.forward(59_999)
    await store.run(now)
    await store.aclose()
    clocks.wall_ms = NOON_MS
    store = await cellar.open()
    assert await store.read(now) == NOON_MS
    clocks.forward(60_000)
    await store.run(now)
    await store.aclose()
    clocks.wall_ms = NOON_MS
    store = await cellar.open()
    assert await store.read(now) == NOON_MS + 60_000


# Files and processes.


async def test_every_file_is_in_the_folder_and_its_owners_only(cellar: Cellar, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = await cellar.open()
        await store.run(file_one, "h1")
        await store.read(version, "h1")
    finally:
        os.umask(old)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in cellar.folder.iterdir()}
    assert found == dict.fromkeys(
        ("holds.sqlite3", "holds.sqlite3-wal", "holds.sqlite3-shm", "holds.lock"), 0o600
    )
    assert stat.S_IMODE(cellar.folder.stat().st_mode) == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ["holds"]
    await store.aclose()
    assert sorted(path.name for path in cellar.folder.iterdir()) == ["holds.lock", "holds.sqlite3"]


async def test_the_log_is_carried_over_and_does_not_grow(cellar: Cellar) -> None:
    cellar.limits = StoreLimits(checkpoint_commits=5, deadline_s=60)
    store = await cellar.open()
    log = cellar.path.with_name("holds.sqlite3-wal")
    sizes = []
    for number in range(60):
        await store.run(put, f"n{number:02}")
        sizes.append(log.stat().st_size)
    assert max(sizes) == max(sizes[:6])


async def test_every_commit_is_synced_and_foreign_keys_hold(cellar: Cellar) -> None:
    def settings(tx: Tx) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "temp_store"):
            found |= tx.rows(f"PRAGMA {name}")[0]
        return found

    store = await cellar.open()
    assert await store.run(settings) == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "temp_store": 2,
    }


@pytest.mark.abuse(118)
async def test_a_second_store_in_this_process_is_refused_and_can_follow(cellar: Cellar) -> None:
    store = await cellar.open()
    await store.run(put, "mine")
    with pytest.raises(StoreLocked, match=f"process {os.getpid()} already has") as refused:
        await cellar.open()
    assert (refused.value.pid, refused.value.next_step) == (os.getpid(), f"ps -p {os.getpid()}")
    await store.run(put, "still mine")
    await store.aclose()
    assert await (await cellar.open()).read(names) == ["mine", "still mine"]


@pytest.mark.abuse(118)
async def test_a_second_process_is_refused_until_the_first_ends_however_it_ends(cellar: Cellar) -> None:
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), "keep", str(cellar.path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as first:
        assert first.stdout
        assert first.stdout.readline() == "open\n"
        with pytest.raises(StoreLocked) as refused:
            await cellar.open()
        assert refused.value.pid == first.pid
        first.kill()
    assert await (await cellar.open()).read(names) == ["kept"]


@pytest.mark.abuse(118)
async def test_a_forked_child_is_refused_and_its_parent_goes_on(cellar: Cellar) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "fork", str(cellar.path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
        timeout=60,
    )
    assert json.loads(done.stdout) == {"refused": 2}
    assert await (await cellar.open()).read(names) == ["parent", "parent again"]


async def test_another_lock_file_can_be_named(cellar: Cellar, tmp_path: Path) -> None:
    store = await cellar.open(lock_path=tmp_path / "locks" / "gateway.lock")
    assert (tmp_path / "locks" / "gateway.lock").read_text() == f"{os.getpid()}\n"
    assert not (cellar.folder / "holds.lock").exists()
    await store.aclose()


async def test_the_database_is_plain_sqlite_after_closing(cellar: Cellar) -> None:
    store = await cellar.open()
    await store.run(file_one, "h1")
    await store.aclose()
    with closing(sqlite3.connect(f"file:{cellar.path}?mode=ro&immutable=1", uri=True)) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert plain.execute("SELECT id FROM hold").fetchall() == [("h1",)]
