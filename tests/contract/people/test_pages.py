"""The pages over a real socket, without a browser: who sees them, and what their forms do and do not do."""

from __future__ import annotations

import asyncio
import html
import re
import time
from urllib.parse import urlencode

import pytest

from gateway.people.table import Access
from tests.contract.people.port import ANA, LEA, MAX, OLI, SAM, Port, token_of

UNDO_S = 0.1
UNKNOWN = "f" * 32


@pytest.fixture
async def port():
    async with Port(undo_s=UNDO_S) as found:
        yield found


async def page(browser, path="/", **more):
    heard = await browser.ask("GET", path, **more)
    return heard.status, html.unescape(heard.body.decode())


async def form_token(browser, hold):
    _, text = await page(browser, f"/holds/{hold.id}")
    return re.search(r'name="token" value="([0-9a-f]{64})"', text)[1]


async def send(port, browser, path, page_of=None, **fields):
    page_of = port.origin if page_of is None else page_of
    return await browser.ask("POST", path, form=urlencode(fields), page=page_of)


async def decide(port, browser, hold, verdict="approve", **changes):
    fields = {"verdict": verdict, "seen": hold.seen} | changes
    if "token" not in fields:
        fields["token"] = await form_token(browser, hold)
    return await send(port, browser, f"/holds/{hold.id}/decide", **fields)


async def settled(port, hold, status):
    """Wait until the call stands like that."""
    async with asyncio.timeout(5):
        while (found := await port.desk.now_is(hold.id)).status != status:
            await asyncio.sleep(0.01)
    return found


def pages_of(port, verb):
    return [one for one in port.app.operations if one.access is Access.LOGIN and one.verb == verb]


# --- who sees them ----------------------------------------------------------------------------------------


@pytest.mark.abuse(94)
@pytest.mark.abuse(105)
async def test_without_a_login_every_page_says_the_same_whatever_it_is_about(port):
    hold = await port.desk.file(1)
    nonce = re.compile(rb'nonce="[0-9a-f]+"')
    told = set()
    for operation in pages_of(port, "GET"):
        for hold_id in (hold.id, UNKNOWN):
            heard = await port.ask("GET", operation.path.format(hold=hold_id, call=hold.call_id))
            told.add((heard.status, nonce.sub(b"", heard.body)))
    assert len(told) == 1
    ((status, body),) = told
    assert status == 401
    assert b"toolgate login" in body
    # Previews of links in chats are no failed log-ins.
    assert port.refused == []
    assert port.desk.read == []
    browser = await port.browser().log_in(LEA)
    assert (await browser.ask("GET", f"/holds/{hold.id}")).status == 200


@pytest.mark.abuse(105)
async def test_another_tenants_call_is_as_unknown_on_a_page(port):
    foreign = await port.desk.file(1, tenant="other")
    browser = await port.browser().log_in(LEA)
    told = set()
    for hold_id in (foreign.id, UNKNOWN):
        for path in ("/holds/{}", "/holds/{}/edit"):
            status, text = await page(browser, path.format(hold_id))
            told.add((status, re.sub(r'nonce="[0-9a-f]+"', "", text)))
    assert len(told) == 1
    assert next(iter(told))[0] == 404
    assert foreign.id not in (await page(browser))[1]
    owner = await port.browser().log_in(OLI)
    assert (await page(owner, f"/holds/{foreign.id}"))[0] == 200
    assert foreign.id in (await page(owner))[1]


async def test_a_token_is_for_programs_and_a_page_for_a_browser(port):
    hold = await port.desk.file(1)
    for operation in pages_of(port, "GET"):
        path = operation.path.format(hold=hold.id, call=hold.call_id)
        heard = await port.ask("GET", path, who=LEA)
        assert heard.status == 403, path
        assert b"login_only" in heard.body
    assert (await port.get(f"/api/v1/holds/{hold.id}")).status == 200


