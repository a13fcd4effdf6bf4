"""The eyes of these tests: each thing that must not happen would be noticed if it did."""

from __future__ import annotations

import pytest
from e2e_kit.waiting import until

from tests.browser.made_up import OURS, STRICT, script, stand
from tests.browser.visits import KINDS, Visits


@pytest.fixture
def watched(browser, company):
    """Visits that are ended by their test."""
    return Visits(browser, company)


DEEDS = {
    "console": (script("console.log('hello')"), "hello"),
    "error": (script("throw new Error('too bad')"), "too bad"),
    "failed": (script("fetch('/nobody')"), "GET .*/nobody"),
    "refused": (script("fetch('/healthz/no').then((answer) => answer.text())"), "404 GET .*/healthz/no"),
    "foreign": (script("fetch('http://foreign.example/x')"), "GET http://foreign.example/x"),
    "policy": ("<img src=/there.png>", "there.png"),
    "dialog": (script("alert(1)"), "alert: 1"),
    "window": (script("open('about:blank')"), "about:blank"),
    "download": ("<a download href='data:text/plain,x'>x</a>" + script("document.links[0].click()"), "data:"),
}


def happens(watched, kind):
    """What of that kind was seen, once something was."""

    def seen():
        watched.problems()
        return [text for of, text in watched.seen if of == kind]

    return until(seen, lambda: f"no {kind} among {watched.seen}", within_s=10)


@pytest.mark.parametrize("kind", DEEDS)
def test_what_must_not_happen_is_noticed_and_fails(watched, kind):
    body, told = DEEDS[kind]
    stand(watched(None), body, OURS)
    happens(watched, kind)
    with pytest.raises(AssertionError, match=rf"(?m)^{kind}: .*{told}"):
        watched.close()


@pytest.mark.parametrize("kind", DEEDS)
def test_what_a_test_allows_does_not_fail_and_has_to_happen(watched, kind):
    body, told = DEEDS[kind]
    watched.allow(kind, told)
    stand(watched(None), body, OURS)
    happens(watched, kind)
    assert [one for one in watched.problems() if one.kind == kind] == []
    watched.seen.clear()
    with pytest.raises(AssertionError, match="did not happen"):
        watched.close()


def test_a_crash_is_noticed_and_fails(watched):
    page = watched(None)
    with pytest.raises(Exception, match="chrome://crash"):
        page.goto("chrome://crash")
    happens(watched, "crash")
    with pytest.raises(AssertionError, match=r"(?m)^crash: "):
        watched.close()


def test_every_kind_has_a_control():
    assert set(KINDS) == {*DEEDS, "crash"}


VIOLATIONS = {
    "an inline script": ("<script>alert(1)</script>", STRICT),
    "an inline event": ("<button autofocus onfocus=alert(1)>x</button>", STRICT),
    "an inline style": ("<p style='color: red'>x</p>", STRICT),
    "a script from elsewhere": ("<script src=https://foreign.example/x.js></script>", STRICT),
    "a sink": (script("document.body.innerHTML = '<b>x</b>'"), OURS),
    "a policy of its own": (script("trustedTypes.createPolicy('mine', {})"), f"{OURS}; trusted-types 'none'"),
}


@pytest.mark.parametrize("what", VIOLATIONS)
def test_what_the_policy_stops_is_noticed(watched, what):
    body, policy = VIOLATIONS[what]
    stand(watched(None), body, policy)
    until(lambda: any(" blocks " in text for text in happens(watched, "policy")), "no event of it")
    assert "dialog" not in {kind for kind, _ in watched.seen}, "nothing of it has run"
    with pytest.raises(AssertionError):
        watched.close()


def test_what_the_policy_stops_is_noticed_where_scripts_are_off(watched):
    stand(watched(None, scripts=False), "<p style='color: red'>x</p>", STRICT)
    happens(watched, "policy")
    with pytest.raises(AssertionError, match=r"(?m)^policy: .*style"):
        watched.close()


def test_a_page_that_does_nothing_wrong_is_none(watched):
    page = watched(None)
    stand(page, "<h1>Fine</h1>")
    assert page.get_by_role("heading").inner_text() == "Fine"
    watched.close()
    assert watched.seen == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("motion", [True, False])
def test_a_visit_is_as_its_reviewer_prefers_it(visits, scheme, motion):
    page = visits(None, width=333, scheme=scheme, motion=motion)
    stand(page, "<h1>Fine</h1>")
    assert page.evaluate("innerWidth") == 333
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is (scheme == "dark")
    assert page.evaluate("matchMedia('(prefers-reduced-motion: reduce)').matches") is not motion


def test_scripts_run_unless_they_are_off(visits):
    body = "<h1>Before</h1>" + script("document.querySelector('h1').textContent = 'After'")
    for scripts, told in ((True, "After"), (False, "Before")):
        page = visits(None, scripts=scripts)
        stand(page, body, OURS)
        assert page.get_by_role("heading").inner_text() == told
