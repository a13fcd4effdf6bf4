"""The index is derived: always made again, never in the way, never across tenants."""

from __future__ import annotations

import inspect
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from durable.audit import index as index_module
from durable.audit import reading
from durable.audit.entry import Draft
from durable.audit.index import AuditIndex, Row, rebuild
from durable.errors import AuditLocked, IndexUnavailable

Make = Callable[..., Draft]


class Followed:
    """An index, and a way to wait until it knows everything."""

    def __init__(self, folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.progress = threading.Condition()
        monkeypatch.setattr(index_module, "BATCH_PAUSE_S", 0.0)
        monkeypatch.setattr(index_module, "RETRY_S", 0.001)
        self.index = AuditIndex.open(folder.path, on_progress=self._progressed)
        folder.commits = self

    def append(self, next_seq: int) -> None:
        """Stands where the folder keeps the numbers of its commits."""
        self.index.notify(next_seq)

    def _progressed(self) -> None:
        with self.progress:
            self.progress.notify_all()

    def caught_up(self) -> AuditIndex:
        with self.progress:
            assert self.progress.wait_for(lambda: not self.index.behind_entries, timeout=20), (
                self.index.reason
            )
        return self.index


@pytest.fixture
def followed(folder: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Followed]:
    followed = Followed(folder, monkeypatch)
    yield followed
    followed.index.close()


async def test_rows_name_the_place_of_their_entry(followed: Followed, intent: Make, outcome: Make) -> None:
    followed.folder.limits = replace(followed.folder.limits, segment_bytes_max=500)
    async with followed.folder.log() as log:
        for number in range(9):
            await log.append(intent(f"c{number}", code="rate"), outcome(f"c{number}"))
        index = followed.caught_up()
        rows = index.find("acme", kind="intent", limit=100)
        assert [row.call for row in rows] == [f"c{number}" for number in reversed(range(9))]
        for row in rows:
            entry = reading.entry_at(followed.folder.path, row.segment, row.offset_bytes)
            assert (entry.seq, entry.members["call"]) == (row.seq, row.call)
        assert (rows[0].subject, rows[0].tool, rows[0].effect, rows[0].code) == (
            "ana",
            "orders/get",
            "allow",
            "rate",
        )
        assert [row.kind for row in index.entries_of_call("acme", "c3")] == ["intent", "outcome"]


async def test_queries_are_narrowed_and_paged(followed: Followed, intent: Make) -> None:
    async with followed.folder.log() as log:
        await log.append(
            *(intent(f"c{n}", "deny" if n % 2 else "allow", tool=f"t{n % 3}") for n in range(12))
        )
        index = followed.caught_up()
        assert len(index.find("acme", effect="deny")) == 6
        assert len(index.find("acme", effect="deny", tool="t1")) == 2
        assert index.find("acme", subject="nobody") == []
        first = index.find("acme", limit=5)
        second = index.find("acme", limit=5, before_seq=first[-1].seq)
        assert [row.seq for row in first + second] == list(range(12, 2, -1))


async def test_a_tenant_sees_nothing_of_another(followed: Followed, intent: Make) -> None:
    async with followed.folder.log() as log:
        await log.append(intent("c1"), Draft("intent", {"call": "c1", "effect": "allow"}, "other"))
        index = followed.caught_up()
        assert [row.tenant for row in index.find("other")] == ["other"]
        assert [row.tenant for row in index.entries_of_call("acme", "c1")] == ["acme"]
        assert index.find("")[0].kind == "log_created"
        assert {row.tenant for row in index.operator_find_in_all_tenants()} == {"", "acme", "other"}


def test_every_query_asks_for_a_tenant_or_says_operator_in_its_name() -> None:
    queries = [
        (name, method)
        for name, method in inspect.getmembers(AuditIndex, inspect.isfunction)
        if not name.startswith("_") and "Row" in str(inspect.signature(method).return_annotation)
    ]
    assert len(queries) == 4
    queries += [(name, vars(AuditIndex)[name]) for name in ("calls_of_prefix", "newest_since")]
    for name, method in queries:
        assert name.startswith("operator_") or list(inspect.signature(method).parameters)[1] == "tenant"


async def test_how_calls_ended_is_asked_for_many_at_once(
    followed: Followed, intent: Make, outcome: Make
) -> None:
    async with followed.folder.log() as log:
        await log.append(*(intent(f"c{n}") for n in range(6)), *(outcome(f"c{n}") for n in (4, 1)))
        await log.append(
            Draft("resolution", {"call": "c2", "status": "failed"}, "acme"),
            Draft("hold", {"call": "c2", "event": "held"}, "acme"),
            Draft("outcome", {"call": "c1", "status": "failed"}, "other"),
        )
        index = followed.caught_up()
        found = index.ends_of_calls("acme", ["c1", "c2", "c3"])
        assert [(row.call, row.kind) for row in found] == [("c1", "outcome"), ("c2", "resolution")]
        assert index.ends_of_calls("acme", []) == []
        assert [row.call for row in index.ends_of_calls("other", ["c1", "c2"])] == ["c1"]


async def test_calls_are_found_by_how_their_ids_begin(
    followed: Followed, intent: Make, outcome: Make
) -> None:
    async with followed.folder.log() as log:
        await log.append(intent("ab1"), outcome("ab1"), intent("ab2"), intent("b"))
        await log.append(Draft("intent", {"call": "ab3", "effect": "allow"}, "other"))
        index = followed.caught_up()
        assert index.calls_of_prefix("acme", "ab") == ["ab1", "ab2"]
        assert index.calls_of_prefix("acme", "ab1") == ["ab1"]
        assert index.calls_of_prefix("acme", "ab3") == []
        assert index.calls_of_prefix("other", "a") == ["ab3"]
        await log.append(*(intent(f"ab{n:02}") for n in range(40)))
        assert len(followed.caught_up().calls_of_prefix("acme", "a")) == index_module.CANDIDATES_MAX


async def test_a_tenant_is_told_whether_it_has_more_and_not_whether_others_have(
    followed: Followed, intent: Make
) -> None:
    async with followed.folder.log() as log:
        await log.append(intent("c1"))
        index = followed.caught_up()
        since = index.known_seq
        assert index.newest_since("acme", 0) == 1
        assert index.newest_since("acme", since) is None
        await log.append(Draft("intent", {"call": "c1", "effect": "allow"}, "other"))
        assert followed.caught_up().newest_since("acme", since) is None
        assert index.newest_since("other", since) == 2
        await log.append(intent("c2"))
        assert followed.caught_up().newest_since("acme", since) == 3


async def test_no_query_of_calls_walks_a_whole_tenant(followed: Followed, intent: Make) -> None:
    """Each is answered by an index that begins with what is asked for."""
    explained: list[str] = []
    index = followed.index

    def explain(sql: str, *values: str | int) -> list[Any]:
        with closing(sqlite3.connect(followed.folder.path / "audit" / "index.sqlite3")) as connection:
            rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
        explained.append(" / ".join(row[3] for row in rows))
        return []

    async with followed.folder.log() as log:
        await log.append(intent("c1"))
        followed.caught_up()
        index._ask = explain  # type: ignore[method-assign]
        index.entries_of_call("acme", "c1")
        index.ends_of_calls("acme", ["c1", "c2"])
        index.calls_of_prefix("acme", "c")
        index.find("acme", kind="intent", tool="orders/get")
        index.find("acme", kind="intent", subject="ana")
        index.find("acme", kind="intent")
        index.newest_since("acme", 1)
    for plan, place in zip(
        explained,
        (
            "by_call (tenant=? AND call=?)",
            "by_call (tenant=? AND call=?)",
            "by_call (tenant=? AND call>? AND call<?)",
            "by_tool (tenant=? AND tool=? AND seq<?)",
            "by_subject (tenant=? AND subject=? AND seq<?)",
            "by_kind (tenant=? AND kind=? AND seq<?)",
            "INTEGER PRIMARY KEY (rowid>?)",
        ),
        strict=True,
    ):
        assert place in plan


@pytest.mark.parametrize(
    "damage", ["delete", "garbage", "empty", "other schema", "later version", "rows of another log"]
)
async def test_a_damaged_index_is_made_again(
    folder: Any, monkeypatch: pytest.MonkeyPatch, intent: Make, damage: str
) -> None:
    async with folder.log() as log:
        await log.append(*(intent(f"c{number}") for number in range(5)))
    rebuild(folder.path)
    path = folder.path / "audit" / "index.sqlite3"
    if damage == "delete":
        path.unlink()
    elif damage == "garbage":
        path.write_bytes(b"garbage" * 4096)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other schema":
        path.unlink()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY, tenant TEXT)")
    elif damage == "later version":
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("PRAGMA user_version = 2")
            connection.execute("UPDATE entry SET call = 'as a later version means it'")
    else:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE log SET genesis = x'00'")
    followed = Followed(folder, monkeypatch)
    async with folder.log() as log:
        await log.append(intent("c5"))
        assert [row.call for row in followed.caught_up().find("acme")] == [
            f"c{n}" for n in (5, 4, 3, 2, 1, 0)
        ]
    followed.index.close()


