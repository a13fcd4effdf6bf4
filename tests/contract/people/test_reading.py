"""What reviewers are shown over the JSON API."""

from __future__ import annotations

import pytest

from durable.errors import StoreSlow, StoreUnavailable
from gateway.errors import AuditUnwritable
from gateway.identity.reviewers import SoleReviewer
from gateway.identity.tokens import token_hash
from tests.contract.people.port import LEA, MAX, OLI, SAM, Port, token_of

HOLDS = "/api/v1/holds"


async def test_a_reviewer_is_told_who_they_are(port):
    heard = await port.get("/api/v1/me")
    assert heard.json == {
        "id": "lea@example.com",
        "tenant": "acme",
        "names": ["refund-lead"],
        "sole": False,
        "how": "token",
    }


async def test_the_queue_has_what_waits_risk_first_then_time_left(port):
    await port.desk.file(1, asked={"risk": 1})
    await port.desk.file(2, asked={"ttl_ms": 7_200_000})
    await port.desk.file(3)
    await port.desk.file(4, tenant="other")
    rows = (await port.get(HOLDS)).json["holds"]
    assert [row["view"]["amount"] for row in rows] == [123, 122, 121]
    assert [row["risk"] for row in rows] == ["high", "high", "low"]
    row = rows[0]
    assert row["target"] == "payments/refund"
    assert row["requester"] == {"subject_type": "user", "subject": "ana@example.com", "agent": "desk"}
    assert row["by"] == [["refund-lead"]]
    assert row["reasons"] == [{"code": "over_limit", "why": "above 100 EUR", "rule": "refunds.rego:12"}]
    assert (row["created"], row["expires"]) == ("2026-09-21T14:13:20.000Z", "2026-09-21T15:13:20.000Z")
    assert (row["expires_in_s"], row["approved_until"], row["group_size"]) == (3_600, None, 3)


async def test_pages_follow_one_another_without_a_gap(port):
    for number in range(7):
        await port.desk.file(number, asked={"risk": number % 3 + 1})
    whole = [row["id"] for row in (await port.get(HOLDS)).json["holds"]]
    found, after = [], ""
    while True:
        page = (await port.get(f"{HOLDS}?limit=3{after}")).json
        found += [row["id"] for row in page["holds"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == whole
    assert len(found) == 7


async def test_other_statuses_are_asked_for_by_name(port):
    first, second = await port.desk.file(1), await port.desk.file(2)
    await port.decide(first, verdict="deny")
    assert [row["id"] for row in (await port.get(HOLDS)).json["holds"]] == [second.id]
    both = (await port.get(f"{HOLDS}?status=held,denied")).json["holds"]
    assert {row["status"] for row in both} == {"held", "denied"}


@pytest.mark.parametrize(
    "query",
    [
        "status=lost", "status=", "status=held,", "status=HELD", "limit=0", "limit=201", "limit=x", "limit=1.5",
        "after=x", "after=3-1-%00", "after=", "colour=red", "limit=1&limit=2", "limit", "%ff=1", "status=" + "a" * 300,
        "access_token=" + token_of(LEA), "&".join(f"a{number}=1" for number in range(20)),
    ],
)  # fmt: skip
async def test_a_query_that_is_not_understood_is_refused(port, query):
    heard = await port.get(f"{HOLDS}?{query}")
    assert (heard.status, heard.code) == (400, "invalid_query")
    assert token_of(LEA).encode() not in heard.body
    assert (await port.get(f"{HOLDS}?limit=1&status=held")).status == 200


async def test_a_sheet_has_everything_and_looking_is_recorded(port):
    await port.desk.file(2)
    hold = await port.desk.file(1)
    port.desk.waiting[hold.id] = 2
    await port.decide(hold, verdict="deny")
    other = await port.desk.file(3)
    sheet = (await port.get(f"{HOLDS}/{other.id}")).json
    assert sheet["hold"]["id"] == other.id
    assert sheet["seen"] == sheet["hold"]["seen"] == other.seen
    assert sheet["arguments"]["note"] == "[redacted: token]"
    assert sheet["redactions"] == [{"pointer": "/note", "kind": "token"}]
    assert sheet["similar"][0]["id"] == hold.id
    assert sheet["similar"][0]["reason"] == "lea says so"
    assert len(sheet["group"]) == 2
    assert sheet["may_decide"] == ""
    assert sheet["hold"]["approvals"] == 0
    assert port.desk.read == [("lea@example.com", other.id)]
    story = (await port.get(f"{HOLDS}/{hold.id}")).json
    assert [vote["person"] for vote in story["votes"]] == ["lea@example.com"]
    assert [event["kind"] for event in story["events"]] == ["held", "denied"]
    assert story["callers_waiting"] == 2


async def test_a_sheet_has_where_the_rules_stand_and_whether_the_policy_has_moved(port):
    hold = await port.desk.file(1)
    sheet = (await port.get(f"{HOLDS}/{hold.id}")).json
    (why,) = sheet["hold"]["reasons"]
    assert sheet["places"] == [
        {
            "rule": why["rule"],
            "code": why["code"],
            "file": "r.rego",
            "row": 3,
            "text": "hold ...",
            "certain": True,
        }
    ]
    assert (sheet["places_left_out"], sheet["policy_moved"]) == (0, False)
    port.desk.revision = "r2"
    assert (await port.get(f"{HOLDS}/{hold.id}")).json["policy_moved"] is True


async def test_a_call_that_would_not_run_now_says_why_in_lists_too(port):
    hold = await port.desk.file(1)
    assert (await port.get(f"{HOLDS}/{hold.id}")).json["hold"]["kept_back"] == ""
    port.desk.unpinned[hold.target] = "definition_drifted: it is another one than was pinned"
    assert (await port.get(f"{HOLDS}/{hold.id}")).json["hold"]["kept_back"].startswith("definition_drifted")
    (row,) = (await port.get(HOLDS)).json["holds"]
    assert row["kept_back"].startswith("definition_drifted")


async def test_who_may_not_decide_is_told_why(port):
    hold = await port.desk.file(1)
    sheet = (await port.get(f"{HOLDS}/{hold.id}", SAM)).json
    assert sheet["may_decide"] == "decided by refund-lead"


async def test_a_unique_beginning_of_an_id_is_enough_to_look(port):
    await port.desk.file(1, id="aa11")
    await port.desk.file(2, id="aa22")
    assert (await port.get(f"{HOLDS}/aa1")).json["hold"]["id"] == "aa11"
    several = await port.get(f"{HOLDS}/aa")
    assert (several.status, several.code) == (409, "ambiguous_hold")
    assert several.error["candidates"] == ["aa11", "aa22"]


async def test_commitments_of_sealed_values_stay_inside(port):
    hold = await port.desk.file(1)
    body = {"arguments": {"amount": 90}, "seen": hold.seen}
    await port.post(f"{HOLDS}/{hold.id}/edit", body)
    sheet = await port.get(f"{HOLDS}/{hold.id}")
    assert b"commitment" not in sheet.body
    edited = next(event for event in sheet.json["events"] if event["kind"] == "edited")
    assert edited["details"]["from"] != edited["details"]["to"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreUnavailable("no disk", next_step="look at it"), "holds_unavailable"),
        (StoreSlow("slow", next_step="look at it"), "holds_slow"),
        (AuditUnwritable("full", next_step="look at it"), "audit_unavailable"),
    ],
)
async def test_what_cannot_be_read_or_recorded_now_is_said_to_be_so(port, error, code):
    hold = await port.desk.file(1)
    port.desk.broken = error
    for heard in (await port.get(HOLDS), await port.get(f"{HOLDS}/{hold.id}"), await port.decide(hold)):
        assert (heard.status, heard.code, heard.error["next"]) == (503, code, "look at it")
        assert heard.headers["retry-after"] == "1"
    port.desk.broken = None
    assert (await port.decide(hold)).status == 200


