"""A reviewer's login by link, as a browser does it: with the mouse, once, and never by looking."""

from __future__ import annotations

import json

import pytest


def me(page):
    """Status and answer of who this browser is at the API; asked beside the page, which sees nothing."""
    answer = page.context.request.get("/api/v1/me")
    return answer.status, json.loads(answer.body())


@pytest.mark.parametrize("who", ["ana", "ben", "olga", "eve"])
def test_the_button_of_a_link_logs_its_reviewer_in(visits, who):
    page = visits(who)
    status, answer = me(page)
    assert status == 200
    assert (answer["id"], answer["how"]) == (f"{who}@example.com", "session")


def test_a_link_logs_in_without_scripts_too(visits):
    assert me(visits("ben", scripts=False))[1]["id"] == "ben@example.com"


def test_nobody_is_logged_in_without_the_button(visits, company):
    page = visits(None)
    link = company.login_link("ana")
    for _ in range(3):
        page.goto(link)
    assert me(page)[0] == 401
    assert page.context.cookies() == []
    # The same link is good all the same, for whoever presses.
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "code=" not in url)
    assert me(page)[1]["id"] == "ana@example.com"


def test_a_link_works_once(visits, company):
    link = company.login_link("ana")
    first, second = visits(None), visits(None)
    for page in (first, second):
        page.goto(link)
    first.get_by_role("button", name="Log in").click()
    first.wait_for_url(lambda url: "code=" not in url)
    with second.expect_response(lambda answer: answer.request.method == "POST") as refused:
        second.get_by_role("button", name="Log in").click()
    assert refused.value.status == 403
    assert (me(first)[0], me(second)[0]) == (200, 401)
    visits.allow("refused", "403 POST .*/login")


def test_what_logs_in_is_out_of_reach_of_scripts_and_of_other_sites(visits):
    page = visits("ana")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert page.evaluate("document.cookie") == ""


def test_two_visits_know_nothing_of_each_other(visits):
    assert me(visits("ana"))[1]["id"] == "ana@example.com"
    assert me(visits("ben"))[1]["id"] == "ben@example.com"
    assert me(visits(None))[0] == 401
