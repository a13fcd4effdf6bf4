"""A session keeps its labels while it is used and for an hour after, over restarts, and never by halves."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from gateway.content.sessions import IDLE_S, LABELS_MAX, RENEWED_S, Sessions, session_of
from gateway.core.principal import NO_WORKFLOW, Principal, Subject, Workflow
from gateway.errors import ApprovalsUnavailable
from tests.fakes import ANA, BEN
from tests.unit.gateway.content.stores import AskedStore, Clock

SIGNED = Workflow(id="w1", verified=True)


class World:
    def __init__(self, clock, store):
        self.clock, self.store = clock, store
        self.start()

    def start(self, **bounds):
        self.sessions = Sessions(self.store, monotonic_s=self.clock.s, **bounds)

    async def labels(self, principal=ANA, workflow=NO_WORKFLOW):
        return await self.sessions.labels(principal, workflow)

    async def add(self, *labels, principal=ANA, workflow=NO_WORKFLOW):
        await self.sessions.add(principal, workflow, frozenset(labels))

    def rows(self):
        return self.store.store._connection.execute("SELECT labels FROM agent_session").fetchall()


@pytest.fixture
async def world():
    clock = Clock()
    store = await AskedStore.open(clock)
    yield World(clock, store)
    await store.store.aclose()


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_session_has_the_labels_it_was_given(world):
    assert await world.labels() == frozenset()
    await world.add("a")
    await world.add("b", "a")
    assert await world.labels() == {"a", "b"}


@pytest.mark.abuse(63)
async def test_they_are_stored_before_the_result_is_handed_out_and_survive_a_restart(world):
    await world.add("a")
    assert world.rows() == [("a",)]
    world.start()
    assert await world.labels() == {"a"}


async def test_the_store_is_asked_only_when_something_changes(world):
    await world.labels()
    await world.add("a")
    world.store.asked.clear()
    for _ in range(5):
        await world.labels()
        await world.add("a")
        await world.add()
        world.clock.forward(60)
    assert world.store.asked == []


@pytest.mark.abuse(63)
@pytest.mark.parametrize(
    ("principal", "workflow"),
    [
        (BEN, NO_WORKFLOW),
        (Principal(subject=ANA.subject, agent="another", tenant=ANA.tenant), NO_WORKFLOW),
        (Principal(subject=ANA.subject, agent=ANA.agent, tenant="another"), NO_WORKFLOW),
        (Principal(subject=Subject(id=ANA.subject.id, type="service"), agent=ANA.agent, tenant=ANA.tenant), NO_WORKFLOW),
        (ANA, SIGNED),
    ],
    ids=["subject", "agent", "tenant", "type", "signed workflow"],
)  # fmt: skip
async def test_labels_are_those_of_one_principal_in_one_signed_workflow(world, principal, workflow):
    await world.add("a")
    assert await world.labels(principal, workflow) == frozenset()
    await world.add("b", principal=principal, workflow=workflow)
    assert await world.labels() == {"a"}
    assert await world.labels(principal, workflow) == {"b"}


@pytest.mark.abuse(63)
async def test_no_label_is_lost_by_naming_another_workflow_that_nobody_signed(world):
    await world.add("a")
    assert await world.labels(ANA, Workflow(id="fresh")) == {"a"}
    await world.add("b", workflow=Workflow(id="fresher", step="x"))
    assert await world.labels() == {"a", "b"}
    assert session_of(ANA, SIGNED) != session_of(ANA, NO_WORKFLOW)


async def test_a_session_that_is_used_goes_on_and_one_that_is_not_is_over(world):
    await world.add("a")
    for _ in range(5):
        world.clock.forward(IDLE_S)
        assert await world.labels() == {"a"}
    world.clock.forward(IDLE_S + 1)
    assert await world.labels() == frozenset()
    assert world.rows() == []
    world.start()
    assert await world.labels() == frozenset()


async def test_people_who_look_at_a_session_do_not_make_it_last(world):
    key = session_of(ANA, NO_WORKFLOW)
    assert await world.sessions.known(key) == frozenset()
    await world.add("a")
    world.store.asked.clear()
    for _ in range(4):
        world.clock.forward(IDLE_S / 4)
        assert await world.sessions.known(key) == {"a"}
    assert world.store.asked == []
    world.clock.forward(1)
    assert await world.sessions.known(key) == frozenset(), "nobody but people has used it for an hour"
    assert await world.labels() == frozenset()


async def test_people_see_the_labels_of_sessions_that_are_stored_only(world):
    await world.add("a")
    rows = world.rows()
    world.start()
    assert await world.sessions.known(session_of(ANA, NO_WORKFLOW)) == {"a"}
    assert await world.sessions.known(session_of(ANA, SIGNED)) == frozenset()
    assert world.rows() == rows
    world.clock.forward(IDLE_S + RENEWED_S + 1)
    assert await world.sessions.known(session_of(ANA, NO_WORKFLOW)) == frozenset()


async def test_people_see_a_label_that_could_not_be_stored_yet(world):
    await world.labels()
    world.store.full = True
    with pytest.raises(ApprovalsUnavailable):
        await world.add("a")
    world.store.full = False
    assert await world.sessions.known(session_of(ANA, NO_WORKFLOW)) == {"a"}


async def test_what_is_stored_is_never_over_before_what_is_in_memory(world):
    await world.add("a")
    for _ in range(30):
        world.clock.forward(IDLE_S / 12)
        await world.labels()
    # Killed: nobody could write down the last use.
    world.clock.forward(IDLE_S)
    world.start()
    assert await world.labels() == {"a"}
    world.clock.forward(IDLE_S + RENEWED_S + 1)
    world.start()
    assert await world.labels() == frozenset()


async def test_a_call_that_took_longer_than_an_hour_ends_in_the_session_it_began_in(world):
    await world.add("a")
    world.clock.forward(IDLE_S * 2)
    await world.add("b")
    assert await world.labels() == {"a", "b"}
    assert world.rows() == [("a\nb",)]


@pytest.mark.abuse(63)
async def test_a_store_that_does_not_answer_refuses_the_call(world):
    world.store.full = True
    with pytest.raises(ApprovalsUnavailable, match="holds_disk_full"):
        await world.labels()
    world.store.full = False
    assert await world.labels() == frozenset()


@pytest.mark.abuse(63)
async def test_a_label_that_is_not_stored_keeps_its_result_and_the_next_call_back(world):
    await world.labels()
    world.store.full = True
    with pytest.raises(ApprovalsUnavailable, match="cannot be remembered"):
        await world.add("a")
    with pytest.raises(ApprovalsUnavailable):
        await world.labels()
    with pytest.raises(ApprovalsUnavailable):
        await world.add("a")
    world.store.full = False
    assert await world.labels() == {"a"}
    assert world.rows() == [("a",)]


async def test_a_session_that_cannot_be_ended_is_not_begun_anew(world):
    await world.add("a")
    world.clock.forward(IDLE_S + 1)
    world.store.full = True
    with pytest.raises(ApprovalsUnavailable):
        await world.labels()
    world.store.full = False
    # What is stored still stands: more than was needed, never less.
    assert await world.labels() == {"a"}


@pytest.mark.abuse(63)
async def test_a_caller_that_goes_away_takes_no_label_with_it(world):
    await world.labels()
    gate = world.store.close_gate()
    adding = asyncio.ensure_future(world.add("a"))
    await settled()
    adding.cancel()
    with suppress(asyncio.CancelledError):
        await adding
    gate.set()
    assert await world.labels() == {"a"}


@pytest.mark.abuse(63)
async def test_what_is_added_while_others_wait_for_the_store_is_not_lost(world):
    await world.add("a")
    world.clock.forward(IDLE_S + 1)
    gate = world.store.close_gate()
    reading = asyncio.ensure_future(world.labels())
    await settled()
    adding = [asyncio.ensure_future(world.add(name)) for name in ("b", "c")]
    await settled()
    gate.set()
    await asyncio.gather(reading, *adding)
    assert await world.labels() == {"b", "c"}
    assert world.rows() == [("b\nc",)]


async def test_a_session_that_was_pushed_out_of_memory_is_read_again(world):
    world.start(sessions_max=2)
    for number in range(5):
        await world.add(f"label {number}", workflow=Workflow(id=f"w{number}", verified=True))
    assert len(world.sessions._kept) == 2
    for number in range(5):
        assert await world.labels(ANA, Workflow(id=f"w{number}", verified=True)) == {f"label {number}"}
    assert len(world.sessions._kept) == 2


async def test_what_is_not_stored_is_not_pushed_out_of_memory(world):
    world.start(sessions_max=1)
    world.store.full = True
    with pytest.raises(ApprovalsUnavailable):
        await world.add("a")
    world.store.full = False
    await world.add("b", principal=BEN)
    assert await world.labels() == {"a"}


async def test_a_rule_cannot_label_without_end(world):
    await world.add(*(str(number) for number in range(LABELS_MAX)))
    with pytest.raises(ApprovalsUnavailable, match="more than 64 labels"):
        await world.add("one more")
    assert len(await world.labels()) == LABELS_MAX


async def test_sessions_that_are_over_are_pruned_and_no_others(world):
    await world.add("a")
    world.clock.forward(IDLE_S)
    await world.add("b", principal=BEN)
    world.clock.forward(RENEWED_S + 1)
    pruning = asyncio.ensure_future(world.sessions.keep_pruned())
    await settled()
    assert world.rows() == [("b",)]
    pruning.cancel()
    with suppress(asyncio.CancelledError):
        await pruning
