"""The way to a held call, out of a real log and its index: of its session only, bounded, and never an error."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from durable.audit.index import AuditIndex, rebuild
from durable.errors import IndexUnavailable
from gateway.core.content import ContentFinding, Observations
from gateway.core.decision import decide
from gateway.core.principal import NO_WORKFLOW, Principal, Subject, Workflow
from gateway.core.record import Attempt, Record, intent_record, outcome_record
from gateway.holding.filing import requester_of, workflow_members
from gateway.holding.way import LOOKED_MAX, STEPS_MAX, LoggedWays
from gateway.trail import Trail as AuditTrail
from tests.contract.stores.rows import filing
from tests.fakes import ALLOWED, ANA, BEN, HELD, call_of, caller, definition
from tests.unit.durable.conftest import LogFolder

SIGNED = Workflow(id="w1", verified=True)
CLERK = Principal(subject=ANA.subject, agent="clerk", tenant=ANA.tenant)
ELSEWHERE = Principal(subject=Subject(id=ANA.subject.id), agent=ANA.agent, tenant="other")


def found(**counts):
    findings = [
        ContentFinding(family="secret", kind=kind, rule=f"rule.{kind}", pointer="/note") for kind in counts
    ]
    return Observations(findings=tuple(findings), counts=counts)


class World:
    """A log that is written first and asked afterwards."""

    def __init__(self, folder):
        self.folder = folder
        self.records = []
        self.number = 0

    def call(
        self, who=ANA, workflow=NO_WORKFLOW, *, tool="read", ended="succeeded", hold="", fence=0, **seen
    ):
        """One request of an agent; without ``ended`` nobody knows its end."""
        self.number += 1
        call, name = call_of({"n": self.number}, tool=tool), f"call-{self.number}"
        about = (name, call, caller(who, workflow=workflow), definition(tool))
        attempt = Attempt(hold=hold, fence=fence) if hold else None
        held = hold and not fence
        self.records.append(
            intent_record(
                *about,
                decide(HELD if held else ALLOWED),
                forwarded=not held,
                mode="enforce",
                attempt=attempt,
                found=seen.get("before", Observations()),
            )
        )
        if ended:
            self.records.append(
                outcome_record(*about, ended, attempt=attempt, found=seen.get("after", Observations()))
            )
        return name

    def held(self, who=ANA, workflow=NO_WORKFLOW, **seen):
        """The request that is held, and what is asked of its hold here."""
        call = self.call(who, workflow, tool="send", ended="held", hold="it", **seen)
        return filing(
            "it",
            tenant=who.tenant,
            requester=requester_of(who),
            workflow=workflow_members(workflow),
            call_id=call,
        )

    async def way_to(self, hold):
        async with self.folder.log() as log:
            await AuditTrail(log).append(*self.records)
        rebuild(self.folder.path)
        with closing(AuditIndex.open(self.folder.path)) as index:
            return await LoggedWays(index, self.folder.path).of(hold)


@pytest.fixture
def world(tmp_path):
    return World(LogFolder(tmp_path / "data"))


def told(trail):
    return [(step.call, step.target, step.effect, step.status) for step in trail.steps]


async def test_the_steps_are_what_the_same_session_did_before_oldest_first(world):
    world.call(tool="search")
    world.call(tool="read", ended="outcome_unknown")
    world.call(tool="write", ended="")
    hold = world.held()
    world.call(tool="later")
    trail = await world.way_to(hold)
    assert told(trail) == [
        ("call-1", "orders/search", "allow", "succeeded"),
        ("call-2", "orders/read", "allow", "outcome_unknown"),
        ("call-3", "orders/write", "allow", ""),
    ]
    assert {(step.method, step.at_ms > 0) for step in trail.steps} == {("tools/call", True)}
    assert (trail.problem, trail.labels) == ("", ())


@pytest.mark.abuse(80)
@pytest.mark.parametrize(
    ("who", "workflow"),
    [(BEN, NO_WORKFLOW), (CLERK, NO_WORKFLOW), (ELSEWHERE, NO_WORKFLOW), (ANA, SIGNED)],
    ids=["subject", "agent", "tenant", "signed workflow"],
)
async def test_what_another_session_did_is_none_of_them(world, who, workflow):
    world.call(who, workflow, tool="theirs")
    world.call(tool="ours")
    trail = await world.way_to(world.held())
    assert [step.target for step in trail.steps] == ["orders/ours"]
    world.records.clear()
    theirs = await world.way_to(world.held(who, workflow))
    assert [step.target for step in theirs.steps] == ["orders/theirs"], "control: theirs has its own"


@pytest.mark.abuse(63)
async def test_nobody_leaves_a_step_behind_by_naming_another_workflow(world):
    world.call(ANA, Workflow(id="first"), tool="read")
    trail = await world.way_to(world.held(ANA, Workflow(id="second", step="x")))
    assert [step.target for step in trail.steps] == ["orders/read"]


async def test_what_was_found_is_counted_over_arguments_and_answer(world):
    world.call(before=found(email=1), after=found(email=2, injection=1))
    hold = world.held(before=found(iban=3, email=1))
    trail = await world.way_to(hold)
    assert [dict(step.found) for step in trail.steps] == [{"email": 3, "injection": 1}]
    assert dict(trail.found) == {"email": 1, "iban": 3}
    assert trail.found_by == ("rule.email", "rule.iban")


async def test_of_a_call_that_was_asked_for_again_and_again_the_last_time_is_a_step(world):
    for _ in range(5):
        world.call(tool="refund", ended="held", hold="other")
    world.call(tool="refund", hold="other", fence=1)
    trail = await world.way_to(world.held())
    assert told(trail) == [
        ("call-5", "orders/refund", "hold", "held"),
        ("call-6", "orders/refund", "allow", "succeeded"),
    ]


async def test_a_person_who_found_out_has_the_last_word(world):
    call = world.call(ended="outcome_unknown")
    world.records.append(
        Record(kind="resolution", tenant="acme", members={"call": call, "status": "failed", "by": "lea"})
    )
    trail = await world.way_to(world.held())
    assert told(trail) == [("call-1", "orders/read", "allow", "failed")]


async def test_there_are_only_so_many_steps(world):
    for _ in range(STEPS_MAX + 5):
        world.call()
    trail = await world.way_to(world.held())
    assert [step.call for step in trail.steps] == [f"call-{number}" for number in range(6, STEPS_MAX + 6)]
    assert trail.problem == ""


async def test_behind_many_requests_of_others_it_is_said_how_far_was_looked(world):
    world.call()
    for _ in range(LOOKED_MAX):
        world.call(CLERK)
    hold = world.held()
    trail = await world.way_to(hold)
    assert trail.steps == ()
    assert trail.problem == f"not beyond the latest {LOOKED_MAX} requests for ana@example.com"


async def test_an_index_that_is_behind_is_said_to_be(world):
    hold = world.held(before=found(email=1))
    trail = await world.way_to(replace(hold, call_id="not-there-yet"))
    assert "does not have this call yet" in trail.problem
    assert (trail.steps, dict(trail.found)) == ((), {})
    world.records.clear()
    assert (await world.way_to(hold)).found == {"email": 1}, "control: that one it has"


class Broken:
    def __init__(self, error):
        self.error = error

    def entries_of_call(self, tenant, call):
        raise self.error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (IndexUnavailable("the index cannot answer", next_step=""), "the index cannot answer"),
        (PermissionError(13, "Permission denied"), "it cannot be read (Permission denied)"),
    ],
)
async def test_trouble_with_the_log_is_told_and_not_raised(tmp_path, error, words):
    trail = await LoggedWays(Broken(error), tmp_path).of(filing("it"))
    assert (trail.problem, trail.steps) == (words, ())


async def test_segments_that_are_gone_are_trouble_too(world):
    hold = world.held()
    assert (await world.way_to(hold)).problem == "", "control"
    for segment in world.folder.segments.iterdir():
        segment.unlink()
    with closing(AuditIndex.open(world.folder.path)) as index:
        trail = await LoggedWays(index, world.folder.path).of(hold)
    assert trail.problem
    assert trail.steps == ()
