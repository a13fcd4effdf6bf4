"""What the passing of time does."""

from __future__ import annotations

import pytest

from tests.unit.durable.holds.kit import ANA, HOUR_MS, MINUTE_MS, REAL, TENANT

Swept = REAL.sweeping.Swept


def test_nothing_is_done_before_its_time(bench):
    for number in range(3):
        bench.file(number)
    bench.now_ms += HOUR_MS - 1
    assert bench.sweep() == Swept()
    bench.now_ms += 1
    assert bench.sweep() == Swept(expired=3)
    assert bench.sweep() == Swept()
    assert bench.read(REAL.mover.waiting, TENANT, None) == 0


def test_what_nobody_decided_expires_and_says_so(bench):
    hold = bench.file()
    bench.now_ms = hold.expires_ms
    bench.sweep()
    hold = bench.get(hold)
    assert (hold.status, hold.reason, hold.reason_by) == ("expired", "nobody decided in time", "gateway")
    assert hold.next_ms == bench.now_ms + REAL.deciding.COLLECT_MS


def test_an_approval_that_nobody_used_expires(bench):
    hold = bench.approved(asked={"on_approval": "grant"})
    bench.now_ms = hold.approved_until_ms - 1
    assert bench.sweep() == Swept()
    bench.now_ms += 1
    assert bench.sweep() == Swept(expired=1)
    assert bench.get(hold).reason == "the approval was not used in time"


def test_an_approved_call_that_is_due_is_the_executors(bench):
    hold = bench.approved()
    bench.now_ms += MINUTE_MS
    assert bench.sweep() == Swept()
    assert bench.status(hold) == "approved"


def test_reminders_come_again_and_again_until_the_end(bench):
    hold = bench.file(asked={"remind_ms": 25 * MINUTE_MS})
    for minute in range(60):
        bench.now_ms = hold.created_ms + minute * MINUTE_MS
        bench.sweep()
    assert bench.events(hold) == ["held", "reminder", "reminder"]
    bench.now_ms = hold.expires_ms
    bench.sweep()
    assert bench.events(hold)[-1] == "expired"


def test_a_gateway_that_slept_reminds_once(bench):
    hold = bench.file(asked={"remind_ms": 5 * MINUTE_MS})
    bench.now_ms += 51 * MINUTE_MS
    assert bench.sweep() == Swept(reminded=1)
    assert bench.sweep() == Swept()
    assert bench.get(hold).next_ms == bench.now_ms + 5 * MINUTE_MS


def test_the_wider_circle_is_told_once(bench):
    hold = bench.file(asked={"escalate_ms": 10 * MINUTE_MS, "escalate_to": ("boss",)})
    bench.now_ms += 10 * MINUTE_MS
    assert bench.sweep() == Swept(escalated=1)
    assert bench.sweep() == Swept()
    story = bench.read(REAL.finding.story, hold)
    assert story.escalated
    assert (story.events[-1].kind, story.events[-1].details["to"]) == ("escalated", ["boss"])
    assert story.hold.next_ms == hold.expires_ms
    bench.now_ms = hold.expires_ms
    assert bench.sweep() == Swept(expired=1)


def test_reminders_go_on_after_the_escalation(bench):
    hold = bench.file(
        asked={"remind_ms": 20 * MINUTE_MS, "escalate_ms": 30 * MINUTE_MS, "escalate_to": ("boss",)}
    )
    for minute in range(61):
        bench.now_ms = hold.created_ms + minute * MINUTE_MS
        bench.sweep()
    assert bench.events(hold) == ["held", "reminder", "escalated", "reminder", "expired"]


@pytest.mark.abuse(92)
def test_a_lost_attempt_is_an_unknown_outcome_and_never_another_attempt(bench):
    hold = bench.executing()
    bench.now_ms = hold.lease_ms - 1
    assert bench.sweep() == Swept()
    bench.now_ms = hold.lease_ms
    assert bench.sweep() == Swept(lost=1)
    lost = bench.get(hold)
    assert (lost.status, lost.outcome.code, lost.next_ms) == ("outcome_unknown", "lease_lost", None)
    bench.now_ms += 100 * HOUR_MS
    assert bench.sweep() == Swept()
    assert bench.read(REAL.finding.due, limit=9) == []


@pytest.mark.abuse(92)
def test_a_lost_attempt_of_an_idempotent_tool_is_made_again_while_the_approval_lasts(bench):
    hold = bench.executing(idempotent=True)
    bench.now_ms = hold.lease_ms
    assert bench.sweep() == Swept(lost=1)
    assert [one.id for one in bench.read(REAL.finding.due, limit=9)] == [hold.id]
    bench.begin(hold, lease_ms=9 * HOUR_MS)
    bench.now_ms += 9 * HOUR_MS
    assert bench.sweep() == Swept(lost=1)
    assert bench.status(hold) == "outcome_unknown"


def test_ends_are_let_go_when_nobody_collected_them(bench):
    holds = [bench.finish(bench.executing(1)), bench.file(2), bench.file(3)]
    bench.decide(holds[1], ANA, "deny")
    bench.run(REAL.deciding.cancel, "h3", tenant=TENANT, actor="rex-agent", reason="")
    bench.now_ms += HOUR_MS
    assert bench.sweep() == Swept(let_go=3)
    assert bench.sweep() == Swept()
    assert {bench.events(hold)[-1] for hold in holds} == {"let_go"}
    assert bench.read(REAL.finding.next_due_ms) is None


def test_one_transaction_does_so_much_and_says_that_there_is_more(bench):
    for number in range(2 * REAL.sweeping.SWEPT_MAX + 1):
        bench.file(number)
    bench.now_ms += HOUR_MS
    most = REAL.sweeping.SWEPT_MAX
    assert bench.sweep() == Swept(expired=most, more=True)
    assert bench.sweep() == Swept(expired=most, more=True)
    assert bench.sweep() == Swept(expired=1)
    assert bench.read(REAL.mover.waiting, TENANT, None) == 0


def test_what_waits_longest_for_the_sweeper_comes_first(bench):
    bench.file("later", asked={"ttl_ms": 2 * MINUTE_MS})
    for number in range(REAL.sweeping.SWEPT_MAX):
        bench.file(number, asked={"ttl_ms": MINUTE_MS})
    bench.now_ms += HOUR_MS
    bench.sweep()
    assert bench.status("hlater") == "held"
    bench.sweep()
    assert bench.status("hlater") == "expired"
