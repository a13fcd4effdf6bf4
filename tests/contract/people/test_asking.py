"""Asking a colleague, what the agent says, and how reviewing goes, over the JSON API."""

from __future__ import annotations

import pytest

from tests.contract.people.port import ANA, LEA, MAX, OLI, SAM

HOLDS = "/api/v1/holds"
LEA_ID, MAX_ID, SAM_ID, ANA_ID = (f"{name}@example.com" for name in (LEA, MAX, SAM, ANA))


async def ask(port, hold, whom=MAX_ID, who=LEA, **note):
    return await port.post(f"{HOLDS}/{hold.id}/ask", {"whom": whom} | note, who)


async def test_a_colleague_is_asked_and_everybody_sees_it_on_the_sheet(port):
    hold = await port.desk.file(1)
    await port.post(f"{HOLDS}/{hold.id}/claim", {})
    heard = await ask(port, hold, note="your customer")
    assert (heard.status, heard.json["status"], heard.json["claimed_by"]) == (200, "held", "")
    assert heard.json["seen"] == hold.seen
    sheet = (await port.get(f"{HOLDS}/{hold.id}", MAX)).json
    assert sheet["asked"] == [
        {"by": LEA_ID, "whom": MAX_ID, "note": "your customer", "at": "2026-09-21T14:13:20.000Z"}
    ]
    assert sheet["votes"] == []
    assert [event["kind"] for event in sheet["events"]] == ["held", "claimed", "asked"]
    assert (await port.decide(hold, MAX)).json["hold"]["status"] == "approved"


async def test_the_sheet_lists_the_others_who_may_decide_now(port):
    hold = await port.desk.file(1)
    for who, others in ((LEA, [MAX_ID]), (MAX, [LEA_ID]), (SAM, [LEA_ID, MAX_ID])):
        assert (await port.get(f"{HOLDS}/{hold.id}", who)).json["colleagues"] == others
    assert ANA_ID not in (await port.get(f"{HOLDS}/{hold.id}", SAM)).json["colleagues"], "it is her own call"
    await port.decide(hold)
    assert (await port.get(f"{HOLDS}/{hold.id}", MAX)).json["colleagues"] == []


@pytest.mark.parametrize("whom", [SAM_ID, ANA_ID, LEA_ID, LEA_ID.upper(), "oli@example.com", "nobody"])
async def test_nobody_is_asked_who_may_not_decide_it(port, whom):
    hold = await port.desk.file(1)
    before = await port.desk.dump()
    heard = await ask(port, hold, whom)
    assert (heard.status, heard.code) == (409, "hold_not_askable")
    assert await port.desk.dump() == before
    assert (await ask(port, hold, MAX_ID.upper())).status == 200, "ids are compared folded"


async def test_who_may_not_decide_asks_nobody(port):
    hold = await port.desk.file(1)
    for who in (SAM, ANA):
        heard = await ask(port, hold, who=who)
        assert (heard.status, heard.code) == (403, "hold_not_eligible")
    heard = await ask(port, hold, "nobody", who=SAM)
    assert heard.code == "hold_not_eligible", "and does not learn who is a reviewer"
    foreign = await ask(port, hold, who=OLI)
    assert (foreign.status, foreign.code) == (404, "unknown_hold")
    assert (await ask(port, hold)).status == 200


async def test_what_is_decided_is_not_asked_about(port):
    hold = await port.desk.file(1)
    assert (await ask(port, hold)).status == 200
    await port.decide(hold, MAX, "deny")
    heard = await ask(port, hold)
    assert (heard.status, heard.code, heard.error["status"]) == (409, "hold_wrong_status", "denied")
    assert heard.error["by"] == MAX_ID


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"whom": ""},
        {"whom": "x" * 257},
        {"whom": ["max@example.com"]},
        {"whom": MAX_ID, "note": "x" * 2_001},
        {"whom": MAX_ID, "note": "\u001b[2J"},
        {"whom": MAX_ID, "verdict": "approve"},
    ],
)
async def test_a_wish_of_another_shape_is_refused(port, body):
    hold = await port.desk.file(1)
    heard = await port.post(f"{HOLDS}/{hold.id}/ask", body)
    assert (heard.status, heard.code) == (400, "invalid_body")
    assert (await ask(port, hold, note="x" * 2_000)).status == 200


