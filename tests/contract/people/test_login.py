"""Login links and logins: good once, never by looking, never on disk."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.contract.people.port import LEA, MAX, PEOPLE, Port

HOLDS = "/api/v1/holds"


async def link_of(port, who=LEA):
    heard = await port.post("/api/v1/login-links", {}, who)
    assert heard.status == 200
    return heard.json["url"].removeprefix(port.origin)


def form_of(link):
    return link.partition("?")[2]


async def enter(port, browser, link, **more):
    return await browser.ask("POST", "/login", form=form_of(link), page=port.origin, **more)


async def test_a_link_logs_its_person_in(port):
    browser = port.browser()
    link = await link_of(port)
    shown = await browser.ask("GET", link)
    assert shown.status == 200
    assert b"<button>Log in</button>" in shown.body
    assert b"lea@example.com" not in shown.body
    heard = await enter(port, browser, link)
    assert (heard.status, heard.headers["location"]) == (303, "/")
    me = (await browser.ask("GET", "/api/v1/me")).json
    assert (me["id"], me["how"]) == ("lea@example.com", "session")
    assert b"You are lea@example.com" in (await browser.ask("GET", "/login")).body
    hold = await port.desk.file(1)
    body = {"verdict": "approve", "seen": hold.seen}
    assert (await browser.ask("POST", f"{HOLDS}/{hold.id}/decision", body, page=port.origin)).status == 200
    story = (await port.get(f"{HOLDS}/{hold.id}")).json
    assert story["votes"][0]["how"] == "session"
    assert port.trail.kinds == ["login_link", "login"]
    made, used = (record.members for record in port.trail.records)
    assert made == {"person": "lea@example.com", "how": "token", "single_user": False}
    assert used == {"person": "lea@example.com", "how": "link", "single_user": False}


@pytest.mark.abuse(94)
async def test_looking_at_a_link_never_uses_it_up(port):
    link = await link_of(port)
    for agent in ("Slackbot-LinkExpanding 1.0", "Mozilla/5.0", "curl/8"):
        for verb in ("GET", "HEAD"):
            heard = await port.ask(verb, link, headers=[("User-Agent", agent)], check=verb == "GET")
            assert heard.status == 200
            assert "set-cookie" not in heard.headers
    assert port.trail.kinds == ["login_link"]
    assert (await enter(port, port.browser(), link)).status == 303


@pytest.mark.abuse(94)
@pytest.mark.abuse(128)
async def test_a_link_is_good_once(port):
    link = await link_of(port)
    assert (await enter(port, port.browser(), link)).status == 303
    thief = port.browser()
    heard = await enter(port, thief, link)
    assert heard.status == 403
    assert b"used up or too old (login_refused)" in heard.body
    assert thief.cookies == {}
    assert port.refused == ["login_refused"]


@pytest.mark.abuse(128)
async def test_of_two_who_press_the_button_at_once_one_is_too_late(port):
    link = await link_of(port)
    heard = await asyncio.gather(*(enter(port, port.browser(), link) for _ in range(6)))
    assert sorted(one.status for one in heard) == [303] + [403] * 5


async def test_a_link_is_good_for_ten_minutes(port):
    links = [await link_of(port), await link_of(port)]
    port.advance(599)
    assert (await enter(port, port.browser(), links[0])).status == 303
    port.advance(1)
    assert (await enter(port, port.browser(), links[1])).status == 403


@pytest.mark.parametrize(
    "form", ["", "code=", "code=x", "code=" + "0" * 64, "kode=x", "code=x&code=y", "code=%ff", "x"]
)
async def test_a_code_that_is_none_logs_nobody_in(port, form):
    browser = port.browser()
    heard = await browser.ask("POST", "/login", form=form, page=port.origin)
    assert heard.status in {400, 403}
    assert browser.cookies == {}
    assert (await enter(port, browser, await link_of(port))).status == 303


async def test_the_page_is_the_same_for_good_and_bad_codes_and_repeats_nothing(port):
    link = await link_of(port)
    code = form_of(link).removeprefix("code=")
    other = "0" * 64
    good = (await port.ask("GET", link)).body.replace(code.encode(), b"CODE")
    bad = (await port.ask("GET", f"/login?code={other}")).body.replace(other.encode(), b"CODE")
    nonce = re.compile(rb'nonce="[0-9a-f]+"')
    assert nonce.sub(b"", good) == nonce.sub(b"", bad)
    strange = await port.ask("GET", "/login?code=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert b"script" not in strange.body
    assert b"Not logged in" in strange.body


@pytest.mark.abuse(87)
async def test_the_page_lets_nothing_in_but_its_own_form(port):
    link = await link_of(port)
    first, second = await port.ask("GET", link), await port.ask("GET", link)
    policy = first.headers["content-security-policy"]
    nonce = re.search(r"'nonce-([0-9a-f]{32})'", policy).group(1)
    assert policy == (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    assert f'<link rel="stylesheet" nonce="{nonce}"'.encode() in first.body
    assert nonce not in second.headers["content-security-policy"]
    assert b"<script" not in first.body
    # With no-referrer a browser would send Origin: null from our own form.
    assert first.headers["referrer-policy"] == "same-origin"
    assert first.headers["x-frame-options"] == "DENY"


@pytest.mark.abuse(87)
@pytest.mark.parametrize("page", ["http://evil.example", "null", None])
async def test_another_page_cannot_log_a_browser_in_or_out(port, page):
    browser = port.browser()
    link = await link_of(port)
    heard = await browser.ask("POST", "/login", form=form_of(link), page=page)
    assert heard.status == 403
    assert b"wrong_origin" in heard.body
    assert browser.cookies == {}
    # The code was not used up by that.
    assert (await enter(port, browser, link)).status == 303
    heard = await browser.ask("POST", "/logout", form="", page=page)
    assert heard.status == 403
    assert (await browser.ask("GET", "/api/v1/me")).status == 200


async def test_the_cookie_is_for_this_host_and_no_script(port):
    browser = await port.browser().log_in()
    assert re.fullmatch(
        r"toolgate_session=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict", browser.set_cookie
    )


async def test_over_https_the_cookie_is_bound_to_it():
    async with Port(public_url="https://Gate.example") as port:
        browser, origin = port.browser(), "https://gate.example"
        link = await port.post("/api/v1/login-links", {})
        assert link.json["url"].startswith(f"{origin}/login?code=")
        form = link.json["url"].partition("?")[2]
        heard = await browser.ask("POST", "/login", form=form, page=origin, host="gate.example")
        assert heard.status == 303
        assert re.fullmatch(
            r"__Host-toolgate_session=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict; Secure",
            browser.set_cookie,
        )
        assert (await browser.ask("GET", "/api/v1/me", host="gate.example")).status == 200
        # Over plain HTTP that cookie is none, and a page there is another origin.
        assert (await browser.ask("GET", "/api/v1/me")).status == 401
        refused = await browser.ask("POST", f"{HOLDS}/x/claim", {}, page=port.origin, host="gate.example")
        assert refused.code == "wrong_origin"


async def test_a_login_ends_when_nobody_uses_it_and_after_twelve_hours_anyway(port):
    browser = await port.browser().log_in()
    for _ in range(24):
        port.advance(1_799)
        assert (await browser.ask("GET", "/api/v1/me")).status == 200
    port.advance(1_799)
    assert (await browser.ask("GET", "/api/v1/me")).status == 401
    browser = await port.browser().log_in()
    port.advance(1_800)
    assert (await browser.ask("GET", "/api/v1/me")).status == 401


async def test_logging_out_ends_it_on_the_server(port):
    browser = await port.browser().log_in()
    before = dict(browser.cookies)
    heard = await browser.ask("POST", "/logout", form="", page=port.origin)
    assert (heard.status, browser.cookies) == (303, {})
    browser.cookies = before
    assert (await browser.ask("GET", "/api/v1/me")).status == 401
    assert port.trail.kinds == ["login_link", "login", "logout"]


async def test_logging_in_again_ends_the_login_before_it(port):
    browser = await port.browser().log_in(LEA)
    before = dict(browser.cookies)
    await browser.log_in(MAX)
    assert browser.cookies != before
    assert (await browser.ask("GET", "/api/v1/me")).json["id"] == "max@example.com"
    browser.cookies = before
    assert (await browser.ask("GET", "/api/v1/me")).status == 401


async def test_two_logins_in_one_request_are_none(port):
    browser = await port.browser().log_in(LEA)
    value = browser.cookies["toolgate_session"]
    for text in (f"toolgate_session={value}; toolgate_session={'0' * 64}", f"toolgate_session={'0' * 64}"):
        assert (await port.ask("GET", "/api/v1/me", headers=[("Cookie", text)])).status == 401
    text = f"other=1; toolgate_session={value}"
    assert (await port.ask("GET", "/api/v1/me", headers=[("Cookie", text)])).status == 200


async def test_a_login_makes_no_links(port):
    browser = await port.browser().log_in()
    heard = await browser.ask("POST", "/api/v1/login-links", {}, page=port.origin)
    assert (heard.status, heard.code) == (403, "bearer_only")


async def test_a_person_who_was_removed_cannot_use_their_link(port):
    link = await link_of(port)
    port.directory.replace(PEOPLE[1:])
    assert (await enter(port, port.browser(), link)).status == 403


async def test_without_a_record_there_is_no_link_and_no_login(port):
    link = await link_of(port)
    port.trail.full = True
    heard = await port.post("/api/v1/login-links", {})
    assert (heard.status, heard.code) == (503, "audit_unavailable")
    browser = port.browser()
    assert (await enter(port, browser, link)).status == 503
    assert browser.cookies == {}
    port.trail.full = False
    assert (await enter(port, browser, await link_of(port))).status == 303


async def test_unused_links_are_bounded_and_the_oldest_makes_room(port):
    links = [await link_of(port) for _ in range(6)]
    other = await link_of(port, MAX)
    assert (await enter(port, port.browser(), links[0])).status == 403
    for link in (*links[1:], other):
        assert (await enter(port, port.browser(), link)).status == 303


@pytest.mark.abuse(128)
async def test_no_login_no_code_and_no_token_is_written_anywhere(port):
    browser = await port.browser().log_in()
    link = await link_of(port)
    secrets = [browser.cookies["toolgate_session"], form_of(link).removeprefix("code=")]
    written = repr(port.trail.records) + repr(port.refused) + repr(await port.desk.dump())
    for secret in secrets:
        assert secret not in written
    # Not even in memory as they are: what is kept are hashes.
    kept = repr(vars(port.app)) + repr(vars(port.app._streams._authentication._sessions))
    assert len(port.app._streams._authentication._sessions) == 1
    for secret in secrets:
        assert secret not in kept
