"""Who decides a held call, when and about what: every way to decide twice, too late, for others or unseen."""

from __future__ import annotations

import itertools
import json

import pytest

from tests.edge.gateways import TOKENS
from tests.edge.held import EVE, HER, INA, LEA, MAX, WAIT_TOOL, at_once, refusal
from tests.edge.raw import connect, hear, modern_message, request, talk

numbers = itertools.count(1000)
SCRIPT = "<script>alert(1)</script>"


@pytest.mark.abuse(79)
@pytest.mark.parametrize("ask", [True, "grant"])
def test_an_approval_sent_a_hundred_times_at_once_runs_the_call_once(held, ask):
    n = next(numbers)
    row = held.hold(n, ask)
    word = {"verdict": "approve", "seen": row["seen"], "reason": ""}
    raw = held.person_request(f"/holds/{row['id']}/decision", word)
    answers = at_once(held.people, [raw] * 100)
    assert {answer.status for answer in answers} <= {200, 409}
    assert sum(answer.status == 200 and answer.json["counted"] for answer in answers) == 1
    if ask == "grant":
        assert not held.executions(n), "nothing runs without its caller"
        params = {"name": WAIT_TOOL, "arguments": {"hold": row["id"]}}
        at_once(held.port, [held.post(modern_message(params=params))] * 30)
    held.becomes(row["id"], "succeeded")
    again = held.decision(row)
    assert again.status == 409 or again.json["counted"] is False
    assert len(held.executions(n)) == 1


@pytest.mark.abuse(90)
@pytest.mark.parametrize("end", ["expired", "cancelled", "denied", "superseded"])
def test_what_is_over_cannot_be_decided_any_more(held, end):
    n = next(numbers)
    row = held.hold(n, "short" if end == "expired" else True)
    if end == "cancelled":
        held.approve(row := held.hold(n := next(numbers), "grant"))
        assert held.decision(row, "deny", token=MAX).status == 200
    elif end == "denied":
        assert held.decision(row, "deny").status == 200
    elif end == "superseded":
        change = {"arguments": {"ask": True, "n": n, "less": 1}, "seen": row["seen"], "reason": ""}
        assert held.person(f"/holds/{row['id']}/edit", change).status == 200
        assert refusal(held.decision(row)) == (409, "hold_seen_stale")
        assert not held.executions(n)
        held.approve(held.row(row["id"]))
        held.becomes(row["id"], "succeeded")
        assert held.executions(n) == [change["arguments"]], "control: what is held now can be decided"
        return
    found = held.becomes(row["id"], end)
    for verdict, token in itertools.product(("approve", "deny"), (LEA, MAX)):
        answer = held.decision(found, verdict, token=token)
        assert answer.status == 409 or answer.json["counted"] is False
    assert held.row(row["id"])["status"] == end
    assert not held.executions(n)


@pytest.mark.abuse(93)
def test_of_two_reviewers_who_disagree_at_once_one_wins_and_nothing_runs_after_a_denial(held):
    for _ in range(5):
        n = next(numbers)
        row = held.hold(n, "grant")
        words = [
            held.person_request(
                f"/holds/{row['id']}/decision", {"verdict": verdict, "seen": row["seen"]}, token=token
            )
            for verdict, token in (("approve", LEA), ("deny", MAX))
        ]
        approve, deny = at_once(held.people, words)
        after = held.row(row["id"])
        assert after["status"] in {"denied", "cancelled"}, "deny beats approve, whichever was first"
        assert deny.status == 200
        assert approve.status == 200 or refusal(approve)[1] == "hold_wrong_status"
        held.collect(row["id"])
        assert not held.executions(n)


