"""What is too much to look at nobody approves; of what can be looked at nothing is left out in silence."""

from __future__ import annotations

import hashlib
import json

import pytest
import rfc8785

from tests.browser.corpus import CORPUS, SHOWN_BYTES_MAX, TOOL
from tests.browser.looks import fits, weight
from tests.browser.reading import expected, in_sight, inside, is_harmless, quoted, texts, ui, values

BEYOND = {
    "5 MB": "the arguments have 5,008,071 bytes, more than the 65,536",
    "10,000 names": "the arguments have 167,781 bytes, more than the 65,536",
    "1,001 names": "the arguments hold 1,001 values, more than the 1,000",
}
FORGED = """\
async ([path, fields]) => {
  const answer = await fetch(path, {method: "POST", body: new URLSearchParams(fields), redirect: "manual"});
  return [answer.status || answer.type, await answer.text()];
}
"""
LINES = "".join(f"line {n}\n" for n in range(1, 4_001))
BREAKS = "x\n" * 10_000


@pytest.fixture
def page(visits, logins):
    return visits(None, height=800, storage_state=logins("ana"))


def of_size(size_bytes):
    """Arguments of exactly so many bytes."""
    return {"text": "a" * (size_bytes - len(rfc8785.dumps({"text": ""})))}


def forge(page, hold, seen, **more):
    """Send what the button would send, had there been one."""
    token = page.locator("#decision input[name=token]").first.get_attribute("value")
    fields = {"token": token, "seen": seen, "verdict": "approve", "reason": "", **more}
    return page.evaluate(FORGED, [f"/holds/{hold}/decide", fields])


@pytest.mark.abuse(83)
@pytest.mark.parametrize("name", BEYOND)
def test_what_is_too_much_to_look_at_cannot_be_approved_by_any_door(visits, page, company, corpus, name):
    hold = corpus.file(name).id
    row = company.people["ana"].show(hold)["hold"]
    page.goto(f"/holds/{hold}")
    said = page.get_by_role("list", name="Look at this first").get_by_role("link", name=BEYOND[name])
    assert in_sight(page, said)
    assert page.get_by_role("button", name="Approve").count() == 0
    assert page.get_by_role("button", name="Deny").is_visible()
    assert values(page) == {}
    assert page.locator("#arguments details.raw").count() == 0
    is_harmless(page)
    status, text = forge(page, hold, row["seen"], noticed="yes", typed=row["tool"])
    assert status == 422
    assert "Nobody can approve what nobody can look at" in text
    visits.allow("refused", f"422 POST .*/holds/{hold}/decide")
    code, refused = company.people["ana"].decide(row, "approve")
    assert (code, refused["error"]["code"]) == (403, "hold_not_eligible")
    assert company.people["ana"].show(hold)["hold"]["status"] == "held"


def test_the_same_form_is_taken_for_a_call_that_can_be_looked_at(page, company):
    hold = company.hold("ops", TOOL, {"text": "small"})
    page.goto(f"/holds/{hold}")
    assert page.get_by_role("button", name="Approve").is_visible()
    assert forge(page, hold, company.people["ana"].show(hold)["seen"])[0] == "opaqueredirect"
    page.reload()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Approve").wait_for()


@pytest.mark.abuse(83)
@pytest.mark.parametrize("name", BEYOND)
def test_what_is_too_much_to_look_at_is_not_edited_unseen(page, corpus, name):
    hold = corpus.file(name).id
    page.goto(f"/holds/{hold}")
    assert page.get_by_role("link", name="Edit arguments").count() == 0
    page.goto(f"/holds/{hold}/edit")
    assert page.locator("textarea").count() == 0
    assert BEYOND[name] in page.get_by_role("main").inner_text()
    is_harmless(page)


@pytest.mark.abuse(83)
def test_what_is_too_much_to_look_at_is_not_sent_to_the_browser_either(page, corpus):
    page.goto(f"/holds/{corpus.file('5 MB').id}")
    assert sum(weight(page).values()) < 60_000


@pytest.mark.abuse(83)
def test_the_bound_of_bytes_is_where_it_is_said(page, company):
    within, beyond = of_size(SHOWN_BYTES_MAX), of_size(SHOWN_BYTES_MAX + 1)
    page.goto(f"/holds/{company.hold('ops', TOOL, within)}")
    assert page.get_by_role("button", name="Approve").is_visible()
    assert values(page)["/text"].whole == quoted(within["text"])
    page.goto(f"/holds/{company.hold('ops', TOOL, beyond)}")
    assert page.get_by_role("button", name="Approve").count() == 0
    assert "65,537 bytes" in page.get_by_role("list", name="Look at this first").inner_text()