async def test_a_fault_of_ours_shows_nothing_of_our_insides(port):
    hold = await port.desk.file(1)
    port.desk.broken = RuntimeError("secret-canary")
    heard = await port.decide(hold)
    assert (heard.status, heard.code) == (500, "internal_failure")
    assert b"canary" not in heard.body
    assert [(name[:12], str(error)) for name, error in port.failed] == [("people port:", "secret-canary")]
    port.failed.clear()


async def test_the_one_person_of_a_small_installation_is_called_that():
    sole = SoleReviewer(id="me@local", token=token_hash(token_of("me")), tenant="acme")
    async with Port(people=(), sole=sole) as port:
        hold = await port.desk.file(1, subject="me@local")
        me = (await port.get("/api/v1/me", "me")).json
        assert (me["id"], me["sole"], me["names"]) == ("me@local", True, [])
        decided = await port.decide(hold, "me")
        assert (decided.status, decided.json["hold"]["single_user"]) == (200, True)
        vote = (await port.get(f"{HOLDS}/{hold.id}", "me")).json["votes"][0]
        assert vote["single_user"] is True


async def test_health_needs_no_credential_and_the_queue_does(port):
    assert (await port.ask("GET", "/healthz")).status == 200
    assert (await port.ask("GET", "/readyz")).status == 200
    assert (await port.ask("HEAD", "/healthz", check=False)).status == 200
    port.parts["audit"] = "full"
    assert (await port.ask("GET", "/readyz")).status == 503
    assert (await port.ask("GET", HOLDS)).status == 401


@pytest.mark.abuse(105)
async def test_a_tenant_sees_its_own_holds_and_counts_them_only(port):
    await port.desk.file(1)
    await port.desk.file(2, tenant="other")
    for who, amounts in ((MAX, [121]), (OLI, [122])):
        rows = (await port.get(f"{HOLDS}?status=held,approved", who)).json["holds"]
        assert [row["view"]["amount"] for row in rows] == amounts
        assert rows[0]["group_size"] == 1
