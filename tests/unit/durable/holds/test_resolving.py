"""A person found out what came of a call, or wants it run again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.durable.holds.kit import ANA, BEN, DAN, HOUR_MS, KEY, MINUTE_MS, REAL, TENANT, person

deciding, refusals = REAL.deciding, REAL.refusals
REX = person("rex")


def resolve(bench, hold, outcome, someone=ANA, evidence="ticket 7"):
    return bench.run(deciding.resolve, hold.id, someone, outcome, evidence=evidence, key=KEY)


@pytest.fixture
def lost(bench):
    return bench.finish(bench.executing(), "outcome_unknown")


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_what_a_person_found_out_becomes_the_end_with_their_evidence(bench, lost, outcome):
    hold = resolve(bench, lost, outcome)
    assert (hold.status, hold.reason, hold.reason_by) == (outcome, "ticket 7", ANA.id)
    assert hold.outcome.code == "resolved"
    assert hold.outcome.payload is None
    assert hold.next_ms == bench.now_ms + HOUR_MS
    event = bench.read(REAL.finding.story, hold).events[-1]
    assert (event.kind, event.actor, event.details["evidence"]) == (outcome, ANA.id, "ticket 7")


def test_a_wish_to_run_it_again_needs_new_approvals_and_is_another_attempt(bench, lost):
    bench.now_ms += MINUTE_MS
    hold = resolve(bench, lost, "held")
    assert (hold.status, hold.round, hold.attempts, hold.fence, hold.outcome) == ("held", 2, 1, 1, None)
    assert hold.expires_ms == bench.now_ms + HOUR_MS
    assert bench.read(REAL.mover.waiting, TENANT, None) == 1
    assert bench.decide(hold, BEN).hold.status == "approved"
    again = bench.begin(hold)
    assert (again.status, again.fence, again.attempts) == ("executing", 2, 2)
    with pytest.raises(refusals.StaleFence):
        bench.finish(lost, fence=1)
    assert bench.finish(again).status == "succeeded"


def test_a_second_run_that_nobody_approves_ends_as_unknown_as_it_was(bench, lost):
    hold = resolve(bench, lost, "held")
    assert bench.decide(hold, BEN, "deny").hold.status == "outcome_unknown"
    resolve(bench, lost, "held")
    bench.now_ms += HOUR_MS
    bench.sweep()
    assert bench.status(hold) == "outcome_unknown"


@pytest.mark.abuse(85)
def test_nobody_says_what_became_of_their_own_agents_call(bench, lost):
    for same in (REX, replace(REX, id="REX@example.com"), person("x", id="rex-agent")):
        with pytest.raises(refusals.NotEligible):
            resolve(bench, lost, "succeeded", same)
    with pytest.raises(refusals.NotEligible):
        resolve(bench, lost, "succeeded", DAN)
    assert resolve(bench, lost, "succeeded").status == "succeeded"


@pytest.mark.parametrize("how", ["sole", "self_confirm"])
def test_the_sole_person_and_the_one_who_may_confirm_themselves_can(bench, how):
    hold = bench.file(asked={"self_confirm": how == "self_confirm"})
    bench.decide(hold, ANA)
    bench.finish(bench.begin(hold), "outcome_unknown")
    someone = replace(REX, sole=how == "sole")
    assert resolve(bench, hold, "failed", someone).status == "failed"


def test_the_wider_circle_may_find_out_without_an_escalation(bench):
    hold = bench.approved(asked={"escalate_ms": HOUR_MS, "escalate_to": ("boss",)})
    bench.finish(bench.begin(hold), "outcome_unknown")
    assert resolve(bench, hold, "failed", person("boss", "boss")).status == "failed"


@pytest.mark.parametrize("status", ["held", "approved", "executing", "succeeded", "denied"])
def test_only_an_unknown_outcome_is_resolved(bench, status):
    hold = bench.file()
    if status == "denied":
        bench.decide(hold, ANA, "deny")
    elif status != "held":
        bench.decide(hold, ANA)
        if status != "approved":
            running = bench.begin(hold)
            if status == "succeeded":
                bench.finish(running)
    for outcome in ("succeeded", "failed", "held"):
        with pytest.raises(refusals.WrongStatus) as refused:
            resolve(bench, hold, outcome)
        assert refused.value.status == status
