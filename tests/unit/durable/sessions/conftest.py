"""The tables of sessions in memory, with a clock that stands still until a test moves it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.durable.holds.kit import Database

(SCHEMA,) = (Path(__file__).resolve().parents[4] / "durable" / "sql").glob("*_sessions.sql")


@pytest.fixture
def bench() -> Iterator[Database]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA.read_text("utf-8"))
    database = Database(connection.serialize())
    connection.close()
    yield database
    database.close()