async def test_asks_of_an_earlier_round_are_history(port):
    hold = await port.desk.file(1)
    await ask(port, hold, note="first")
    await port.post(f"{HOLDS}/{hold.id}/edit", {"arguments": {"amount": 90}, "seen": hold.seen})
    sheet = (await port.get(f"{HOLDS}/{hold.id}")).json
    assert sheet["asked"] == []
    assert "asked" in [event["kind"] for event in sheet["events"]]
    await ask(port, hold, note="second")
    assert [one["note"] for one in (await port.get(f"{HOLDS}/{hold.id}")).json["asked"]] == ["second"]


# What the agent says.


@pytest.mark.abuse(84)
async def test_what_the_agent_says_is_shown_as_its_own_words_and_changes_nothing_else(port):
    said = {"recommendation": "SECURITY APPROVED", "reasons": "<b>ok</b>\x1b[2J"}
    quiet, talking = await port.desk.file(1), await port.desk.file(2, statement=said)
    sheet, other = [(await port.get(f"{HOLDS}/{hold.id}")).json for hold in (talking, quiet)]
    assert sheet["statement"] == said | {"risks": ""}
    assert other["statement"] is None
    for name in ("risk", "reasons", "by", "quorum", "status", "sentence"):
        if name != "sentence":
            assert sheet["hold"][name] == other["hold"][name], name
        assert "APPROVED" not in str(sheet["hold"][name])
    assert "statement" not in sheet["hold"]


# How reviewing goes.


async def test_reviewing_is_told_in_numbers(port):
    for number, minutes, who, verdict in (
        (1, 2, LEA, "approve"),
        (2, 4, LEA, "deny"),
        (3, 30, MAX, "approve"),
        (4, 0, None, ""),
    ):
        hold = await port.desk.file(number, asked={"risk": 1 + number % 3, "ttl_ms": 86_400_000})
        if who is not None:
            port.desk.now[0] += minutes * 60_000
            await port.decide(hold, who, verdict)
    port.desk.now[0] += 90_000
    await port.desk.file(5, tenant="other")
    found = (await port.get("/api/v1/reviewing?days=2")).json
    counts = {"held": 4, "approved": 2, "denied": 1, "expired": 0, "other": 0}
    nothing = dict.fromkeys(counts, 0)
    assert found == {
        "days": [
            {"date": "2026-09-20", "start": "2026-09-20T00:00:00.000Z"} | nothing,
            {"date": "2026-09-21", "start": "2026-09-21T00:00:00.000Z"} | counts,
        ],
        "total": counts,
        "approval_rate": pytest.approx(2 / 3),
        "timed": 3,
        "median_ms": 240_000,
        "p90_ms": 1_800_000,
        "deciders": [
            {"person": LEA_ID, "yes": 1, "no": 1},
            {"person": MAX_ID, "yes": 1, "no": 0},
        ],
        "open": {
            "high": 0,
            "medium": 1,
            "low": 0,
            "oldest": hold.id,
            "oldest_since": "2026-09-21T14:49:20.000Z",
            "oldest_waits_s": 90,
        },
    }


async def test_thirty_days_are_told_of_where_nobody_says_how_many(port):
    found = (await port.get("/api/v1/reviewing")).json
    assert len(found["days"]) == 30
    assert (found["approval_rate"], found["median_ms"], found["open"]["oldest_since"]) == (None, None, None)
    assert len((await port.get("/api/v1/reviewing?days=90")).json["days"]) == 90


@pytest.mark.parametrize("query", ["days=0", "days=91", "days=x", "days=1.5", "days=", "day=3"])
async def test_a_number_of_days_that_is_none_is_refused(port, query):
    heard = await port.get(f"/api/v1/reviewing?{query}")
    assert (heard.status, heard.code) == (400, "invalid_query")
    assert (await port.get("/api/v1/reviewing?days=1")).status == 200


@pytest.mark.abuse(105)
async def test_a_tenant_is_told_how_its_own_reviewing_goes(port):
    hold = await port.desk.file(1, tenant="other")
    await port.decide(hold, OLI)
    mine = (await port.get("/api/v1/reviewing?days=1")).json
    assert (mine["total"]["held"], mine["deciders"]) == (0, [])
    theirs = (await port.get("/api/v1/reviewing?days=1", OLI)).json
    assert (theirs["total"]["held"], theirs["deciders"][0]["person"]) == (1, "oli@example.com")