@pytest.mark.abuse(83)
def test_a_thousand_values_all_stand_there_and_the_last_one_is_reached(page, corpus):
    hold = corpus.file("1,000 names")
    page.goto(f"/holds/{hold.id}")
    shown = values(page)
    assert len(shown) == 1_000
    assert [(path, one.kind, one.text) for path, one in shown.items()] == expected(json.loads(hold.canonical))
    last = page.locator("#arguments > .args > div").last
    last.scroll_into_view_if_needed()
    assert in_sight(page, last.locator(".v"))
    assert page.get_by_role("button", name="Approve").is_visible()


@pytest.mark.abuse(83)
@pytest.mark.parametrize("text", [CORPUS["line feeds"], f"{BREAKS}approve", f"{LINES}approve"])
def test_ten_thousand_line_feeds_hide_no_tail(page, company, text):
    page.goto(f"/holds/{company.hold('ops', TOOL, {'text': text})}")
    row = page.locator("#arguments > .args > div").first
    parts = row.locator(":scope > dd > .v")
    # Beginning and end stand there at once, and how much there is between them.
    for part in parts.all():
        part.scroll_into_view_if_needed()
        assert in_sight(page, part)
    assert parts.last.inner_text().endswith('approve"')
    note = row.locator(".note", has_text="are folded away here").inner_text()
    assert f"of {len(text):,} characters" in note
    assert hashlib.sha256(text.encode()).hexdigest() in note
    # The whole of it is one press away, and its end can be reached.
    summary = row.get_by_text(f"All {len(text):,} characters")
    whole = row.locator("details .v")
    assert not whole.is_visible()
    summary.click()
    assert whole.is_visible()
    assert whole.text_content() == quoted(text)
    assert whole.inner_text().replace("\n", "") == quoted(text)
    after = page.locator("#arguments > details.raw summary")
    after.scroll_into_view_if_needed()
    assert in_sight(page, after)
    fits(page)


@pytest.mark.abuse(83)
def test_a_long_text_in_the_middle_of_which_something_stands_is_not_read_without_it(page, company):
    text = "fine " * 400 + "and pay 9000 to evil" + " fine" * 400
    page.goto(f"/holds/{company.hold('ops', TOOL, {'text': text})}")
    value = values(page)["/text"]
    assert "evil" not in value.text + value.tail
    assert value.whole == quoted(text)
    assert value.text == '"' + inside(text[: len(value.text) - 1])
    left_out = len(text) - (len(value.text) - 1) - (len(value.tail) - 1)
    assert any(
        note.startswith(f"{left_out:,} of {len(text):,} characters are folded away") for note in value.notes
    )


@pytest.mark.abuse(81)
def test_numbers_stand_there_as_they_would_be_sent(page, corpus):
    page.goto(f"/holds/{corpus.file('numbers').id}")
    told = {path: one.text for path, one in values(page).items()}
    assert told == {
        "/a": "1e+21",
        "/b": "5e-324",
        "/c": "0",
        "/d": "9007199254740991",
        "/e": "0.1",
        "/f": "true",
        "/g": "null",
    }
    assert texts(page, "#arguments > details.raw > pre") == [corpus.file("numbers").canonical.decode()]


@pytest.mark.abuse(81)
def test_names_stand_there_in_the_order_in_which_they_would_be_sent(page, company):
    # The order of their code units, which is not that of their letters: RFC 8785.
    arguments = {"\u20ac": 1, "\r": 2, "1": 3, "\U0001f600": 4, "\u0080": 5, "\u00f6": 6, "\ufb33": 7}
    page.goto(f"/holds/{company.hold('ops', TOOL, arguments)}")
    assert [one.text for one in values(page).values()] == ["2", "3", "5", "6", "1", "4", "7"]


@pytest.mark.abuse(81)
def test_spaces_are_seen_one_by_one_or_counted(page, company):
    text = " a  b   c" + " " * 16 + "d" + " " * 17 + "e "
    hold = company.hold("ops", TOOL, {"text": text, " two  spaces ": 1})
    page.goto(f"/holds/{hold}")
    shown = values(page)
    assert shown["/text"].text == f'" a  b   c{" " * 16}d‹U+0020 x17›e "'
    assert '/" two  spaces "' in shown
    assert ["verdict", "approve", "Approve", False, False] in ui(page, hold)["buttons"]
