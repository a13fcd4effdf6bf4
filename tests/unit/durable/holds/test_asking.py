"""Another reviewer is asked to look at a call: who may, whom, and what does not change by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.durable.holds.kit import (
    ANA,
    BEN,
    CEM,
    DAN,
    HOUR_MS,
    MINUTE_MS,
    REAL,
    Bench,
    person,
)

deciding, refusals = REAL.deciding, REAL.refusals
REX = person("rex")
"""The person behind the agent that asks; a lead, too."""
BOSS = person("boss", "boss")


def ask(bench, hold, someone=ANA, whom=BEN, note="you know this customer"):
    return bench.run(deciding.ask, hold.id, someone, whom, note)


def test_who_is_asked_by_whom_and_why_is_an_event_that_is_told_like_all_others(bench):
    hold = ask(bench, bench.file())
    event = bench.read(REAL.finding.story, hold).events[-1]
    assert (event.kind, event.actor, event.seq, event.round) == ("asked", ANA.id, 2, 1)
    assert event.details == {"status": "held", "whom": BEN.id, "note": "you know this customer"}
    for channel in ("log", "webhooks"):
        untold = bench.read(REAL.outbox.untold, channel, limit=10)
        assert [one.event.kind for one in untold] == ["held", "asked"]
    assert bench.woken[-1] == hold.id


def test_to_ask_is_no_word_about_the_call_and_changes_nothing_that_is_decided(bench):
    hold = bench.file(asked={"quorum": 2})
    after = ask(bench, hold)
    assert replace(after, version=1) == hold
    assert after.seen == hold.seen
    assert bench.read(deciding.votes_of, after) == ()
    bench.decide(hold, CEM)
    assert bench.decide(hold, ANA).hold.status == "approved", "neither has to be the one who was asked"


def test_who_asks_lets_go_of_the_call_and_of_nobody_elses(bench):
    mine, theirs = bench.file(1), bench.file(2)
    bench.run(deciding.claim, mine.id, ANA)
    bench.run(deciding.claim, theirs.id, CEM)
    assert (ask(bench, mine).claimed_by, bench.get(mine).claimed_until_ms) == ("", 0)
    assert (ask(bench, theirs).claimed_by, bench.get(theirs).claimed_until_ms > 0) == (CEM.id, True)
    assert bench.decide(mine, BEN).hold.status == "approved"


def test_only_who_may_decide_asks(bench):
    hold = bench.file()
    for someone in (DAN, REX):
        with pytest.raises(refusals.NotEligible):
            ask(bench, hold, someone)
    with pytest.raises(refusals.UnknownHold):
        ask(bench, hold, replace(ANA, tenant="acme"))
    assert bench.events(hold) == ["held"]
    ask(bench, hold, CEM)
    assert bench.events(hold) == ["held", "asked"]


@pytest.mark.parametrize(
    ("whom", "why"),
    [
        (DAN, "decided by lead"),
        (REX, "what their own agent asks for"),
        (replace(BEN, tenant="acme"), "another tenant's"),
        (ANA, "it is you"),
        (replace(ANA, id=ANA.id.upper()), "it is you"),
        (BOSS, "decided by lead"),
    ],
)
def test_nobody_is_asked_who_may_not_decide(bench, whom, why):
    hold = bench.file(asked={"escalate_ms": 10 * MINUTE_MS, "escalate_to": ("boss",)})
    with pytest.raises(refusals.NotAskable, match=why):
        ask(bench, hold, ANA, whom)
    assert bench.events(hold) == ["held"]
    ask(bench, hold, ANA, BEN)


def test_the_wider_circle_is_asked_once_it_was_told(bench: Bench):
    hold = bench.file(asked={"escalate_ms": 10 * MINUTE_MS, "escalate_to": ("boss",)})
    bench.now_ms += 10 * MINUTE_MS
    bench.sweep()
    ask(bench, hold, ANA, BOSS)
    assert bench.events(hold) == ["held", "escalated", "asked"]


def test_what_does_not_wait_is_not_asked_about(bench):
    decided, expired, running = bench.approved(1), bench.file(2), bench.executing(3)
    bench.now_ms += HOUR_MS
    for hold, status in ((decided, "approved"), (expired, "expired"), (running, "executing")):
        with pytest.raises(refusals.WrongStatus) as refused:
            ask(bench, hold)
        assert refused.value.status == status
        assert "asked" not in bench.events(hold)
    again = bench.file(4)
    ask(bench, again)
    assert bench.events(again) == ["held", "asked"]


def test_another_round_is_asked_about_anew(bench):
    hold = ask(bench, bench.file())
    change = deciding.Edit(
        arguments=hold.arguments, view={}, call_digest="c" * 64, revision="r2", requirement=hold.requirement
    )
    edited = bench.run(deciding.edit, hold.id, ANA, change, seen=hold.seen, reason="", key=b"k" * 32)
    ask(bench, edited)
    rounds = [(one.kind, one.round) for one in bench.read(REAL.finding.story, edited).events]
    assert rounds == [("held", 1), ("asked", 1), ("edited", 2), ("asked", 2)]
