"""What every store of held calls promises. A new store is one more parameter of the ``store`` fixture."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durable.errors import StatementRefused, StoreClosed, StoreUnavailable
from durable.holds.refusals import TooManyHolds, UnknownHold
from durable.holds.tx import Tx
from durable.stores.base import READ_ALL_AGAIN, WATCH_IDS_MAX, HoldStore, Waiters
from tests.contract.stores.conftest import Clocks
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


async def turns(count: int = 3) -> None:
    """Let the event loop do what it has to."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_a_script_wrote_is_read(store: HoldStore) -> None:
    hold = await store.run(file_one, "h1")
    assert (hold.id, hold.version, hold.created_ms) == ("h1", 1, NOON_MS)
    assert await store.read(version, "h1") == 1
    assert await store.run(bump, "h1") == 2
    assert await store.read(version, "h1") == 2


async def test_rows_come_as_they_were_put(store: HoldStore) -> None:
    def kinds(tx: Tx) -> list[dict[str, Any]]:
        return tx.rows(
            "SELECT :words AS words, :number AS number, :none AS missing, :big AS big",
            words='ä "\n',
            number=-1,
            none=None,
            big=2**63 - 1,
        )

    expected = [{"words": 'ä "\n', "number": -1, "missing": None, "big": 2**63 - 1}]
    assert await store.read(kinds) == expected
    assert await store.run(kinds) == expected


async def test_a_statement_says_how_many_rows_it_changed(store: HoldStore) -> None:
    def delete(tx: Tx) -> int:
        return tx.execute("DELETE FROM hold_outbox WHERE seq <= :seq", seq=2)

    for seq in (1, 2, 3):
        assert await store.run(put, "h1", seq=seq) == 1
    assert await store.run(delete) == 2
    assert await store.run(delete) == 0


@pytest.mark.parametrize("error", [TooManyHolds("no"), RuntimeError("a bug"), KeyError("x")], ids=repr)
async def test_a_script_that_raises_leaves_nothing_and_its_caller_gets_what_it_raised(
    store: HoldStore, error: Exception
) -> None:
    with store.watch() as changes:
        raised = await asyncio.gather(store.run(put_and_fail, "bad", error), return_exceptions=True)
        assert raised == [error]
        await store.run(put, "good")
        assert await store.read(names) == ["good"]
        await store.run(file_one, "h1")
        assert await anext(changes) == "h1", "nobody is woken by what was not stored"


async def test_a_read_that_raises_tells_its_caller_and_nobody_else(store: HoldStore) -> None:
    def fail(tx: Tx) -> None:
        raise RuntimeError("a bug")

    raised = await asyncio.gather(store.read(fail), store.read(names), return_exceptions=True)
    assert isinstance(raised[0], RuntimeError)
    assert raised[1] == []
    with pytest.raises(UnknownHold):
        await store.read(version, "none")
    assert store.health().state == "ok"


@pytest.mark.parametrize("error", [StopIteration(), asyncio.CancelledError(), GeneratorExit()], ids=repr)
async def test_no_exception_is_odd_enough_to_leave_its_caller_waiting(
    store: HoldStore, error: BaseException
) -> None:
    """A future cannot carry the first of them, and a coroutine turns it into another one."""

    def fail(tx: Tx) -> None:
        raise error

    for way in (store.run, store.read):
        async with asyncio.timeout(30):
            with pytest.raises((type(error), RuntimeError)):
                await way(fail)
    assert await store.run(put, "after") == 1


async def test_one_of_many_at_once_fails_alone(store: HoldStore) -> None:
    errors = {number: RuntimeError(f"bug {number}") for number in range(0, 60, 7)}
    ran = await asyncio.gather(
        *(
            store.run(put_and_fail, f"n{number:02}", errors[number])
            if number in errors
            else store.run(put, f"n{number:02}")
            for number in range(60)
        ),
        return_exceptions=True,
    )
    assert [ran[number] for number in errors] == list(errors.values())
    assert await store.read(names) == [f"n{number:02}" for number in range(60) if number not in errors]


