"""Who gets through the door of the people port, and with which bytes."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.errors import Unauthenticated
from gateway.identity.settings import AgentSettings
from gateway.identity.tokens import TokenDirectory, token_hash
from tests.contract.people.port import AGENT, LEA, MAX, OLI, OPS, Port, token_of

HOLDS = "/api/v1/holds"
UNKNOWN = "f" * 32


def agent(name="desk", token=AGENT):
    return AgentSettings(name=name, token=token_hash(token), subject={"id": "ana@example.com"})


def posts_of(port, hold, *, where="{hold}"):
    """Every POST that is about one hold, with a body that would do."""
    edit = {"arguments": {"amount": 90}, "seen": hold.seen}
    bodies = {
        "decision": {"verdict": "approve", "seen": hold.seen},
        "claim": {},
        "ask": {"whom": "max@example.com"},
        "edit": edit,
        "resolve": {"outcome": "failed", "evidence": "seen it"},
        "revoke": {"reason": "no"},
    }
    found = {
        template: bodies[template.rpartition("/")[2]]
        for template, operations in port.document["paths"].items()
        if where in template and "post" in operations
    }
    assert len(found) == len(bodies)
    return found


# Who.


@pytest.mark.abuse(128)
async def test_an_agents_token_decides_nothing_and_reads_nothing(port):
    hold = await port.desk.file(1)
    before = await port.desk.dump()
    sent = [("Authorization", f"Bearer {AGENT}")]
    asked = 0
    for template, operations in port.document["paths"].items():
        for verb, operation in operations.items():
            if not operation["security"]:
                continue
            path = template.format(hold=hold.id, call=hold.call_id)
            body = {} if verb == "post" else None
            heard = await port.ask(verb.upper(), path, body, headers=sent)
            assert (heard.status, heard.code) == (403, "agent_token"), path
            asked += 1
    assert asked == 26
    # So many failures within one minute are told apart no more.
    port.advance(60)
    for template, body in posts_of(port, hold).items():
        heard = await port.ask("POST", template.format(hold=hold.id, call=hold.call_id), body, headers=sent)
        assert heard.code == "agent_token"
    assert await port.desk.dump() == before
    assert port.desk.statements == 0
    assert "agent_token" in port.refused
    assert (await port.decide(hold)).status == 200


@pytest.mark.abuse(128)
async def test_whether_an_agents_token_is_a_real_one_is_not_said_here(port):
    answers = {
        (heard.status, heard.body)
        for token in (AGENT, "tg_" + "0" * 64, "tg_", "tg_x")
        for heard in [await port.ask("GET", "/api/v1/me", headers=[("Authorization", f"Bearer {token}")])]
    }
    assert len(answers) == 1


@pytest.mark.abuse(128)
def test_a_reviewers_token_never_opens_the_agents_port():
    directory = TokenDirectory([agent()])
    with pytest.raises(Unauthenticated):
        directory.authenticate(f"Bearer {token_of(LEA)}")
    assert directory.authenticate(f"Bearer {AGENT}").agent == "desk"


@pytest.mark.abuse(107)
async def test_whatever_is_wrong_with_a_credential_the_answer_is_the_same(port):
    good = token_of(LEA)
    values = [
        None, "", "Bearer", "Bearer ", good, f"Basic {good}", f"Bearer {good[:-1]}", f"Bearer {good}x",
        f"Bearer {good.upper()}", f"Bearer {good} {good}", f"Bearer {good}, Bearer {good}",
        f"Bearer {token_hash(good)}", "Bearer tgr_" + "0" * 64, "Bearer " + "x" * 8_000, "Bearer tgr_\xff",
    ]  # fmt: skip
    answers = set()
    for value in values:
        sent = [] if value is None else [("Authorization", value)]
        for cookie in ([], [("Cookie", "toolgate_session=" + "0" * 64)]):
            heard = await port.ask("GET", "/api/v1/me", headers=[*sent, *cookie])
            assert heard.headers["www-authenticate"].startswith("Bearer")
            answers.add((heard.status, heard.body))
    assert len(answers) == 1
    assert next(iter(answers))[0] == 401
    assert (await port.get("/api/v1/me")).status == 200


async def test_a_wrong_token_is_not_made_good_by_a_login(port):
    browser = await port.browser().log_in(LEA)
    cookie = [("Cookie", f"{name}={value}") for name, value in browser.cookies.items()]
    heard = await port.ask("GET", "/api/v1/me", headers=[*cookie, ("Authorization", "Bearer tgr_wrong")])
    assert heard.status == 401
    both = await port.ask("GET", "/api/v1/me", who=MAX, headers=cookie)
    assert (both.json["id"], both.json["how"]) == ("max@example.com", "token")


@pytest.mark.abuse(109)
async def test_a_token_in_the_address_is_refused_and_written_down_nowhere(port):
    hold = await port.desk.file(1)
    token = token_of(LEA)
    for query in (f"access_token={token}", f"token={token}", token):
        for path in ("/api/v1/me", HOLDS, f"{HOLDS}/{hold.id}", "/readyz", "/login"):
            heard = await port.ask("GET", f"{path}?{query}")
            assert heard.status in {400, 401}
            assert token.encode() not in heard.body
    assert token not in repr(port.trail.records) + repr(port.refused)


@pytest.mark.abuse(107)
async def test_who_fails_too_often_is_told_so_and_nobody_else_is_locked_out():
    async with Port(failures_per_minute_max=3) as port:
        wrong = [("Authorization", "Bearer tgr_" + "0" * 64)]
        statuses = [(await port.ask("GET", "/api/v1/me", headers=wrong)).status for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert port.refused == ["unauthenticated"] * 3
        heard = await port.ask("GET", "/api/v1/me", headers=wrong)
        assert (heard.code, heard.headers["retry-after"]) == ("too_many_failures", "60")
        # The reviewer has the same address as whoever guesses.
        assert (await port.get("/api/v1/me")).status == 200
        port.advance(60)
        assert (await port.ask("GET", "/api/v1/me", headers=wrong)).status == 401


# Which hold.


@pytest.mark.abuse(95)
@pytest.mark.abuse(105)
async def test_another_tenants_hold_is_as_unknown_as_one_that_does_not_exist(port):
    foreign = await port.desk.file(1, tenant="other")
    before = await port.desk.dump()
    found = [("GET", f"{HOLDS}/{{hold}}", None)]
    found += [("POST", template, body) for template, body in posts_of(port, foreign).items()]
    for verb, template, body in found:
        told = []
        for hold_id in (foreign.id, UNKNOWN):
            port.desk.statements = 0
            heard = await port.ask(verb, template.format(hold=hold_id), body, who=LEA)
            told.append((heard.status, heard.body, sorted(heard.headers.items()), port.desk.statements))
        assert told[0] == told[1], template
        assert told[0][0] == 404
        assert json.loads(told[0][1])["error"]["code"] == "unknown_hold"
        assert told[0][3] > 0
    assert await port.desk.dump() == before
    assert port.desk.read == []
    for beginning in (foreign.id[:6], UNKNOWN[:6], "x" * 200, "%00", "..", "%F0%9F%98%80"):
        heard = await port.get(f"{HOLDS}/{beginning}")
        if heard.code != "unknown_route":
            assert heard.body == told[0][1]
    # It is there for whoever may see it.
    assert (await port.get(f"{HOLDS}/{foreign.id}", OLI)).status == 200
    assert (await port.decide(foreign, OLI)).status == 200


@pytest.mark.abuse(105)
async def test_every_route_with_an_id_is_held_to_that(port):
    """So that a new route cannot be forgotten in the test above."""
    # An ordinary call is looked up in the log, by its tenant: tests/e2e/test_found_out.py.
    with_id = {path for path in port.document["paths"] if "{" in path} - {
        "/api/v1/calls/{call}/resolve",
        "/api/v1/calls/{call}",  # Held to the same in tests/contract/people/test_calls.py.
    }
    hold = await port.desk.file(1)
    assert with_id == {f"{HOLDS}/{{hold}}", *posts_of(port, hold)}


# From where.


@pytest.mark.abuse(87)
@pytest.mark.parametrize(
    "origin",
    [
        {"page": "http://evil.example"},
        {"page": "null"},
        {"page": "http://127.0.0.1"},
        {"page": "http://127.0.0.1:1"},
        {"page": "http://localhost:{port}"},
        {"page": "https://127.0.0.1:{port}"},
        {"page": "http://127.0.0.1:{port}.evil.example"},
        {"page": None},
        {"page": "own", "site": "cross-site"},
        {"page": "own", "site": "same-site"},
        {"page": "own", "site": "none"},
    ],
    ids=str,
)
async def test_another_page_cannot_make_a_browser_decide(port, origin):
    hold = await port.desk.file(1)
    browser = await port.browser().log_in(LEA)
    before = await port.desk.dump()
    page = origin["page"] and {"own": port.origin}.get(origin["page"], origin["page"]).format(port=port.port)
    for template, body in posts_of(port, hold).items():
        path = template.format(hold=hold.id, call=hold.call_id)
        heard = await browser.ask("POST", path, body, page=page, site=origin.get("site"))
        assert (heard.status, heard.code) == (403, "wrong_origin"), path
    assert await port.desk.dump() == before
    body = {"verdict": "approve", "seen": hold.seen}
    for site in (None, "same-origin"):
        heard = await browser.ask("POST", f"{HOLDS}/{hold.id}/decision", body, page=port.origin, site=site)
        assert heard.status == 200


@pytest.mark.abuse(87)
async def test_a_form_of_another_page_is_no_json(port):
    hold = await port.desk.file(1)
    browser = await port.browser().log_in(LEA)
    heard = await browser.ask(
        "POST", f"{HOLDS}/{hold.id}/decision", form=f"verdict=approve&seen={hold.seen}", page=port.origin
    )
    assert (heard.status, heard.code) == (415, "content_type")
    assert (await port.desk.now_is(hold.id)).status == "held"


@pytest.mark.abuse(87)
async def test_another_page_cannot_read_with_a_persons_login(port):
    browser = await port.browser().log_in(LEA)
    refused = await browser.ask("GET", HOLDS, site="cross-site")
    assert (refused.status, refused.code) == (403, "wrong_origin")
    assert (await browser.ask("GET", HOLDS, site="same-origin")).status == 200
    heard = await browser.ask("GET", HOLDS)
    assert not [name for name in heard.headers if name.startswith("access-control-")]
    preflight = await port.ask("OPTIONS", HOLDS, headers=[("Origin", "http://evil.example")])
    assert preflight.status == 405


@pytest.mark.abuse(87)
async def test_nothing_can_be_framed_sniffed_or_kept(port):
    for path in ("/api/v1/me", "/login", "/healthz", "/nothing", f"{HOLDS}/{UNKNOWN}"):
        heard = await port.get(path, LEA)
        assert "frame-ancestors 'none'" in heard.headers["content-security-policy"]
        assert "default-src 'none'" in heard.headers["content-security-policy"]
        assert heard.headers["x-frame-options"] == "DENY"
        assert heard.headers["x-content-type-options"] == "nosniff"
        assert heard.headers["cache-control"] == "no-store"
        assert heard.headers["cross-origin-resource-policy"] == "same-origin"


async def test_another_host_is_not_served(port):
    for host in (
        "evil.example",
        f"evil.example:{port.port}",
        "127.0.0.1",
        "127.0.0.1:1",
        f"127.0.0.1.:{port.port}",
    ):
        for path in ("/healthz", "/api/v1/me", "/login", "/nothing"):
            heard = await port.ask("GET", path, who=LEA, headers=[("Host", host)], check=False)
            assert (heard.status, heard.code) == (421, "wrong_host")
    for host in (f"localhost:{port.port}", f"LOCALHOST:{port.port}", f"[::1]:{port.port}"):
        heard = await port.ask("GET", "/api/v1/me", who=LEA, headers=[("Host", host)])
        assert heard.status == 200


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "Origin", "Content-Type", "Sec-Fetch-Site"])
async def test_a_header_that_counts_does_not_stand_there_twice(port, name):
    hold = await port.desk.file(1)
    value = {"Authorization": f"Bearer {token_of(LEA)}", "Content-Type": "application/json"}.get(name, "x")
    body = json.dumps({"verdict": "approve", "seen": hold.seen}).encode()
    twice = [(name, value), (name, value)]
    heard = await port.ask(
        "POST",
        f"{HOLDS}/{hold.id}/decision",
        data=body,
        headers=twice,
        who=None if name == "Authorization" else LEA,
    )
    assert (heard.status, heard.code) == (400, "repeated_header")


async def test_what_is_not_there_is_not_there_for_anybody(port):
    paths = [
        "/mcp",
        "/s/tools/mcp",
        "/api",
        "/api/v1",
        "/api/v2/me",
        "/api/v1/me/",
        "/docs",
        "/events",
        "/login/",
    ]
    for path in paths:
        for verb in ("GET", "POST", "DELETE"):
            strange = await port.ask(verb, path)
            known = await port.ask(verb, path, who=LEA)
            assert (strange.status, strange.code) == (404, "unknown_route")
            assert strange.body == known.body


async def test_another_verb_is_refused_and_says_which_there_are(port):
    for path, allow in (("/api/v1/me", "GET"), ("/login", "GET, POST"), (f"{HOLDS}/x/claim", "POST")):
        for verb in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
            heard = await port.ask(verb, path, who=LEA)
            assert (heard.status, heard.code, heard.headers["allow"]) == (405, "method_not_allowed", allow)


# With which body.

GOOD = '{"verdict": "approve", "seen": "%s"}'


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "malformed_message"),
        ("{", "malformed_message"),
        (GOOD + "x", "malformed_message"),
        ('{"verdict": "deny", "verdict": "approve", "seen": "%s"}', "malformed_message"),
        ('{"verdict": "approve", "seen": "%s", "reason": NaN}', "malformed_message"),
        ('{"verdict": "approve", "seen": "%s", "reason": "\\ud800"}', "malformed_message"),
        ("[" * 100 + "]" * 100, "malformed_message"),
        ('{"verdict": "approve", "seen": "%s", "reason": 12345678901234567890}', "invalid_body"),
        ("null", "invalid_body"),
        ("[]", "invalid_body"),
        ('"approve"', "invalid_body"),
        ("{}", "invalid_body"),
        ('{"verdict": "approve"}', "invalid_body"),
        ('{"verdict": "approve", "seen": "%s", "force": true}', "invalid_body"),
        ('{"verdict": "APPROVE", "seen": "%s"}', "invalid_body"),
        ('{"verdict": ["approve"], "seen": "%s"}', "invalid_body"),
        ('{"verdict": true, "seen": "%s"}', "invalid_body"),
        ('{"verdict": "approve", "seen": ""}', "invalid_body"),
        ('{"verdict": "approve", "seen": null}', "invalid_body"),
        ('{"verdict": "approve", "seen": "%s", "reason": null}', "invalid_body"),
        ('{"verdict": "approve", "seen": "%s", "reason": 7}', "invalid_body"),
        ('{"verdict": "approve", "seen": "%s", "reason": "\\u001b[2J"}', "invalid_body"),
        ('{"verdict": "approve", "seen": "%s", "reason": "' + "x" * 2_001 + '"}', "invalid_body"),
        ('{"verdict": "approve", "seen": "%s", "person": "max@example.com"}', "invalid_body"),
        ('{"verdict": "approve", "seen": "%s", "tenant": "other"}', "invalid_body"),
    ],
)  # fmt: skip
async def test_a_body_that_is_not_exactly_what_is_asked_for_decides_nothing(port, text, code):
    hold = await port.desk.file(1)
    before = await port.desk.dump()
    path = f"{HOLDS}/{hold.id}/decision"
    heard = await port.ask("POST", path, data=text.replace("%s", hold.seen).encode(), who=LEA)
    assert (heard.status, heard.code) == (400, code)
    assert len(heard.body) < 1_000
    assert await port.desk.dump() == before
    assert (await port.ask("POST", path, data=(GOOD % hold.seen).encode(), who=LEA)).status == 200


async def test_a_body_of_another_type_size_or_encoding_is_not_read(port):
    hold = await port.desk.file(1)
    path, good = f"{HOLDS}/{hold.id}/decision", (GOOD % hold.seen).encode()
    for media in (
        "text/plain",
        "application/json; charset=utf-16",
        "application/jsonp",
        "multipart/form-data",
    ):
        heard = await port.ask("POST", path, data=good, who=LEA, headers=[("Content-Type", media)])
        assert (heard.status, heard.code) == (415, "content_type")
    heard = await port.ask("POST", path, data=good, who=LEA, headers=[("Content-Encoding", "gzip")])
    assert heard.status == 415
    heard = await port.ask("POST", path, who=LEA)
    assert heard.status == 415
    heard = await port.ask("POST", path, data=good + b" " * (1 << 20), who=LEA)
    assert (heard.status, heard.code) == (413, "body_too_large")
    assert (await port.desk.now_is(hold.id)).status == "held"
    whole = good + b" " * ((1 << 20) - len(good))
    sent = [("Content-Type", "application/json; charset=UTF-8")]
    assert (await port.ask("POST", path, data=whole, who=LEA, headers=sent)).status == 200


async def test_a_body_that_never_comes_is_not_waited_for():
    async with Port(body_timeout_s=0.05) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
        head = (
            f"POST /api/v1/subjects/erase HTTP/1.1\r\nHost: 127.0.0.1:{port.port}\r\n"
            f"Authorization: Bearer {token_of(OPS)}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{"
        )
        writer.write(head.encode())
        async with asyncio.timeout(5):
            heard = await reader.read()
        writer.close()
        assert heard.startswith(b"HTTP/1.1 408 ")
        assert b'"body_timeout"' in heard
        assert port.desk.erased == []
