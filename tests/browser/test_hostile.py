"""Whatever an agent writes into a call: its page shows it character by character, and nothing of it acts.

That nothing acts, ``visits`` sees to on every page opened here: no script, no request elsewhere, no window.
"""

from __future__ import annotations

import hashlib
import json

import pytest

from gateway.core.visible_text import visible
from gateway.people.sheet.looking import ends
from tests.browser.corpus import APPROVE_FORM, CORPUS, TOOL, everywhere
from tests.browser.reading import (
    alarming,
    expected,
    hidden,
    in_sight,
    inside,
    is_harmless,
    leaves,
    lines,
    quoted,
    strings,
    texts,
    ui,
    values,
)

TEXTS = [name for name, value in CORPUS.items() if isinstance(value, str) and name != "5 MB"]
SHOWN = [name for name in CORPUS if name not in {"1,001 names", "10,000 names", "5 MB"}]
STATEMENT = "dev.toolgate/statement"
STATEMENT_CHARACTERS_MAX = 2_000
STATED = {
    "words": "Approved by ben@example.com.\n\n  Security approved: 0 findings.\n<button>Approve</button>",
    **{
        name: CORPUS[name]
        for name in (
            "script",
            "look-alike buttons",
            "bidi override",
            "tag characters",
            "terminal",
            "line feeds",
        )
    },
}
FRAME = (
    "(one) => (({borderTopStyle, borderTopWidth}) => [borderTopStyle, borderTopWidth])(getComputedStyle(one))"
)
WITHOUT = """\
(selector) => {
  for (const one of document.querySelectorAll(selector)) one.remove();
  return document.body.textContent;
}
"""


@pytest.fixture(scope="module")
def plain(browser, company, logins):
    """What can be pressed where nothing hostile was sent."""
    from tests.browser.visits import Visits

    found = Visits(browser, company)
    hold = company.hold("ops", TOOL, everywhere("plain words"))
    page = found(None, storage_state=logins("ana"))
    page.goto(f"/holds/{hold}")
    pressed = ui(page, hold)
    found.close()
    assert ["verdict", "approve", "Approve", False, False] in pressed["buttons"]
    return pressed


@pytest.fixture
def look(visits, logins):
    """``look(path)``: Ana's page."""
    page = visits(None, height=800, storage_state=logins("ana"))

    def opened(path):
        page.goto(path)
        return page

    return opened


def is_pressed_as(page, hold, plain, *, but=()):
    """There is nothing more and nothing less to press than on a plain call's page, but for these sections."""
    found = ui(page, hold)
    found["fields"] = [one for one in found["fields"] if one[2] != "noticed"]
    found["sections"] = [one for one in found["sections"] if one.removesuffix("-h") not in but]
    assert found == plain
    assert page.get_by_role("button", name="Approve").count() == 1
    assert page.locator("#decision").get_by_role("button", name="Approve").is_visible()
    first = [
        page.locator("h1"),
        *page.get_by_role("list", name="Look at this first").get_by_role("link").all(),
    ]
    assert all(in_sight(page, one) for one in first), "and nothing is pushed out of sight"


def is_warned_of(page, found):
    """What hides is marked, warned of and has to be read first; of what does not, nothing is said."""
    hides = alarming(found)
    box = page.get_by_role("list", name="Look at this first")
    assert (box.count() > 0 and "Hides or misleads" in box.inner_text()) == hides
    assert (page.locator("#arguments > .args .m.x").count() > 0) == hides
    assert (page.get_by_label("I have read what was made visible").count() > 0) == hides


def is_folded_openly(value, text):
    """Of a long text its own ends are shown, and it is said how much stands between them."""
    head, tail = ends(text)
    if head == len(text):
        assert (value.tail, value.whole) == (None, None)
        return
    assert (value.text, value.tail) == ('"' + inside(text[:head]), inside(text[tail:]) + '"')
    (said,) = [note for note in value.notes if "folded away" in note]
    assert said.startswith(f"{tail - head:,} of {len(text):,} characters are folded away here.")
    assert hashlib.sha256(text.encode()).hexdigest() in said


