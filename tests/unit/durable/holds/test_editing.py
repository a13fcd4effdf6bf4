"""Approve with changes: another round, in which nobody has said anything yet (abuse case 97)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.durable.holds.kit import (
    ANA,
    BEN,
    DAN,
    HOUR_MS,
    KEY,
    MINUTE_MS,
    REAL,
    arguments,
    digest,
    filing,
    person,
    requirement,
)

deciding, refusals = REAL.deciding, REAL.refusals
REX = person("rex")


def change(number, **asked):
    return deciding.Edit(
        arguments=arguments(number),
        view={"amount": 80},
        call_digest=digest("call", number, "definition"),
        revision="r1",
        requirement=requirement(**asked),
    )


def edit(bench, hold, someone=ANA, number="edited", *, seen=None, **asked):
    shown = bench.get(hold).seen if seen is None else seen
    return bench.run(
        deciding.edit, hold.id, someone, change(number, **asked), seen=shown, reason="half of it", key=KEY
    )


@pytest.mark.abuse(97)
def test_an_edit_begins_a_round_and_keeps_what_the_agent_had_sent(bench):
    hold = bench.file()
    bench.now_ms += MINUTE_MS
    edited = edit(bench, hold)
    assert (edited.status, edited.round, edited.version) == ("held", 2, 2)
    assert edited.arguments == arguments("edited")
    assert edited.original == arguments(1)
    assert edited.original_digest == hold.arguments.digest
    assert edited.expires_ms == bench.now_ms + HOUR_MS
    assert edited.view == {"amount": 80}
    assert edited.seen != hold.seen
    assert deciding.bound(edited, KEY)


@pytest.mark.abuse(97)
def test_the_record_has_both_versions_and_where_their_bytes_lie(bench):
    edited = edit(bench, bench.file())
    event = bench.read(REAL.finding.story, edited).events[-1]
    assert event.kind == "edited"
    assert (event.details["from"], event.details["to"]) == (arguments(1).digest, arguments("edited").digest)
    assert event.details["from_payload"] == {"commitment": "c1"}
    assert event.details["to_payload"] == {"commitment": "cedited"}
    assert event.details["reason"] == "half of it"


@pytest.mark.abuse(97)
def test_what_was_said_about_the_original_counts_no_more(bench):
    hold = bench.file(asked={"quorum": 2})
    shown = hold.seen
    bench.decide(hold, ANA)
    edit(bench, hold, BEN, quorum=2)
    with pytest.raises(refusals.SeenStale):
        bench.decide(hold, BEN, seen=shown)
    assert bench.decide(hold, BEN).hold.status == "held"
    assert bench.decide(hold, ANA).hold.status == "approved"
    votes = bench.read(REAL.finding.story, bench.get(hold)).votes
    assert [(vote.round, vote.person) for vote in votes] == [(1, ANA.id), (2, ANA.id), (2, BEN.id)]


@pytest.mark.abuse(97)
def test_the_original_call_finds_the_edited_one_and_can_no_longer_run(bench):
    hold = bench.file()
    edit(bench, hold)
    found = bench.run(
        REAL.filing.file_hold, filing(id="another"), key=KEY, caps=REAL.filing.Caps(per_agent=9, per_tenant=9)
    )
    assert (found[0].id, found[1]) == (hold.id, False)
    bench.decide(hold, ANA)
    other = edit(bench, bench.file(2), number="edited too")
    bench.decide(other, ANA)
    original = {"arguments_digest": arguments(1).digest}
    assert bench.begin(hold, **original).status == "invalidated"
    assert bench.begin(other).status == "executing"


@pytest.mark.abuse(97)
def test_the_originals_call_digest_does_not_run_an_edited_hold(bench):
    hold = edit(bench, bench.file())
    bench.decide(hold, ANA)
    assert bench.begin(hold, call_digest=digest("call", 1, "definition")).status == "invalidated"


@pytest.mark.abuse(97)
def test_an_edited_call_is_always_run_by_the_gateway(bench):
    hold = bench.file(asked={"on_approval": "grant"})
    edited = edit(bench, hold, on_approval="grant")
    assert edited.requirement.on_approval == "execute"
    bench.decide(hold, ANA)
    again = bench.begin(hold, requirement=requirement(on_approval="grant"), stricter="another group")
    assert (again.status, again.requirement.on_approval) == ("held", "execute"), "in later rounds, too"
    grant = bench.approved(2, asked={"on_approval": "grant"})
    again = bench.begin(grant, requirement=requirement(on_approval="grant"), stricter="another group")
    assert again.requirement.on_approval == "grant"


def test_after_a_second_edit_the_original_is_still_what_the_agent_sent(bench):
    hold = bench.file()
    edit(bench, hold, number="once")
    twice = edit(bench, hold, number="twice")
    assert (twice.round, twice.original, twice.arguments) == (3, arguments(1), arguments("twice"))


def test_what_policy_asks_for_the_edited_call_is_what_counts(bench):
    hold = edit(bench, bench.file(), groups=(("clerk",),), risk=3, ttl_ms=MINUTE_MS)
    assert (hold.requirement.risk, hold.expires_ms) == (3, bench.now_ms + MINUTE_MS)
    with pytest.raises(refusals.NotEligible):
        bench.decide(hold, ANA)
    assert bench.decide(hold, DAN).hold.status == "approved"


def test_the_escalation_begins_anew_with_the_round(bench):
    asked = {"escalate_ms": MINUTE_MS, "escalate_to": ("boss",)}
    boss = person("boss", "boss")
    hold = bench.file(asked=asked)
    bench.now_ms += MINUTE_MS
    bench.sweep()
    edited = edit(bench, hold, boss, **asked)
    assert edited.next_ms == bench.now_ms + MINUTE_MS
    with pytest.raises(refusals.NotEligible):
        bench.decide(hold, boss)
    bench.now_ms += MINUTE_MS
    bench.sweep()
    assert bench.decide(hold, boss).hold.status == "approved"


def test_who_may_not_decide_may_not_edit(bench):
    hold = bench.file()
    for someone in (REX, DAN):
        with pytest.raises(refusals.NotEligible):
            edit(bench, hold, someone)
    with pytest.raises(refusals.UnknownHold):
        edit(bench, hold, replace(ANA, tenant="acme"))
    with pytest.raises(refusals.SeenStale):
        edit(bench, hold, seen="something else")
    bench.run(deciding.claim, hold.id, BEN)
    with pytest.raises(refusals.ClaimedByOther):
        edit(bench, hold)
    assert bench.get(hold).round == 1
    assert edit(bench, hold, BEN).round == 2


@pytest.mark.abuse(90)
def test_what_no_longer_waits_is_not_edited(bench):
    approved, late, timely = bench.approved(1), bench.file(2), bench.file(3)
    with pytest.raises(refusals.WrongStatus):
        edit(bench, approved)
    bench.now_ms = late.expires_ms - 1
    assert edit(bench, timely).round == 2
    bench.now_ms = late.expires_ms
    with pytest.raises(refusals.WrongStatus, match="expired"):
        edit(bench, late, number="later")
