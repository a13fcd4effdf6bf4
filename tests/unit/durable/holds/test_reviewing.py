"""How reviewing goes, counted: what became of the calls of each day, how long it took, who decides, what waits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.durable.holds.kit import (
    ANA,
    BEN,
    CEM,
    HOUR_MS,
    MINUTE_MS,
    NOON_MS,
    REAL,
    TENANT,
    person,
)

DAY_MS = 24 * HOUR_MS
reviewing, Counts, Decider, Open = (
    REAL.reviewing.reviewing,
    REAL.reviewing.Counts,
    REAL.reviewing.Decider,
    REAL.reviewing.Open,
)
NOTHING = Counts()
WAIT = {"ttl_ms": 30 * DAY_MS}


def days(count=2, *, first_ms=NOON_MS):
    """Days that begin when the first test does."""
    return tuple(
        REAL.reviewing.Span(
            date=f"day {number}",
            start_ms=first_ms + number * DAY_MS,
            end_ms=first_ms + (number + 1) * DAY_MS,
        )
        for number in range(count)
    )


def found(bench, *spans, tenant=TENANT):
    return bench.read(reviewing, tenant, spans or days())


def decided_after(bench, number, minutes, verdict="approve", someone=ANA):
    """A call that is decided so many minutes after it came in, by a clock that then goes back."""
    hold = bench.file(number, asked=WAIT)
    began_ms = bench.now_ms
    bench.now_ms += minutes * MINUTE_MS
    decided = bench.decide(hold, someone, verdict).hold
    bench.now_ms = began_ms
    return decided


def test_where_nothing_was_held_there_is_nothing_to_tell(bench):
    nothing = found(bench)
    assert [(day.date, day.start_ms, day.counts) for day in nothing.days] == [
        ("day 0", NOON_MS, NOTHING),
        ("day 1", NOON_MS + DAY_MS, NOTHING),
    ]
    assert (nothing.total, nothing.total.approval_rate) == (NOTHING, None)
    assert (nothing.timed, nothing.median_ms, nothing.p90_ms, nothing.deciders) == (0, None, None, ())
    assert nothing.open == Open(by_risk=((3, 0), (2, 0), (1, 0)), oldest="", oldest_ms=0)


def test_every_call_counts_on_the_day_it_came_in_as_what_has_become_of_it(bench):
    bench.approved(1)
    bench.decide(bench.file(2), ANA, "deny")
    bench.run(REAL.deciding.cancel, bench.file(3).id, tenant=TENANT, actor="rex-agent", reason="")
    bench.file(4)
    bench.finish(bench.executing(5))
    bench.finish(bench.executing(6), "failed")
    bench.finish(bench.executing(7), "outcome_unknown")
    bench.executing(8)
    denied_then = bench.begin(bench.approved(9), denied="forbidden by now")
    assert denied_then.status == "invalidated"
    bench.now_ms += DAY_MS
    bench.sweep()
    bench.file(10)
    bench.decide(bench.file(11), BEN, "deny")
    first, second = found(bench).days
    assert first.counts == Counts(held=9, approved=4, denied=1, expired=2, other=2)
    assert second.counts == Counts(held=2, approved=0, denied=1, expired=0, other=0)
    total = found(bench).total
    assert total == Counts(held=11, approved=4, denied=2, expired=2, other=2)
    assert total.approval_rate == pytest.approx(4 / 6)


def test_a_day_ends_where_the_next_one_begins(bench):
    for number, off in enumerate((-1, 0, DAY_MS - 1, DAY_MS, 2 * DAY_MS - 1, 2 * DAY_MS)):
        bench.now_ms = NOON_MS + off
        bench.file(number)
    assert [day.counts.held for day in found(bench).days] == [2, 2]


def test_the_time_to_decide_is_by_nearest_rank_from_the_call_to_the_word_that_first_decided_it(bench):
    for number in range(1, 11):
        decided_after(bench, number, 11 - number, "deny" if number % 3 == 0 else "approve")
    ten = found(bench)
    assert (ten.timed, ten.median_ms, ten.p90_ms) == (10, 5 * MINUTE_MS, 9 * MINUTE_MS)
    decided_after(bench, 11, 600)
    eleven = found(bench)
    assert (eleven.timed, eleven.median_ms, eleven.p90_ms) == (11, 6 * MINUTE_MS, 10 * MINUTE_MS)


def test_of_several_people_the_last_who_was_needed_decides(bench):
    hold = bench.file(asked={"quorum": 2, **WAIT})
    bench.now_ms += 5 * MINUTE_MS
    bench.decide(hold, ANA)
    assert found(bench).timed == 0
    bench.now_ms += 2 * MINUTE_MS
    bench.decide(hold, BEN)
    assert found(bench).median_ms == 7 * MINUTE_MS


def test_another_round_and_another_try_do_not_change_when_it_was_first_decided(bench):
    hold = bench.approved(1, asked=WAIT)
    bench.now_ms += 3 * MINUTE_MS
    assert bench.begin(hold, definition_digest="another", call_digest="another").status == "held"
    assert found(bench).timed == 1, "and it waits again"
    assert found(bench).total == Counts(held=1)
    bench.now_ms += 3 * MINUTE_MS
    bench.decide(hold, BEN)
    running = bench.begin(hold)
    bench.run(REAL.executing.give_back, hold.id, running.fence, reason="down", again_ms=5)
    again = found(bench)
    assert (again.timed, again.median_ms, again.total.approved) == (1, 0, 1)
    assert again.deciders == (Decider(person=ANA.id, yes=1, no=0), Decider(person=BEN.id, yes=1, no=0))


def test_what_expired_or_was_withdrawn_undecided_says_nothing_about_how_long_deciding_takes(bench):
    bench.run(REAL.deciding.cancel, bench.file(1).id, tenant=TENANT, actor="rex-agent", reason="")
    bench.file(2)
    bench.now_ms += 2 * HOUR_MS
    bench.sweep()
    assert (found(bench).timed, found(bench).total.expired) == (0, 1)
    decided_after(bench, 3, 1)
    assert found(bench).timed == 1


def test_only_the_latest_decisions_are_timed_where_there_are_very_many(bench, monkeypatch):
    monkeypatch.setattr(REAL.reviewing, "TIMED_MAX", 3)
    for number, minutes in enumerate((50, 50, 1, 2, 3)):
        bench.now_ms += 1
        decided_after(bench, number, minutes)
    latest = found(bench)
    assert (latest.timed, latest.median_ms, latest.p90_ms) == (3, 2 * MINUTE_MS, 3 * MINUTE_MS)
    assert latest.total.approved == 5


def test_whoever_said_most_comes_first_and_asking_and_claiming_say_nothing(bench):
    for number in range(3):
        decided_after(bench, number, 1, "deny" if number else "approve", BEN)
    hold = bench.file(4, asked={"quorum": 2})
    bench.run(REAL.deciding.claim, hold.id, CEM)
    bench.run(REAL.deciding.ask, hold.id, CEM, ANA, "")
    bench.decide(hold, ANA)
    assert found(bench).deciders == (
        Decider(person=BEN.id, yes=1, no=2),
        Decider(person=ANA.id, yes=1, no=0),
    )


def test_twenty_people_are_told_of(bench):
    for number in range(25):
        decided_after(bench, number, 1, someone=person(f"p{number:02}"))
    decided_after(bench, 25, 1, someone=person("p24"))
    names = [one.person for one in found(bench).deciders]
    assert names[:2] == ["p24@example.com", "p00@example.com"]
    assert len(names) == 20


def test_words_count_on_the_days_on_which_they_were_said(bench):
    hold = bench.file(asked=WAIT)
    bench.now_ms += 3 * DAY_MS
    bench.decide(hold, ANA)
    assert found(bench, *days(2)).deciders == ()
    assert found(bench, *days(4)).deciders == (Decider(person=ANA.id, yes=1, no=0),)


def test_what_waits_is_counted_by_risk_whenever_it_came_in(bench):
    oldest = bench.file(1, asked={"risk": 1, **WAIT})
    bench.now_ms += 5 * DAY_MS
    for number, risk in enumerate((3, 3, 2), start=2):
        bench.file(number, asked={"risk": risk})
    bench.approved(9, asked={"risk": 3})
    now = found(bench, *days(1, first_ms=bench.now_ms)).open
    assert now == Open(by_risk=((3, 2), (2, 1), (1, 1)), oldest=oldest.id, oldest_ms=NOON_MS)
    bench.decide(oldest, ANA)
    assert found(bench).open.oldest == "h2"


@pytest.mark.abuse(105)
def test_a_tenant_is_told_of_its_own_calls_and_people_only(bench):
    stranger = replace(ANA, tenant="acme", id="eve@example.com")
    hold = bench.file(1, tenant="acme")
    bench.decide(hold, stranger)
    bench.file(2, tenant="acme")
    assert found(bench) == found(bench, tenant="nobody")
    other = found(bench, tenant="acme")
    assert (other.total.held, other.total.approved, other.open.oldest) == (2, 1, "h2")
    assert [one.person for one in other.deciders] == ["eve@example.com"]


def test_the_numbers_are_read_from_indexes_alone(bench):
    """But for the row of the one call that waits longest."""
    bench.decide(bench.file(1), ANA)
    bench.file(2)
    asked = []
    bench.connection.set_trace_callback(asked.append)
    found(bench)
    bench.connection.set_trace_callback(None)
    assert len(asked) == 6
    reads = [sql for sql in asked if not sql.endswith("LIMIT 1")]
    assert len(reads) == 5
    for sql in reads:
        plan = " ".join(row["detail"] for row in bench.rows(f"EXPLAIN QUERY PLAN {sql}"))
        assert "USING COVERING INDEX" in plan, (sql, plan)
    whole = " ".join(row["detail"] for row in bench.rows("EXPLAIN QUERY PLAN SELECT * FROM hold"))
    assert "COVERING" not in whole, "control"
