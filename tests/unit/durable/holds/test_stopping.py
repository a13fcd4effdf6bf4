"""Deny beats approve; what was never sent can be withdrawn, what may have been sent is never called unsent."""

from __future__ import annotations

import pytest

from tests.unit.durable.holds.kit import ANA, BEN, CEM, HOUR_MS, KEY, NOON_MS, REAL, TENANT

deciding, executing, refusals = REAL.deciding, REAL.executing, REAL.refusals


def test_one_denial_ends_it_whatever_others_said(bench):
    hold = bench.file(asked={"quorum": 3})
    bench.decide(hold, ANA)
    bench.decide(hold, BEN)
    denied = bench.decide(hold, CEM, "deny").hold
    assert (denied.status, denied.reason, denied.reason_by) == ("denied", "deny: because", CEM.id)
    assert bench.events(hold) == ["held", "vote", "vote", "denied"]


@pytest.mark.parametrize("someone", [ANA, BEN], ids=["who approved it", "somebody else"])
def test_a_denial_takes_back_an_approval_that_was_not_used(bench, someone):
    hold = bench.approved(1, ANA)
    taken_back = bench.decide(hold, someone, "deny").hold
    assert (taken_back.status, taken_back.reason_by) == ("cancelled", someone.id)
    assert bench.read(REAL.finding.story, hold).events[-1].details["withdrawn"] is True
    with pytest.raises(refusals.WrongStatus):
        bench.begin(hold)
    assert bench.begin(bench.approved(2)).status == "executing"


def test_a_denial_that_comes_after_the_start_is_told_so(bench):
    hold = bench.executing()
    with pytest.raises(refusals.WrongStatus, match="it is executing"):
        bench.decide(hold, BEN, "deny")
    assert bench.finish(hold).status == "succeeded"


def test_only_who_may_decide_takes_an_approval_back(bench):
    hold = bench.approved()
    stranger = REAL.hold.Person(id="rex@example.com", tenant=TENANT, names=frozenset({"lead"}))
    with pytest.raises(refusals.NotEligible):
        bench.decide(hold, stranger, "deny")
    with pytest.raises(refusals.SeenStale):
        bench.decide(hold, BEN, "deny", seen="something else")
    assert bench.decide(hold, BEN, "deny").hold.status == "cancelled"


def test_an_approval_of_a_second_run_can_be_taken_back_and_the_first_is_not_forgotten(bench):
    hold = bench.finish(bench.executing(), "outcome_unknown")
    bench.run(deciding.resolve, hold.id, ANA, "held", evidence="not booked", key=KEY)
    assert bench.decide(hold, BEN).hold.status == "approved"
    assert bench.decide(hold, CEM, "deny").hold.status == "outcome_unknown"


@pytest.mark.parametrize("status", ["held", "approved"])
def test_its_agent_withdraws_a_call_that_does_not_run_yet(bench, status):
    hold = bench.file() if status == "held" else bench.approved()
    withdrawn = bench.run(
        deciding.cancel, hold.id, tenant=TENANT, actor="rex-agent", reason="changed my mind"
    )
    assert (withdrawn.status, withdrawn.reason, withdrawn.reason_by) == (
        "cancelled",
        "changed my mind",
        "rex-agent",
    )
    assert withdrawn.next_ms == NOON_MS + HOUR_MS


@pytest.mark.parametrize("status", ["executing", "succeeded", "outcome_unknown", "cancelled"])
def test_what_runs_or_ran_cannot_be_withdrawn(bench, status):
    hold = bench.executing() if status != "cancelled" else bench.decide(bench.approved(), BEN, "deny").hold
    if status in {"succeeded", "outcome_unknown"}:
        bench.finish(hold, status)
    with pytest.raises(refusals.WrongStatus) as refused:
        bench.run(deciding.cancel, hold.id, tenant=TENANT, actor="rex-agent", reason="")
    assert refused.value.status == status


@pytest.mark.parametrize("wanted", ["denied", "cancelled", "expired", "invalidated"])
def test_after_an_attempt_that_may_have_been_sent_no_end_says_that_it_never_ran(bench, wanted):
    hold = bench.executing(idempotent=True)
    bench.run(executing.retry, hold.id, 1, reason="connection lost", again_ms=0)
    if wanted == "denied":
        assert bench.begin(hold, stricter="more people by now").status == "held"
        bench.decide(hold, ANA, "deny")
    elif wanted == "cancelled":
        bench.run(deciding.cancel, hold.id, tenant=TENANT, actor="rex-agent", reason="")
    elif wanted == "expired":
        bench.now_ms = hold.approved_until_ms
        bench.sweep()
    else:
        bench.begin(hold, denied="forbidden by now")
    ended = bench.get(hold)
    assert (ended.status, ended.next_ms) == ("outcome_unknown", None)
    assert bench.read(REAL.finding.story, hold).events[-1].details["wanted"] == wanted
