"""Whose word counts, how many words it takes, and what a word is about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.durable.holds.kit import (
    ANA,
    BEN,
    CEM,
    DAN,
    HOUR_MS,
    KEY,
    MINUTE_MS,
    NOON_MS,
    REAL,
    TENANT,
    Bench,
    person,
)

deciding, refusals = REAL.deciding, REAL.refusals
REX = person("rex")
"""The person behind the agent that asks; a lead, too."""


def test_one_lead_approves_and_the_approval_can_be_used_until_the_hold_would_have_expired(bench):
    hold = bench.decide(bench.file(), ANA).hold
    assert (hold.status, hold.reason, hold.reason_by) == ("approved", "approve: because", ANA.id)
    assert (hold.approved_until_ms, hold.next_ms) == (NOON_MS + HOUR_MS, NOON_MS)
    assert bench.events(hold) == ["held", "approved"]


def test_an_approval_in_the_last_moment_can_still_be_used_for_a_while(bench):
    hold = bench.file()
    bench.now_ms = hold.expires_ms - 1
    assert bench.decide(hold, ANA).hold.approved_until_ms == bench.now_ms + deciding.APPROVAL_GRACE_MS


def test_a_grant_waits_for_its_caller_and_not_for_the_executor(bench):
    hold = bench.approved(asked={"on_approval": "grant"})
    assert hold.next_ms == hold.approved_until_ms
    assert bench.read(REAL.finding.due, limit=10) == []
    executed = bench.approved(2)
    assert [one.id for one in bench.read(REAL.finding.due, limit=10)] == [executed.id]


def test_the_record_says_who_decided_how_and_as_what(bench):
    hold = bench.decide(bench.file(), person("ana", "lead", "audit", how="session")).hold
    story = bench.read(REAL.finding.story, hold)
    assert story.events[-1].details["how"] == "session"
    assert story.events[-1].details["names"] == ["audit", "lead"]
    assert story.events[-1].details["single_user"] is False
    (vote,) = story.votes
    assert (vote.person, vote.names, vote.seen) == (ANA.id, {"audit", "lead"}, hold.seen)


@pytest.mark.abuse(85)
def test_a_quorum_is_of_different_people(bench):
    hold = bench.file(asked={"quorum": 2})
    assert bench.decide(hold, ANA).hold.status == "held"
    assert bench.events(hold)[-1] == "vote"
    shouting = replace(ANA, id=ANA.id.upper(), how="session")
    assert bench.decide(hold, shouting).hold.status == "held", "the same person in capital letters"
    assert bench.decide(hold, BEN).hold.status == "approved"


@pytest.mark.abuse(79)
def test_the_same_word_said_again_changes_nothing_however_often(bench):
    hold = bench.file(asked={"quorum": 2})
    assert bench.decide(hold, ANA).counted
    version = bench.get(hold).version
    for _ in range(100):
        again = bench.decide(hold, ANA)
        assert (again.counted, again.hold.status, again.hold.version) == (False, "held", version)
    bench.decide(hold, BEN)
    assert not bench.decide(hold, ANA).counted
    assert bench.status(hold) == "approved"


def test_a_person_says_one_thing_in_a_round(bench):
    hold = bench.file(asked={"quorum": 2})
    bench.decide(hold, ANA)
    bench.decide(hold, ANA)
    assert bench.decide(hold, ANA, "deny").hold.status == "denied", "a no counts more than a yes before it"
    other = bench.file(2, asked={"quorum": 2})
    assert bench.decide(other, BEN, "deny").hold.status == "denied"
    with pytest.raises(refusals.WrongStatus):
        bench.decide(other, BEN)


def test_somebody_of_every_group_has_to_agree(bench):
    hold = bench.file(asked={"groups": (("lead",), ("clerk", "intern")), "quorum": 2})
    bench.decide(hold, ANA)
    assert bench.decide(hold, BEN).hold.status == "held", "two leads are two people and one group"
    assert bench.decide(hold, DAN).hold.status == "approved"


def test_one_person_of_two_groups_is_enough_where_one_person_is(bench):
    hold = bench.file(asked={"groups": (("lead",), ("clerk",))})
    assert bench.decide(hold, person("eva", "lead", "clerk")).hold.status == "approved"


def test_a_group_can_name_a_person(bench):
    hold = bench.file(asked={"groups": (("dan@example.com",),)})
    with pytest.raises(refusals.NotEligible, match=r"decided by dan@example\.com"):
        bench.decide(hold, ANA)
    assert bench.decide(hold, DAN).hold.status == "approved"


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_who_is_in_none_of_the_groups_cannot_decide_or_claim(bench, verdict):
    hold = bench.file()
    with pytest.raises(refusals.NotEligible, match="decided by lead"):
        bench.decide(hold, DAN, verdict)
    with pytest.raises(refusals.NotEligible):
        bench.run(deciding.claim, hold.id, DAN)
    assert bench.events(hold) == ["held"]
    assert bench.decide(hold, ANA, verdict).counted


@pytest.mark.abuse(80)
def test_for_a_reviewer_of_another_tenant_the_hold_does_not_exist(bench):
    hold = bench.file()
    stranger = replace(ANA, tenant="acme")
    for attempt in (
        lambda: bench.decide(hold, stranger),
        lambda: bench.run(deciding.claim, hold.id, stranger),
        lambda: bench.run(deciding.cancel, hold.id, tenant="acme", actor="x", reason=""),
        lambda: bench.run(deciding.resolve, hold.id, stranger, "failed", evidence="", key=KEY),
    ):
        with pytest.raises(refusals.UnknownHold, match="no such hold"):
            attempt()
    assert bench.decide(hold, ANA).counted


@pytest.mark.abuse(85)
@pytest.mark.parametrize(
    "same",
    [
        REX,
        replace(REX, id="Rex@Example.COM"),
        replace(REX, how="session"),
        replace(REX, names=frozenset({"lead", "admin", "operator"})),
        person("x", id="rex-agent"),
        person("x", id="REX-AGENT"),
    ],
    ids=["token", "spelling", "session", "more roles", "agent's name", "agent's name in capitals"],
)
def test_nobody_approves_what_their_own_agent_asks_for(bench, same):
    hold = bench.file(asked={"groups": (("lead", same.id),)})
    for verdict in ("approve", "deny"):
        with pytest.raises(refusals.NotEligible, match="own agent"):
            bench.decide(hold, same, verdict)
    assert bench.decide(hold, ANA).hold.status == "approved"


@pytest.mark.abuse(85)
def test_a_requesters_own_word_is_not_counted_even_where_a_row_has_it(bench):
    """Somebody may have become the requester's person, or a rule stopped to say self-confirm, since the vote."""
    hold = bench.file(asked={"quorum": 2, "self_confirm": True})
    bench.decide(hold, REX)
    bench.decide(hold, ANA)
    assert bench.status(hold) == "approved"
    asked = replace(hold.requirement, self_confirm=False)
    assert bench.begin(hold, ANA, REX, requirement=asked).status == "held"
    assert bench.begin(bench.approved(2, ANA, BEN, asked={"quorum": 2}), ANA, BEN).status == "executing"


