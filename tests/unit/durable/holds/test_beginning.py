"""The right to run a call once: what is looked at again in the transaction that takes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from durable.pins import rows
from durable.pins.pin import Pin, PinKey
from durable.pins.state import State
from tests.unit.durable.holds.kit import ANA, BEN, CEM, HOUR_MS, KEY, MINUTE_MS, REAL, digest, now_of, person

deciding, executing, refusals = REAL.deciding, REAL.executing, REAL.refusals


def test_an_approved_call_runs_with_a_new_fence_under_a_lease(bench):
    hold = bench.begin(bench.approved(), lease_ms=MINUTE_MS)
    assert (hold.status, hold.fence, hold.attempts, hold.owner) == ("executing", 1, 1, "p1")
    assert hold.lease_ms == hold.next_ms == bench.now_ms + MINUTE_MS
    event = bench.read(REAL.finding.story, hold).events[-1]
    assert (event.kind, event.actor, event.fence, event.details["revision"]) == ("executing", "p1", 1, "r1")


@pytest.mark.abuse(79)
def test_one_approval_is_one_attempt_however_many_try_to_use_it(bench):
    hold = bench.approved()
    assert bench.begin(hold, version=hold.version).fence == 1
    for _ in range(100):
        with pytest.raises(refusals.WrongStatus, match="it is executing"):
            bench.begin(hold, version=hold.version)
    bench.finish(bench.get(hold))
    with pytest.raises(refusals.WrongStatus, match="it is succeeded"):
        bench.begin(hold)
    assert bench.get(hold).fence == 1


@pytest.mark.abuse(93)
def test_who_read_an_older_version_does_not_begin(bench):
    hold = bench.approved()
    bench.begin(hold)
    bench.run(executing.give_back, hold.id, 1, reason="upstream is down", again_ms=0)
    assert bench.status(hold) == "approved"
    with pytest.raises(refusals.WrongStatus):
        bench.begin(hold, version=hold.version)
    assert bench.begin(hold).fence == 2


@pytest.mark.parametrize("status", ["held", "denied", "outcome_unknown"])
def test_only_an_approved_call_begins(bench, status):
    if status == "outcome_unknown":
        hold = bench.finish(bench.executing(), status)
    else:
        hold = bench.file()
        if status == "denied":
            bench.decide(hold, ANA, "deny")
    with pytest.raises(refusals.WrongStatus) as refused:
        bench.begin(hold)
    assert refused.value.status == status


@pytest.mark.abuse(90)
def test_an_approval_is_over_in_its_very_millisecond(bench):
    late, timely = bench.approved(1), bench.approved(2)
    bench.now_ms = late.approved_until_ms - 1
    assert bench.begin(timely).status == "executing"
    bench.now_ms = late.approved_until_ms
    expired = bench.begin(late)
    assert (expired.status, expired.fence, expired.attempts) == ("expired", 0, 0)
    assert expired.reason == "the approval was not used in time"


@pytest.mark.abuse(78)
@pytest.mark.parametrize(
    "changed",
    [
        {"arguments_digest": digest("other bytes")},
        {"arguments_digest": ""},
        {"call_digest": digest("another call")},
    ],
    ids=["other bytes", "bytes are gone", "another call"],
)
def test_bytes_that_are_not_those_that_were_approved_never_run(bench, changed):
    hold, control = bench.approved(1), bench.approved(2)
    after = bench.begin(hold, **changed)
    assert (after.status, after.fence, after.attempts) == ("invalidated", 0, 0)
    assert "approved" in after.reason
    assert bench.begin(control).status == "executing"


@pytest.mark.abuse(78)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE hold SET call_digest = 'another' WHERE id = 'h1'",
        "UPDATE hold SET revision = 'another' WHERE id = 'h1'",
        "UPDATE hold SET expires_ms = expires_ms + 1 WHERE id = 'h1'",
        "UPDATE hold SET binding = 'another' WHERE id = 'h1'",
        "UPDATE hold SET requirement = replace(requirement, '\"quorum\":1', '\"quorum\":0') WHERE id = 'h1'",
        "UPDATE hold SET requirement = replace(requirement, 'lead', 'clerk') WHERE id = 'h1'",
        "UPDATE hold SET requirement = replace(requirement, 'execute', 'grant') WHERE id = 'h1'",
        "UPDATE hold SET arguments = replace(arguments, 'digest\":\"', 'digest\":\"0') WHERE id = 'h1'",
        "UPDATE hold SET definition_digest = 'another' WHERE id = 'h1'",
        "UPDATE hold_vote SET binding = 'another' WHERE hold = 'h1'",
        "UPDATE hold_vote SET seen = 'another' WHERE hold = 'h1'",
    ],
)
def test_rows_that_somebody_wrote_to_never_run(bench, statement):
    hold, control = bench.approved(1), bench.approved(2)
    now = now_of(hold, ANA)
    assert bench.execute(statement) == 1
    begun = bench.run(executing.begin, hold.id, hold.version, now, owner="p1", lease_ms=1, key=KEY)
    assert (begun.status, begun.attempts) == ("invalidated", 0)
    assert bench.begin(control).status == "executing"


@pytest.mark.abuse(78)
def test_a_status_that_somebody_wrote_is_not_an_approval(bench):
    hold, control = bench.file(1), bench.file(2)
    for statement in (
        "UPDATE hold SET status = 'approved', approved_until_ms = expires_ms WHERE id = 'h1'",
        "UPDATE hold_vote SET verdict = 'approve'",
    ):
        bench.execute(statement)
    assert bench.begin(hold).status == "held"
    bench.decide(control, ANA)
    assert bench.begin(control).status == "executing"


@pytest.mark.abuse(78)
def test_a_vote_that_somebody_removed_is_missed(bench):
    hold = bench.approved(1, ANA, BEN, asked={"quorum": 2})
    bench.execute("DELETE FROM hold_vote WHERE person = :ben", ben=BEN.id)
    assert bench.begin(hold).status == "held"
    assert bench.begin(bench.approved(2, ANA, BEN, asked={"quorum": 2})).status == "executing"


@pytest.mark.abuse(91)
def test_what_policy_forbids_by_now_never_runs(bench):
    hold = bench.begin(bench.approved(1), denied="quarantined since")
    assert (hold.status, hold.reason, hold.reason_by) == ("invalidated", "quarantined since", "gateway")
    assert bench.begin(bench.approved(2), requirement=None).status == "executing", "allowed outright by now"


@pytest.mark.abuse(91)
def test_a_definition_that_changed_is_looked_at_by_people_again(bench):
    hold = bench.approved(1)
    bench.now_ms += MINUTE_MS
    changed = {"definition_digest": "another", "call_digest": digest("call", 1, "another"), "revision": "r2"}
    again = bench.begin(hold, **changed)
    assert (again.status, again.round, again.attempts, again.approved_until_ms) == ("held", 2, 0, 0)
    assert (again.definition_digest, again.call_digest, again.revision) == tuple(changed.values())
    assert again.expires_ms == again.next_ms == bench.now_ms + HOUR_MS
    assert deciding.bound(again, KEY)
    assert again.seen != hold.seen
    with pytest.raises(refusals.SeenStale):
        bench.decide(hold, ANA, seen=hold.seen)
    assert bench.decide(hold, ANA).hold.status == "approved"
    assert bench.begin(hold).status == "executing"


@pytest.mark.abuse(91)
@pytest.mark.parametrize(
    ("asked", "stricter"),
    [
        ({"quorum": 2}, ""),
        ({"groups": (("boss",),)}, ""),
        ({"groups": (("lead",), ("clerk",))}, ""),
        ({"risk": 3}, "it is of high risk by now"),
    ],
    ids=["more people", "other people", "another group", "as the flow says"],
)
def test_a_stricter_policy_is_a_new_round_under_its_terms(bench, asked, stricter):
    hold = bench.approved()
    stronger = replace(hold.requirement, **asked)
    again = bench.begin(hold, requirement=stronger, stricter=stricter, revision="r2")
    assert (again.status, again.round, again.requirement, again.revision) == ("held", 2, stronger, "r2")
    assert bench.read(deciding.votes_of, again) == ()


@pytest.mark.abuse(78)
def test_a_policy_that_is_no_stricter_carries_the_approval_on(bench):
    hold = bench.begin(bench.approved(), revision="r2")
    assert (hold.status, hold.revision, hold.round) == ("executing", "r1", 1)
    relaxed = bench.approved(2, ANA, BEN, asked={"quorum": 2})
    asked = replace(relaxed.requirement, quorum=1)
    assert bench.begin(relaxed, requirement=asked, revision="r2").status == "executing"


@pytest.mark.abuse(91)
def test_a_reviewer_who_lost_the_right_is_not_counted(bench):
    hold = bench.approved(1)
    again = bench.begin(hold, BEN, CEM)
    assert (again.status, again.round) == ("held", 2)
    without_role = bench.approved(2)
    assert bench.begin(without_role, replace(ANA, names=frozenset({"clerk"}))).status == "held"
    assert bench.begin(bench.approved(3), ANA).status == "executing"


@pytest.mark.abuse(91)
def test_enough_others_carry_it_without_the_one_who_left(bench):
    hold = bench.file(asked={"quorum": 1, "groups": (("lead",), ("clerk",))})
    for someone in (ANA, BEN, person("dan", "clerk")):
        if bench.status(hold) == "held":
            bench.decide(hold, someone)
    assert bench.begin(hold, BEN, person("dan", "clerk")).status == "executing"


@pytest.mark.abuse(91)
def test_the_sole_person_is_no_longer_sole(bench):
    sole = person("rex", sole=True)
    hold = bench.approved(1, sole)
    assert bench.begin(hold, ANA, BEN).status == "held"
    assert bench.begin(bench.approved(3, sole), replace(sole, sole=False), ANA).status == "held", (
        "still there, and with colleagues by now who may decide it instead"
    )
    assert bench.begin(bench.approved(2, sole), sole).status == "executing"


TOOL = PinKey(tenant="", upstream="payments", kind="tool", name="refund")
FORM, OTHER_FORM = digest("form"), digest("other form")


def pinned(bench, state=State.PINNED, form=FORM, key=TOOL):
    """The row of a pin."""
    pin = Pin(
        key=key,
        state=state,
        version=0,
        digest=form,
        listed_digest=form,
        listed_definition="{}",
        created_ms=1,
        updated_ms=1,
    )
    bench.execute("DELETE FROM pin")
    bench.run(rows.write, [pin])


@pytest.mark.abuse(91)
@pytest.mark.parametrize(
    ("state", "form", "key"),
    [
        *((state, FORM, TOOL) for state in State if state is not State.PINNED),
        (State.PINNED, OTHER_FORM, TOOL),
        (State.PINNED, FORM, replace(TOOL, kind="prompt")),
        (State.PINNED, FORM, replace(TOOL, upstream="orders")),
    ],
)
def test_while_its_definition_is_not_pinned_in_that_form_an_approved_call_waits(bench, state, form, key):
    hold = bench.approved(definition_digest=FORM)
    pinned(bench, state, form, key)
    waits = bench.begin(hold, pin=TOOL)
    assert waits == bench.get(hold) == hold, "nothing happened"
    pinned(bench)
    assert bench.begin(hold, pin=TOOL).status == "executing"


def test_a_call_that_waits_for_its_definition_expires_in_its_own_time(bench):
    hold = bench.approved(definition_digest=FORM)
    assert bench.begin(hold, pin=TOOL).status == "approved"
    bench.now_ms = hold.approved_until_ms
    bench.sweep()
    assert bench.status(hold) == "expired"


@pytest.mark.abuse(78)
def test_what_was_altered_does_not_wait_for_its_definition(bench):
    hold = bench.approved(definition_digest=FORM)
    assert bench.begin(hold, pin=TOOL, arguments_digest=digest("other bytes")).status == "invalidated"


def test_what_was_postponed_for_an_upstream_is_recalled_and_nothing_else(bench):
    late, there, other = bench.approved(1), bench.approved(2), bench.approved(3, upstream="orders")
    grant = bench.approved(4, asked={"on_approval": "grant"})
    held, over = bench.file(5), bench.finish(bench.executing(6))
    for hold in (late, other):
        bench.run(executing.postpone, hold.id, hold.version, again_ms=9 * MINUTE_MS)
    found = bench.read(REAL.finding.postponed, late.upstream)
    assert [hold.id for hold in found] == [late.id]
    before = {hold.id: bench.get(hold) for hold in (there, other, grant, held, over)}
    bench.woken.clear()
    bench.run(executing.recall, [late.id, there.id, held.id, over.id])
    assert bench.get(late).next_ms == bench.now_ms
    assert bench.get(late).version == late.version, "nothing happened"
    assert {one: bench.get(one) for one in before} == before
    assert bench.woken == [late.id]


def test_a_round_that_nobody_takes_up_expires_as_never_run(bench):
    hold = bench.begin(bench.approved(), stricter="more by now")
    bench.now_ms = hold.expires_ms
    bench.sweep()
    assert bench.status(hold) == "expired"


def test_a_crash_before_the_commit_is_as_if_nothing_had_begun(bench):
    hold = bench.approved()
    arguments = (hold.id, hold.version, now_of(hold, ANA))
    bench.run(executing.begin, *arguments, owner="p1", lease_ms=1, key=KEY, crash=True)
    assert bench.get(hold) == hold
    assert bench.run(executing.begin, *arguments, owner="p1", lease_ms=1, key=KEY).fence == 1


def test_a_lease_is_kept_by_its_attempt_and_by_nobody_else(bench):
    hold = bench.begin(bench.approved(), lease_ms=MINUTE_MS)
    bench.now_ms += MINUTE_MS - 1
    assert not bench.run(executing.renew, hold.id, 2, owner="p1", lease_ms=MINUTE_MS)
    assert not bench.run(executing.renew, hold.id, 1, owner="p2", lease_ms=MINUTE_MS)
    assert bench.get(hold).lease_ms == hold.lease_ms
    assert bench.run(executing.renew, hold.id, 1, owner="p1", lease_ms=MINUTE_MS)
    renewed = bench.get(hold)
    assert (renewed.lease_ms, renewed.next_ms) == (bench.now_ms + MINUTE_MS, bench.now_ms + MINUTE_MS)
    assert renewed.version == hold.version, "nothing happened"
    bench.now_ms += 1
    bench.sweep()
    assert bench.status(hold) == "executing"
    bench.finish(hold)
    assert not bench.run(executing.renew, hold.id, 1, owner="p1", lease_ms=MINUTE_MS)


def test_what_cannot_be_run_now_is_looked_at_later_but_not_after_its_end(bench):
    hold = bench.approved()
    bench.run(executing.postpone, hold.id, hold.version, again_ms=MINUTE_MS)
    assert bench.get(hold).next_ms == bench.now_ms + MINUTE_MS
    bench.run(executing.postpone, hold.id, hold.version + 1, again_ms=2 * MINUTE_MS)
    assert bench.get(hold).next_ms == bench.now_ms + MINUTE_MS, "whoever read another version"
    bench.run(executing.postpone, hold.id, hold.version, again_ms=9 * HOUR_MS)
    assert bench.get(hold).next_ms == hold.approved_until_ms
    assert bench.get(hold).version == hold.version, "nothing happened"
    bench.begin(hold)
    bench.run(executing.postpone, hold.id, hold.version + 1, again_ms=0)
    assert bench.get(hold).next_ms == bench.get(hold).lease_ms
