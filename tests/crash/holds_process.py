"""A process with a store of held calls, for tests that kill it or its storage: ``holds_process.py ROLE DATABASE ...``.

It says what it did on its standard output, one line each, unbuffered.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from durable.errors import StoreClosed, StoreUnavailable
from durable.stores import storage
from durable.stores.limits import StoreLimits
from durable.stores.migrations import Migration, known_migrations
from durable.stores.sqlite import SqliteStore
from tests.contract.stores.rows import bump, file_one, names, put

LIMITS = StoreLimits(checkpoint_commits=4, retry_first_s=0.001, retry_last_s=0.001, deadline_s=60)


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def open_store(path: Path, migrations: tuple[Migration, ...] | None = None) -> SqliteStore:
    return await SqliteStore.open(
        path,
        clock_ms=lambda: time.time_ns() // 1_000_000,
        monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
        limits=LIMITS,
        migrations=migrations,
    )


async def until_ok(store: SqliteStore) -> None:
    while store.health().state != "ok":
        await asyncio.sleep(0.001)


async def keep(path: Path) -> None:
    """Keep the store open until killed."""
    store = await open_store(path)
    await store.run(put, "kept")
    say("open")
    await asyncio.Event().wait()


async def fork(path: Path) -> None:
    """Fork with the store open; the child tries to write and to read."""
    store = await open_store(path)
    await store.run(put, "parent")
    child = os.fork()
    if child == 0:
        refused = 0
        for late in (store.run(put, "child"), store.read(names)):
            try:
                late.send(None)
            except StoreClosed:
                refused += 1
        os._exit(refused)
    _, status = os.waitpid(child, 0)
    await store.run(put, "parent again")
    await store.aclose()
    say(json.dumps({"refused": os.waitstatus_to_exitcode(status)}))


async def fill(path: Path, acknowledged: int = 0) -> tuple[SqliteStore, int, str]:
    store = await open_store(path)
    while True:
        try:
            await store.run(put, f"{acknowledged:06} {'x' * 400}")
            acknowledged += 1
        except StoreUnavailable as exc:
            return store, acknowledged, exc.code


async def file_size_limit(path: Path) -> None:
    """Fill a file size limit, lift it, go on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    store, acknowledged, refused = await fill(path)
    state = store.health().state
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await until_ok(store)
    await store.run(put, "z after")
    await store.aclose()
    say(json.dumps({"refused": refused, "state": state, "acknowledged": acknowledged}))


async def full_disk(path: Path) -> None:
    """Fill the file system, make room, go on."""
    filler = path.with_name("filler")
    path.parent.mkdir(exist_ok=True)
    with filler.open("wb") as file:
        file.write(bytes(2_000_000))
    store, acknowledged, refused = await fill(path)
    state = store.health().state
    filler.unlink()
    await until_ok(store)
    await store.run(put, "z after")
    await store.aclose()
    say(json.dumps({"refused": refused, "state": state, "acknowledged": acknowledged}))


async def read_only(path: Path) -> None:
    """Be started on a read-only file system, and again once it is writable."""
    store = await open_store(path)
    await store.run(put, "before")
    await store.aclose()
    os.system(f"mount -o remount,ro {path.parent}")
    refused = ""
    try:
        await open_store(path)
    except StoreUnavailable as exc:
        refused = exc.code
    os.system(f"mount -o remount,rw {path.parent}")
    store = await open_store(path)
    await store.run(put, "z after")
    await store.aclose()
    say(json.dumps({"refused": refused}))


async def persist(path: Path, run: str = "n") -> None:
    """Put rows, three at once, until sixty are acknowledged."""
    store = await open_store(path)
    numbers = itertools.count()
    acknowledged = 0

    async def one(name: str) -> int:
        try:
            await store.run(put, name)
        except StoreUnavailable as exc:
            say(json.dumps({"refused": exc.code}))
            return 0
        say(json.dumps({"acknowledged": name}))
        return 1

    while acknowledged < 60:
        await until_ok(store)
        acknowledged += sum(await asyncio.gather(*(one(f"{run}{next(numbers):04}") for _ in range(3))))
    await store.aclose()


async def work(path: Path, run: str) -> None:
    """Some groups of some sizes, through some carryings over and one closing; says what was acknowledged."""
    for part in ("a", "b"):
        store = await open_at_last(path)
        for turn in range(5):
            holds = [f"{run}{part}{turn}{number}" for number in range(1 + turn % 3)]
            await asyncio.gather(*(attempt(store, file_one, hold) for hold in holds))
            for _ in range(turn % 3):
                await attempt(store, bump, holds[0])
        await store.aclose()
        say("closed")


async def open_at_last(path: Path) -> SqliteStore:
    while True:
        try:
            return await open_store(path)
        except StoreUnavailable:
            continue


async def attempt(store: SqliteStore, script: Callable[..., Any], name: str) -> None:
    try:
        done = await store.run(script, name)
    except StoreUnavailable:
        await until_ok(store)
        # It may be stored all the same.
        if script is bump:
            return
    else:
        say(f"acknowledged {name} {getattr(done, 'version', done)}")


async def migrate_and_die(path: Path, folder: str, statement: str) -> None:
    """Open with the migrations of that folder, and be killed before the so many-th statement of them."""
    counted = {
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_ALTER_TABLE,
        sqlite3.SQLITE_INSERT,
    }
    connect = storage.connect_writer
    left = int(statement)

    def count(action: int, *_: object) -> int:
        nonlocal left
        if action in counted:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return sqlite3.SQLITE_OK

    def watched(path: Path, *, limits: StoreLimits) -> sqlite3.Connection:
        connection = connect(path, limits=limits)
        connection.set_authorizer(count)
        return connection

    storage.connect_writer = watched
    await (await open_store(path, known_migrations(Path(folder)))).aclose()


def weaken(how: str) -> None:
    """Leave something out, to see that the tests notice."""
    if how in {"NORMAL", "OFF"}:
        storage.SYNCHRONOUS = how
    if how == "trusting":
        storage.rewrite_end = lambda *_: None
        carry_over = storage.Storage.carry_over

        def only_when_asked(self: storage.Storage, *, everything: bool = False) -> None:
            if not everything:
                carry_over(self)

        storage.Storage.carry_over = only_when_asked


ROLES: dict[str, Callable[..., Awaitable[None]]] = {
    "keep": keep,
    "fork": fork,
    "file-size-limit": file_size_limit,
    "full-disk": full_disk,
    "read-only": read_only,
    "persist": persist,
    "work": work,
    "migrate": migrate_and_die,
}

if __name__ == "__main__":
    weaken(os.environ.get("HOLDS_WEAKENED", ""))
    asyncio.run(ROLES[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:]))
