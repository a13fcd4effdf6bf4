"""Schemas come and go: older ones are brought up after a backup, newer minors are used, newer majors refused."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from durable.errors import SchemaUnknown, StoreDiskFull, StoreUnavailable
from durable.holds.deciding import decide
from durable.holds.hold import Person
from durable.holds.mover import locked
from durable.stores import migrations
from durable.stores.migrations import (
    NOTHING,
    Migrated,
    Migration,
    Version,
    known_migrations,
    migrate,
    statements_of,
    version_of,
)
from tests.contract.stores.conftest import Cellar, Clocks
from tests.contract.stores.rows import DAY_MS, NOON_MS, bump, file_one, names, now, put, version

ROOT = Path(__file__).parents[3]
SQL = ROOT / "durable" / "sql"
PROGRAM = ROOT / "tests" / "crash" / "holds_process.py"
KNOWN = known_migrations()

NEXT_MINOR = """
-- What a next release may do without asking: a column that may be missing, a table nobody knows yet.
ALTER TABLE hold ADD COLUMN colour TEXT;
CREATE TABLE hold_note (
    hold TEXT NOT NULL REFERENCES hold (id),
    words TEXT NOT NULL
);
CREATE INDEX hold_note_hold ON hold_note (hold);
"""
NEXT_MAJOR = "ALTER TABLE hold RENAME COLUMN reason TO words;\n"


def with_more(folder: Path, *more: tuple[str, str]) -> tuple[Migration, ...]:
    """The migrations of a made-up later release."""
    if not folder.exists():
        shutil.copytree(SQL, folder)
    for number, (name, text) in enumerate(more, start=len(KNOWN) + 1):
        (folder / f"{number:04}_{name}.sql").write_text(text)
    return known_migrations(folder)


@pytest.fixture
def minor(tmp_path: Path) -> tuple[Migration, ...]:
    return with_more(tmp_path / "minor", ("next", NEXT_MINOR))


@pytest.fixture
def major(tmp_path: Path) -> tuple[Migration, ...]:
    return with_more(tmp_path / "major", ("next", NEXT_MINOR), ("rework.major", NEXT_MAJOR))


async def fill(cellar: Cellar, known: Sequence[Migration] = KNOWN) -> None:
    """A database as that release leaves it."""
    store = await cellar.open(migrations=known)
    await store.run(file_one, "old")
    await store.run(bump, "old")
    await store.aclose()


async def test_an_empty_place_gets_the_newest_schema_and_no_backup(cellar: Cellar) -> None:
    store = await cellar.open()
    assert store.migrated == Migrated(
        before=NOTHING, after=KNOWN[-1].version, applied=tuple(one.name for one in KNOWN)
    )
    assert store.health().schema == str(KNOWN[-1].version)
    rows = await store.read(
        lambda tx: tx.rows("SELECT major, minor, applied_ms, name FROM schema_version ORDER BY major, minor")
    )
    assert rows[0] == {"major": 1, "minor": 0, "applied_ms": NOON_MS, "name": "holds"}
    assert len(rows) == len(KNOWN)
    await store.aclose()
    assert (await cellar.open()).migrated == Migrated(before=KNOWN[-1].version, after=KNOWN[-1].version)
    assert list(cellar.folder.glob("*before*")) == []


async def test_an_older_database_is_backed_up_and_brought_up_to_date(
    cellar: Cellar, minor: tuple[Migration, ...]
) -> None:
    await fill(cellar)
    store = await cellar.open(migrations=minor)
    backup = cellar.folder / f"holds.before-{len(KNOWN) + 1}.sqlite3"
    assert store.migrated == Migrated(
        before=KNOWN[-1].version, after=minor[-1].version, applied=("next",), backup=backup
    )
    assert await store.read(version, "old") == 2
    assert await store.run(bump, "old") == 3
    await store.run(
        lambda tx: tx.execute("INSERT INTO hold_note (hold, words) VALUES ('old', 'a new table')")
    )
    await store.aclose()
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert sorted(path.name for path in cellar.folder.iterdir()) == [
        backup.name,
        "holds.lock",
        "holds.sqlite3",
    ]
    # The backup is the database as it was, and the older release runs on it.
    shutil.copy(backup, cellar.path)
    store = await cellar.open()
    assert store.migrated.after == KNOWN[-1].version
    assert await store.read(version, "old") == 2


async def test_the_first_schema_with_its_rows_is_brought_up_to_this_one(
    cellar: Cellar, clocks: Clocks
) -> None:
    # The first schema alone is not enough for this release's store.
    with pytest.raises(StoreUnavailable):
        await cellar.open(migrations=KNOWN[:1])
    cellar.path.unlink()
    with closing(sqlite3.connect(cellar.path, isolation_level=None)) as older:
        migrate(older, None, migrations=KNOWN[:1], at_ms=1)
        assert version_of(older) == Version(1, 0)
        columns = [row[1:4] for row in older.execute("PRAGMA table_info(hold)")]
        values = [
            {"id": "old", "status": "held", "updated_ms": NOON_MS + DAY_MS}.get(
                name, 7 if "INT" in kind else "{}" if not_null else None
            )
            for name, kind, not_null in columns
        ]
        older.execute(f"INSERT INTO hold VALUES ({', '.join('?' * len(values))})", values)
    store = await cellar.open()
    assert (store.migrated.before, store.migrated.after) == (Version(1, 0), KNOWN[-1].version)
    assert store.migrated.backup == cellar.folder / "holds.before-2.sqlite3"
    assert (await store.read(lambda tx: tx.rows("SELECT id FROM hold"))) == [{"id": "old"}]
    # The clock starts no lower than what that database had seen.
    assert await store.read(now) == NOON_MS + DAY_MS


async def test_the_release_before_runs_on_this_schema_and_its_decisions_are_known_from_their_events(
    cellar: Cellar, clocks: Clocks
) -> None:
    store = await cellar.open()
    for name in ("decided", "waits"):
        await store.run(file_one, name)
    clocks.forward(5_000)
    lea = Person(id="lea@example.com", tenant="acme", names=frozenset({"refund-lead"}))
    hold = await store.read(locked, "decided")
    await store.run(decide, "decided", lea, "deny", seen=hold.seen, reason="", key=b"k" * 32)
    await store.aclose()
    newer = cellar.path.rename(cellar.folder / "newer.sqlite3")
    with closing(sqlite3.connect(cellar.path, isolation_level=None)) as older:
        migrate(older, None, migrations=KNOWN[:4], at_ms=1)
        older.execute("ATTACH ? AS newer", (str(newer),))
        for table in ("hold_event", "hold"):
            known = [row[1] for row in older.execute(f"PRAGMA main.table_info({table})")]
            names = ", ".join(known)
            older.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM newer.{table}")
    store = await cellar.open()
    assert store.migrated.applied == tuple(one.name for one in KNOWN[4:])
    decided, waits = await store.read(lambda tx: (locked(tx, "decided"), locked(tx, "waits")))
    assert (decided.decided_ms, waits.decided_ms) == (NOON_MS + 5_000, 0)
    # What the older release writes has none of the new columns.
    values = ", ".join({"id": "'older'", "attach_key": "NULL"}.get(name, name) for name in known)
    await store.run(
        lambda tx: tx.execute(f"INSERT INTO hold ({names}) SELECT {values} FROM hold WHERE id = 'waits'")
    )
    written = await store.read(locked, "older")
    assert (written.statement, written.decided_ms) == ({}, 0)


async def test_this_release_runs_on_the_next_minor_schema(
    cellar: Cellar, minor: tuple[Migration, ...]
) -> None:
    await fill(cellar, minor)
    store = await cellar.open()
    assert store.migrated == Migrated(before=minor[-1].version, after=minor[-1].version)
    await store.run(file_one, "new")
    assert await store.run(bump, "old") == 3
    await store.run(put, "x")
    assert "x" in await store.read(names)
    await store.aclose()
    # And the next release finds what this one wrote.
    store = await cellar.open(migrations=minor)
    assert await store.read(version, "new") == 1
    assert await store.read(lambda tx: tx.rows("SELECT colour FROM hold WHERE id = 'new'")) == [
        {"colour": None}
    ]


async def test_a_newer_major_schema_is_refused_and_nothing_is_touched(
    cellar: Cellar, major: tuple[Migration, ...], minor: tuple[Migration, ...]
) -> None:
    await fill(cellar, minor)
    before = cellar.path.read_bytes()
    store = await cellar.open(migrations=major)
    assert store.migrated.after == Version(2, 0)
    # As after a kill: the log is there and has not been carried over.
    await store.run(put, "x")
    log = cellar.path.with_name("holds.sqlite3-wal")
    kept = cellar.folder / "kept"
    kept.mkdir()
    for path in (cellar.path, log):
        shutil.copy(path, kept)
    await store.aclose()
    shutil.copytree(kept, cellar.folder, dirs_exist_ok=True)
    for _ in range(2):
        with pytest.raises(SchemaUnknown, match=r"schema 2\.0; this release knows schemas up to 1\.x") as no:
            await cellar.open()
        assert "newer release" in no.value.next_step
        for path in (cellar.path, log):
            assert path.read_bytes() == (kept / path.name).read_bytes()
    # The controls: the newer release opens it, and this one what was there before.
    store = await cellar.open(migrations=major)
    assert "x" in await store.read(names)
    await store.aclose()
    cellar.path.write_bytes(before)
    assert await (await cellar.open()).read(version, "old") == 2


async def test_a_database_of_something_else_is_refused_and_left_alone(cellar: Cellar) -> None:
    cellar.folder.mkdir()
    with closing(sqlite3.connect(cellar.path)) as other:
        other.execute("CREATE TABLE photograph (id INTEGER)")
        other.commit()
    before = cellar.path.read_bytes()
    with pytest.raises(SchemaUnknown, match="something else"):
        await cellar.open()
    assert cellar.path.read_bytes() == before


async def test_a_migration_that_fails_changes_nothing(cellar: Cellar, tmp_path: Path) -> None:
    await fill(cellar)
    broken = with_more(tmp_path / "broken", ("next", NEXT_MINOR + "INSERT INTO nowhere VALUES (1);\n"))
    with pytest.raises(StoreUnavailable, match="nowhere"):
        await cellar.open(migrations=broken)
    with closing(sqlite3.connect(cellar.path)) as plain:
        assert version_of(plain) == KNOWN[-1].version
        assert "hold_note" not in {row[0] for row in plain.execute("SELECT name FROM sqlite_master")}
    assert await (await cellar.open()).run(bump, "old") == 3


async def test_nothing_is_migrated_without_a_backup(
    cellar: Cellar, minor: tuple[Migration, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(cellar)

    def full(files: object, descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr("durable.files.SystemFiles.sync", full)
        patched.setattr("durable.stores.storage.rewrite_end", lambda *_: None)
        with pytest.raises(StoreDiskFull):
            await cellar.open(migrations=minor)
    assert sorted(path.name for path in cellar.folder.iterdir()) == [
        "holds.lock",
        "holds.sqlite3",
        "holds.sqlite3-shm",
        "holds.sqlite3-wal",
    ]
    with closing(sqlite3.connect(cellar.path)) as plain:
        assert version_of(plain) == KNOWN[-1].version
    assert (await cellar.open(migrations=minor)).migrated.backup


def crash_at(statement: int, path: Path, folder: Path) -> int:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "migrate", str(path), str(folder), str(statement)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
        timeout=60,
    )
    return done.returncode


async def test_a_crash_at_any_statement_of_a_migration_leaves_the_old_or_the_new_schema_whole(
    cellar: Cellar, tmp_path: Path, minor: tuple[Migration, ...]
) -> None:
    await fill(cellar)
    kills = 0
    for statement in itertools.count(1):
        code = crash_at(statement, cellar.path, tmp_path / "minor")
        with closing(sqlite3.connect(cellar.path)) as plain:
            found = version_of(plain)
            tables = {row[0] for row in plain.execute("SELECT name FROM sqlite_master")}
            colour = "colour" in {row[1] for row in plain.execute("PRAGMA table_info(hold)")}
            assert plain.execute("SELECT version FROM hold").fetchall() == [(2,)]
            assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert found in {KNOWN[-1].version, minor[-1].version}
        assert ("hold_note" in tables, "hold_note_hold" in tables, colour) == (
            (found == minor[-1].version,) * 3
        )
        if code == 0:
            break
        assert code == -signal.SIGKILL
        assert found == KNOWN[-1].version
        kills += 1
    assert found == minor[-1].version
    assert kills >= 5
    with closing(sqlite3.connect(cellar.folder / f"holds.before-{len(KNOWN) + 1}.sqlite3")) as backup:
        assert version_of(backup) == KNOWN[-1].version


# The files.


def test_the_files_are_numbered_and_make_one_major_version() -> None:
    assert [one.number for one in KNOWN] == list(range(1, len(KNOWN) + 1))
    assert [one.version for one in KNOWN] == [Version(1, minor) for minor in range(len(KNOWN))]
    assert len(list(SQL.iterdir())) == len(KNOWN)


def test_a_migration_begins_the_next_minor_or_major_version(major: tuple[Migration, ...]) -> None:
    assert [str(one.version) for one in major[-2:]] == [f"1.{len(KNOWN)}", "2.0"]
    assert major[-1].name == "rework"


@pytest.mark.parametrize("name", ["0001_other.sql", "9999_later.sql", "name.sql", "0003_Big.sql"])
def test_a_misnumbered_file_is_refused(tmp_path: Path, name: str) -> None:
    shutil.copytree(SQL, tmp_path / "sql")
    (tmp_path / "sql" / "README.md").write_text("not a migration")
    assert known_migrations(tmp_path / "sql") == KNOWN
    (tmp_path / "sql" / name).write_text("SELECT 1;\n")
    with pytest.raises(SchemaUnknown):
        known_migrations(tmp_path / "sql")


def test_statements_end_with_a_line() -> None:
    text = (
        "-- a;\nCREATE TABLE a (\n    b TEXT DEFAULT ';', -- c;\n    d TEXT\n);\n\nSELECT 1; \n-- the end;\n"
    )
    first, second = statements_of(text)
    assert first.startswith("-- a;\nCREATE TABLE a")
    assert first.endswith(");")
    assert second == "SELECT 1;"
    with pytest.raises(SchemaUnknown):
        statements_of("SELECT 1;\nSELECT 2")


def test_no_migration_speaks_a_dialect() -> None:
    for migration in KNOWN:
        text = "\n".join(migration.statements).upper()
        for word in (
            "AUTOINCREMENT",
            "WITHOUT ROWID",
            "PRAGMA",
            "STRICT",
            "SERIAL",
            "JSONB",
            "IF NOT EXISTS",
        ):
            assert word not in text, (migration.name, word)


def test_a_database_in_memory_is_migrated_without_a_backup(minor: tuple[Migration, ...]) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, None, migrations=KNOWN, at_ms=1)
        after = migrate(connection, None, migrations=minor, at_ms=2)
        assert (after.before, after.after, after.backup) == (KNOWN[-1].version, minor[-1].version, None)


def test_the_files_come_with_a_wheel() -> None:
    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    for path in SQL.iterdir():
        assert f"durable/sql/{path.name}" in packed
    assert migrations.__name__.replace(".", "/") + ".py" in packed