@pytest.mark.abuse(95)
@pytest.mark.abuse(105)
def test_a_guessed_id_says_nothing_about_what_others_have(held):
    row = held.hold(next(numbers))
    theirs, nobodys = row["id"], "0" * len(row["id"])
    word = {"verdict": "approve", "seen": row["seen"], "reason": ""}
    changes = {
        "decision": word,
        "claim": {},
        "edit": {"arguments": {}, "seen": row["seen"], "reason": ""},
        "resolve": {"outcome": "succeeded", "evidence": "x"},
    }
    for end, body in {"": None, **{f"/{name}": body for name, body in changes.items()}}.items():
        answers = [held.person(f"/holds/{hold}{end}", body, token=EVE) for hold in (theirs, nobodys)]
        assert [answer.status for answer in answers] == [404, 404], end
        assert answers[0].body == answers[1].body
        assert held.person(f"/holds/{theirs}{end}", body).status not in {404, 405}, "control: the path is one"
    for beginning in (theirs[:1], theirs[:8], ""):
        assert held.person(f"/holds/{beginning or '0'}", token=EVE).status == 404
    assert held.queue(token=EVE) == []
    params = {"name": WAIT_TOOL, "arguments": {"hold": theirs}}
    stolen = held.ask(modern_message(params=params), who="ben")
    params["arguments"]["hold"] = nobodys
    assert stolen.json == held.ask(modern_message(params=params), who="ben").json

    def logged():
        found = [one for one in held.records() if one["kind"] == "refusal" and one["tenant"] == "other"]
        return [
            one for one in found if one["code"] == "invalid_arguments" and "no held call" in one["reason"]
        ]

    assert len(held.until(lambda: logged()[1:] and logged())) == 2, "each guess is in the log"


@pytest.mark.abuse(128)
def test_the_credentials_of_one_plane_open_nothing_on_the_other(held):
    row = held.hold(next(numbers))
    word = {"verdict": "approve", "seen": row["seen"], "reason": ""}
    paths = {
        "/me": None,
        "/holds": None,
        f"/holds/{row['id']}": None,
        "/grants": None,
        "/events": None,
        f"/holds/{row['id']}/decision": word,
        f"/holds/{row['id']}/claim": {},
        "/login-links": {},
        "/subjects/erase": {"subject": "ana@example.com", "reason": ""},
    }
    for path, body in paths.items():
        assert refusal(held.person(path, body, token=TOKENS["ana"])) == (403, "agent_token"), path
        assert held.person(path, body, token=None).status == 401, path
        # In the address, in a cookie or in another scheme it is none either.
        cookie = (("Cookie", f"toolgate_session={LEA}"), ("Origin", f"http://127.0.0.1:{held.people}"))
        assert held.person(path, body, token=None, headers=cookie).status == 401, path
        assert held.person(f"{path}?token={LEA}", body, token=None).status in {400, 401}, path
    for token in (LEA, MAX, HER):
        assert held.call(who=token).status == 401
        assert held.ask(modern_message("tools/list", {}), who=token).status == 401
    assert held.row(row["id"])["status"] == "held"
    assert held.person("/me").json["id"] == "lea@example.com", "control"


@pytest.mark.abuse(85)
@pytest.mark.abuse(86)
def test_neither_the_agents_own_person_nor_somebody_without_the_role_decides(held):
    n = next(numbers)
    row = held.hold(n)
    for token in (HER, INA):
        for verdict in ("approve", "deny"):
            assert refusal(held.decision(row, verdict, token=token)) == (403, "hold_not_eligible")
        for end, body in (
            ("claim", {}),
            ("edit", {"arguments": {"n": n}, "seen": row["seen"], "reason": ""}),
        ):
            assert held.person(f"/holds/{row['id']}/{end}", body, token=token).status == 403
        assert held.person(f"/holds/{row['id']}", token=token).json["may_decide"]
    assert not held.executions(n)
    held.approve(row)
    held.becomes(row["id"], "succeeded")


