"""One call of a log: found by the index, by the segments where that knows too little, and the same by both."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from durable.audit import calls as calls_module
from durable.audit import reading
from durable.audit.calls import entries_at, find_call
from durable.audit.entry import Draft
from durable.audit.index import AuditIndex
from durable.errors import AmbiguousCall, IndexUnavailable, UnknownCall
from tests.unit.durable.test_index import Followed

Make = Callable[..., Draft]


@pytest.fixture
def followed(folder: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Followed]:
    followed = Followed(folder, monkeypatch)
    yield followed
    followed.index.close()


class Scanned:
    """How often all segments were looked through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.times += 1
            return reading.show(*args, **kwargs)

        monkeypatch.setattr(calls_module, "show", counted)


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> Scanned:
    return Scanned(monkeypatch)


def kinds(shown: reading.Shown) -> list[str]:
    return [entry.kind for entry in shown.entries]


async def test_a_call_is_found_by_its_id_or_a_beginning_of_it_without_reading_the_log(
    followed: Followed, intent: Make, outcome: Make, scanned: Scanned
) -> None:
    async with followed.folder.log() as log:
        await log.append(intent("ab1"), intent("ab"), outcome("ab1"), intent("b1"))
        await log.append(Draft("intent", {"call": "b2", "effect": "allow"}, "other"))
        index = followed.caught_up()

        def found(prefix: str) -> reading.Shown:
            return find_call(followed.folder.path, index, prefix, tenant="acme")

        assert found("ab1") == reading.show(followed.folder.path, "ab1", tenant="acme")
        assert (found("ab").call, kinds(found("ab1"))) == ("ab", ["intent", "outcome"])
        assert found("b").call == "b1"
        with pytest.raises(AmbiguousCall) as several:
            found("a")
        assert several.value.candidates == ("ab", "ab1")
        for unknown in ("x", "b2", "ab11"):
            with pytest.raises(UnknownCall):
                found(unknown)
        assert find_call(followed.folder.path, index, "b2", tenant="other").tenant == "other"
    assert scanned.times == 0


async def test_what_the_index_does_not_know_yet_is_read_from_the_end_of_the_log(
    folder: Any, intent: Make, outcome: Make, scanned: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = Followed(folder, monkeypatch)
    async with folder.log() as log:
        await log.append(intent("c1"), intent("c2"))
        followed.caught_up()
        followed.index.close()
        # From here on it follows no more, and hears of what it misses.
        await log.append(outcome("c1"), intent("c3"))
        assert followed.index.behind_entries == 2

        def found(prefix: str) -> reading.Shown:
            return find_call(folder.path, followed.index, prefix, tenant="acme")

        assert kinds(found("c1")) == ["intent", "outcome"]
        assert kinds(found("c2")) == ["intent"]
        assert kinds(found("c3")) == ["intent"]
        with pytest.raises(AmbiguousCall):
            found("c")
        assert scanned.times == 0
        monkeypatch.setattr(calls_module, "BEHIND_ENTRIES_MAX", 1)
        assert kinds(found("c1")) == ["intent", "outcome"]
        assert scanned.times == 1


@pytest.mark.parametrize("damage", ["gone", "another entry", "fewer entries", "no index"])
async def test_an_index_that_says_something_else_is_not_believed(
    folder: Any, intent: Make, outcome: Make, scanned: Scanned, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    followed = Followed(folder, monkeypatch)
    async with folder.log() as log:
        await log.append(intent("c1"), intent("c2"), outcome("c1"))
        followed.caught_up()
    followed.index.close()
    path = folder.path / "audit" / "index.sqlite3"
    index: AuditIndex = followed.index
    if damage == "gone":
        path.unlink()
    elif damage == "another entry":
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE entry SET offset_bytes = 0 WHERE call = 'c1'")
    elif damage == "fewer entries":
        # As it is in the middle of being made again.
        original = index.calls_of_prefix

        def emptied(tenant: str, prefix: str) -> list[str]:
            index._indexed_seq = 1
            return [call for call in original(tenant, prefix) if not call]

        monkeypatch.setattr(index, "calls_of_prefix", emptied)
    else:
        shutil.rmtree(folder.path / "audit" / "index.sqlite3", ignore_errors=True)
        path.write_bytes(b"garbage" * 1000)
    assert kinds(find_call(folder.path, index, "c1", tenant="acme")) == ["intent", "outcome"]
    assert scanned.times == 1


async def test_whose_an_entry_is_says_the_entry(
    folder: Any, intent: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = Followed(folder, monkeypatch)
    async with folder.log() as log:
        await log.append(intent("c1"), Draft("intent", {"call": "c9", "effect": "allow"}, "other"))
        followed.caught_up()
    followed.index.close()
    assert [entry.members["call"] for entry in entries_at(folder.path, followed.index.find("acme"))] == ["c1"]
    with closing(sqlite3.connect(folder.path / "audit" / "index.sqlite3")) as connection, connection:
        connection.execute("UPDATE entry SET tenant = 'acme'")
    with pytest.raises(IndexUnavailable):
        entries_at(folder.path, followed.index.find("acme", kind="intent"))
    with pytest.raises(UnknownCall):
        find_call(folder.path, followed.index, "c9", tenant="acme")
