"""Everything essential with scripts switched off: the queue, deciding, undoing, editing, pins."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.company import Company, agent_token
from tests.browser.held_calls import (
    bar,
    becomes,
    button,
    everything,
    file,
    limit,
    posts,
    refund,
    refused,
    row,
    state,
    told,
)

UNDO_S = 3


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """With less time to undo than usual."""
    with Company(tmp_path_factory.mktemp("company"), people={"undo_s": UNDO_S}) as found:
        yield found


@pytest.fixture
def page(visits):
    """Ana has just logged in, and her browser runs no scripts."""
    return visits("ana", scripts=False)


def test_scripts_are_off_here(page):
    expect(page.get_by_role("button", name="Keyboard")).to_have_count(0)
    assert page.evaluate("matchMedia('(scripting: none)').matches")


def test_an_approval_takes_effect_and_the_page_asks_again_by_itself(page, company):
    call = refund(company)
    page.get_by_role("link", name="toolgate").click()
    expect(page).to_have_title("(1) Queue - toolgate")
    row(page, call).click()
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)
    button(page, "Approve").click()
    expect(bar(page)).to_contain_text(re.compile("You approve it. It takes effect in [123] seconds."))
    expect(page.locator("meta[http-equiv=refresh]")).to_have_attribute("content", re.compile("^[234]$"))
    assert call.status == "held"
    becomes(page, call, "succeeded")
    expect(page.locator("#sheet")).to_contain_text("it ran")
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)
    assert call.runs() == [call.arguments]


def test_what_is_undone_has_never_happened(page, company):
    undone, denied = refund(company), refund(company)
    page.goto(f"/holds/{undone.id}")
    button(page, "Approve").click()
    button(page, "Undo").click()
    expect(button(page, "Approve")).to_be_visible()
    page.goto(f"/holds/{denied.id}")
    # No script fills the text in: the reason's own words are what the agent is told.
    bar(page).get_by_label("Reason").select_option("Nobody asked for this")
    expect(told(page)).to_have_value("")
    button(page, "Deny").click()
    expect(bar(page)).to_contain_text("You deny it.")
    becomes(page, denied, "denied")
    reason = "This is not part of what you were asked to do. Do not try it in another way."
    expect(page.locator("#sheet")).to_contain_text(reason)
    assert denied.collect()["structuredContent"]["toolgate"]["reason"] == reason
    # By now the other would have taken effect, too.
    assert (undone.status, undone.runs(), denied.runs()) == ("held", [], [])


def test_enter_in_a_field_sends_nothing(page, company):
    call = everything(company)
    page.goto(f"/holds/{call.id}")
    sent = posts(page)
    noticed, typed = bar(page).get_by_label("I have read"), bar(page).get_by_label("To approve, type")
    noticed.check()
    typed.fill("7300")
    for field in (bar(page).get_by_label("Reason"), told(page), noticed, typed):
        field.press("Enter")
    bar(page).get_by_text("Ask another approver").click()
    for field in (bar(page).get_by_label("Whom"), bar(page).get_by_label("Note")):
        field.press("Enter")
    assert (sent, call.status) == ([], "held")
    button(page, "Approve").click()
    expect(bar(page)).to_contain_text("You approve it.")
    assert sent == [f"{company.url}/holds/{call.id}/decide"]


def test_high_risk_takes_its_object_typed(visits, page, company):
    call = limit(company)
    page.goto(f"/holds/{call.id}")
    refused(visits, "decide")
    told(page).fill("as agreed")
    button(page, "Approve").click()
    expect(page.get_by_role("alert")).to_contain_text("type the value of /account exactly as it is shown")
    expect(told(page)).to_have_value("as agreed")
    bar(page).get_by_label("To approve, type").fill(call.arguments["account"])
    button(page, "Approve").click()
    expect(bar(page)).to_contain_text("You approve it.")


def test_editing_claiming_and_asking(visits, page, company):
    call = refund(company)
    page.goto(f"/holds/{call.id}")
    button(page, "I look at it").click()
    expect(page.locator("#sheet .facts")).to_contain_text("ana@example.com looks at it")
    bar(page).get_by_text("Ask another approver").click()
    bar(page).get_by_role("button", name="Ask").click()
    expect(page.locator("#sheet .facts")).to_contain_text("ana@example.com asked ben@example.com")
    bar(page).get_by_role("link", name="Edit arguments").click()
    text = page.get_by_label("Arguments, as JSON")
    text.fill('{"order": ')
    refused(visits, "edit")
    page.get_by_role("button", name="Put these in place").click()
    expect(page.get_by_role("alert")).to_contain_text("not one well-formed JSON text")
    expect(text).to_have_value('{"order": ')
    text.fill(json.dumps(call.arguments | {"amount": 11}))
    page.get_by_role("button", name="Put these in place").click()
    expect(state(page)).to_contain_text("held round 2")
    assert company.people["ana"].show(call.id)["arguments"]["amount"] == 11


def test_the_parts_of_the_queue(page, company):
    waiting = refund(company)
    article = {"title": waiting.arguments["order"], "text": "Open."}
    published = file(company, "ops", "platform/publish", **article)
    company.people["ben"].approve(company.people["ben"].show(published.id)["hold"])
    ended = refund(company)
    company.people["ben"].decide(company.people["ben"].show(ended.id)["hold"], "deny", "no")
    parts = page.get_by_role("navigation", name="Parts of the queue")
    for name, call in {"Waiting": waiting, "Approved, not run yet": published, "Over": ended}.items():
        parts.get_by_role("link", name=name).click()
        expect(parts.locator("[aria-current=page]")).to_have_text(name)
        for one in (waiting, published, ended):
            expect(row(page, one)).to_have_count(1 if one is call else 0)
    parts.get_by_role("link", name="Outcome unknown").click()
    expect(page.locator("main")).to_contain_text("There is nothing here.")
    # An approval that was not used yet can be taken back.
    page.goto(f"/holds/{published.id}")
    button(page, "Take it back").click()
    becomes(page, published, "cancelled")


def test_an_operator_takes_a_pin_back_and_gives_it_again(visits, page, company):
    def offered():
        return "platform__restart" in company.gateway.tools(token=agent_token("ops"))

    visits.allow("refused", "^422 POST .*/tools/unpin$")
    olga = visits("olga", scripts=False)
    for person in (page, olga):
        person.get_by_role("link", name="Tools").click()
        person.get_by_role("link", name="restart", exact=True).click()
    page.get_by_label("Why").fill("I do not like it")
    page.get_by_role("button", name="Take the pin back").click()
    expect(page.get_by_role("alert")).to_contain_text("pinning definitions needs the role operator")
    expect(page.get_by_label("Why")).to_have_value("I do not like it")
    assert offered()
    for press, says in {
        "Take the pin back": "Agents are not offered it.",
        "Pin this form": "Agents are offered it.",
    }.items():
        olga.get_by_label("Why").fill(f"because of {press}")
        olga.get_by_role("button", name=press).click()
        expect(olga.get_by_role("main")).to_contain_text(says)
        expect(olga.locator(".facts")).to_contain_text(f"by olga@example.com: because of {press}")
        assert offered() is (press == "Pin this form")
