"""Deciding with the keyboard alone: the space bar presses, Enter never approves, and the focus is always seen."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.held_calls import (
    bar,
    becomes,
    button,
    everything,
    limit,
    mail,
    open_page,
    posts,
    refund,
    row,
    state,
    told,
)
from tests.browser.keys import Keys


@pytest.fixture
def keys(page):
    """Of Ana's, who has logged in."""
    return Keys(page)


def test_from_the_login_to_an_approval_that_ran_without_a_mouse(visits, company):
    page, calls = visits(None), [mail(company), limit(company), refund(company)]
    keys = Keys(page)
    page.goto(company.login_link("ana"))
    keys.to(page.get_by_role("button", name="Log in"))
    keys.press("Space")
    expect(page).to_have_url(company.url + "/")
    # The riskiest is the first.
    keys.to(row(page, calls[1]))
    keys.press("Enter")
    typed = bar(page).get_by_label("To approve, type")
    keys.to(typed)
    keys.type(calls[1].arguments["account"])
    keys.to(button(page, "Approve"))
    keys.press("Space")
    expect(button(page, "Undo")).to_be_focused()
    keys.see()
    becomes(page, calls[1], "succeeded")
    # The button is gone; what took its place has the focus now.
    expect(bar(page)).to_contain_text("Nothing is left to decide")
    expect(bar(page)).to_be_focused()
    keys.see()
    assert len(calls[1].runs()) == 1


def test_enter_in_a_field_or_on_approve_sends_nothing_and_the_space_bar_does(keys, company):
    call = everything(company)
    page = keys.page
    page.goto(f"/holds/{call.id}")
    sent = posts(page)
    fields = [
        bar(page).get_by_label("Reason"),
        told(page),
        bar(page).get_by_label("I have read what was made visible"),
        bar(page).get_by_label("To approve, type"),
        button(page, "Approve"),
    ]
    for field in fields:
        keys.to(field)
        keys.press("Enter")
    expect(page.locator("#live")).to_have_text("Enter never approves: press the space bar.")
    keys.to(bar(page).get_by_text("Ask another approver"))
    keys.press("Enter")
    for field in (bar(page).get_by_label("Whom"), bar(page).get_by_label("Note")):
        keys.to(field)
        keys.press("Enter")
    # With everything that it takes, too.
    keys.to(fields[2], "Shift+Tab")
    keys.press("Space", "Enter")
    keys.to(fields[3])
    keys.type("7300")
    keys.press("Enter")
    keys.to(fields[4])
    keys.press("Enter", "NumpadEnter")
    assert (sent, call.status) == ([], "held")
    keys.press("Space")
    expect(bar(page)).to_contain_text("You approve it.")
    assert sent == [f"{company.url}/holds/{call.id}/decide"]
    keys.press("Space")
    expect(button(page, "Approve")).to_be_visible()
    assert call.status == "held"


def test_single_keys_lead_to_what_they_say(keys, company):
    page, first, second = keys.page, limit(company), refund(company)
    expect(row(page, second)).to_be_visible()
    rows = page.locator(".queue li > a")
    keys.press("j")
    expect(rows.nth(0)).to_be_focused()
    keys.see()
    keys.press("j")
    expect(rows.nth(1)).to_be_focused()
    keys.press("k", "k")
    expect(rows.nth(0)).to_be_focused()
    keys.to(row(page, second), "j")
    keys.to(row(page, first), "k")
    keys.press("Enter")
    expect(state(page)).to_be_visible()
    page.wait_for_load_state()
    sent = posts(page)
    keys.press("a")
    expect(bar(page).get_by_label("To approve, type")).to_be_focused()
    # In a field they are letters.
    keys.type("jkdaeuq")
    expect(bar(page).get_by_label("To approve, type")).to_have_value("jkdaeuq")
    keys.press("Tab", "d")
    expect(told(page)).to_be_focused()
    expect(told(page)).to_have_value("")
    keys.press("Tab", "e")
    expect(page).to_have_url(f"{company.url}/holds/{first.id}/edit")
    page.wait_for_load_state()
    keys.press("q")
    expect(page).to_have_url(company.url + "/")
    assert (sent, first.status) == ([], "held")