async def test_whoever_follows_a_link_from_elsewhere_is_led_on_to_where_the_login_counts(port):
    hold = await port.desk.file(1)
    browser = await port.browser().log_in(LEA)
    for path in (f"/holds/{hold.id}", "/?view=over"):
        heard = await browser.ask("GET", path, site="cross-site")
        assert heard.status == 200
        assert f'content="0; url={html.escape(path)}"'.encode() in heard.body
        assert b"refund" not in heard.body
        assert (await browser.ask("GET", path, site="same-origin")).status == 200
    assert port.desk.read == [("lea@example.com", hold.id)]
    strange = await browser.ask("GET", '/holds/x"><script>alert(1)</script>', site="cross-site")
    assert b"<script>" not in strange.body


async def test_a_page_that_keeps_itself_in_step_does_not_keep_a_login_alive():
    async with Port(session_idle_s=60) as port:
        left_open, used = await port.browser().log_in(LEA), await port.browser().log_in(LEA)
        by_itself = [("Toolgate-By-Itself", "1")]
        for _ in range(3):
            port.advance(25)
            await port.ask("GET", "/", headers=[*by_itself, *cookies_of(left_open)])
            await used.ask("GET", "/")
        assert (await left_open.ask("GET", "/")).status == 401
        assert (await used.ask("GET", "/")).status == 200


def cookies_of(browser):
    return [("Cookie", f"{name}={value}") for name, value in browser.cookies.items()]


@pytest.mark.abuse(88)
async def test_a_page_lets_only_its_own_scripts_and_styles_in(port):
    browser = await port.browser().log_in(LEA)
    first, second = await browser.ask("GET", "/"), await browser.ask("GET", "/")
    policy = first.headers["content-security-policy"]
    nonce = re.search(r"script-src 'nonce-([0-9a-f]{32})'", policy)[1]
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "'unsafe" not in policy
    tags = re.findall(rb"<(?:script|link|style)\b[^>]*>", first.body)
    assert tags
    for tag in tags:
        assert f'nonce="{nonce}"'.encode() in tag or b'rel="icon"' in tag
    assert not re.search(rb"\son[a-z]+=|\sstyle=", first.body)
    assert nonce not in second.headers["content-security-policy"]
    assert first.headers["cache-control"] == "no-store"


async def test_style_and_scripts_are_kept_by_browsers_and_asked_after(port):
    for name in ("toolgate.css", "page.js", "live.js", "time.js", "keys.js", "decide.js", "icon.svg"):
        heard = await port.ask("GET", f"/assets/{name}")
        assert heard.status == 200
        again = await port.ask("GET", f"/assets/{name}", headers=[("If-None-Match", heard.headers["etag"])])
        assert (again.status, again.body) == (304, b"")
        assert b"http:" not in heard.body.replace(b"http://www.w3.org/2000/svg", b"")
        assert b"https:" not in heard.body
    assert (await port.ask("GET", "/assets/../rendering.py")).status == 404
    assert (await port.ask("GET", "/assets/nothing.css")).status == 404


# --- deciding ---------------------------------------------------------------------------------------------


async def test_a_decision_takes_effect_after_some_seconds_and_says_who_and_how(port):
    hold = await port.desk.file(1, asked={"risk": 1})
    browser = await port.browser().log_in(LEA)
    heard = await decide(port, browser, hold, reason="fine")
    assert (heard.status, heard.headers["location"]) == (303, f"/holds/{hold.id}")
    assert (await port.desk.now_is(hold.id)).status == "held"
    assert "You approve it" in (await page(browser, f"/holds/{hold.id}"))[1]
    found = await settled(port, hold, "approved")
    assert (found.reason, found.reason_by) == ("fine", "lea@example.com")
    story = (await port.get(f"/api/v1/holds/{hold.id}")).json
    assert (story["votes"][0]["how"], story["votes"][0]["verdict"]) == ("session", "approve")


async def test_what_is_taken_back_in_time_never_happens():
    async with Port(undo_s=30) as port:
        hold = await port.desk.file(1, asked={"risk": 1})
        browser = await port.browser().log_in(LEA)
        before = await port.desk.dump()
        await decide(port, browser, hold)
        other = await port.browser().log_in(MAX)
        assert "lea@example.com is about to approve it" in re.sub(
            r"<[^>]+>", "", (await page(other, f"/holds/{hold.id}"))[1]
        )
        # Another person's undo is not this person's.
        theirs = await send(port, other, f"/holds/{hold.id}/undo", token=await form_token(other, hold))
        assert theirs.status == 422
        heard = await send(port, browser, f"/holds/{hold.id}/undo", token=await form_token(browser, hold))
        assert heard.status == 303
        assert "You approve it" not in (await page(browser, f"/holds/{hold.id}"))[1]
        again = await send(port, browser, f"/holds/{hold.id}/undo", token=await form_token(browser, hold))
        assert again.status == 422
        assert await port.desk.dump() == before


