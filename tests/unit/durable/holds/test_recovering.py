"""At start: every hold is brought in line with the complete audit log (abuse case 92)."""

from __future__ import annotations

import pytest

from tests.unit.durable.holds.kit import ANA, HOUR_MS, KEY, REAL, outcome_of

deciding, executing, recovering = REAL.deciding, REAL.executing, REAL.recovering
refusals, status = REAL.refusals, REAL.status


def logged(fence, ended=""):
    outcome = outcome_of(ended) if ended in {"succeeded", "failed", "outcome_unknown"} else None
    return recovering.Logged(fence=fence, ended=ended, outcome=outcome)


def recover(bench, hold, log):
    return bench.run(recovering.recover, hold.id, log)


@pytest.mark.abuse(92)
@pytest.mark.parametrize(
    "log", [None, logged(1, "not_sent")], ids=["no intent", "an intent that was not sent"]
)
def test_without_a_sent_intent_it_is_approved_as_before(bench, log):
    hold = bench.executing()
    assert recover(bench, hold, log) == "given_back"
    after = bench.get(hold)
    assert (after.status, after.attempts, after.next_ms) == ("approved", 0, bench.now_ms)
    assert bench.begin(hold).fence == 2


@pytest.mark.abuse(92)
def test_an_intent_of_an_earlier_attempt_says_nothing_about_this_one(bench):
    hold = bench.executing()
    bench.run(executing.give_back, hold.id, 1, reason="down", again_ms=0)
    bench.begin(hold)
    assert recover(bench, hold, logged(1, "not_sent")) == "given_back"
    assert bench.status(hold) == "approved"


@pytest.mark.abuse(92)
@pytest.mark.parametrize("ended", ["", "outcome_unknown"])
def test_an_intent_without_outcome_is_for_a_person(bench, ended):
    hold = bench.executing()
    assert recover(bench, hold, logged(1, ended)) == "unknown"
    after = bench.get(hold)
    assert (after.status, after.outcome.code, after.next_ms) == ("outcome_unknown", "process_ended", None)
    assert bench.read(recovering.executing, "", 9) == []


@pytest.mark.abuse(92)
def test_an_intent_without_outcome_of_an_idempotent_tool_is_made_again(bench):
    hold, late = bench.executing(1, idempotent=True), bench.executing(2, idempotent=True)
    assert recover(bench, hold, logged(1)) == "given_back"
    assert (bench.status(hold), bench.get(hold).attempts) == ("approved", 1)
    bench.now_ms = late.approved_until_ms
    assert recover(bench, late, logged(1)) == "unknown"
    assert bench.status(late) == "outcome_unknown"


@pytest.mark.abuse(92)
@pytest.mark.parametrize("ended", ["succeeded", "failed"])
def test_an_outcome_in_the_log_finishes_the_row(bench, ended):
    hold = bench.executing()
    assert recover(bench, hold, logged(1, ended)) == "finished"
    after = bench.get(hold)
    assert (after.status, after.outcome) == (ended, outcome_of(ended))
    assert recover(bench, hold, logged(1, ended)) == "", "a second start has nothing to do"
    assert bench.get(hold) == after


@pytest.mark.abuse(92)
def test_an_outcome_that_was_logged_after_the_lease_was_lost_is_not_lost(bench):
    hold = bench.executing()
    bench.now_ms = hold.lease_ms
    bench.sweep()
    assert recover(bench, hold, logged(1)) == ""
    assert bench.status(hold) == "outcome_unknown"
    assert recover(bench, hold, logged(1, "succeeded")) == "finished"
    assert bench.status(hold) == "succeeded"


@pytest.mark.parametrize("status", ["held", "approved", "denied", "succeeded"])
def test_what_was_not_running_is_left_alone(bench, status):
    log = None
    if status == "succeeded":
        hold, log = bench.finish(bench.executing()), logged(1, "succeeded")
    else:
        hold = bench.file()
        if status != "held":
            bench.decide(hold, ANA, "deny" if status == "denied" else "approve")
    before = bench.get(hold)
    assert before.status == status
    assert recover(bench, hold, log) == ""
    assert bench.get(hold) == before


