"""What deciding takes besides a button: something typed, a tick, another person, a look at what has changed."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.browser.company import Company
from tests.browser.held_calls import (
    bar,
    becomes,
    button,
    file,
    hears,
    limit,
    open_page,
    refund,
    refused,
    row,
    state,
    told,
)
from tests.browser.prepared import HIDDEN


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """With less time to undo than usual."""
    with Company(tmp_path_factory.mktemp("company"), people={"undo_s": 1}) as found:
        yield found


def problem(page):
    return page.get_by_role("alert")


def test_a_call_of_high_risk_is_approved_by_typing_its_object_and_what_was_written_is_kept(visits, company):
    call, page = limit(company), visits("ana")
    account = call.arguments["account"]
    open_page(page, call)
    expect(bar(page)).to_contain_text(f"To approve, type the value of /account: {account}")
    typed = bar(page).get_by_label("To approve, type")
    told(page).fill("as agreed\nwith the bank")
    refused(visits, "decide")
    for wrong in ("", "yes", account[:-1]):
        typed.fill(wrong)
        button(page, "Approve").click()
        expect(problem(page)).to_contain_text("type the value of /account exactly as it is shown")
        expect(problem(page)).to_be_focused()
        expect(told(page)).to_have_value("as agreed\nwith the bank")
        expect(typed).to_have_value(wrong)
    assert (call.status, call.runs()) == ("held", [])
    typed.fill(account)
    button(page, "Approve").click()
    becomes(page, call, "succeeded")
    assert call.runs() == [call.arguments]
    expect(page.locator("#trail")).to_contain_text("as agreed")


def test_hidden_text_is_approved_by_saying_that_one_has_read_it(visits, company):
    call, page = refund(company, reason=HIDDEN), visits("ana")
    open_page(page, call)
    expect(page.get_by_role("list", name="Look at this first")).to_contain_text("Hides or misleads")
    refused(visits, "decide")
    button(page, "Approve").click()
    expect(problem(page)).to_contain_text("Say first that you have read what was made visible")
    assert call.status == "held"
    bar(page).get_by_label("I have read what was made visible").check()
    button(page, "Approve").click()
    becomes(page, call, "succeeded")
    assert call.runs() == [call.arguments]


def test_a_call_that_somebody_else_denies_changes_before_ones_eyes_and_is_not_approved_any_more(
    visits, company
):
    call, ana, ben = refund(company), visits("ana"), visits("ben")
    open_page(ana, call)
    told(ana).fill("I wonder")
    open_page(ben, call)
    told(ben).fill("twice already")
    button(ben, "Deny").click()
    becomes(ana, call, "denied")
    expect(ana.locator("#sheet")).to_contain_text("twice already ben@example.com")
    # Only what is written there has kept the old form.
    expect(told(ana)).to_have_value("I wonder")
    expect(ana.locator("#live")).to_contain_text("This has changed. What you write stays")
    refused(visits, "decide")
    button(ana, "Approve").click()
    expect(problem(ana)).to_have_text("Nothing is left to decide: it is denied by ben@example.com already.")
    expect(bar(ana)).to_contain_text("Nothing is left to decide: denied by ben@example.com.")
    assert (call.status, call.runs()) == ("denied", [])


def test_a_call_that_is_edited_meanwhile_is_not_decided_by_what_was_shown_before(visits, company):
    call, page = refund(company), visits("ana", scripts=False)
    page.goto(f"/holds/{call.id}")
    seen = company.people["ben"].show(call.id)["hold"]["seen"]
    wish = {"arguments": call.arguments | {"amount": 290}, "seen": seen, "reason": "a digit was lost"}
    assert company.people["ben"].ask("POST", f"/holds/{call.id}/edit", wish)[0] == 200
    refused(visits, "decide")
    button(page, "Approve").click()
    expect(problem(page)).to_contain_text("It has changed since you were shown it.")
    expect(state(page)).to_contain_text("round 2")
    assert call.status == "held"
    button(page, "Approve").click()
    becomes(page, call, "succeeded")
    assert [run["amount"] for run in call.runs()] == [290]


def test_a_payment_that_needs_two_people_says_who_said_yes_and_runs_with_the_second(visits, company):
    pay = {"amount": 7200, "currency": "EUR", "reference": "half"}
    call = file(company, "billing", "payments/pay", to="machines@example.org", **pay)
    ana, ben = visits("ana"), visits("ben")
    for page in (ana, ben):
        open_page(page, call)
        expect(page.locator("#sheet")).to_contain_text("2 different people: refund-lead")
    bar(ana).get_by_label("To approve, type").fill("7200")
    button(ana, "Approve").click()
    expect(ana.locator("#sheet")).to_contain_text("1 said yes")
    expect(bar(ana)).to_contain_text("You said yes. It waits for somebody else's.")
    expect(button(ana, "Approve")).to_have_count(0)
    expect(ben.locator("#sheet")).to_contain_text("1 said yes")
    assert (call.status, call.runs()) == ("held", [])
    bar(ben).get_by_label("To approve, type").fill("7200")
    button(ben, "Approve").click()
    for page in (ana, ben):
        becomes(page, call, "succeeded")
    assert call.runs() == [call.arguments]


def test_edited_arguments_are_held_against_the_schema_and_begin_another_round(visits, company):
    call, page = refund(company), visits("ana")
    open_page(page, call)
    bar(page).get_by_role("link", name="Edit arguments").click()
    text, why = page.get_by_label("Arguments, as JSON"), page.get_by_label("Why")
    assert json.loads(text.input_value()) == call.arguments
    why.fill("half of it")
    refused(visits, "edit")
    order = call.arguments["order"]
    for wrong, about in {
        f'{{"order": "{order}", "amount": ': "not one well-formed JSON text",
        f'{{"order": "{order}", "amount": "much"}}': '/amount: the value is not of type "number"',
        f'{{"order": "{order}"}}': "amount",
        "[]": "the arguments have to be a JSON object",
    }.items():
        text.fill(wrong)
        page.get_by_role("button", name="Put these in place").click()
        expect(problem(page)).to_contain_text(about)
        expect(text).to_have_value(wrong)
        expect(why).to_have_value("half of it")
    assert company.people["ana"].show(call.id)["hold"]["round"] == 1
    text.fill(json.dumps(call.arguments | {"amount": 15}))
    page.get_by_role("button", name="Put these in place").click()
    expect(state(page)).to_contain_text("held round 2")
    change = page.locator("#arguments dl").last
    expect(change.locator("dt")).to_have_text("/amount")
    expect(change.locator("del")).to_have_text("29.9")
    expect(change.locator("ins")).to_have_text("15")
    expect(page.locator("#trail")).to_contain_text("edited by ana@example.com: half of it")
    page.goto("/")
    expect(page.locator(f"#h-{call.id}")).to_contain_text("edited")
    assert (call.status, call.runs()) == ("held", [])


def test_a_colleague_who_is_asked_and_whoever_looks_at_it_are_named_on_everybodys_page(visits, company):
    call, ana, ben = refund(company), visits("ana"), visits("ben")
    open_page(ben, call)
    open_page(ana, call)
    bar(ana).get_by_text("Ask another approver").click()
    form = bar(ana).locator("details form")
    expect(form.get_by_role("option")).to_have_text(["ben@example.com"])
    form.get_by_label("Note").fill("you know the customer")
    with hears(ana):
        form.get_by_role("button", name="Ask").click()
    asked = "ana@example.com asked ben@example.com: “you know the customer”"
    for page in (ana, ben):
        expect(page.locator("#sheet .facts")).to_contain_text(asked)
    button(ben, "I look at it").click()
    for page in (ana, ben):
        expect(page.locator("#sheet .facts")).to_contain_text("ben@example.com looks at it")
    expect(button(ben, "I look at it")).to_have_count(0)
    refused(visits, "decide")
    button(ana, "Approve").click()
    expect(problem(ana)).to_contain_text("ben@example.com is looking at it.")
    ana.goto("/")
    expect(row(ana, call).locator("..")).to_contain_text("ben@example.com looks at it")
    assert call.status == "held"