@pytest.mark.abuse(89)
def test_there_is_no_way_to_decide_several_calls_with_one_word(held):
    rows = held.hold_all({next(numbers): True, next(numbers): True})
    ids = [row["id"] for row in rows.values()]
    word = {"verdict": "approve", "seen": rows[min(rows)]["seen"]}
    for path, body in (
        (f"/holds/{ids[0]},{ids[1]}/decision", word),
        ("/holds/decision", word | {"ids": ids}),
        ("/holds", word | {"ids": ids}),
        (f"/holds/{ids[0]}/decision", word | {"ids": ids}),
        (f"/holds/{ids[1]}/decision", word),
        (f"/holds/{ids[0][:8]}/decision", word),
    ):
        assert held.person(path, body).status in {400, 404, 405, 409}, path
    assert {held.row(hold)["status"] for hold in ids} == {"held"}
    # They are shown together, and each is decided for itself.
    assert {row["id"] for row in held.person(f"/holds/{ids[0]}").json["group"]} >= set(ids)


@pytest.mark.abuse(87)
@pytest.mark.abuse(94)
def test_a_look_decides_nothing_however_it_is_dressed(held):
    row = held.hold(next(numbers))
    path = f"/holds/{row['id']}/decision"
    word = f"?verdict=approve&seen={row['seen']}"
    assert held.person(path + word).status in {400, 405}
    assert held.person(path + word, {}).status == 400
    foreign = (("Origin", "http://evil.example"),)
    assert held.person(path, {"verdict": "approve", "seen": row["seen"]}, headers=foreign).status in {
        200,
        403,
    }
    for header in ("X-HTTP-Method-Override", "X-Method-Override"):
        assert held.person(path + word, verb="GET", headers=((header, "POST"),)).status in {400, 405}
    body = f"verdict=approve&seen={row['seen']}".encode()
    form = (("Authorization", f"Bearer {LEA}"), ("Content-Type", "application/x-www-form-urlencoded"))
    raw = request(body, path=f"/api/v1{path}", port=held.people, headers=form)
    assert talk(held.people, raw).only.status == 415
    assert held.row(row["id"])["status"] == "held"
    assert held.decision(row, "deny").status == 200, "control: said as it has to be said"


@pytest.mark.abuse(88)
def test_no_text_of_anybody_is_ever_served_as_a_page(held):
    n = next(numbers)
    row = held.hold(n, more={SCRIPT: SCRIPT, "show": f"{SCRIPT}\u2028"})
    held.decision(row, "deny", reason=SCRIPT)
    paths = [
        f"/api/v1/holds/{row['id']}",
        "/api/v1/holds?status=denied",
        f"/api/v1/holds/{'%3Cscript%3E'}",
        f"/api/v1/holds?status={'%3Cscript%3E'}",
        "/%3Cscript%3Ealert(1)%3C/script%3E",
        "/login?code=%3Cscript%3Ealert(1)%3C/script%3E",
        "/login?%3Cscript%3E=1",
    ]
    seen = 0
    for path in paths:
        answer = held.person(path, prefix="")
        kind = answer.headers["content-type"]
        assert kind.startswith(("application/json", "text/html", "text/plain")), kind
        assert answer.headers["x-content-type-options"] == "nosniff"
        if kind.startswith("text/html"):
            assert b"<script" not in answer.body
            assert "script-src" in answer.headers["content-security-policy"] or (
                "default-src 'none'" in answer.headers["content-security-policy"]
            )
        seen += SCRIPT.encode() in answer.body
    assert seen == 2, "control: it is there, as JSON"


@pytest.mark.abuse(83)
def test_what_nobody_can_be_expected_to_look_at_is_not_approved(held):
    n = next(numbers)
    row = held.hold(n, more={"text": "\n" * 70_000 + "rm -rf"})
    sheet = held.person(f"/holds/{row['id']}").json
    assert "bytes" in sheet["uninspectable"]
    assert refusal(held.decision(row)) == (403, "hold_not_eligible")
    assert held.decision(row, "deny").status == 200
    assert not held.executions(n)
    row = held.hold(n := next(numbers), more={"text": "\n" * 20_000 + "rm -rf"})
    sheet = held.person(f"/holds/{row['id']}").json
    assert json.loads(sheet["arguments_text"])["text"].endswith("rm -rf"), "control: nothing is left out"
    held.approve(row)
    held.becomes(row["id"], "succeeded")