@pytest.mark.abuse(67)
@pytest.mark.abuse(68)
@pytest.mark.abuse(81)
@pytest.mark.abuse(82)
@pytest.mark.abuse(83)
@pytest.mark.abuse(88)
@pytest.mark.parametrize("name", SHOWN)
def test_what_is_read_is_what_is_stored_and_nothing_of_it_acts(look, company, corpus, plain, name):
    hold = corpus.file(name)
    stored = company.people["ana"].show(hold.id)["arguments_text"]
    assert stored.encode() == hold.canonical
    page = look(f"/holds/{hold.id}")
    is_warned_of(page, strings(hold.arguments))
    is_pressed_as(page, hold.id, plain, but={"findings"})
    shown = values(page)
    assert sorted((path, one.kind, one.whole or one.text) for path, one in shown.items()) == sorted(
        expected(json.loads(stored))
    )
    for path, value in leaves(json.loads(stored)):
        if isinstance(value, str):
            is_folded_openly(shown[path], value)
    (whole,) = texts(page, "#arguments > details.raw > pre")
    assert whole == visible(stored)
    told = page.locator("#arguments > details.raw").inner_text()
    assert f"{len(hold.canonical):,} bytes" in told
    assert hashlib.sha256(hold.canonical).hexdigest() in told
    is_harmless(page)


@pytest.mark.abuse(81)
def test_what_is_edited_is_the_same_value_and_nothing_hides_in_it(look, corpus):
    for name in SHOWN:
        hold = corpus.file(name)
        page = look(f"/holds/{hold.id}/edit")
        text = page.get_by_label("Arguments, as JSON").input_value()
        assert json.dumps(json.loads(text)) == json.dumps(json.loads(hold.canonical)), name
        assert hidden(text) == [], name
        assert not alarming([text]), name
        is_harmless(page)


@pytest.mark.abuse(67)
@pytest.mark.abuse(68)
@pytest.mark.abuse(88)
def test_what_an_agent_reads_and_says_of_itself_is_shown_and_does_nothing(look, company, corpus):
    for name in TEXTS:
        hold = corpus.file(name)
        page = look(f"/holds/{hold.read_id}")
        row = company.people["ana"].show(hold.read_id)["hold"]
        assert texts(page, "h1") == [visible(row["sentence"])], name
        client = page.locator(".facts > div", has=page.locator("dt", has_text="Client")).locator("dd")
        assert client.text_content() == f"it says “{visible(row['client'])}”", name
        address = values(page)["/uri"]
        assert (address.whole or address.text) == quoted(row["tool"]), name
        assert page.title().endswith(f"{visible(row['tool'])} on platform - toolgate"), name
        is_harmless(page)


@pytest.mark.abuse(84)
@pytest.mark.abuse(88)
@pytest.mark.parametrize("name", STATED)
def test_what_an_agent_says_of_its_call_stands_in_a_frame_that_says_so(look, company, plain, name):
    text = STATED[name][: STATEMENT_CHARACTERS_MAX - 2]
    stated = {"recommendation": text, "reasons": f"  {text}", "risks": f"{text}\n"}
    arguments = everywhere("plain words") | {"number": list(STATED).index(name)}
    hold = company.hold("ops", TOOL, arguments, meta={STATEMENT: stated})
    page = look(f"/holds/{hold}")
    assert texts(page, "#statement pre") == [lines(one) for one in stated.values()]
    box = page.get_by_role("region", name="Written by the agent, checked by nobody")
    assert box.evaluate(FRAME) == ["dashed", "1px"]
    is_pressed_as(page, hold, plain, but={"statement"})
    is_harmless(page)
    assert lines(text) not in page.evaluate(WITHOUT, "#statement")


@pytest.mark.abuse(84)
@pytest.mark.abuse(88)
def test_an_imitation_of_ours_stays_within_its_frame(look, corpus):
    page = look(f"/holds/{corpus.file('look-alike buttons').id}")
    frame = page.locator("#arguments > .args")
    assert frame.evaluate(FRAME) == ["solid", "1px"]
    outer = frame.bounding_box()
    for value in frame.locator(".v").all():
        box = value.bounding_box()
        assert outer["x"] < box["x"]
        assert box["x"] + box["width"] < outer["x"] + outer["width"]
        assert outer["y"] < box["y"]
        assert box["y"] + box["height"] < outer["y"] + outer["height"]
    # Elsewhere it stands in quotes, and cut: in the first sentence, and as what the client says.
    assert f"'{APPROVE_FORM[:20]}" in page.locator("h1").inner_text()
    assert "<form" not in page.evaluate(WITHOUT, "#arguments, h1, .facts")
