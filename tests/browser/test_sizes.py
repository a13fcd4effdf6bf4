"""Pages are small, have one style sheet and load nothing from elsewhere; some are painted to be looked at."""

from __future__ import annotations

import pytest

from tests.browser.looks import screenshot, weight

PAGE_BYTES_MAX = 30_000
"""Document, style and scripts, as they go over the wire to somebody who was never here."""
ARGUMENT_BYTES = 4_000
"""What is longer weighs as much more as it takes to show it: in lines, and once more as it would be sent."""
PATHS = (
    "/",
    "/?view=over",
    "/holds/{look-alike}",
    "/holds/{look-alike}/edit",
    "/tools",
    "/tools/one?upstream=payments&name=change_limit&kind=tool",
    "/tools/trust?upstream=payments",
    "/activity",
    "/upstreams",
    "/reviewing",
    "/login",
)
LOADED = """\
() => ({
  sheets: document.styleSheets.length,
  linked: [...document.querySelectorAll("link[rel=stylesheet]")].map((one) => one.getAttribute("href")),
  inline: document.querySelectorAll("style, script:not([src])").length,
  origins: [...new Set(performance.getEntriesByType("resource").map((one) => new URL(one.name).origin))],
})
"""


@pytest.fixture
def page(visits, logins):
    return visits(None, storage_state=logins("ana"))


def own_weight(page):
    found = weight(page)
    return found["document"] + found["style"] + found["script"]


def test_a_queue_of_twenty_is_small(page, holds):
    page.goto("/")
    assert page.locator(".queue li").count() == len(holds) == 20
    assert own_weight(page) < PAGE_BYTES_MAX
    # Of all this only the document comes again.
    found = weight(page)
    assert found["document"] > found["style"] + found["script"]


def test_the_page_of_a_held_call_is_small(page, company, holds):
    for name, hold in holds.items():
        page.goto(f"/holds/{hold.id}")
        arguments = len(company.people["ana"].show(hold.id)["arguments_text"].encode())
        assert own_weight(page) < PAGE_BYTES_MAX + 5 * max(0, arguments - ARGUMENT_BYTES), name
        assert (arguments > ARGUMENT_BYTES) == (name == "long mail")


def test_a_page_has_one_style_sheet_and_nothing_from_elsewhere(page, company, holds):
    wanted = {"sheets": 1, "linked": ["/assets/toolgate.css"], "inline": 0, "origins": [company.url]}
    for path in PATHS:
        page.goto(path.format_map({name: hold.id for name, hold in holds.items()}), wait_until="load")
        assert page.evaluate(LOADED) == wanted, path


def test_who_is_not_logged_in_is_sent_no_script(visits, company):
    page = visits(None)
    page.goto(company.login_link("ana"))
    found = weight(page)
    assert found["script"] == 0
    assert 0 < found["document"] + found["style"] < 8_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_painted(visits, logins, holds, scheme):
    page = visits(None, storage_state=logins("ana"), scheme=scheme)
    for name, path in (
        ("queue", "/"),
        ("look-alike", f"/holds/{holds['look-alike'].id}"),
        ("tools", "/tools"),
    ):
        page.goto(path)
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] < 128")
        assert dark == (scheme == "dark")
        screenshot(page, f"{name}-{scheme}")