def test_a_rule_that_says_self_confirm_lets_the_requester_say_yes(bench):
    hold = bench.file(asked={"self_confirm": True, "groups": (("nobody",),)})
    with pytest.raises(refusals.NotEligible):
        bench.decide(hold, ANA)
    assert bench.decide(hold, REX).hold.status == "approved"


def test_the_sole_person_stands_for_everybody_and_the_record_says_so(bench):
    sole = replace(REX, names=frozenset(), sole=True)
    hold = bench.decide(bench.file(asked={"groups": (("lead",), ("clerk",))}), sole).hold
    assert hold.status == "approved"
    assert bench.read(REAL.finding.story, hold).events[-1].details["single_user"] is True
    assert bench.begin(hold, sole).status == "executing"


def test_the_sole_person_is_still_one_person(bench):
    hold = bench.file(asked={"quorum": 2})
    assert bench.decide(hold, replace(REX, sole=True)).hold.status == "held"


def test_the_wider_circle_may_decide_once_it_was_told_and_not_before(bench):
    boss = person("boss", "boss")
    asked = {"escalate_ms": 10 * MINUTE_MS, "escalate_to": ("boss",), "groups": (("lead",), ("clerk",))}
    hold = bench.file(asked=asked)
    bench.now_ms += 10 * MINUTE_MS
    with pytest.raises(refusals.NotEligible):
        bench.decide(hold, boss)
    assert bench.sweep().escalated == 1
    assert bench.decide(hold, boss).hold.status == "approved", "for every group"
    assert bench.begin(hold, boss).status == "executing"


def test_before_the_escalation_a_word_counts_for_its_own_group_only(bench):
    asked = {"escalate_ms": 10 * MINUTE_MS, "escalate_to": ("boss",), "groups": (("lead",), ("clerk",))}
    both = person("eva", "lead", "boss")
    hold = bench.file(asked=asked)
    assert bench.decide(hold, both).hold.status == "held"
    assert bench.decide(hold, DAN).hold.status == "approved"
    assert bench.begin(hold, both, DAN).status == "executing"


def test_what_was_shown_is_what_is_decided(bench):
    hold = bench.file()
    for seen in ("", "0" * 64, bench.file(2).seen, hold.seen.upper()):
        with pytest.raises(refusals.SeenStale):
            bench.decide(hold, ANA, seen=seen)
    assert bench.decide(hold, ANA, seen=hold.seen).counted