async def test_the_last_word_of_a_person_is_the_one_that_counts(port):
    hold = await port.desk.file(1, asked={"risk": 1})
    browser = await port.browser().log_in(LEA)
    await decide(port, browser, hold, "approve")
    await decide(port, browser, hold, "deny", reason="second thoughts")
    found = await settled(port, hold, "denied")
    assert found.reason == "second thoughts"
    story = (await port.get(f"/api/v1/holds/{hold.id}")).json
    assert [vote["verdict"] for vote in story["votes"]] == ["deny"]


@pytest.mark.abuse(86)
async def test_who_lost_the_right_or_logged_out_before_it_took_effect_has_decided_nothing(port):
    first, second = await port.desk.file(1, asked={"risk": 1}), await port.desk.file(2, asked={"risk": 1})
    leaving, staying = await port.browser().log_in(LEA), await port.browser().log_in(LEA)
    await decide(port, leaving, first)
    await send(port, leaving, "/logout")
    await decide(port, staying, second)
    await settled(port, second, "approved")
    assert (await port.desk.now_is(first.id)).status == "held"
    assert "logged out before your decision took effect" in (await page(staying, f"/holds/{first.id}"))[1]


@pytest.mark.abuse(86)
async def test_who_may_not_decide_is_told_so_and_has_decided_nothing(port):
    hold = await port.desk.file(1, asked={"risk": 1})
    for name in (SAM, ANA):
        browser = await port.browser().log_in(name)
        status, text = await page(browser, f"/holds/{hold.id}")
        assert (status, "You may not decide it" in text) == (200, True)
        heard = await decide(port, browser, hold, token=await other_token(port, browser, name))
        assert heard.status == 422
    assert (await port.desk.now_is(hold.id)).status == "held"


async def other_token(port, browser, name):
    """Of a page with a form: of a call that this person may decide."""
    asked = {"groups": (("support", "refund-lead"),), "risk": 1}
    own = await port.desk.file({SAM: 90, ANA: 91}[name], asked=asked, subject="x@y.example")
    return await form_token(browser, own)


async def test_what_changed_since_it_was_shown_is_not_decided_but_shown_again(port):
    hold = await port.desk.file(1, asked={"risk": 1})
    browser = await port.browser().log_in(LEA)
    heard = await decide(port, browser, hold, seen="0" * 64)
    assert heard.status == 422
    assert b"has changed since you were shown it" in heard.body
    assert (await decide(port, browser, hold)).status == 303


@pytest.mark.parametrize(
    ("typed", "status"),
    [("", 422), ("122", 422), ("yes", 422), ("approve", 422), ("121", 303), (" 121 ", 303)],
)
async def test_a_call_of_high_risk_is_approved_by_typing_its_object(port, typed, status):
    hold = await port.desk.file(1, asked={"risk": 3})
    browser = await port.browser().log_in(LEA)
    heard = await decide(port, browser, hold, typed=typed, reason="kept words")
    assert heard.status == status
    if status == 422:
        assert b"type the value of /amount" in heard.body
        assert b"kept words" in heard.body
        assert (await port.desk.now_is(hold.id)).status == "held"
    # A no needs nothing typed.
    assert (await decide(port, browser, hold, "deny")).status == 303


async def test_a_named_reason_is_what_the_agent_is_told_unless_other_words_are(port):
    first, second = await port.desk.file(1), await port.desk.file(2)
    browser = await port.browser().log_in(LEA)
    await decide(port, browser, first, "deny", named="too-much")
    await decide(port, browser, second, "deny", named="too-much", reason="half of it, please\r\nthen ask")
    assert (await settled(port, first, "denied")).reason.startswith("The amount or the extent is too large")
    assert (await settled(port, second, "denied")).reason == "half of it, please\nthen ask"