@pytest.mark.abuse(92)
@pytest.mark.parametrize("status", ["held", "approved", "executing"])
@pytest.mark.parametrize(
    ("ended", "becomes"), [("", "outcome_unknown"), ("succeeded", "succeeded"), ("failed", "failed")]
)
def test_a_restored_older_database_never_executes_again(bench, status, ended, becomes):
    hold = bench.file()
    if status != "held":
        bench.decide(hold, ANA)
    if status == "executing":
        bench.begin(hold)
    backup = bench.copy()
    fence = bench.get(hold).fence + 1
    log = logged(fence, ended)

    assert backup.run(recovering.recover, hold.id, log) == "older"
    after = backup.read(REAL.finding.one, hold.id)
    assert (after.status, after.fence, after.owner) == (becomes, fence, "")
    assert after.attempts >= 1
    assert backup.read(REAL.finding.due, limit=9) == []
    assert backup.read(REAL.mover.waiting, "default", None) == 0
    backup.close()

    if status == "approved":
        assert recover(bench, hold, None) == ""
        assert bench.begin(hold).status == "executing", "where the log knows of nothing"


@pytest.mark.abuse(92)
def test_an_attempt_that_the_row_has_not_heard_of_and_that_was_not_sent_leaves_the_approval(bench):
    hold = bench.approved()
    assert recover(bench, hold, logged(1, "not_sent")) == "older"
    after = bench.get(hold)
    assert (after.status, after.fence, after.attempts) == ("approved", 1, 0)
    assert bench.events(hold)[-1] == "caught_up"
    assert bench.begin(hold).fence == 2


@pytest.mark.abuse(92)
@pytest.mark.parametrize("status", ["held", "approved", "executing"])
def test_an_unsent_last_attempt_does_not_hide_a_sent_one_before_it(bench, status):
    """Attempt 1 was sent and lost, a person wanted it run again, attempt 2 could not be sent; then the restore."""
    hold = bench.file()
    if status != "held":
        bench.decide(hold, ANA)
    if status == "executing":
        bench.begin(hold)
    assert recover(bench, hold, logged(2, "not_sent")) == "older"
    after = bench.get(hold)
    assert (after.status, after.fence) == ("outcome_unknown", 2)
    assert after.attempts >= 1


@pytest.mark.abuse(92)
def test_an_older_unknown_outcome_hears_of_the_attempts_after_it(bench):
    hold = bench.finish(bench.executing(), "outcome_unknown")
    assert recover(bench, hold, logged(2)) == "older"
    assert (bench.status(hold), bench.get(hold).fence) == ("outcome_unknown", 2)
    assert recover(bench, hold, logged(3, "not_sent")) == "older"
    assert (bench.status(hold), bench.get(hold).fence) == ("outcome_unknown", 3)
    assert recover(bench, hold, logged(4, "succeeded")) == "older"
    assert bench.status(hold) == "succeeded"


def test_an_end_that_nothing_leads_out_of_stays_whatever_the_log_says(bench):
    hold = bench.finish(bench.executing())
    assert recover(bench, hold, logged(2)) == ""
    assert bench.get(hold) == hold


def test_a_hold_that_the_restored_database_never_had_cannot_run(bench):
    assert bench.run(recovering.recover, "gone", logged(1)) == "older"
    assert bench.rows("SELECT * FROM hold") == []


@pytest.mark.abuse(92)
def test_a_person_can_have_it_run_again_after_a_restore(bench):
    hold = bench.approved()
    recover(bench, hold, logged(3))
    bench.run(deciding.resolve, hold.id, ANA, "held", evidence="the bank has nothing", key=KEY)
    bench.decide(hold, ANA)
    assert bench.begin(hold).fence == 4
    with pytest.raises(refusals.StaleFence):
        bench.finish(hold, fence=3)


