"""A storage that fails: refused with a reason, nothing half done, and back without a restart."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from durable.errors import (
    DurableError,
    StatementRefused,
    StoreCorrupt,
    StoreDiskFull,
    StoreLocked,
    StoreReadOnly,
    StoreSyncFailed,
    StoreUnavailable,
)
from durable.holds.tx import Tx
from durable.stores.base import READ_ALL_AGAIN
from durable.stores.failures import file_error, store_error
from durable.stores.sqlite import SqliteStore
from tests.contract.stores.conftest import Cellar
from tests.contract.stores.rows import bump, file_one, names, put, version

PROGRAM = Path(__file__).parents[2] / "crash" / "holds_process.py"
ROOT = Path(__file__).parents[3]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


async def until_ok(store: SqliteStore) -> None:
    async with asyncio.timeout(60):
        while store.health().state != "ok":
            await asyncio.sleep(0)


def put_much(tx: Tx, name: str) -> int:
    return sum(put(tx, f"{name} {number:05} {'x' * 400}") for number in range(200))


def pages_max(tx: Tx, count: int) -> None:
    tx.rows(f"PRAGMA max_page_count = {count}")


def query_only(tx: Tx) -> None:
    tx.execute("PRAGMA query_only = ON")


FAULTS: list[tuple[Callable[..., None], tuple[int, ...], type[StoreUnavailable]]] = [
    (pages_max, (1,), StoreDiskFull),
    (query_only, (), StoreReadOnly),
]


@pytest.mark.abuse(112)
@pytest.mark.parametrize(("fault", "args", "kind"), FAULTS, ids=["full", "read-only"])
async def test_a_failure_refuses_the_whole_group_and_the_store_comes_back(
    cellar: Cellar, fault: Callable[..., None], args: tuple[int, ...], kind: type[StoreUnavailable]
) -> None:
    store = await cellar.open()
    await store.run(file_one, "h1")
    await store.run(fault, *args)
    ran = await asyncio.gather(
        store.run(put, "first"),
        store.run(put_much, "second"),
        store.run(put, "third"),
        return_exceptions=True,
    )
    assert {type(one) for one in ran} == {kind}
    assert len({id(one) for one in ran}) == 3, "each caller has an exception of its own"
    assert all(one.next_step for one in ran if isinstance(one, StoreUnavailable))
    await until_ok(store)
    assert await store.read(names) == ["h1"]
    # The control: without the fault the same scripts are stored.
    await asyncio.gather(store.run(put, "first"), store.run(put_much, "second"), store.run(put, "third"))
    assert len(await store.read(names)) == 203


async def test_while_it_refuses_it_says_so_and_reads_go_on(cellar: Cellar) -> None:
    store = await cellar.open()
    await store.run(file_one, "h1")
    # A transaction of somebody else's keeps it from coming back.
    with closing(sqlite3.connect(cellar.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreLocked) as refused:
            await store.run(put, "x")
        assert refused.value.pid == 0
        health = store.health()
        assert (health.state, health.code) == ("refusing", "holds_locked")
        assert "locked" in health.reason
        assert "open" in health.next_step
        with pytest.raises(StoreLocked):
            await store.run(put, "x")
        while True:
            # Reads wait only while the files are being opened again.
            try:
                assert await store.read(version, "h1") == 1
                break
            except StoreUnavailable:
                continue
        other.execute("ROLLBACK")
    await until_ok(store)
    assert store.health().code == ""
    assert await store.run(put, "x") == 1


async def test_everybody_looks_again_after_it_came_back(cellar: Cellar) -> None:
    """A group that was refused may be stored all the same, and then nobody was woken for it."""
    store = await cellar.open()
    await store.run(file_one, "h1")
    with store.watch() as changes:
        waiting = asyncio.ensure_future(store.changed("h1", 1, timeout_s=3600))
        await store.read(version, "h1")
        await store.run(query_only)
        with pytest.raises(StoreReadOnly):
            await store.run(bump, "h1")
        await until_ok(store)
        async with asyncio.timeout(30):
            await waiting
            assert await anext(changes) == READ_ALL_AGAIN
    assert await store.run(bump, "h1") == 2


async def test_a_failure_while_carrying_the_log_over_is_noticed_and_recovered_from(
    cellar: Cellar, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await cellar.open()

    def fail() -> None:
        monkeypatch.undo()
        raise StoreSyncFailed("no")

    monkeypatch.setattr(store._writer, "_carry_over", fail)
    with store.watch() as changes:
        assert await store.run(put, "acknowledged") == 1
        async with asyncio.timeout(60):
            assert await anext(changes) == READ_ALL_AGAIN
    assert await store.run(put, "after") == 1
    assert await store.read(names) == ["acknowledged", "after"]


async def test_a_read_under_way_is_let_end_before_the_files_are_opened_again(cellar: Cellar) -> None:
    store = await cellar.open()
    entered, opened = threading.Event(), threading.Event()

    def stay(tx: Tx) -> list[str]:
        entered.set()
        assert opened.wait(60)
        return names(tx)

    await store.run(put, "x")
    reading = asyncio.ensure_future(store.read(stay))
    await asyncio.to_thread(entered.wait, 60)
    await store.run(query_only)
    with pytest.raises(StoreReadOnly):
        await store.run(put, "y")
    opened.set()
    assert await reading == ["x"]
    await until_ok(store)
    assert await store.read(names) == ["x"]


@pytest.mark.parametrize("what", ["moved", "removed", "replaced"])
async def test_a_database_that_was_taken_away_is_not_written_any_more(cellar: Cellar, what: str) -> None:
    store = await cellar.open()
    await store.run(put, "before")
    aside = cellar.folder / "aside"
    cellar.path.rename(aside)
    if what == "removed":
        aside.unlink()
    if what == "replaced":
        shutil.copy(aside, cellar.path)
    with pytest.raises(StoreCorrupt, match="no longer the file"):
        await store.run(put, "after")
    assert store.health().code == "holds_corrupt"
    with pytest.raises(StoreCorrupt):
        await store.run(put, "after")
    await store.aclose()


async def test_a_damaged_database_is_refused_and_left_as_it_is(cellar: Cellar) -> None:
    await (await cellar.open()).aclose()
    whole = cellar.path.read_bytes()
    for content in (b"not a database" * 1000, whole[:100] + b"\xa5" * (len(whole) - 100)):
        cellar.path.write_bytes(content)
        with pytest.raises(StoreCorrupt):
            await cellar.open()
        assert cellar.path.read_bytes() == content
    cellar.path.write_bytes(whole)
    await (await cellar.open()).run(put, "x")


async def test_damage_that_is_found_later_stops_the_store_for_good(cellar: Cellar) -> None:
    store = await cellar.open()
    for name in "abc":
        await store.run(put_much, name)
    await store.aclose()
    content = bytearray(cellar.path.read_bytes())
    content[-40 * 4096 :] = b"\xa5" * 40 * 4096
    cellar.path.write_bytes(content)
    store = await cellar.open()
    with pytest.raises(StoreCorrupt):
        await store.run(lambda tx: tx.execute("UPDATE hold_outbox SET attempts = attempts + 1"))
    assert (store.health().state, store.health().code) == ("refusing", "holds_corrupt")
    with pytest.raises(StoreCorrupt):
        await store.run(put, "y")


async def test_a_log_without_its_database_is_refused(cellar: Cellar) -> None:
    store = await cellar.open()
    await store.run(put, "x")
    saved = cellar.folder / "saved"
    cellar.path.rename(saved)
    with pytest.raises(StoreCorrupt):
        await store.run(put, "y")
    await store.aclose()
    with pytest.raises(StoreCorrupt, match="is there, and"):
        await cellar.open()
    saved.rename(cellar.path)
    assert await (await cellar.open()).read(names) == ["x"]


async def test_a_folder_that_cannot_be_made_says_so(cellar: Cellar, tmp_path: Path) -> None:
    cellar.folder = tmp_path / "file" / "holds"
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable) as refused:
        await cellar.open()
    assert "file" in refused.value.reason


async def test_a_failed_start_gives_the_lock_back(cellar: Cellar) -> None:
    cellar.folder.mkdir()
    cellar.path.write_bytes(b"not a database" * 1000)
    for _ in range(2):
        with pytest.raises(StoreCorrupt):
            await cellar.open()
    cellar.path.unlink()
    await (await cellar.open()).run(put, "x")


# With a process of its own, whose storage really fails.


def run_program(*arguments: str, traced: tuple[str, ...] = ()) -> list[dict[str, str]]:
    done = subprocess.run(
        [*traced, sys.executable, str(PROGRAM), *arguments],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.abuse(112)
async def test_a_file_size_limit_refuses_and_lifting_it_is_enough(cellar: Cellar) -> None:
    (said,) = run_program("file-size-limit", str(cellar.path))
    assert said["refused"] in {"holds_sync_failed", "holds_disk_full"}
    assert said["state"] == "refusing"
    found = await (await cellar.open()).read(names)
    assert found[-1] == "z after"
    assert len(found) == int(said["acknowledged"]) + 1


@pytest.mark.needs("strace")
@pytest.mark.abuse(116)
async def test_failed_syncs_refuse_and_nothing_acknowledged_is_lost(cellar: Cellar, tmp_path: Path) -> None:
    fault = "inject=fdatasync:error=EIO:when=14..400+9"
    traced = ("strace", "-f", "-qq", "-e", "trace=fdatasync", "-e", fault, "-o", str(tmp_path / "trace"))
    said = run_program("persist", str(cellar.path), traced=traced)
    refused = [line for line in said if "refused" in line]
    acknowledged = {line["acknowledged"] for line in said if "acknowledged" in line}
    assert {line["refused"] for line in refused} == {"holds_sync_failed"}
    assert len(refused) >= 5
    assert len(acknowledged) >= 30
    found = set(await (await cellar.open()).read(names))
    assert acknowledged <= found
    assert len(re.findall(r"EIO.*INJECTED", (tmp_path / "trace").read_text())) >= 5


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (13, StoreDiskFull),
        (10, StoreSyncFailed),
        (1290, StoreSyncFailed),
        (14, StoreSyncFailed),
        (7, StoreSyncFailed),
        (8, StoreReadOnly),
        (5, StoreLocked),
        (517, StoreLocked),
        (11, StoreCorrupt),
        (26, StoreCorrupt),
        (19, StatementRefused),
        (1, StatementRefused),
        (None, StatementRefused),
    ],
)
def test_every_error_of_sqlites_has_a_meaning(number: int | None, kind: type[DurableError]) -> None:
    error = sqlite3.OperationalError("words of SQLite's")
    if number is not None:
        error.sqlite_errorcode, error.sqlite_errorname = number, "SQLITE_NAME"
    meaning = store_error(error)
    assert type(meaning) is kind
    assert "words of SQLite's" in meaning.reason
    assert meaning.next_step


@pytest.mark.parametrize(
    ("number", "kind"), [(28, StoreDiskFull), (122, StoreDiskFull), (30, StoreReadOnly), (5, StoreSyncFailed)]
)
def test_every_error_of_a_file_has_a_meaning(number: int, kind: type[DurableError]) -> None:
    meaning = file_error(OSError(number, os.strerror(number), "holds.sqlite3-wal"))
    assert type(meaning) is kind
    assert meaning.reason == f"{os.strerror(number)}: holds.sqlite3-wal"
    assert meaning.next_step
