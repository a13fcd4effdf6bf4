"""What looks at a page sees what is wrong with it, and is not seen itself."""

from __future__ import annotations

import pytest

from tests.browser.looks import fits, screenshot, weight
from tests.browser.made_up import STRICT, stand

GOOD = "<h1>Held calls</h1><p>Nothing waits.</p>"
BAD = "<h1>Held calls</h1><img><button></button><p id=a>x</p><p id=a>y</p>"


@pytest.mark.parametrize("scripts", [True, False])
def test_axe_names_what_is_wrong_under_the_strictest_policy(visits, axe, scripts):
    page = visits(None, scripts=scripts)
    stand(page, GOOD)
    axe(page)
    stand(page, BAD)
    with pytest.raises(AssertionError, match="image-alt"):
        axe(page)
    found = {one["id"] for one in axe.violations(page)}
    assert {"image-alt", "button-name"} <= found
    axe(page, but=found)


def test_axe_leaves_nothing_behind_in_the_page(visits, axe):
    page = visits(None)
    stand(page, GOOD)
    before = page.content()
    axe(page)
    assert page.content() == before
    assert page.evaluate("typeof axe") == "undefined"


def test_a_page_that_is_too_wide_is_told_with_what_makes_it_so(visits):
    page = visits(None, width=320)
    stand(page, GOOD)
    fits(page)
    stand(page, f"{GOOD}<pre>{'wide ' * 100}</pre>")
    with pytest.raises(AssertionError, match=r"in a window of 320: .*<pre>wide"):
        fits(page)


def test_what_scrolls_inside_does_not_make_a_page_too_wide(visits):
    page = visits(None, width=320)
    style = "pre { overflow: auto }"
    stand(page, f"<link rel=stylesheet href=/made-up-style><pre>{'wide ' * 100}</pre>", style=style)
    fits(page)


def test_the_weight_of_a_page_is_what_goes_over_the_wire_when_it_is_new(visits):
    page = visits(None)
    head = "<link rel=stylesheet href=/made-up-style><script src=/made-up-script></script>"
    style, code = "/**/" + " " * 5_000, "//" + "x" * 20_000
    stand(page, head + GOOD, STRICT, style=style, script=code)
    first = weight(page)
    assert first == weight(page), "it is never weighed from a cache"
    assert 200 <= first["document"] <= 2_000
    assert len(style) <= first["style"] <= len(style) + 1_000
    assert len(code) <= first["script"] <= len(code) + 1_000
    assert first["other"] == 0


def test_a_screenshot_is_written_where_it_is_wanted_and_nowhere_else(visits, tmp_path, monkeypatch):
    page = visits(None)
    stand(page, GOOD)
    monkeypatch.delenv("TOOLGATE_SCREENSHOTS", raising=False)
    screenshot(page, "unwanted")
    monkeypatch.setenv("TOOLGATE_SCREENSHOTS", str(tmp_path / "shots"))
    screenshot(page, "held-calls")
    assert [one.name for one in (tmp_path / "shots").iterdir()] == ["held-calls.png"]
    assert (tmp_path / "shots" / "held-calls.png").read_bytes().startswith(b"\x89PNG")