async def test_a_decision_that_came_to_nothing_is_told_to_its_giver(port):
    hold = await port.desk.file(1, asked={"risk": 1})
    lea, max_ = await port.browser().log_in(LEA), await port.browser().log_in(MAX)
    await decide(port, lea, hold)
    assert (await port.decide(hold, MAX, "deny")).status == 200
    await settled(port, hold, "denied")
    async with asyncio.timeout(5):
        while "hold_wrong_status" not in (await page(lea, f"/holds/{hold.id}"))[1]:
            await asyncio.sleep(0.02)
    assert "hold_wrong_status" not in (await page(max_, f"/holds/{hold.id}"))[1]


# --- forms of others --------------------------------------------------------------------------------------


def forms_of(hold, token):
    seen, where = {"seen": hold.seen}, {"upstream": "payments", "name": "refund", "kind": "tool"}
    return {
        f"/holds/{hold.id}/decide": {"verdict": "approve", "token": token} | seen,
        f"/holds/{hold.id}/undo": {"token": token},
        f"/holds/{hold.id}/claim": {"token": token},
        f"/holds/{hold.id}/ask": {"token": token, "whom": "max@example.com"},
        f"/holds/{hold.id}/edit": {"token": token, "arguments": '{"amount":1}'} | seen,
        f"/holds/{hold.id}/resolve": {"token": token, "outcome": "failed", "evidence": "x"},
        "/tools/pin": {"token": token, "digest": "0" * 64} | where,
        "/tools/unpin": {"token": token} | where,
        "/tools/trust": {"token": token, "upstream": "payments", "seen": "0" * 64},
    }


@pytest.mark.abuse(87)
async def test_every_form_needs_a_login_its_token_and_a_page_of_ours(port):
    hold = await port.desk.file(1, asked={"risk": 1})
    browser = await port.browser().log_in(LEA)
    other = await port.browser().log_in(MAX)
    good = await form_token(browser, hold)
    before = await port.desk.dump()
    forms = forms_of(hold, good)
    assert {re.sub(hold.id, "{hold}", path) for path in forms} == {one.path for one in pages_of(port, "POST")}
    for path, fields in forms.items():
        nobody = await send(port, port.browser(), path, **fields)
        assert nobody.status == 401, path
        by_token = await port.ask(
            "POST", path, data=urlencode(fields).encode(),
            headers=[("Authorization", f"Bearer {token_of(LEA)}"), ("Origin", port.origin),
                     ("Content-Type", "application/x-www-form-urlencoded")],
        )  # fmt: skip
        assert by_token.status == 403, path
        for origin in ("http://evil.example", "null"):
            assert (await send(port, browser, path, page_of=origin, **fields)).status == 403, path
        for wrong in ("", "0" * 64, await form_token(other, hold), good[:-1]):
            heard = await send(port, browser, path, **fields | {"token": wrong})
            assert (heard.status, b"wrong_form" in heard.body) == (403, True), path
        json = await browser.ask("POST", path, fields, page=port.origin)
        assert json.status == 415, path
    assert await port.desk.dump() == before
    assert (await decide(port, browser, hold, token=good)).status == 303
    await settled(port, hold, "approved")


@pytest.mark.abuse(87)
@pytest.mark.abuse(94)
async def test_looking_at_a_page_changes_nothing_whatever_its_address_says(port):
    hold = await port.desk.file(1, asked={"risk": 1})
    browser = await port.browser().log_in(LEA)
    before = await port.desk.dump()
    for operation in pages_of(port, "GET"):
        path = operation.path.format(hold=hold.id, call=hold.call_id)
        if not path.startswith(("/activity", "/calls", "/upstreams")):
            assert (await browser.ask("GET", path)).status in {200, 400}, path
        for query in ("?verdict=approve", f"?verdict=approve&seen={hold.seen}", "?_method=POST"):
            assert (await browser.ask("GET", path + query)).status == 400
        assert (await browser.ask("HEAD", path)).status == 405
    for operation in pages_of(port, "POST"):
        path = operation.path.format(hold=hold.id)
        assert (await browser.ask("GET", path)).status in {200, 400, 405}
    await asyncio.sleep(2 * UNDO_S)
    assert await port.desk.dump() == before