async def test_a_replaced_log_is_noticed(folder: Any, monkeypatch: pytest.MonkeyPatch, intent: Make) -> None:
    async with folder.log() as log:
        await log.append(intent("old"))
    rebuild(folder.path)
    shutil.rmtree(folder.segments)
    folder.clock.now_us += 1
    followed = Followed(folder, monkeypatch)
    async with folder.log() as log:
        await log.append(intent("new"))
        assert [row.call for row in followed.caught_up().find("acme")] == ["new"]
    followed.index.close()


async def test_an_index_that_cannot_be_made_harms_no_append(
    folder: Any, monkeypatch: pytest.MonkeyPatch, intent: Make
) -> None:
    (folder.path / "audit" / "index.sqlite3").mkdir(parents=True)
    followed = Followed(folder, monkeypatch)
    async with folder.log() as log:
        await log.append(intent("c1"))
        assert log.health().state == "ok"
        with pytest.raises(IndexUnavailable):
            followed.index.find("acme")
        assert followed.index.known_seq == 0
        (folder.path / "audit" / "index.sqlite3").rmdir()
        assert [row.call for row in followed.caught_up().find("acme")] == ["c1"]
        # What was wrong once is not said for ever.
        await log.append(intent("c2"))
        assert followed.caught_up().known_seq == 3
    followed.index.close()
    assert followed.index.reason == ""


async def test_rebuild_reads_the_segments_and_wants_no_writer(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        await log.append(*(intent(f"c{number}") for number in range(3)))
        with pytest.raises(AuditLocked):
            rebuild(folder.path)
    assert rebuild(folder.path) == 4
    assert rebuild(folder.path) == 4


async def test_it_continues_where_it_was(followed: Followed, intent: Make) -> None:
    async with followed.folder.log() as log:
        await log.append(intent("c1"))
        followed.caught_up()
        for number in range(2, 30):
            await log.append(intent(f"c{number}"))
        rows = followed.caught_up().find("acme", limit=100)
    assert [row.seq for row in rows] == list(range(29, 0, -1))
    assert all(isinstance(row, Row) for row in rows)
