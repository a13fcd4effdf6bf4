"""Reading holds, always within one tenant."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.unit.durable.holds.kit import (
    ANA,
    BEN,
    CEM,
    HOUR_MS,
    KEY,
    MINUTE_MS,
    REAL,
    TENANT,
    digest,
    requester,
)

finding, refusals, Status = REAL.finding, REAL.refusals, REAL.status.Status


def page(bench, *statuses, limit=50, after=None, tenant=TENANT):
    wanted = [Status(status) for status in statuses or ("held",)]
    return bench.read(finding.page, tenant, statuses=wanted, limit=limit, after=after)


def cursor(hold):
    return (hold.requirement.risk, hold.expires_ms, hold.id)


def acme(bench, number, **changes):
    """A hold of another tenant, alike in everything else."""
    return bench.file(number, id=f"a{number}", tenant="acme", **changes)


@pytest.mark.abuse(80)
def test_no_query_of_a_tenant_shows_another_tenants_hold(bench):
    mine, other = bench.file(1), acme(bench, 1)
    assert other.group_key == mine.group_key
    assert [hold.id for hold in page(bench)] == ["h1"]
    assert [hold.id for hold in page(bench, tenant="acme")] == ["a1"]
    assert page(bench)[0].group_size == 1
    assert [hold.id for hold in bench.read(finding.group, TENANT, "g1", limit=9)] == ["h1"]
    with pytest.raises(refusals.UnknownHold):
        bench.read(finding.of_prefix, TENANT, "a1")
    assert bench.read(finding.of_prefix, "acme", "a1").id == "a1"
    assert bench.read(finding.counts, TENANT)["held"] == 1
    assert bench.read(finding.counts)["held"] == 2
    with pytest.raises(refusals.UnknownHold):
        bench.read(finding.story, replace(other, tenant=TENANT))
    bench.decide(mine, ANA, "deny")
    assert bench.read(finding.similar, other) == ()
    assert bench.read(finding.similar, bench.file(2)) != ()


def test_an_unknown_hold_and_a_foreign_one_are_refused_in_the_same_words(bench):
    acme(bench, 1)
    said = set()
    for prefix in ("a1", "a", "nothing", ""):
        with pytest.raises(refusals.UnknownHold) as refused:
            bench.read(finding.of_prefix, TENANT, prefix)
        said.add((refused.value.code, refused.value.reason, refused.value.next_step))
    assert len(said) == 1


def test_a_hold_is_found_by_the_beginning_of_its_id(bench):
    for number in ("ab1", "ab2", "b"):
        bench.file(number)
    acme(bench, "c", call_digest=digest("c"))
    assert bench.read(finding.of_prefix, TENANT, "hb").id == "hb"
    with pytest.raises(refusals.AmbiguousHold, match="2 holds") as refused:
        bench.read(finding.of_prefix, TENANT, "hab")
    assert refused.value.candidates == ("hab1", "hab2")
    assert bench.read(finding.of_prefix, TENANT, "hab1").id == "hab1"


def test_a_full_id_is_found_although_others_begin_like_it(bench):
    for number in ("", "1", "11"):
        bench.file(number)
    assert bench.read(finding.of_prefix, TENANT, "h1").id == "h1"


def test_a_prefix_is_no_pattern(bench):
    bench.file("1")
    for prefix in ("%", "_1", "h%", "h_", "h1' OR '1'='1"):
        with pytest.raises(refusals.UnknownHold):
            bench.read(finding.of_prefix, TENANT, prefix)


def test_of_many_candidates_some_are_listed(bench):
    for number in range(30):
        bench.file(number)
    with pytest.raises(refusals.AmbiguousHold) as refused:
        bench.read(finding.of_prefix, TENANT, "h")
    assert len(refused.value.candidates) == finding.CANDIDATES_MAX


def test_the_queue_has_the_risky_first_then_those_with_the_least_time_left(bench):
    bench.file("low", asked={"risk": 1, "ttl_ms": MINUTE_MS})
    bench.file("late", asked={"risk": 3, "ttl_ms": HOUR_MS})
    bench.file("soon", asked={"risk": 3, "ttl_ms": MINUTE_MS})
    bench.file("b", asked={"ttl_ms": HOUR_MS})
    bench.file("a", asked={"ttl_ms": HOUR_MS})
    assert [hold.id for hold in page(bench)] == ["hsoon", "hlate", "ha", "hb", "hlow"]


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_pages_put_together_are_the_whole_queue_once_each_in_order(bench, limit):
    dice = random.Random(7)
    for number in range(25):
        bench.file(number, asked={"risk": dice.randint(1, 3), "ttl_ms": dice.choice([1000, 2000])})
        if number % 4 == 0:
            bench.decide(bench.get(f"h{number}"), ANA)
    whole = page(bench, "held", "approved", limit=200)
    assert len(whole) == 25
    seen, after = [], None
    while found := page(bench, "held", "approved", limit=limit, after=after):
        assert len(found) <= limit
        seen += found
        after = cursor(found[-1])
    assert seen == whole
    assert [cursor(hold) for hold in whole] == sorted(
        (cursor(hold) for hold in whole), key=lambda key: (-key[0], *key[1:])
    )


def test_a_page_has_only_the_statuses_that_were_asked_for_and_so_many(bench):
    for number in range(finding.PAGE_MAX + 5):
        bench.file(number)
    bench.decide(bench.get("h3"), ANA)
    assert [hold.id for hold in page(bench, "approved")] == ["h3"]
    assert len(page(bench, limit=10**9)) == finding.PAGE_MAX
    assert page(bench, "denied") == []


@pytest.mark.abuse(89)
def test_calls_that_look_alike_are_one_group_of_waiting_ones(bench):
    for number in range(4):
        bench.file(number)
    bench.file("other", group_key="g2")
    bench.decide(bench.get("h0"), ANA)
    sizes = {hold.id: hold.group_size for hold in page(bench, "held", "approved")}
    assert sizes == {"h0": 3, "h1": 3, "h2": 3, "h3": 3, "hother": 1}
    assert [hold.id for hold in bench.read(finding.group, TENANT, "g1", limit=2)] == ["h1", "h2"]
    assert bench.read(finding.story, bench.get("h1")).hold.group_size == 3


@pytest.mark.abuse(89)
def test_deciding_one_of_a_group_decides_one(bench):
    for number in range(3):
        bench.file(number)
    bench.decide(bench.get("h1"), ANA)
    assert [bench.status(f"h{number}") for number in range(3)] == ["held", "approved", "held"]


def test_a_page_says_how_many_agreed_in_the_round_that_is(bench):
    hold = bench.file(asked={"quorum": 3})
    assert page(bench)[0].approvals == 0
    for number, someone in enumerate((ANA, BEN), 1):
        assert bench.decide(hold, someone).hold.approvals == number
        assert page(bench)[0].approvals == number
    bench.decide(hold, CEM)
    assert bench.begin(hold, stricter="more by now").status == "held"
    assert page(bench)[0].approvals == 0


def test_a_story_has_all_rounds_votes_and_events_in_order(bench):
    hold = bench.file(asked={"quorum": 2})
    bench.decide(hold, BEN)
    bench.now_ms += 1
    bench.decide(hold, ANA)
    bench.begin(hold, stricter="more by now")
    bench.decide(hold, ANA)
    story = bench.read(finding.story, bench.get(hold))
    assert [(vote.round, vote.person) for vote in story.votes] == [(1, BEN.id), (1, ANA.id), (2, ANA.id)]
    assert [event.kind for event in story.events] == ["held", "vote", "approved", "held", "vote"]
    assert [event.seq for event in story.events] == [1, 2, 3, 4, 5]
    assert [event.round for event in story.events] == [1, 1, 1, 2, 2]
    assert story.events[3].details["because"] == "more by now"
    assert not story.escalated


def test_a_story_is_of_the_hold_as_it_is_now(bench):
    old = bench.file()
    bench.decide(old, ANA)
    assert bench.read(finding.story, old).hold.status == "approved"


def test_similar_decisions_are_the_latest_ends_of_the_same_tool(bench):
    for number in range(12):
        bench.now_ms += 1
        bench.decide(bench.file(number), ANA, "deny")
    bench.file("waits")
    bench.decide(bench.file("elsewhere", name="charge"), ANA, "deny")
    bench.decide(bench.file("there", upstream="bank"), ANA, "deny")
    bench.now_ms += 1
    ran = bench.finish(bench.executing("ran", requester=requester("ulf@example.com")))
    found = bench.read(finding.similar, bench.get("h11"))
    assert [one.id for one in found] == ["hran", *(f"h{number}" for number in range(10, 1, -1))]
    assert (found[0].status, found[0].subject, found[0].updated_ms) == (
        "succeeded",
        "ulf@example.com",
        ran.updated_ms,
    )
    assert (found[1].by, found[1].reason) == (ANA.id, "deny: because")


def test_the_very_same_call_comes_first_however_long_ago_it_ran(bench):
    same = {"call_digest": digest("the same")}
    bench.run(REAL.filing.collect, bench.finish(bench.executing("first", **same)))
    for number in range(12):
        bench.now_ms += 1
        bench.decide(bench.file(number), ANA, "deny")
    bench.file("again", **same)
    found = bench.read(finding.similar, bench.get("hagain"))
    assert [(one.id, one.same) for one in found[:2]] == [("hfirst", True), ("h11", False)]
    assert len(found) == finding.SIMILAR_MAX


def test_due_is_what_was_approved_to_be_executed_and_whose_time_has_come(bench):
    first = bench.approved(1)
    bench.now_ms += 1
    second = bench.approved(2)
    bench.approved(3, asked={"on_approval": "grant"})
    bench.file(4)
    bench.executing(5)
    assert [hold.id for hold in bench.read(finding.due, limit=9)] == [first.id, second.id]
    assert [hold.id for hold in bench.read(finding.due, limit=1)] == [first.id]
    bench.now_ms = first.approved_until_ms
    assert [hold.id for hold in bench.read(finding.due, limit=9)] == [second.id]
    bench.now_ms = second.approved_until_ms
    assert bench.read(finding.due, limit=9) == []


def test_the_gateway_knows_when_it_has_to_look_again(bench):
    assert bench.read(finding.next_due_ms) is None
    hold = bench.file(1)
    bench.file(2, asked={"remind_ms": MINUTE_MS})
    assert bench.read(finding.next_due_ms) == MINUTE_MS
    bench.now_ms += 2 * MINUTE_MS
    assert bench.read(finding.next_due_ms) == 0
    bench.sweep()
    assert bench.read(finding.next_due_ms) == MINUTE_MS
    bench.decide(hold, ANA)
    assert bench.read(finding.next_due_ms) == 0


def test_open_holds_are_counted_by_status(bench):
    bench.file(1)
    bench.approved(2)
    bench.executing(3)
    bench.finish(bench.executing(4), "outcome_unknown")
    bench.decide(bench.file(5), ANA, "deny")
    assert bench.read(finding.counts, TENANT) == {
        "approved": 1,
        "executing": 1,
        "held": 1,
        "outcome_unknown": 1,
    }


def test_a_row_gives_back_what_was_put_in(bench):
    """Whatever a hold can hold: text of all kinds, edits, an outcome."""
    awkward = {"amount": 1.5, "to": 'Zoë "O\'Neil" \u202e\n\x00', "list": [None, True, {"ß": "✓"}]}
    hold = bench.approved(
        1,
        view=awkward,
        workflow=awkward,
        session="",
        asked={"groups": (("lead", "b"), ("lead",)), "remind_ms": 5, "escalate_ms": 7, "escalate_to": ("x",)},
    )
    stored = bench.get(hold)
    assert stored == hold
    assert (stored.view, stored.workflow) == (awkward, awkward)
    assert stored.requirement.groups == (("lead", "b"), ("lead",))
    columns = REAL.columns.columns_of(stored)
    assert REAL.columns.hold_of(columns | {"group_size": 1}) == stored
    ended = bench.finish(bench.begin(hold), "failed")
    assert bench.get(hold).outcome == ended.outcome
    bench.run(REAL.filing.collect, ended)
    assert bench.run(REAL.finding.one, hold.id).collected
    assert REAL.deciding.bound(stored, KEY)
