"""Deciding over the JSON API: who may, about what, and who is told what when somebody was first."""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.people.port import ANA, LEA, MAX, OLI, OPS, PEOPLE, SAM, reviewer

HOLDS = "/api/v1/holds"
QUORUM_2 = {"quorum": 2}


async def status_of(port, hold):
    return (await port.desk.now_is(hold.id)).status


async def test_a_word_is_enough_where_one_is_asked_for(port):
    hold = await port.desk.file(1)
    heard = await port.decide(hold)
    assert heard.status == 200
    assert heard.json["counted"] is True
    row = heard.json["hold"]
    assert (row["status"], row["reason"], row["reason_by"]) == ("approved", "lea says so", "lea@example.com")
    assert row["approved_until"] is not None


async def test_different_people_have_to_agree_where_two_are_asked_for(port):
    hold = await port.desk.file(1, asked=QUORUM_2)
    assert (await port.decide(hold)).json["hold"]["status"] == "held"
    again = await port.decide(hold)
    assert (again.json["counted"], again.json["hold"]["status"]) == (False, "held")
    sheet = (await port.get(f"{HOLDS}/{hold.id}")).json
    assert (sheet["hold"]["approvals"], sheet["hold"]["quorum"]) == (1, 2)
    assert (await port.decide(hold, MAX)).json["hold"]["status"] == "approved"


@pytest.mark.abuse(93)
@pytest.mark.parametrize("verdicts", [("approve", "deny"), ("deny", "approve"), ("deny", "deny")])
async def test_of_two_reviewers_at_once_one_wins_and_the_other_is_told_by_whom(port, verdicts):
    hold = await port.desk.file(1)
    heard = await asyncio.gather(port.decide(hold, LEA, verdicts[0]), port.decide(hold, MAX, verdicts[1]))
    events = (await port.get(f"{HOLDS}/{hold.id}")).json["events"]
    assert len(events) == 2 if "approve" not in verdicts else len(events) in {2, 3}
    statuses = sorted(one.status for one in heard)
    if statuses == [200, 200]:
        # Deny beats approve: it took the unused approval back.
        assert [event["kind"] for event in events] == ["held", "approved", "cancelled"]
        return
    assert statuses == [200, 409]
    lost = next(one for one in heard if one.status == 409)
    winner = next(one for one in heard if one.status == 200).json["hold"]
    assert lost.code == "hold_wrong_status"
    assert lost.error["status"] == winner["status"]
    assert lost.error["by"] == winner["reason_by"]
    assert winner["reason_by"] in lost.error["message"]


@pytest.mark.abuse(93)
async def test_of_two_approvals_at_once_only_one_is_needed_and_nothing_happens_twice(port):
    hold = await port.desk.file(1)
    heard = await asyncio.gather(*(port.decide(hold, who) for who in (LEA, MAX, LEA, MAX)))
    approved = [one for one in heard if one.status == 200 and one.json["counted"]]
    assert len(approved) == 1
    events = (await port.get(f"{HOLDS}/{hold.id}")).json["events"]
    assert [event["kind"] for event in events] == ["held", "approved"]


@pytest.mark.abuse(85)
async def test_nobody_approves_what_their_own_agent_asks_for(port):
    hold = await port.desk.file(1)
    for verdict in ("approve", "deny"):
        heard = await port.decide(hold, ANA, verdict)
        assert (heard.status, heard.code) == (403, "hold_not_eligible")
    assert await status_of(port, hold) == "held"
    assert (await port.decide(hold, LEA)).status == 200


@pytest.mark.abuse(86)
async def test_who_has_not_the_role_decides_nothing(port):
    hold = await port.desk.file(1)
    body = {"arguments": {"amount": 1}, "seen": hold.seen}
    before = await port.desk.dump()
    for heard in (
        await port.decide(hold, SAM),
        await port.decide(hold, SAM, "deny"),
        await port.post(f"{HOLDS}/{hold.id}/claim", {}, SAM),
        await port.post(f"{HOLDS}/{hold.id}/edit", body, SAM),
    ):
        assert (heard.status, heard.code) == (403, "hold_not_eligible")
    assert await port.desk.dump() == before
    assert (await port.decide(hold, MAX)).status == 200


@pytest.mark.abuse(86)
async def test_a_reviewer_who_was_demoted_after_opening_the_page_is_refused(port):
    hold = await port.desk.file(1)
    browser = await port.browser().log_in(LEA)
    seen = (await browser.ask("GET", f"{HOLDS}/{hold.id}")).json["seen"]
    body = {"verdict": "approve", "seen": seen}
    port.directory.replace((reviewer(LEA, "support"), *PEOPLE[1:]))
    by_page = await browser.ask("POST", f"{HOLDS}/{hold.id}/decision", body, page=port.origin)
    assert (by_page.status, by_page.code) == (403, "hold_not_eligible")
    assert (await port.decide(hold)).code == "hold_not_eligible"
    port.directory.replace(PEOPLE)
    assert (await browser.ask("POST", f"{HOLDS}/{hold.id}/decision", body, page=port.origin)).status == 200


@pytest.mark.abuse(86)
async def test_a_reviewer_who_was_removed_after_opening_the_page_is_nobody(port):
    hold = await port.desk.file(1)
    browser = await port.browser().log_in(LEA)
    body = {"verdict": "approve", "seen": hold.seen}
    port.directory.replace(PEOPLE[1:])
    by_page = await browser.ask("POST", f"{HOLDS}/{hold.id}/decision", body, page=port.origin)
    assert (by_page.status, by_page.code) == (401, "unauthenticated")
    assert (await port.decide(hold)).code == "unauthenticated"
    # Not even when they come back: that login is over.
    port.directory.replace(PEOPLE)
    assert (await browser.ask("GET", "/api/v1/me")).status == 401
    assert (await port.decide(hold)).status == 200