def test_u_leads_back_to_undo(keys, company):
    page, call = keys.page, refund(company)
    page.goto(f"/holds/{call.id}")
    keys.press("a")
    expect(button(page, "Approve")).to_be_focused()
    keys.press("Space")
    expect(button(page, "Undo")).to_be_focused()
    page.wait_for_load_state()
    keys.press("Shift+Tab", "u", "Space")
    expect(button(page, "Approve")).to_be_visible()
    assert (call.status, call.runs()) == ("held", [])


def test_the_keys_are_told_of_and_can_be_switched_off(keys, company):
    page, call = keys.page, refund(company)
    expect(row(page, call)).to_be_visible()
    dialog, box = page.get_by_role("dialog", name="Keyboard"), page.locator("dialog input")
    keys.to(row(page, call), "j")
    keys.press("?")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("Enter never approves")
    keys.see()
    # Behind it nothing moves, and what comes meanwhile is shown when it is closed.
    above = limit(company)
    waiting = company.people["ana"].ask("GET", "/waiting")[1]["waiting"]
    expect(page.locator("#count")).to_have_text(str(waiting))
    expect(row(page, above)).to_have_count(0)
    keys.press("q", "Escape")
    expect(dialog).to_be_hidden()
    expect(row(page, above)).to_be_visible()
    expect(row(page, call)).to_be_focused()
    keys.press("?")
    keys.to(box)
    keys.press("Space", "Escape")
    expect(row(page, call)).to_be_focused()
    keys.press("k")
    expect(row(page, call)).to_be_focused()
    page.reload()
    keys.press("j", "?")
    keys.to(box)
    keys.press("Space", "Escape")
    expect(box).not_to_be_focused()
    keys.press("j")
    expect(page.locator(".queue li > a").first).to_be_focused()


def test_the_skip_link_leads_past_the_navigation(keys, company):
    page, call = keys.page, refund(company)
    page.goto(f"/holds/{call.id}")
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keys.press("Enter")
    expect(page.locator("main")).to_be_focused()
    keys.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_list_that_changes_leaves_the_focus_where_it_was_or_next_to_it(keys, company):
    page, mine, next_to_it = keys.page, refund(company), refund(company)
    keys.to(row(page, mine))
    above = limit(company)
    expect(row(page, above)).to_be_visible()
    expect(row(page, mine)).to_be_focused()
    keys.see()
    company.people["ben"].decide(company.people["ben"].show(mine.id)["hold"], "deny")
    expect(row(page, mine)).to_have_count(0)
    keys.see()
    assert page.evaluate("document.activeElement.matches('.queue li > a')")
    assert next_to_it.status == "held"


def test_a_bar_that_changes_leaves_the_focus_where_it_was_but_never_on_approve(keys, company):
    page, call = keys.page, refund(company)
    open_page(page, call)
    edit = bar(page).get_by_role("link", name="Edit arguments")
    keys.to(edit)
    claim = company.people["ben"].ask
    assert claim("POST", f"/holds/{call.id}/claim", {})[0] == 200
    expect(page.locator("#sheet .facts")).to_contain_text("ben@example.com looks at it")
    expect(edit).to_be_focused()
    keys.see()
    keys.press("a")
    expect(button(page, "Approve")).to_be_focused()
    row_of = company.people["ben"].show(call.id)["hold"]
    wish = {"arguments": call.arguments | {"amount": 290}, "seen": row_of["seen"], "reason": ""}
    assert claim("POST", f"/holds/{call.id}/edit", wish)[0] == 200
    expect(state(page)).to_contain_text("round 2")
    expect(bar(page)).to_be_focused()
    keys.see()
    expect(page.locator("#live")).to_have_text("This has changed: look at it again before you decide.")
    # Whoever was about to press has pressed nothing.
    keys.press("Space")
    keys.press("a")
    expect(button(page, "Approve")).to_be_focused()
    assert call.status == "held"