@pytest.mark.abuse(78)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("call_digest", "another"),
        ("revision", "another"),
        ("round", 2),
        ("expires_ms", NOON_MS + 2 * HOUR_MS),
        ("binding", "0" * 64),
    ],
)
def test_a_row_that_somebody_wrote_to_cannot_be_approved(bench, column, value):
    hold, other = bench.file(1), bench.file(2)
    bench.execute(f"UPDATE hold SET {column} = :value WHERE id = 'h1'", value=value)
    with pytest.raises(refusals.SeenStale):
        bench.decide(hold, ANA, seen=hold.seen)
    with pytest.raises(refusals.SeenStale, match="not the one that was held"):
        bench.decide(hold, ANA)
    assert bench.decide(other, ANA).hold.status == "approved"
    assert bench.decide(hold, ANA, "deny").hold.status == "denied", "to stop it is always possible"


@pytest.mark.abuse(80)
def test_a_binding_is_good_for_one_hold_only(bench):
    bench.file(1)
    other = bench.file(1, id="other", tenant="acme")
    bench.execute("UPDATE hold SET binding = (SELECT binding FROM hold WHERE id = 'h1') WHERE id = 'other'")
    with pytest.raises(refusals.SeenStale):
        bench.decide(other, replace(ANA, tenant="acme"))


@pytest.mark.abuse(90)
@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_an_expired_hold_cannot_be_decided_from_its_very_millisecond_on(bench, verdict):
    late, timely = bench.file(1), bench.file(2)
    bench.now_ms = late.expires_ms - 1
    assert bench.decide(timely, ANA, verdict).counted
    bench.now_ms = late.expires_ms
    with pytest.raises(refusals.WrongStatus, match="expired") as refused:
        bench.decide(late, ANA, verdict)
    assert refused.value.status == "expired"
    bench.sweep()
    assert bench.status(late) == "expired"
    with pytest.raises(refusals.WrongStatus):
        bench.decide(late, ANA, verdict)


@pytest.mark.abuse(90)
@pytest.mark.parametrize(
    "end", ["denied", "cancelled", "invalidated", "executing", "succeeded", "outcome_unknown"]
)
def test_what_has_another_status_cannot_be_decided(bench, end):
    hold = bench.file()
    if end == "denied":
        bench.decide(hold, BEN, "deny")
    elif end == "cancelled":
        bench.run(deciding.cancel, hold.id, tenant=TENANT, actor="rex-agent", reason="no longer")
    elif end == "invalidated":
        bench.decide(hold, BEN)
        bench.begin(hold, denied="forbidden by now")
    else:
        bench.decide(hold, BEN)
        running = bench.begin(hold)
        if end != "executing":
            bench.finish(running, end)
    before = bench.get(hold)
    for verdict in ("approve", "deny"):
        with pytest.raises(refusals.WrongStatus) as refused:
            bench.decide(hold, ANA, verdict)
        assert refused.value.status == end
    assert bench.get(hold) == before


@pytest.mark.abuse(93)
def test_of_two_who_decide_at_once_one_wins_and_the_other_is_told_who(bench):
    hold = bench.file()
    seen = hold.seen
    assert bench.decide(hold, ANA, "deny", seen=seen).hold.status == "denied"
    with pytest.raises(refusals.WrongStatus, match=r"it is denied by ana@example\.com already") as refused:
        bench.decide(hold, BEN, seen=seen)
    assert (refused.value.status, refused.value.by) == ("denied", ANA.id)
    assert bench.events(hold) == ["held", "denied"]


def test_a_claim_keeps_others_from_approving_for_a_while_and_nobody_from_denying(bench):
    hold, other = bench.file(1), bench.file(2)
    for one in (hold, other):
        bench.run(deciding.claim, one.id, ANA)
    with pytest.raises(refusals.ClaimedByOther, match=ANA.id):
        bench.decide(hold, BEN)
    assert bench.decide(other, BEN, "deny").hold.status == "denied"
    bench.now_ms += deciding.CLAIM_MS - 1
    with pytest.raises(refusals.ClaimedByOther):
        bench.decide(hold, BEN)
    bench.now_ms += 1
    assert bench.decide(hold, BEN).hold.status == "approved"


def test_who_claims_last_has_it(bench):
    hold = bench.file()
    bench.run(deciding.claim, hold.id, ANA)
    claimed = bench.run(deciding.claim, hold.id, CEM)
    assert (claimed.claimed_by, claimed.claimed_until_ms) == (CEM.id, NOON_MS + deciding.CLAIM_MS)
    assert bench.read(REAL.finding.story, hold).events[-1].details["from"] == ANA.id
    with pytest.raises(refusals.ClaimedByOther):
        bench.decide(hold, ANA)
    decided = bench.decide(hold, CEM).hold
    assert (decided.status, decided.claimed_by) == ("approved", "")
    with pytest.raises(refusals.WrongStatus):
        bench.run(deciding.claim, hold.id, ANA)


def test_a_refused_decision_leaves_no_trace(bench):
    hold = bench.file()
    before: Bench = bench.copy()
    with pytest.raises(refusals.Refused):
        bench.decide(hold, REX)
    assert bench.dump() == before.dump()
    bench.decide(hold, ANA)
    assert bench.dump() != before.dump()