async def test_a_wrong_statement_is_refused_and_leaves_nothing(store: HoldStore) -> None:
    def wrong(tx: Tx, sql: str, **values: Any) -> None:
        put(tx, "before")
        tx.execute(sql, **values)

    twice = "INSERT INTO hold_outbox SELECT * FROM hold_outbox"
    orphan = (
        "INSERT INTO hold_event (hold, seq, tenant, at_ms, kind, actor, round, fence, details) "
        "VALUES ('none', 1, 'acme', 1, 'held', 'x', 1, 0, '{}')"
    )
    for sql, values in (
        (twice, {}),
        (orphan, {}),
        ("UPDATE nowhere SET x = 1", {}),
        ("SELECT :missing", {}),
    ):
        with pytest.raises(StatementRefused):
            await store.run(wrong, sql, **values)
    assert await store.read(names) == []
    assert store.health().state == "ok"
    # The same two ways of writing, without what was wrong about them.
    await store.run(file_one, "h1")
    await store.run(wrong, "UPDATE hold SET reason = :reason WHERE id = 'h1'", reason="x")
    assert "before" in await store.read(names)


async def test_a_read_cannot_write(store: HoldStore) -> None:
    def sneak(tx: Tx) -> Any:
        return tx.rows("INSERT INTO hold_outbox VALUES ('x', 1, 'log', 0, 0) RETURNING hold")

    for script in (lambda tx: put(tx, "x"), sneak):
        with pytest.raises(StatementRefused, match="cannot write"):
            await store.read(script)
    assert await store.read(names) == []
    assert store.health().state == "ok"
    assert await store.run(sneak) == [{"hold": "x"}]


async def test_a_transaction_is_of_no_use_after_its_script(store: HoldStore) -> None:
    kept: list[Tx] = []
    await store.run(kept.append)
    await store.read(kept.append)
    for tx in kept:
        with pytest.raises(StatementRefused):
            tx.rows("SELECT 1")
        with pytest.raises(StatementRefused):
            tx.execute("DELETE FROM hold")


async def test_a_reading_script_sees_one_moment(store: HoldStore) -> None:
    await store.run(file_one, "h1")
    seen = await store.read(lambda tx: (version(tx, "h1"), tx.now_ms, tx.now_ms))
    assert seen == (1, NOON_MS, NOON_MS)


# Waiting.


async def test_a_waiter_returns_in_the_turn_in_which_the_change_is_told(store: HoldStore) -> None:
    await store.run(file_one, "h1")
    await store.run(file_one, "h2")
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        mine = group.create_task(store.changed("h1", 1, timeout_s=3600))
        other = group.create_task(store.changed("h2", 1, timeout_s=3600))
        while await store.run(bump, "h1") < 3:
            pass
        await turns()
        assert mine.done()
        assert not other.done()
        await store.run(bump, "h2")
        await turns()
        assert other.done()


async def test_a_newer_version_or_a_missing_hold_is_not_waited_for(store: HoldStore) -> None:
    await store.run(file_one, "h1")
    async with asyncio.timeout(30):
        await store.changed("h1", 0, timeout_s=3600)
        await store.changed("none", 0, timeout_s=3600)


async def test_waiting_ends_with_the_time(store: HoldStore) -> None:
    await store.run(file_one, "h1")
    async with asyncio.timeout(30):
        await store.changed("h1", 1, timeout_s=0.01)
        await store.changed("h1", 1, timeout_s=0)
        await store.changed("h1", 1, timeout_s=-1)


class Interrupted:
    """Each read of a version is followed by a change, before anybody can act on it."""

    def __init__(self, store: HoldStore) -> None:
        self.store = store

    async def read(self, script: Any, *args: Any) -> Any:
        found = await self.store.read(script, *args)
        await self.store.run(bump, "h1")
        return found


async def test_a_change_between_reading_and_waiting_is_not_missed(store: HoldStore) -> None:
    await store.run(file_one, "h1")
    waiters = Waiters()
    store._waiters = waiters
    async with asyncio.timeout(30):
        await waiters.changed(Interrupted(store), "h1", 1, timeout_s=3600)
    assert await store.read(version, "h1") == 2


async def test_the_same_change_is_missed_by_a_waiter_that_reads_first(store: HoldStore) -> None:
    await store.run(file_one, "h1")
    assert await Interrupted(store).read(version, "h1") == 1
    waiting = asyncio.ensure_future(store._waiters.changed(NothingNew(), "h1", 1, timeout_s=3600))
    await turns(10)
    assert not waiting.done()
    waiting.cancel()


class NothingNew:
    async def read(self, script: Any, *args: Any) -> bool:
        return False


async def test_no_wake_up_is_lost_in_many_changes_with_many_waiters(store: HoldStore) -> None:
    changes, waiters = 200, 20
    await store.run(file_one, "h1")

    async def follow() -> int:
        seen, looks = 1, 0
        while seen < changes:
            await store.changed("h1", seen, timeout_s=3600)
            seen = await store.read(version, "h1")
            looks += 1
        return looks

    async def change() -> None:
        while await store.run(bump, "h1") < changes:
            await asyncio.sleep(0)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        followers = [group.create_task(follow()) for _ in range(waiters)]
        group.create_task(change())
    assert all(1 <= follower.result() <= changes for follower in followers)


