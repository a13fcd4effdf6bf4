"""What is bad about five of the twenty calls is read without scrolling; of ordinary ones nothing is said."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser.definitions import DRIFTED_LIMIT
from tests.browser.made_up import stand
from tests.browser.prepared import BAD, HIDDEN_ORDER, LOOK_ALIKE, ORDINARY, SUPPLIER
from tests.browser.reading import alarming, expected, in_sight, quoted, strings, values

KINDS = {
    "look-alike": r"can be taken for",
    "hidden text": r"^Hides or misleads",
    "drifted": r"definition has changed",
    "unusual amount": r"times the largest",
    "tainted": r"^This session has",
}
"""How a page says what is bad, first of all."""
TOLD = {
    # What hides in the address is told with it.
    "look-alike": {"look-alike", "hidden text"},
    "hidden text": {"hidden text"},
    "drifted": {"drifted"},
    "unusual amount": {"unusual amount"},
    "tainted": {"tainted"},
    # It is ordinary for whoever buys a machine, and still 23 times what was paid before.
    "payment by two": {"unusual amount"},
    # One of its words is Arabic: nobody who does not read it sees in which order its letters stand.
    "foreign letters": {"hidden text"},
}
"""Who is warned of what; of all others nothing is said."""


@pytest.fixture
def look(visits, logins, holds):
    """``look(name)``: the page of this call as it opens, 1280 by 800."""

    def opened(name, *, who="ana", **window):
        page = visits(None, storage_state=logins(who), **{"width": 1280, "height": 800} | window)
        page.goto(f"/holds/{holds[name].id}")
        assert page.evaluate("scrollY") == 0
        return page

    return opened


def warnings(page):
    """What stands in the box that nobody overlooks."""
    return page.get_by_role("list", name="Look at this first").get_by_role("listitem").all_inner_texts()


def value(page, path):
    """Where one value of the arguments stands."""
    row = page.locator("#arguments > .args > div").filter(
        has=page.locator("dt", has_text=re.compile(f"^{path} "))
    )
    return row.locator("dd > .v").first


def test_a_fact_that_is_out_of_sight_is_noticed(visits):
    page = visits(None, height=800)
    style = """
        #decision { position: fixed; inset: 500px 0 0 }
        #far { position: absolute; top: 480px }
        #gone { visibility: hidden }
        b { display: block }
    """
    body = "<div id=decision>bar</div><b id=near>near</b><b id=far>far<br>and on</b><b id=gone>gone</b>"
    stand(page, f"<link rel=stylesheet href=/made-up-style>{body}", style=style)
    assert in_sight(page, page.locator("#near"))
    assert not in_sight(page, page.locator("#far"))
    assert not in_sight(page, page.locator("#gone"))
    cover = "main::after { content: ''; position: fixed; inset: 0 }"
    stand(page, f"<link rel=stylesheet href=/made-up-style>{body}", style=style + cover)
    assert not in_sight(page, page.locator("#near"))


def test_a_recipient_that_looks_like_a_known_one_is_told_apart_at_once(look):
    page = look("look-alike")
    address = value(page, "/to")
    shown = address.text_content()
    assert shown == quoted(LOOK_ALIKE) == '"accounts@nordl‹Cyrillic›\u0456‹Latin›cht.example"'
    assert in_sight(page, address)
    mark = address.locator(".m.x").first
    assert (mark.inner_text(), mark.get_attribute("title")) == (
        "‹Cyrillic›",
        "Cyrillic and Latin letters in one word",
    )
    assert in_sight(page, mark)
    said = page.get_by_text(f"can be taken for '{SUPPLIER}', which 6 of the 7 earlier calls had there.").first
    assert in_sight(page, said)
    # The same in the first sentence, which is all that a queue shows.
    assert in_sight(page, page.locator("h1 .m.x").first)
    page.goto("/")
    row = page.locator(".queue li", has_text="nordl")
    assert any("‹Cyrillic›" in text for text in row.locator("> a").all_inner_texts())


def test_hidden_text_is_counted_and_stands_there_letter_by_letter(visits, look):
    page = look("hidden text")
    (said,) = page.get_by_role("list", name="Look at this first").get_by_role("link").all()
    assert re.search(r"in 26 places.*TAG SPACE.*TAG DIGIT ZERO", said.inner_text())
    assert in_sight(page, said)
    marks = value(page, "/reason").locator(".m.x")
    assert in_sight(page, marks.first)
    assert in_sight(page, marks.last)
    tags = re.findall(r"‹U\+E00([0-9A-F]{2})(?: x(\d+))?›", value(page, "/reason").inner_text())
    assert "".join(chr(int(code, 16)) * int(times or 1) for code, times in tags) == HIDDEN_ORDER
    # It has to be read before anything can be approved.
    page.get_by_role("button", name="Approve").click()
    assert "made visible" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("I have read what was made visible").is_visible()
    visits.allow("refused", "422 POST .*/decide")


def test_a_definition_that_changed_is_told_with_the_way_to_what_changed(look):
    page = look("drifted")
    said = page.get_by_role("link", name="Its tool's definition has changed since it was pinned.")
    assert in_sight(page, said)
    said.click()
    added = page.locator("#definition ins")
    assert in_sight(page, added.first)
    words = " ".join(" ".join(added.all_inner_texts()).split())
    assert words in " ".join(DRIFTED_LIMIT.split())
    assert "0 stands for no limit at all" in words


def test_an_amount_is_held_against_those_that_ran(look):
    page = look("unusual amount")
    said = page.get_by_text("4,800 is 114.3 times the largest of 8 earlier ones there, 42.")
    assert in_sight(page, said.first)
    amount = value(page, "/amount")
    assert amount.inner_text() == "4800"
    assert in_sight(page, amount)
    beside = page.locator("#arguments dd", has=page.locator(".v.number")).locator(".note.alarm")
    assert "114.3 times" in beside.inner_text()
    assert in_sight(page, beside)


def test_what_the_session_has_read_is_told_with_the_rule_that_minds(look):
    page = look("tainted")
    for sentence in (
        "This session has read personal data.",
        "This session has read content that nobody vouches for.",
    ):
        assert in_sight(page, page.get_by_role("link", name=sentence)), sentence
    why = page.locator("#why p", has_text="this agent has seen private data and text that nobody vouches for")
    assert in_sight(page, why)
    page.get_by_role("link", name="This session has read personal data.").click()
    labels = page.locator("#trail .chip.hot").all_inner_texts()
    assert sorted(labels) == ["private-data", "untrusted-content"]
    assert page.locator("#trail li").filter(has_text="crm/fetch_page").count() == 1
    assert page.locator("#trail li").filter(has_text="crm/get_customer").count() == 1


@pytest.mark.parametrize("name", [case.name for case in (*ORDINARY, *BAD)])
def test_a_call_is_warned_of_for_what_is_wrong_with_it_and_nothing_else(look, company, holds, name):
    page = look(name)
    said = warnings(page)
    kinds = {kind for kind, pattern in KINDS.items() if any(re.search(pattern, text) for text in said)}
    assert kinds == TOLD.get(name, set()), said
    assert len(said) == len(kinds) if name != "tainted" else len(said) == 2, said
    # Marks that nobody overlooks stand where something hides, and only there.
    hides = alarming(strings(company.people["ana"].show(holds[name].id)["arguments"]))
    assert hides == (page.locator("#arguments .v .m.x").count() > 0) == ("hidden text" in kinds)
    assert (page.get_by_label("I have read what was made visible").count() > 0) == hides
    assert all(
        in_sight(page, one)
        for one in page.get_by_role("list", name="Look at this first").get_by_role("link").all()
    )


@pytest.mark.parametrize("name", [case.name for case in BAD])
def test_it_is_told_on_a_telephone_too_before_the_arguments(look, name):
    page = look(name, width=320, height=640)
    box = page.get_by_role("list", name="Look at this first")
    assert box.bounding_box()["y"] < page.locator("#arguments").bounding_box()["y"]
    box.get_by_role("link").first.scroll_into_view_if_needed()
    assert in_sight(page, box.get_by_role("link").first)


def test_every_value_of_the_twenty_can_be_read(page, company, holds):
    for name, hold in holds.items():
        page.goto(f"/holds/{hold.id}")
        stored = company.people["ana"].show(hold.id)["arguments_text"]
        found = {path: (one.kind, one.whole or one.text) for path, one in values(page).items()}
        assert found == {path: (kind, text) for path, kind, text in expected(json.loads(stored))}, name
