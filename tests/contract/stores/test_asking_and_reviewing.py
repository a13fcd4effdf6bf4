"""What people ask of each other, what agents say, and how reviewing goes: the same from every store."""

from __future__ import annotations

import pytest

from durable.holds import deciding, finding
from durable.holds.deciding import decide
from durable.holds.hold import Hold, Person
from durable.holds.refusals import NotAskable
from durable.holds.reviewing import Counts, Decider, Open, Span, reviewing
from durable.stores.base import HoldStore
from tests.contract.stores.conftest import Cellar, Clocks
from tests.contract.stores.rows import DAY_MS, NOON_MS, file_one

LEA, MAX, SAM = (
    Person(id=f"{name}@example.com", tenant="acme", names=frozenset({role}))
    for name, role in (("lea", "refund-lead"), ("max", "refund-lead"), ("sam", "support"))
)
MINUTE_MS = 60_000


async def say(store: HoldStore, hold: Hold, person: Person, verdict: str) -> None:
    words = {"seen": hold.seen, "reason": "", "key": b"k" * 32}
    await store.run(decide, hold.id, person, verdict, **words)


async def test_a_colleague_is_asked_and_the_event_is_there(store: HoldStore) -> None:
    hold = await store.run(file_one, "h1")
    await store.run(deciding.claim, "h1", LEA)
    with store.watch() as changes:
        asked = await store.run(deciding.ask, "h1", LEA, MAX, "your customer")
        assert await anext(changes) == "h1"
    assert (asked.claimed_by, asked.seen, asked.version) == ("", hold.seen, 3)
    event = (await store.read(finding.story, asked)).events[-1]
    assert (event.kind, event.details["whom"], event.details["note"]) == ("asked", MAX.id, "your customer")
    for whom in (SAM, LEA):
        with pytest.raises(NotAskable):
            await store.run(deciding.ask, "h1", LEA, whom, "")
    assert (await store.read(finding.one, "h1")).version == 3


async def test_what_the_agent_said_is_read_as_it_was_written(store: HoldStore) -> None:
    said = {"recommendation": "approve", "reasons": 'ä "\n\x1b[2J', "risks": "\x00"}
    await store.run(file_one, "h1", statement=said)
    await store.run(file_one, "h2")
    assert (await store.read(finding.one, "h1")).statement == said
    assert (await store.read(finding.one, "h2")).statement == {}


async def test_reviewing_in_exact_numbers(store: HoldStore, clocks: Clocks) -> None:
    for day in range(2):
        for number in range(4):
            hold = await store.run(file_one, f"d{day}n{number}")
            clocks.forward((number + 1) * MINUTE_MS)
            if number < 3:
                await say(store, hold, LEA if number else MAX, "deny" if number == 2 else "approve")
        clocks.forward(DAY_MS - 10 * MINUTE_MS)
    days = [
        Span(date=str(day), start_ms=NOON_MS + day * DAY_MS, end_ms=NOON_MS + (day + 1) * DAY_MS)
        for day in range(2)
    ]
    found = await store.read(reviewing, "acme", days)
    each = Counts(held=4, approved=2, denied=1)
    assert [day.counts for day in found.days] == [each, each]
    assert found.total == Counts(held=8, approved=4, denied=2)
    assert (found.timed, found.median_ms, found.p90_ms) == (6, 2 * MINUTE_MS, 3 * MINUTE_MS)
    assert found.deciders == (Decider(person=LEA.id, yes=2, no=2), Decider(person=MAX.id, yes=2, no=0))
    assert found.open == Open(
        by_risk=((3, 2), (2, 0), (1, 0)), oldest="d0n3", oldest_ms=NOON_MS + 6 * MINUTE_MS
    )
    assert found.total.approval_rate == pytest.approx(2 / 3)


async def test_the_numbers_outlive_a_restart(cellar: Cellar, clocks: Clocks) -> None:
    days = [Span(date="today", start_ms=NOON_MS, end_ms=NOON_MS + DAY_MS)]
    store = await cellar.open()
    hold = await store.run(file_one, "h1")
    clocks.forward(MINUTE_MS)
    await say(store, hold, LEA, "deny")
    before = await store.read(reviewing, "acme", days)
    assert (before.timed, before.median_ms) == (1, MINUTE_MS)
    await store.aclose()
    assert await (await cellar.open()).read(reviewing, "acme", days) == before
