"""The cost of a hold does not grow with the number of those that wait: counted in steps of SQLite's machine.

``tests/bench/holds.py`` prints the same in milliseconds.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from durable.holds import finding, sweeping
from durable.holds.deciding import decide
from durable.holds.hold import Person
from durable.holds.status import Status
from durable.holds.tx import Tx
from durable.stores import storage
from durable.stores.memory import MemoryStore
from tests.contract.stores.conftest import Cellar
from tests.contract.stores.rows import NOON_MS, file_one

FEW, MANY = 100, 3_000
LEA = Person(id="lea@example.com", tenant="acme", names=frozenset({"refund-lead"}))


def name_of(number: int) -> str:
    """In no order, as real ids are."""
    return f"{number * 2_654_435_761 % 2**32:08x}"


def fill(tx: Tx, count: int) -> None:
    for number in range(count):
        file_one(tx, name_of(number), group_key=f"group {number % 500}")


class Steps:
    """Counts what SQLite's machine does on some connections."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return 0

    @contextmanager
    def of(self, connection: sqlite3.Connection) -> Iterator[None]:
        connection.set_progress_handler(self, 1)
        try:
            yield
        finally:
            connection.set_progress_handler(None, 1)


def approve(tx: Tx) -> None:
    hold = finding.one(tx, name_of(7))
    assert hold
    decide(tx, hold.id, LEA, "approve", seen=hold.seen, reason="", key=b"k" * 32)


SCRIPTS: dict[str, Callable[[Tx], Any]] = {
    "file": lambda tx: file_one(tx, "new"),
    "attach": lambda tx: file_one(tx, name_of(7)),
    "decide": approve,
    "page": lambda tx: finding.page(tx, "acme", statuses=[Status.HELD], limit=50),
    "story": lambda tx: finding.story(tx, finding.one(tx, name_of(7))),
    "due": lambda tx: finding.due(tx, limit=50),
    "next due": finding.next_due_ms,
    "sweep": sweeping.sweep,
}


async def steps_of(script: Callable[[Tx], Any], count: int) -> int:
    store = await MemoryStore.open(clock_ms=lambda: NOON_MS)
    await store.run(fill, count)
    steps = Steps()
    with steps.of(store._connection):
        await store.run(script)
    await store.aclose()
    return steps.count


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
async def test_a_script_costs_the_same_with_many_holds_waiting(script: Callable[[Tx], Any]) -> None:
    few, many = await steps_of(script, FEW), await steps_of(script, MANY)
    assert 0 < many < 1.5 * few + 100


async def test_the_same_count_catches_a_script_that_looks_at_every_hold() -> None:
    def slow(tx: Tx) -> Any:
        return tx.rows("SELECT id FROM hold WHERE name = 'nothing'")

    few, many = await steps_of(slow, FEW), await steps_of(slow, MANY)
    assert many > 1.5 * few + 100


async def test_opening_costs_the_same_with_many_holds_waiting(
    cellar: Cellar, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps()

    def counted(connect: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
        def connecting(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            connection = connect(*args, **kwargs)
            connection.set_progress_handler(steps, 1)
            return connection

        return connecting

    for name in ("connect_writer", "connect_reader"):
        monkeypatch.setattr(storage, name, counted(getattr(storage, name)))
    await (await cellar.open()).aclose()
    steps.count = 0
    await (await cellar.open()).aclose()
    empty = steps.count
    store = await cellar.open()
    await store.run(fill, MANY)
    await store.aclose()
    steps.count = 0
    await (await cellar.open()).aclose()
    assert 0 < steps.count <= empty


async def test_filing_a_hold_costs_little_of_the_processor(cellar: Cellar) -> None:
    """The figure is half a millisecond; the bound here is for machines under any load."""
    store = await cellar.open()
    count = 300
    before_s = time.process_time()
    for number in range(count):
        await store.run(file_one, name_of(number))
    assert (time.process_time() - before_s) / count < 0.005