# --- the other forms of a held call -----------------------------------------------------------------------


async def test_claiming_asking_and_editing_from_the_page(port):
    hold = await port.desk.file(1, asked={"risk": 1})
    browser = await port.browser().log_in(LEA)
    token = await form_token(browser, hold)
    assert (await send(port, browser, f"/holds/{hold.id}/claim", token=token)).status == 303
    assert (await port.desk.now_is(hold.id)).claimed_by == "lea@example.com"
    asked = await send(
        port, browser, f"/holds/{hold.id}/ask", token=token, whom="max@example.com", note="you?"
    )
    assert asked.status == 303
    text = re.sub(r"<[^>]+>", "", (await page(browser, f"/holds/{hold.id}"))[1])
    assert "lea@example.com asked max@example.com: “you?”" in text
    nobody = await send(port, browser, f"/holds/{hold.id}/ask", token=token, whom="sam@example.com")
    assert nobody.status == 422
    status, text = await page(browser, f"/holds/{hold.id}/edit")
    assert (status, '"amount": 121' in text) == (200, True)
    wrong = await send(
        port, browser, f"/holds/{hold.id}/edit", token=token, seen=hold.seen, arguments='{"amount": '
    )
    assert wrong.status == 422
    assert b"{&#34;amount&#34;: " in wrong.body
    fields = {
        "token": token,
        "seen": hold.seen,
        "arguments": '{"order_id":"o-1","amount":50}',
        "reason": "half",
    }
    assert (await send(port, browser, f"/holds/{hold.id}/edit", **fields)).status == 303
    assert (await port.desk.now_is(hold.id)).round == 2
    assert "What a reviewer changed" in (await page(browser, f"/holds/{hold.id}"))[1]


async def test_a_lost_outcome_is_resolved_from_the_page(port):
    hold = await port.desk.file(1, asked={"risk": 1})
    await port.decide(hold, MAX)
    await port.desk.lose(hold.id)
    browser = await port.browser().log_in(LEA)
    status, text = await page(browser, f"/holds/{hold.id}")
    assert (status, "What came of it" in text) == (200, True)
    token = await form_token(browser, hold)
    empty = await send(
        port, browser, f"/holds/{hold.id}/resolve", token=token, outcome="succeeded", evidence=" "
    )
    assert empty.status == 400
    fields = {"token": token, "outcome": "succeeded", "evidence": "the bank says so"}
    assert (await send(port, browser, f"/holds/{hold.id}/resolve", **fields)).status == 303
    await settled(port, hold, "succeeded")


# --- the queue --------------------------------------------------------------------------------------------


async def test_the_queue_has_the_riskiest_first_and_the_title_counts(port):
    for number, risk in enumerate((1, 3, 2), 1):
        await port.desk.file(number, asked={"risk": risk})
    browser = await port.browser().log_in(LEA)
    _, text = await page(browser)
    assert "<title>(3) Queue - toolgate</title>" in text
    assert re.findall(r'<li class="(\w+)" id="h-', text) == ["high", "medium", "low"]
    assert (await port.get("/api/v1/waiting")).json == {"waiting": 3}
    assert "<title>(3) Over - toolgate</title>" in (await page(browser, "/?view=over"))[1]
    empty = await port.browser().log_in(OLI)
    assert "Nothing waits for a person" in (await page(empty))[1]
    assert "<title>Queue - toolgate</title>" in (await page(empty))[1]


@pytest.mark.alone
async def test_five_hundred_waiting_calls_are_drawn_quickly():
    async with Port() as port:
        for number in range(500):
            await port.desk.file(number)
        browser = await port.browser().log_in(LEA)
        took_s = []
        for _ in range(10):
            began_s = time.process_time()
            heard = await browser.ask("GET", "/")
            took_s.append(time.process_time() - began_s)
        assert heard.body.count(b'id="h-') == 500
        # Of the processor, the reading of the answer included.
        assert min(took_s) < 0.1, took_s