@pytest.mark.abuse(81)
@pytest.mark.abuse(82)
@pytest.mark.abuse(84)
def test_what_a_reviewer_is_shown_is_byte_for_byte_what_the_server_receives(held):
    n = next(numbers)
    text = "  a\u202egpj.exe\u200b\u2066 \ud83d\ude00\t<b>Approved by security</b> \r\n  "
    raw = held.post(
        modern_message(
            params={
                "name": "tools__echo",
                "arguments": {"zz": 1.0, "ask": True, "n": n, "reason": text, "big": 1e21, "a": [1, {}]},
            }
        )
    )
    assert talk(held.port, raw, wait_s=20).only.status == 200
    row = held.waits(n)
    sheet = held.person(f"/holds/{row['id']}").json
    assert "Approved by security" not in row["sentence"].replace(repr(text), "").split(" with ")[0]
    held.approve(row)
    held.becomes(row["id"], "succeeded")
    with_n = [body for _, _, body in held.upstream.requests if f'"n":{n}'.encode() in body]
    (body,) = with_n
    assert sheet["arguments_text"].encode() in body, "the exact text, hidden characters and all"
    assert json.loads(sheet["arguments_text"]) == held.executions(n)[0]


@pytest.mark.abuse(97)
def test_only_the_edited_call_runs_and_both_are_on_record(held):
    n = next(numbers)
    row = held.hold(n, more={"amount": 900})
    less = {"ask": True, "n": n, "amount": 100}
    change = {"arguments": less, "seen": row["seen"], "reason": "less"}
    assert held.person(f"/holds/{row['id']}/edit", change, token=HER).status == 403
    edited = held.person(f"/holds/{row['id']}/edit", change).json
    assert (edited["round"], edited["edited"]) == (2, True)
    bad = {"arguments": less | {"amount": "much"}, "seen": edited["seen"], "reason": ""}
    assert held.person(f"/holds/{row['id']}/edit", bad).status == 422
    held.approve(held.row(row["id"]), token=MAX)
    held.becomes(row["id"], "succeeded")
    assert held.executions(n) == [less]
    sheet = held.person(f"/holds/{row['id']}").json
    assert json.loads(sheet["original_text"])["amount"] == 900
    assert json.loads(sheet["arguments_text"])["amount"] == 100
    again = held.call(arguments={"ask": True, "n": n, "amount": 900})
    assert json.loads(again.text) == less, "what the agent had sent finds what became of it"
    assert held.executions(n) == [less]


@pytest.mark.abuse(96)
def test_callers_that_repeat_themselves_and_hang_up_wait_for_one_and_the_same(held):
    n = next(numbers)
    post = held.post(modern_message(params={"name": "tools__echo", "arguments": {"ask": True, "n": n}}))
    at_once(held.port, [post] * 25)
    for _ in range(5):
        sock = connect(held.port)
        sock.sendall(post)
        sock.close()
    found = [row for row in held.queue() if row["view"].get("n") == n]
    assert len(found) == 1
    held.until(lambda: held.row(found[0]["id"])["callers_waiting"] == 0)
    held.approve(found[0])
    held.becomes(found[0]["id"], "succeeded")
    assert json.loads(held.call(arguments={"ask": True, "n": n}).text)["n"] == n
    assert len(held.executions(n)) == 1
    with connect(held.port) as sock:
        sock.sendall(post)
        heard = hear(sock, wait_s=20)
    assert heard.only.result["resultType"] == "input_required", "collected: another call by now"
    assert len(held.executions(n)) == 1
