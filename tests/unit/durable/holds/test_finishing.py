"""The end of an attempt: given back unsent, tried again, finished, or late."""

from __future__ import annotations

import pytest

from tests.unit.durable.holds.kit import ANA, HOUR_MS, KEY, MINUTE_MS, REAL

executing, refusals = REAL.executing, REAL.refusals


def give_back(bench, hold, fence=None, again_ms=MINUTE_MS):
    return bench.run(
        executing.give_back, hold.id, hold.fence if fence is None else fence, reason="down", again_ms=again_ms
    )


def retry(bench, hold, fence=None, again_ms=MINUTE_MS):
    return bench.run(
        executing.retry, hold.id, hold.fence if fence is None else fence, reason="lost", again_ms=again_ms
    )


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_an_outcome_ends_it_and_stays_to_be_collected(bench, status):
    hold = bench.finish(bench.executing(), status)
    assert (hold.status, hold.owner, hold.lease_ms) == (status, "", 0)
    assert hold.outcome.payload == {"commitment": "answer"}
    assert hold.next_ms == bench.now_ms + HOUR_MS
    assert bench.finish(hold, status) == hold, "said twice is said once"
    assert bench.events(hold).count(status) == 1


def test_an_end_is_kept_for_as_long_as_the_hold_would_have_waited(bench):
    hold = bench.executing(asked={"ttl_ms": 5 * HOUR_MS})
    assert bench.finish(hold).next_ms == hold.expires_ms


def test_an_unknown_outcome_waits_for_a_person_and_never_for_the_clock(bench):
    hold = bench.finish(bench.executing(), "outcome_unknown")
    assert (hold.status, hold.next_ms, hold.outcome.kind) == ("outcome_unknown", None, "unknown")
    bench.now_ms += 10_000 * HOUR_MS
    assert bench.sweep() == REAL.sweeping.Swept()
    with pytest.raises(refusals.WrongStatus):
        bench.begin(hold)


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_late_result_of_the_last_attempt_settles_an_unknown_outcome(bench, status):
    hold = bench.executing()
    bench.now_ms = hold.lease_ms
    bench.sweep()
    assert bench.status(hold) == "outcome_unknown"
    late = bench.finish(hold, status)
    assert (late.status, late.outcome.payload) == (status, {"commitment": "answer"})


def test_an_attempt_that_is_no_longer_the_last_one_is_not_heard(bench):
    hold = bench.executing(idempotent=True)
    retry(bench, hold)
    second = bench.begin(hold)
    for call in (
        lambda: bench.finish(hold, fence=1),
        lambda: bench.finish(hold, "outcome_unknown", fence=1),
        lambda: give_back(bench, hold, fence=1),
        lambda: retry(bench, hold, fence=1),
        lambda: bench.finish(hold, fence=3),
    ):
        with pytest.raises(refusals.StaleFence):
            call()
    assert bench.get(hold) == second
    assert bench.finish(second, fence=2).status == "succeeded"


def test_an_end_is_not_exchanged_for_another(bench):
    hold = bench.finish(bench.executing())
    for status in ("failed", "outcome_unknown"):
        with pytest.raises(refusals.WrongStatus):
            bench.finish(hold, status)
    assert bench.status(hold) == "succeeded"


def test_an_attempt_has_no_say_once_the_call_is_to_be_made_again(bench):
    asked_again = bench.finish(bench.executing(1), "outcome_unknown")
    bench.run(REAL.deciding.resolve, "h1", ANA, "held", evidence="not booked", key=KEY)
    retried = retry(bench, bench.executing(2, idempotent=True))
    for hold, status in ((asked_again, "held"), (retried, "approved")):
        for end in ("succeeded", "failed", "outcome_unknown"):
            with pytest.raises(refusals.WrongStatus):
                bench.finish(hold, end)
        assert bench.status(hold) == status


def test_what_was_not_sent_is_approved_as_before_and_tried_again_later(bench):
    hold = give_back(bench, bench.executing())
    assert (hold.status, hold.fence, hold.attempts, hold.owner) == ("approved", 1, 0, "")
    assert hold.next_ms == bench.now_ms + MINUTE_MS
    assert bench.read(REAL.finding.due, limit=9) == []
    bench.now_ms += MINUTE_MS
    assert [one.id for one in bench.read(REAL.finding.due, limit=9)] == [hold.id]
    assert bench.begin(hold).fence == 2


def test_what_was_not_sent_can_still_be_said_to_have_never_run(bench):
    hold = give_back(bench, bench.executing())
    bench.now_ms = hold.approved_until_ms
    bench.sweep()
    assert bench.status(hold) == "expired"


def test_the_next_try_is_never_after_the_end_of_the_approval(bench):
    hold = give_back(bench, bench.executing(1), again_ms=9 * HOUR_MS)
    assert hold.next_ms == hold.approved_until_ms
    hold = retry(bench, bench.executing(2, idempotent=True), again_ms=9 * HOUR_MS)
    assert hold.next_ms == hold.approved_until_ms


@pytest.mark.parametrize("again", [give_back, retry])
def test_a_grant_goes_on_waiting_for_its_caller(bench, again):
    """Else grants would stand before everything that the executor is to run."""
    hold = again(bench, bench.executing(idempotent=True, asked={"on_approval": "grant"}))
    assert hold.next_ms == hold.approved_until_ms
    bench.now_ms += 2 * MINUTE_MS
    other = bench.approved(2)
    assert [one.id for one in bench.read(REAL.finding.due, limit=1)] == [other.id]


def test_nothing_is_given_back_that_does_not_run(bench):
    hold = bench.finish(bench.executing(), "outcome_unknown")
    with pytest.raises(refusals.StaleFence, match="outcome_unknown"):
        give_back(bench, hold)
    assert bench.status(hold) == "outcome_unknown"


@pytest.mark.abuse(92)
def test_only_what_the_operator_calls_idempotent_is_tried_again_by_itself(bench):
    hold = bench.executing(1)
    with pytest.raises(refusals.WrongStatus, match="not to be tried again"):
        retry(bench, hold)
    assert bench.status(hold) == "executing"
    harmless = retry(bench, bench.executing(2, idempotent=True))
    assert (harmless.status, harmless.attempts, harmless.fence) == ("approved", 1, 1)
    again = bench.begin(harmless)
    assert (again.fence, again.attempts, again.send_key) == (2, 2, "send-2")
    with pytest.raises(refusals.WrongStatus):
        retry(bench, bench.finish(again))
