"""Deciding with the mouse: five seconds in which it can be undone, then the page itself says what came of it."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.held_calls import bar, becomes, button, refund, row, state, stay, stayed, told

SECONDS = re.compile(r"It takes effect in [2-5] seconds\.")
LATER = re.compile("^[12]$")


def test_an_approved_call_runs_once_after_five_seconds_and_the_page_says_so_by_itself(page, company):
    call = refund(company)
    row(page, call).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(
        f"refund on payments with amount 29.9, order '{call.arguments['order']}'"
    )
    button(page, "Approve").click()
    stay(page)
    expect(bar(page)).to_contain_text("You approve it.")
    expect(bar(page)).to_contain_text(SECONDS)
    assert (call.status, call.runs()) == ("held", [])
    expect(bar(page).locator("[data-seconds]")).to_have_text(LATER)
    assert (call.status, call.runs()) == ("held", [])
    becomes(page, call, "succeeded")
    expect(page.locator("#sheet")).to_contain_text("it ran")
    expect(page.locator("#trail")).to_contain_text("approve by ana@example.com as refund-lead")
    expect(bar(page)).to_contain_text("Nothing is left to decide: succeeded")
    assert stayed(page)
    assert call.runs() == [call.arguments]
    # What the agent comes for is what ran; it does not run again.
    assert not call.collect().get("isError")
    assert call.runs() == [call.arguments]


def test_what_is_undone_has_never_happened_and_waits_in_the_queue_as_before(page, company):
    undone, approved = refund(company), refund(company)
    row(page, undone).click()
    button(page, "Approve").click()
    button(page, "Undo").click()
    expect(button(page, "Approve")).to_be_visible()
    expect(state(page)).to_contain_text("held")
    # This one was approved later, so its time is over after the other's would have been.
    page.goto("/")
    row(page, approved).click()
    button(page, "Approve").click()
    becomes(page, approved, "succeeded")
    assert (len(approved.runs()), undone.runs(), undone.status) == (1, [], "held")
    page.get_by_role("link", name="toolgate").click()
    expect(row(page, undone)).to_be_visible()
    expect(row(page, approved)).to_have_count(0)
    assert [vote["person"] for vote in company.people["ben"].show(undone.id)["votes"]] == []


def test_a_named_reason_can_be_put_in_other_words_and_is_what_the_agent_is_told(page, company):
    call = refund(company)
    row(page, call).click()
    reason = bar(page).get_by_label("Reason")
    reason.select_option("Too much")
    expect(told(page)).to_have_value(re.compile("^The amount or the extent is too large"))
    # While nothing was written into it, another name brings other words.
    reason.select_option("Wrong recipient or object")
    expect(told(page)).to_have_value(re.compile("^The recipient or object is not the right one"))
    told(page).press("End")
    told(page).press_sequentially(" It was A-9.")
    reason.select_option("Too much")
    said = "The recipient or object is not the right one. Check it against what you were asked to do. It was A-9."
    expect(told(page)).to_have_value(said)
    button(page, "Deny").click()
    expect(bar(page)).to_contain_text("You deny it.")
    assert call.status == "held"
    becomes(page, call, "denied")
    expect(page.locator("#sheet")).to_contain_text(said)
    answer = call.collect()
    assert answer["isError"]
    assert answer["structuredContent"]["toolgate"]["reason"] == said
    assert said.removesuffix(".") in answer["content"][0]["text"]
    assert call.runs() == []
