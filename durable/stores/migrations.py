"""Numbered SQL files make and change the schema; the database says which of them it has seen.

``NNNN_name.sql`` is the next minor version: an older release still runs on the result, so it only adds
tables, indexes, and columns that are nullable or have a default. ``NNNN_name.major.sql`` begins the next
major version, which older releases refuse. One statement ends with ``;`` at the end of a line.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from durable.errors import SchemaUnknown
from durable.files import SystemFiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.resources.abc import Traversable
    from pathlib import Path

_NAME = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+?)(?P<major>\.major)?\.sql")
_VERSIONS = """
CREATE TABLE schema_version (
    major INTEGER NOT NULL,
    minor INTEGER NOT NULL,
    applied_ms BIGINT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (major, minor)
)"""


class Version(NamedTuple):
    """Of a schema."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


NOTHING = Version(0, 0)
"""Of a database that has no table yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file."""

    number: int
    name: str
    version: Version
    """Of the schema after it."""
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What was done to a database."""

    before: Version
    after: Version
    applied: tuple[str, ...] = ()
    """Names of migrations, in order."""
    backup: Path | None = None
    """The database as it was; None if it had nothing in it, or nothing was changed."""


def known_migrations(folder: Traversable | None = None) -> tuple[Migration, ...]:
    """The files of this release, in order.

    Raises:
        SchemaUnknown: one is missing or misnamed.
    """
    folder = folder or resources.files("durable").joinpath("sql")
    found: list[Migration] = []
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".sql"):
            continue
        match = _NAME.fullmatch(file.name)
        if not match or int(match["number"]) != len(found) + 1:
            raise SchemaUnknown(f"{file.name} is not migration {len(found) + 1:04}")
        last = found[-1].version if found else NOTHING
        begins = match["major"] or not found
        version = Version(last.major + 1, 0) if begins else Version(last.major, last.minor + 1)
        found.append(
            Migration(
                number=len(found) + 1,
                name=match["name"],
                version=version,
                statements=statements_of(file.read_text("utf-8")),
            )
        )
    if not found:
        raise SchemaUnknown("this installation has no migrations", next_step="install it again")
    return tuple(found)


def statements_of(text: str) -> tuple[str, ...]:
    """The statements of a file; comments stay with the statement that follows."""
    statements, lines = [], list[str]()
    for line in text.splitlines():
        lines.append(line)
        if sqlite3.complete_statement("\n".join(lines)):
            statements.append("\n".join(lines).strip())
            lines.clear()
    if any(line.strip() and not line.lstrip().startswith("--") for line in lines):
        raise SchemaUnknown("a migration ends within a statement")
    return tuple(statements)


def version_of(connection: sqlite3.Connection) -> Version:
    """Which schema a database has.

    Raises:
        SchemaUnknown: it has tables, and none that says so.
    """
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return NOTHING
    row = None
    if "schema_version" in tables:
        row = connection.execute(
            "SELECT major, minor FROM schema_version ORDER BY major DESC, minor DESC LIMIT 1"
        ).fetchone()
    if row is None:
        raise SchemaUnknown("the file is a database of something else", next_step="name another file")
    return Version(*row)


def check(version: Version, migrations: Sequence[Migration]) -> None:
    """Raises SchemaUnknown if this release must not touch a database of that version."""
    newest = migrations[-1].version
    if version.major > newest.major:
        raise SchemaUnknown(
            f"the database has schema {version}; this release knows schemas up to {newest.major}.x",
            next_step="start the newer release, or restore the backup that it made before it migrated",
        )


def migrate(
    connection: sqlite3.Connection, path: Path | None, *, migrations: Sequence[Migration], at_ms: int
) -> Migrated:
    """Bring a database to the newest schema in one transaction: it has the old one or the new one, whole.

    Args:
        connection: the only one that writes; no transaction is open.
        path: of the database; None if it lives in memory.
        migrations: of this release.
        at_ms: what is recorded as the time.

    Raises:
        SchemaUnknown: see ``check``.
        OSError: the backup could not be made; nothing was changed.
        sqlite3.Error: the same, or a statement failed; nothing was changed.
    """
    before = version_of(connection)
    check(before, migrations)
    pending = [migration for migration in migrations if migration.version > before]
    if not pending:
        return Migrated(before=before, after=before)
    backup = None
    if path and before != NOTHING:
        backup = path.with_name(f"{path.stem}.before-{pending[0].number}{path.suffix}")
        back_up(connection, backup)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if before == NOTHING:
            connection.execute(_VERSIONS)
        for migration in pending:
            for statement in migration.statements:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO schema_version (major, minor, applied_ms, name) VALUES (?, ?, ?, ?)",
                (*migration.version, at_ms, migration.name),
            )
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return Migrated(
        before=before,
        after=pending[-1].version,
        applied=tuple(migration.name for migration in pending),
        backup=backup,
    )


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """A synced copy under that name, or no file of that name that was not there before.

    Raises:
        OSError: it could not be made or synced.
        sqlite3.Error: the same.
    """
    files, partial = SystemFiles(), target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
            # No journal beside it, no sync of SQLite's: until it is renamed it is nothing.
            copy.execute("PRAGMA journal_mode = OFF")
            copy.execute("PRAGMA synchronous = OFF")
            connection.backup(copy)
        files.sync(descriptor)
        partial.rename(target)
        files.sync_directory(target.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        # Closed last: SQLite's locks on a file end when its process closes any descriptor of it.
        os.close(descriptor)
