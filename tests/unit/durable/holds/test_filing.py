"""A call that policy holds: one hold for identical calls, bounds on waiting ones, ends that are collected."""

from __future__ import annotations

import pytest

from tests.unit.durable.holds.kit import (
    ANA,
    BEN,
    HOUR_MS,
    KEY,
    MINUTE_MS,
    NOON_MS,
    REAL,
    TENANT,
    Bench,
    digest,
    filing,
    requester,
)

deciding, filed, mover, refusals = REAL.deciding, REAL.filing, REAL.mover, REAL.refusals


def collect(bench: Bench, hold: object) -> object:
    return bench.run(filed.collect, bench.get(hold))


def test_a_hold_is_a_row_with_its_first_event_and_everything_that_was_filed(bench):
    hold, new = bench.run(filed.file_hold, filing(), key=KEY, caps=filed.Caps(per_agent=1, per_tenant=1))
    assert new
    assert hold == bench.get("h1")
    assert (hold.status, hold.version, hold.round, hold.fence, hold.attempts) == ("held", 1, 1, 0, 0)
    assert (hold.expires_ms, hold.next_ms) == (NOON_MS + HOUR_MS, NOON_MS + HOUR_MS)
    assert hold.requester == requester()
    assert hold.view == {"amount": 120}
    assert hold.target == "payments/refund"
    assert deciding.bound(hold, KEY)
    assert not deciding.bound(hold, b"another key, which is not in here")
    assert bench.events(hold) == ["held"]
    assert bench.woken == ["h1"]


@pytest.mark.abuse(96)
def test_an_identical_call_finds_its_hold_again_whatever_the_hold_does(bench):
    hold = bench.file(1)
    for step in (
        lambda: bench.decide(hold, ANA),
        lambda: bench.begin(hold),
        lambda: bench.finish(bench.get(hold)),
        lambda: None,
    ):
        assert bench.file(1, id="another").id == "h1"
        step()
    assert bench.file(2).id == "h2", "another call is another hold"


@pytest.mark.abuse(96)
def test_an_unknown_outcome_is_found_again_until_a_person_has_found_out(bench):
    hold = bench.finish(bench.executing(1), "outcome_unknown")
    bench.now_ms += 1000 * HOUR_MS
    bench.sweep()
    assert bench.file(1, id="another").id == hold.id
    bench.run(deciding.resolve, hold.id, ANA, "failed", evidence="not in the bank's list", key=KEY)
    assert bench.file(1, id="another").status == "failed"


@pytest.mark.abuse(80)
def test_another_tenant_with_the_same_digest_gets_a_hold_of_its_own(bench):
    hold = bench.approved(1)
    other = bench.file(1, id="other", tenant="acme")
    assert (other.id, other.status, other.tenant) == ("other", "held", "acme")
    assert bench.file(1, id="again").id == hold.id


@pytest.mark.abuse(80)
def test_an_approval_is_not_found_by_a_call_with_another_digest(bench):
    """The digest covers tenant, principal, upstream, definition and arguments."""
    bench.approved(1)
    assert bench.file(1, id="other", call_digest=digest("other session's principal")).status == "held"
    assert bench.file(1, id="same").status == "approved"


def test_once_an_end_was_collected_the_same_call_is_another_call(bench):
    hold = bench.finish(bench.executing(1))
    assert collect(bench, hold).collected
    assert bench.file(1, id="h9").id == "h9"
    assert bench.events("h1")[-1] == "collected"


def test_collecting_twice_or_too_early_changes_nothing(bench):
    hold = bench.file(1)
    assert collect(bench, hold) == hold
    bench.now_ms += HOUR_MS
    bench.sweep()
    collected = collect(bench, hold)
    assert collected.collected
    assert collect(bench, hold) == collected


def test_what_was_read_before_somebody_changed_it_is_not_collected(bench):
    hold = bench.finish(bench.executing(1))
    collect(bench, hold)
    with pytest.raises(refusals.Concurrent):
        bench.run(filed.collect, hold)


@pytest.mark.abuse(89)
def test_a_denied_call_stays_denied_for_its_agent_even_after_it_was_told(bench):
    hold = bench.file(1)
    bench.decide(hold, ANA, "deny")
    collect(bench, hold)
    for _ in range(3):
        assert bench.file(1, id="again").status == "denied"
    bench.now_ms += HOUR_MS
    bench.sweep()
    assert bench.file(1, id="later").id == "later", "not for ever"