async def test_what_changed_since_it_was_shown_is_not_decided(port):
    hold = await port.desk.file(1)
    edited = await port.post(
        f"{HOLDS}/{hold.id}/edit", {"arguments": {"amount": 90}, "seen": hold.seen, "reason": "less"}
    )
    assert edited.status == 200
    row = edited.json
    assert (row["round"], row["edited"], row["status"]) == (2, True, "held")
    assert row["seen"] != hold.seen
    stale = await port.decide(hold)
    assert (stale.status, stale.code) == (409, "hold_seen_stale")
    sheet = (await port.get(f"{HOLDS}/{hold.id}")).json
    assert sheet["arguments"]["amount"] == 90
    assert "121" in sheet["original_text"]
    assert (await port.decide(hold, seen=row["seen"])).status == 200


@pytest.mark.parametrize(
    ("arguments", "code"), [({"amount": "much"}, "invalid_arguments"), ({"amount": 5_000}, "invalid_params")]
)
async def test_an_edit_that_does_not_fit_or_is_denied_changes_nothing(port, arguments, code):
    hold = await port.desk.file(1)
    before = await port.desk.dump()
    heard = await port.post(f"{HOLDS}/{hold.id}/edit", {"arguments": arguments, "seen": hold.seen})
    assert (heard.status, heard.code) == (422, code)
    assert await port.desk.dump() == before


async def test_who_claims_has_it_for_a_while(port):
    hold = await port.desk.file(1)
    claimed = await port.post(f"{HOLDS}/{hold.id}/claim", {})
    assert (claimed.status, claimed.json["claimed_by"]) == (200, "lea@example.com")
    assert claimed.json["claimed_until"] == "2026-09-21T14:23:20.000Z"
    heard = await port.decide(hold, MAX)
    assert (heard.status, heard.code) == (409, "hold_claimed")
    port.advance(601)
    row = (await port.get(HOLDS, MAX)).json["holds"][0]
    assert (row["claimed_by"], row["claimed_until"]) == ("", None)
    assert (await port.decide(hold, MAX)).status == 200


async def test_what_has_expired_is_not_approved(port):
    hold = await port.desk.file(1)
    port.advance(3_601)
    heard = await port.decide(hold)
    assert (heard.status, heard.code, heard.error["status"]) == (409, "hold_wrong_status", "expired")


async def test_a_grant_is_listed_and_revoked(port):
    await port.desk.file(2)
    hold = await port.desk.file(1, asked={"on_approval": "grant"})
    await port.decide(hold)
    grants = (await port.get("/api/v1/grants")).json["grants"]
    assert [row["id"] for row in grants] == [hold.id]
    revoked = await port.post(f"/api/v1/grants/{hold.id}/revoke", {"reason": "no longer"})
    assert (revoked.status, revoked.json["status"], revoked.json["reason"]) == (200, "cancelled", "no longer")
    assert (await port.get("/api/v1/grants")).json["grants"] == []
    again = await port.post(f"/api/v1/grants/{hold.id}/revoke", {})
    assert (again.status, again.code) == (409, "hold_wrong_status")


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "held"])
async def test_a_person_says_what_became_of_a_lost_call(port, outcome):
    hold = await port.desk.file(1)
    await port.decide(hold)
    body = {"outcome": outcome, "evidence": "the bank's statement"}
    early = await port.post(f"{HOLDS}/{hold.id}/resolve", body, MAX)
    assert (early.status, early.error["status"]) == (409, "approved")
    lost = await port.desk.lose(hold.id)
    assert lost.status == "outcome_unknown"
    assert (await port.post(f"{HOLDS}/{hold.id}/resolve", body, ANA)).status == 403
    found = await port.post(f"{HOLDS}/{hold.id}/resolve", body, MAX)
    assert (found.status, found.json["status"]) == (200, outcome)


async def test_stored_values_are_erased_by_an_operator_only(port):
    body = {"subject": "ana@example.com", "reason": "asked for it"}
    refused = await port.post("/api/v1/subjects/erase", body)
    assert (refused.status, refused.code) == (403, "hold_not_eligible")
    assert port.desk.erased == []
    done = await port.post("/api/v1/subjects/erase", body, OPS)
    assert (done.status, done.json) == (200, {"subject": "ana@example.com"})
    await port.post("/api/v1/subjects/erase", body, OLI)
    assert [tenant for tenant, *_ in port.desk.erased] == ["acme", "other"]


@pytest.mark.abuse(94)
async def test_no_get_decides_anything_whatever_it_brings(port):
    first, second = await port.desk.file(1), await port.desk.file(2)
    browser = await port.browser().log_in(LEA)
    before = await port.desk.dump()
    filled = {"hold": first.id, "call": first.call_id}
    seen = 0
    for template, operations in port.document["paths"].items():
        path = template.format_map(filled)
        if path.endswith("/events"):
            continue
        for query in ("", "?verdict=approve", f"?verdict=deny&seen={first.seen}", "?_method=POST"):
            await browser.ask("GET", path + query)
            await port.ask("GET", path + query, who=LEA)
            await port.ask("GET", path, {"verdict": "approve", "seen": first.seen}, who=LEA)
            override = [("X-HTTP-Method-Override", "POST")]
            await port.ask("GET", path, who=LEA, headers=override)
            await port.ask("HEAD", path, who=LEA, check=False)
        seen += "post" in operations
    assert seen >= 7
    assert await port.desk.dump() == before
    # The same words as POST do decide.
    body = {"verdict": "deny", "seen": second.seen}
    heard = await browser.ask("POST", f"{HOLDS}/{second.id}/decision", body, page=port.origin)
    assert heard.json["hold"]["status"] == "denied"
