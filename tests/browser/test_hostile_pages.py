"""What agents and tool servers write does nothing on other pages either: lists, definitions, refusals."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest
from e2e_kit.waiting import until

from gateway.core.visible_text import visible
from tests.browser.corpus import CORPUS
from tests.browser.definitions import DEFINITIONS
from tests.browser.looks import fits
from tests.browser.reading import is_harmless, lines, texts

TEXTS = [name for name, value in CORPUS.items() if isinstance(value, str) and name != "5 MB"]
DESCRIPTION_CHARACTERS_MAX = 2_000
ROWS_MAX = 200
TOLD_ABOVE = {"call", "method", "tool", "upstream", "subject", "agent"}
"""Of the members of an entry: what the page says of the whole call."""
IMITATION = CORPUS["look-alike words"] + CORPUS["look-alike buttons"]
BAD = "<script>alert(1)</script>\u202e'\"><svg/onload=alert(1)>"
REFUSED = [
    ("/holds/{}", 404),
    ("/holds/{}/edit", 404),
    ("/calls/{}", 404),
    ("/nothing/{}", 404),
    ("/assets/{}", 404),
    ("/holds/%3Cscript%3E", 404),
    ("/tools/one?upstream=platform&name={}", 404),
    ("/tools/one?upstream={}&name=x", 404),
    ("/tools/trust?upstream={}", 404),
    ("/tools?state={}", 400),
    ("/?view={}", 400),
    ("/?after={}", 400),
    ("/?{}=x", 400),
    ("/activity?effect={}", 400),
    ("/activity?before={}", 400),
    ("/reviewing?days={}", 400),
]


@pytest.fixture(scope="module")
def filed(company, corpus):
    """Every text of the corpus, in every field that an agent writes."""
    return {name: corpus.file(name) for name in TEXTS}


@pytest.fixture(scope="module")
def listed(company):
    """A tool server lists tools that are hostile in every field, and one that has become so."""
    company.lists("mail", [*map(poisoned, range(len(TEXTS)))])
    company.lists(
        "payments",
        [one | {"description": f"{one['description']}\n{IMITATION}"} for one in DEFINITIONS["payments"]],
    )
    people = company.people["olga"]

    def found():
        code, page = people.ask("GET", "/definitions?limit=1000")
        assert code == 200, page
        states = [one["state"] for one in page["definitions"]]
        new = any(one["name"] == "note-0" for one in page["definitions"])
        return new and states.count("drifted") == len(DEFINITIONS["payments"])

    until(found, "the hostile definitions are not there")


def poisoned(number):
    text = CORPUS[TEXTS[number]][:DESCRIPTION_CHARACTERS_MAX]
    member = {"type": "string", "title": text, "description": text, "enum": [text], "default": text}
    schema = {"type": "object", "properties": {text: member}, "required": [text]}
    said = {"title": text, "description": text, "annotations": {"title": text}}
    return {"name": f"note-{number}", **said, "inputSchema": schema}


@pytest.fixture
def page(visits, logins):
    return visits(None, storage_state=logins("ana"))


def rows_of(company, path, member):
    code, found = company.people["ana"].ask("GET", path)
    assert code == 200, found
    return found[member]


@pytest.mark.abuse(67)
@pytest.mark.abuse(88)
@pytest.mark.parametrize("width", [1280, 320])
def test_the_queue_says_each_sentence_as_it_is(page, company, filed, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/")
    rows = rows_of(company, f"/holds?status=held&limit={ROWS_MAX}", "holds")
    assert {one.id for one in filed.values()} | {one.read_id for one in filed.values()} <= {
        one["id"] for one in rows
    }
    found = page.locator(".queue li").evaluate_all("(rows) => rows.map((one) => one.id)")
    assert found == [f"h-{one['id']}" for one in rows]
    assert texts(page, ".queue li > a") == [visible(one["sentence"]) for one in rows]
    assert [one["href"] for one in links(page, ".queue li > a")] == [f"/holds/{one['id']}" for one in rows]
    is_harmless(page)
    fits(page)


@pytest.mark.abuse(88)
def test_the_activity_says_each_call_as_it_is(page, company, filed):
    page.goto("/activity")
    rows = rows_of(company, "/calls", "calls")
    assert texts(page, "#activity tbody td:nth-child(2) a") == [
        visible(one["target"] or one["method"]) for one in rows
    ]
    is_harmless(page)
    page.goto("/activity?" + urlencode({"tool": CORPUS["image"], "subject": CORPUS["script"]}))
    assert page.get_by_label("Tool").input_value() == CORPUS["image"]
    assert page.get_by_label("For", exact=True).input_value() == CORPUS["script"]
    is_harmless(page)


@pytest.mark.abuse(67)
@pytest.mark.abuse(88)
def test_the_story_of_a_call_says_everything_as_it_is(page, company, filed):
    rows = {one["hold"]: one for one in calls_of(company)}
    for name, hold in filed.items():
        call = rows[hold.id]["call"]
        story = company.people["ana"].ask("GET", f"/calls/{call}")[1]
        page.goto(f"/calls/{call}")
        assert fact(page, "Client") == visible(rows[hold.id]["client"] or "does not say"), name
        if hold.workflow:
            told = [f"{member} {visible(str(value))}" for member, value in story["workflow"].items()]
            assert fact(page, "Workflow") == ", ".join(told), name
        members = {
            member: visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
            for entry in story["entries"]
            for member, value in entry["members"].items()
            if member not in TOLD_ABOVE
        }
        shown = dict(zip(texts(page, ".entry dt"), texts(page, ".entry dd"), strict=True))
        assert members, name
        assert {member: shown.get(member) for member in members} == members, name
        is_harmless(page)


@pytest.mark.abuse(67)
@pytest.mark.abuse(88)
def test_a_definition_is_shown_as_it_is_listed(page, company, listed):
    for number, name in enumerate(TEXTS):
        page.goto(one_address("mail", f"note-{number}"))
        sheet = one_sheet(company, "mail", f"note-{number}")
        wanted = json.dumps(poisoned(number), ensure_ascii=False, indent=2)
        assert json.loads(wanted) == sheet["listed"], name
        assert texts(page, "pre.foreign") == [
            lines(json.dumps(sheet["listed"], ensure_ascii=False, indent=2))
        ]
        is_ours(page, sheet)


@pytest.mark.abuse(88)
def test_what_changed_in_a_definition_is_shown_word_by_word(page, company, listed):
    page.goto("/tools?state=drifted")
    assert page.locator("#tools tbody a").all_inner_texts() == sorted(
        one["name"] for one in DEFINITIONS["payments"]
    )
    is_harmless(page)
    for name in ("pay", "refund"):
        page.goto(one_address("payments", name))
        sheet = one_sheet(company, "payments", name)
        assert sheet["changes"]
        assert texts(page, ".change .words") == [
            *map(words, sheet["changes"]),
            *(visible(one["excerpt"]) for one in sheet["findings"]),
        ]
        assert "Approved by ben@example.com." in " ".join(page.locator("ins").all_inner_texts())
        is_ours(page, sheet)


@pytest.mark.abuse(88)
def test_the_tools_are_listed_each_with_its_own_address(page, company, listed):
    page.goto("/tools?upstream=mail")
    found = {one["text"]: one["href"] for one in links(page, "#tools tbody a")}
    assert {f"note-{number}" for number in range(len(TEXTS))} <= found.keys()
    for name, address in found.items():
        assert address == one_address("mail", name), name
    is_harmless(page)


@pytest.mark.abuse(68)
@pytest.mark.abuse(88)
def test_an_address_that_nobody_serves_says_so_and_does_nothing(visits, page):
    visits.allow("refused", "^40[04] GET ")
    for address, status in REFUSED:
        answer = page.goto(address.format(quote(BAD, safe="")))
        assert answer.status == status, address
        assert answer.headers["x-content-type-options"] == "nosniff", address
        if answer.headers["content-type"].startswith("text/html"):
            assert page.title() == "That did not work - toolgate", address
            is_harmless(page)
        else:
            assert answer.headers["content-type"] == "application/json", address
            assert BAD not in answer.text(), address
        assert page.evaluate("document.scripts.length") == 0, address


def links(page, selector):
    return page.locator(selector).evaluate_all(
        "(found) => found.map((one) => ({text: one.textContent, href: one.getAttribute('href')}))"
    )


def calls_of(company):
    """Every call of the log, newest first."""
    found, before = [], ""
    while True:
        page = company.people["ana"].ask("GET", f"/calls?limit=200{before}")[1]
        found += page["calls"]
        if page["next"] is None:
            return found
        before = f"&before={page['next']}"


def fact(page, name):
    row = page.locator(".facts > div", has=page.locator("dt", has_text=name))
    return row.locator("dd").text_content()


def one_address(upstream, name):
    return "/tools/one?" + urlencode({"upstream": upstream, "name": name, "kind": "tool"})


def one_sheet(company, upstream, name):
    code, sheet = company.people["ana"].ask(
        "GET", one_address(upstream, name).replace("/tools/", "/definitions/")
    )
    assert code == 200, sheet
    return sheet


def is_ours(page, sheet):
    pinned = sheet["definition"]["state"] == "pinned"
    buttons = page.locator("main button:not([hidden])")
    fits(page)
    assert buttons.all_inner_texts() == ["Take the pin back" if pinned else "Pin this form"]
    is_harmless(page)


def words(change):
    if change["words"]:
        return "".join(visible(one["text"]) for one in change["words"])
    return " ".join(visible(one) for one in (change["before"], change["after"]) if one)