def test_what_was_running_is_listed_a_page_at_a_time(bench):
    for number in range(5):
        bench.executing(number)
    bench.approved("waiting")
    first = bench.read(recovering.executing, "", 3)
    assert [hold.id for hold in first] == ["h0", "h1", "h2"]
    assert [hold.id for hold in bench.read(recovering.executing, "h2", 3)] == ["h3", "h4"]


def test_a_given_back_approval_that_is_over_expires_by_itself(bench):
    hold = bench.executing()
    bench.now_ms += 5 * HOUR_MS
    recover(bench, hold, None)
    bench.sweep()
    assert bench.status(hold) == "expired"


def approve_by_hand(bench, hold):
    row = "UPDATE hold SET status = 'approved', approved_until_ms = 1 << 60, next_ms = 1 WHERE id = ?"
    assert bench.connection.execute(row, [hold.id]).rowcount == 1


@pytest.mark.abuse(92)
@pytest.mark.parametrize("ended", ["succeeded", "failed", ""])
def test_what_the_log_knows_to_be_sent_is_not_approved_by_writing_so(bench, ended):
    hold, control = bench.executing(1), bench.executing(2)
    approve_by_hand(bench, hold)
    assert recover(bench, hold, logged(1, ended)) == "older"
    assert bench.status(hold) == (ended or "outcome_unknown")
    approve_by_hand(bench, control)
    assert recover(bench, control, logged(1, "not_sent")) == "", "control: nothing was sent"
    assert bench.status(control) == "approved"


@pytest.mark.abuse(92)
def test_a_person_who_wants_it_run_again_and_an_idempotent_tool_are_believed(bench):
    again, idempotent = bench.executing(1), bench.executing(2, idempotent=True)
    recover(bench, again, logged(1))
    bench.run(deciding.resolve, again.id, ANA, "held", evidence="the bank has nothing", key=KEY)
    bench.decide(again, ANA)
    assert recover(bench, again, logged(1, "reopened")) == ""
    assert recover(bench, idempotent, logged(1)) == "given_back"
    assert recover(bench, idempotent, logged(1)) == ""
    assert {bench.status(again), bench.status(idempotent)} == {"approved"}


@pytest.mark.abuse(80)
def test_votes_are_used_up_with_what_they_were_for(bench):
    hold = bench.finish(bench.executing())
    approve_by_hand(bench, hold)
    row = bench.get(hold)
    after = bench.begin(row)
    assert (after.status, after.reason_by) == ("outcome_unknown", "gateway"), "it had been sent once"
    assert bench.begin(bench.approved("control")).status == "executing"


@pytest.mark.abuse(92)
def test_a_database_without_the_last_events_of_the_log_is_older(bench):
    hold = bench.approved()
    assert not bench.read(recovering.is_older, [(hold.id, hold.version)])
    assert bench.read(recovering.is_older, [(hold.id, hold.version + 1)])
    assert bench.read(recovering.is_older, [("gone", 1)])


@pytest.mark.abuse(92)
@pytest.mark.parametrize(
    ("logged_as", "becomes"), [("denied", "cancelled"), ("cancelled", "cancelled"), ("expired", "expired")]
)
def test_an_approval_that_was_taken_back_stays_taken_back_after_a_restore(bench, logged_as, becomes):
    hold, other = bench.approved("h1"), bench.approved("h2")
    assert bench.read(recovering.waiting_or_approved, [hold.id, "gone"]) == [hold.id]
    assert bench.run(recovering.close_again, hold.id, status.Status(logged_as))
    assert (bench.status(hold), bench.status(other)) == (becomes, "approved")
    assert not bench.run(recovering.close_again, hold.id, status.Status(logged_as)), "it is over"