def test_an_end_that_nobody_collects_is_let_go(bench):
    hold = bench.finish(bench.executing(1))
    assert hold.next_ms == NOON_MS + HOUR_MS
    bench.now_ms = hold.next_ms - 1
    assert bench.file(1, id="x").id == "h1"
    bench.now_ms = hold.next_ms
    assert bench.file(1, id="h9").id == "h9", "even where the sweeper is late"
    assert bench.events("h1")[-1] == "let_go"
    assert bench.get("h1").next_ms is None


@pytest.mark.abuse(89)
def test_an_agent_cannot_have_more_calls_waiting_than_its_bound(bench):
    caps = filed.Caps(per_agent=2, per_tenant=3)
    bench.file(1, caps=caps)
    bench.file(2, caps=caps)
    with pytest.raises(refusals.TooManyHolds, match="2 calls of this agent"):
        bench.file(3, caps=caps)
    assert bench.get("h3") is None
    assert bench.file(1, id="x", caps=caps).id == "h1", "what waits already is found all the same"
    other = requester("ulf@example.com", "ulf-agent")
    bench.file(4, caps=caps, requester=other)
    with pytest.raises(refusals.TooManyHolds, match="3 calls of this tenant"):
        bench.file(5, caps=caps, requester=other)
    assert bench.file(6, caps=caps, tenant="acme").status == "held", "another tenant is not affected"


@pytest.mark.abuse(89)
@pytest.mark.parametrize("end", ["approve", "deny", "cancel", "expire"])
def test_a_call_that_no_longer_waits_makes_room_for_another(bench, end):
    caps = filed.Caps(per_agent=1, per_tenant=1)
    hold = bench.file(1, caps=caps)
    with pytest.raises(refusals.TooManyHolds):
        bench.file(2, caps=caps)
    if end == "cancel":
        bench.run(deciding.cancel, hold.id, tenant=TENANT, actor="rex-agent", reason="")
    elif end == "expire":
        bench.now_ms += HOUR_MS
        bench.sweep()
    else:
        bench.decide(hold, ANA, end)
    assert bench.file(2, caps=caps).id == "h2"
    assert bench.read(mover.waiting, TENANT, None) == 1


def test_a_call_that_has_to_wait_again_counts_again(bench):
    hold = bench.approved(1)
    assert bench.read(mover.waiting, TENANT, requester()) == 0
    assert bench.begin(hold, stricter="two people by now").status == "held"
    assert bench.read(mover.waiting, TENANT, requester()) == 1


def test_no_two_principals_share_a_number(bench):
    bench.file(1, requester=requester("a", "b"))
    for other in (requester("a,b", ""), requester("", "a,b"), requester("b", "a")):
        assert bench.read(mover.waiting, TENANT, other) == 0
    assert bench.read(mover.waiting, TENANT, requester("a", "b")) == 1


def test_a_waiting_hold_is_looked_at_at_the_first_of_reminder_escalation_and_end(bench):
    asked = {"remind_ms": 10 * MINUTE_MS, "escalate_ms": 5 * MINUTE_MS, "escalate_to": ("boss",)}
    assert bench.file(1, asked=asked).next_ms == NOON_MS + 5 * MINUTE_MS
    assert bench.file(2, asked=asked | {"escalate_ms": None}).next_ms == NOON_MS + 10 * MINUTE_MS
    assert bench.file(3, asked=asked | {"ttl_ms": 1}).next_ms == NOON_MS + 1


def test_a_quorum_in_progress_does_not_end_the_waiting(bench):
    hold = bench.file(1, asked={"quorum": 2})
    bench.decide(hold, BEN)
    assert bench.read(mover.waiting, TENANT, None) == 1


def test_looking_for_a_hold_writes_nothing_even_where_the_sweeper_is_late(bench):
    hold = bench.finish(bench.executing(1))
    assert bench.read(filed.attached, TENANT, hold.call_digest).id == hold.id
    bench.now_ms = hold.next_ms
    assert bench.read(filed.attached, TENANT, hold.call_digest) is None
    assert bench.events(hold)[-1] == "succeeded"