async def test_wake_all_ends_all_waiting_and_nobody_is_left_behind(store: HoldStore) -> None:
    for name in ("h1", "h2"):
        await store.run(file_one, name)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        waiting = [group.create_task(store.changed(name, 1, timeout_s=3600)) for name in ("h1", "h1", "h2")]
        await turns(1)
        assert not any(task.done() for task in waiting)
        store.wake_all()
    assert not store._waiters._bells
    gone = asyncio.ensure_future(store.changed("h1", 1, timeout_s=3600))
    await turns()
    gone.cancel()
    await turns()
    assert gone.cancelled()
    assert not store._waiters._bells


# Watching.


async def test_a_watcher_gets_each_hold_that_changes_once_until_it_takes_it(store: HoldStore) -> None:
    await store.run(file_one, "before")
    with store.watch() as changes, store.watch() as others:
        for name in ("h1", "h2"):
            await store.run(file_one, name)
        await store.run(bump, "h1")
        async with asyncio.timeout(30):
            assert [await anext(changes), await anext(changes)] == ["h1", "h2"]
            await store.run(bump, "h1")
            assert await anext(changes) == "h1"
            assert await anext(others) == "h1"


async def test_a_watcher_that_falls_behind_is_told_to_read_all_again(store: HoldStore) -> None:
    def wake(tx: Tx, count: int) -> None:
        for number in range(count):
            tx.wake(f"h{number}")

    with store.watch() as behind:
        await store.run(wake, WATCH_IDS_MAX)
        assert await anext(behind) == "h0"
        await store.run(wake, WATCH_IDS_MAX + 1)
        assert await anext(behind) == READ_ALL_AGAIN
        await store.run(bump, (await store.run(file_one, "next")).id)
        assert await anext(behind) == "next"


async def test_wake_all_tells_watchers_to_read_all_again(store: HoldStore) -> None:
    with store.watch() as changes:
        await store.run(file_one, "h1")
        store.wake_all()
        assert await anext(changes) == READ_ALL_AGAIN


# Time.


@pytest.mark.abuse(117)
async def test_time_goes_on_when_the_wall_clock_is_set_back(store: HoldStore, clocks: Clocks) -> None:
    assert await store.run(now) == NOON_MS
    clocks.wall_ms -= DAY_MS
    assert await store.run(now) == NOON_MS
    clocks.forward(5)
    assert await store.read(now) == NOON_MS + 5
    assert store.health().clock_ahead_ms == DAY_MS
    clocks.wall_ms += DAY_MS
    assert await store.run(now) == NOON_MS + 5
    assert store.health().clock_ahead_ms == 0
    clocks.forward(5)
    assert await store.run(now) == NOON_MS + 10


@pytest.mark.abuse(117)
async def test_a_clock_that_jumps_ahead_is_believed_and_what_it_ended_stays_ended(
    store: HoldStore, clocks: Clocks
) -> None:
    hold = await store.run(file_one, "h1")
    clocks.wall_ms += DAY_MS
    assert await store.read(now) > hold.expires_ms
    clocks.wall_ms -= DAY_MS
    assert await store.read(now) > hold.expires_ms
    # A hold that is filed meanwhile waits as long as any other.
    later = await store.run(file_one, "h2")
    assert later.expires_ms - later.created_ms == hold.expires_ms - hold.created_ms


# Ending.


async def test_closing_wakes_everybody_and_refuses_what_comes_after(store: HoldStore) -> None:
    await store.run(file_one, "h1")
    with store.watch() as changes:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(store.changed("h1", 1, timeout_s=3600))
            running = group.create_task(store.run(bump, "h1"))
            await turns(1)
            await store.aclose()
        assert running.result() == 2
        assert [hold_id async for hold_id in changes]
    assert store.health().state == "closed"
    for late in (store.run(bump, "h1"), store.read(version, "h1"), store.changed("h1", 1, timeout_s=1)):
        with pytest.raises(StoreClosed):
            await late
    await store.aclose()


def test_every_failure_of_a_store_is_a_kind_of_unavailable() -> None:
    kinds = StoreUnavailable.__subclasses__()
    assert len({kind.code for kind in kinds}) == len(kinds) == 9
    assert all(kind.code.startswith("holds_") and kind.__doc__ for kind in kinds)
