"""The scripts of pins on a store in memory: what is written comes back, and nobody is written over."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from durable.pins import rows
from durable.pins.pin import Pin, PinFinding, PinKey
from durable.pins.refusals import StalePin
from durable.pins.state import State
from durable.stores.memory import MemoryStore
from durable.stores.migrations import Version, known_migrations, migrate, version_of
from durable.stores.sqlite import SqliteStore

FINDINGS = (PinFinding(rule="r", reason="wörds", pointer="/a", excerpt="\\u202e", severity="note"),)


def pin(name="refund", upstream="orders", kind="tool", state=State.NEW, **members):
    usual = {
        "version": 0, "listed_digest": "a" * 64, "listed_definition": '{"name":"ü"}', "findings": FINDINGS,
        "created_ms": 1, "updated_ms": 2,
    }  # fmt: skip
    key = PinKey(tenant="", upstream=upstream, kind=kind, name=name)
    return Pin(key=key, state=state, **(usual | members))


@pytest.fixture
async def store():
    opened = await MemoryStore.open(clock_ms=lambda: 1)
    yield opened
    await opened.aclose()


async def one(store, name="refund"):
    [found] = await store.read(rows.named, "", "orders", name)
    return found


async def test_what_is_written_is_what_is_read(store):
    whole = pin(digest="b" * 64, definition="{}", pinned_by="max", pinned_ms=3, first_use=True, proof="p")
    await store.run(rows.write, [whole, pin(kind="prompt"), pin("get"), pin(upstream="notes")])
    found, unreadable = await store.read(rows.of_upstream, "", "orders")
    assert found[whole.key] == replace(whole, version=1)
    assert (len(found), unreadable) == (3, frozenset())
    both = await store.read(rows.named, "", "orders", "refund")
    assert [each.key.kind for each in both] == ["prompt", "tool"]
    assert [each.key.kind for each in await store.read(rows.named, "", "orders", "refund", "tool")] == [
        "tool"
    ]
    assert await store.read(rows.named, "other", "orders", "refund") == []


async def test_whoever_read_an_older_version_writes_nothing(store):
    await store.run(rows.write, [pin(), pin("get")])
    first = await one(store)
    await store.run(rows.write, [replace(first, reason="first")])
    for late in (first, pin()):
        with pytest.raises(StalePin):
            await store.run(rows.write, [replace(await one(store, "get"), reason="late"), late])
    assert (await one(store)).reason == "first"
    assert (await one(store, "get")).reason == ""


async def test_only_what_was_never_pinned_is_forgotten(store):
    await store.run(rows.write, [pin(), pin("get", digest="b" * 64)])
    found, _ = await store.read(rows.of_upstream, "", "orders")
    await store.run(rows.forget, list(found))
    left, _ = await store.read(rows.of_upstream, "", "orders")
    assert [key.name for key in left] == ["get"]


async def test_pages_are_in_order_and_of_the_states_that_are_asked_for(store):
    await store.run(
        rows.write, [pin("b"), pin("a"), pin("c", state=State.DRIFTED), pin("z", upstream="notes")]
    )

    async def names(**asked):
        usual = {"upstream": None, "states": tuple(State), "limit": 10, "offset": 0}
        return [each.key.name for each in await store.read(rows.page, "", **(usual | asked))]

    assert await names() == ["z", "a", "b", "c"]
    assert await names(upstream="orders", offset=1, limit=1) == ["b"]
    assert await names(states=(State.DRIFTED,)) == ["c"]
    assert await store.read(rows.counts, "") == {
        ("notes", State.NEW): 1, ("orders", State.NEW): 2, ("orders", State.DRIFTED): 1,
    }  # fmt: skip


async def test_a_damaged_row_costs_nobody_else_anything(store):
    await store.run(rows.write, [pin(), pin("get")])
    await store.run(lambda tx: tx.execute("UPDATE pin SET findings = 'nonsense' WHERE name = 'get'"))
    found, unreadable = await store.read(rows.of_upstream, "", "orders")
    assert [key.name for key in found] == ["refund"]
    assert [key.name for key in unreadable] == ["get"]
    page = await store.read(rows.page, "", upstream=None, states=tuple(State), limit=9, offset=0)
    assert [each.key.name for each in page] == ["refund"]


async def test_a_database_of_schema_1_1_gets_pins_and_keeps_what_it_has(tmp_path):
    path = tmp_path / "holds.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        older.execute("PRAGMA journal_mode = WAL")
        migrate(older, None, migrations=known_migrations()[:2], at_ms=1)
        older.execute("UPDATE store_clock SET now_ms = 77")
        assert version_of(older) == Version(1, 1)
    store = await SqliteStore.open(path, clock_ms=lambda: 5, monotonic_ms=lambda: 0)
    try:
        assert store.migrated.before == Version(1, 1)
        assert "pins" in store.migrated.applied
        assert store.migrated.backup == tmp_path / "holds.before-3.sqlite3"
        await store.run(rows.write, [pin()])
        assert (await one(store)).version == 1
        assert await store.read(lambda tx: tx.now_ms) == 77
    finally:
        await store.aclose()
