"""All pages of a list, each element read by itself, everything bounded, whatever is listed."""

from __future__ import annotations

import itertools
import json

import pytest

from gateway.core.definition import Kind
from gateway.errors import UpstreamGarbled, UpstreamRefused
from gateway.upstream.listing import all_elements
from gateway.upstream.messages import Answer
from gateway.upstream.party import Party
from gateway.upstream.settings import UpstreamSettings

PARTY = Party("x", str)

each_kind = pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.member)


async def listed(*pages, kind=Kind.TOOL, **bounds):
    """Pages by position; the cursor is the position of the next one."""

    async def fetch(method, cursor):
        assert method == kind.method
        page = pages[int(cursor or 0)]
        return (
            page
            if isinstance(page, Answer)
            else Answer(result=page if isinstance(page, bytes) else json.dumps(page).encode())
        )

    return await all_elements(fetch, kind, UpstreamSettings(url="http://a/", **bounds), party=PARTY)


async def endless(page, *, kind, **bounds):
    """A list whose pages never end; returns the number of pages that were asked for, and the error."""
    asked = itertools.count()

    async def fetch(method, cursor):
        return Answer(result=json.dumps(page(next(asked))).encode())

    with pytest.raises(UpstreamGarbled) as caught:
        await all_elements(fetch, kind, UpstreamSettings(url="http://a/", **bounds), party=PARTY)
    return next(asked), caught.value


def values(elements):
    return [one.value for one in elements]


@each_kind
async def test_pages_are_joined_in_order(kind):
    pages = {kind.member: [1, 2], "nextCursor": "1"}, {kind.member: [3], "nextCursor": ""}
    assert values(await listed(*pages, kind=kind)) == [1, 2, 3]


async def test_one_bad_tool_comes_as_its_bytes_and_costs_no_other():
    page = (
        b'{"tools":[{"name":"a"},{"name":"b","name":"c"},{"n":NaN},{"name":"d","big":12345678901234567890}]}'
    )
    with pytest.raises(UpstreamGarbled):
        await listed(page)
    found = await listed(page.replace(b"NaN", b"1e999"))
    assert values(found) == [{"name": "a"}, None, None, None]
    assert [one.raw for one in found] == [
        b'{"name":"a"}',
        b'{"name":"b","name":"c"}',
        b'{"n":1e999}',
        b'{"name":"d","big":12345678901234567890}',
    ]


@pytest.mark.parametrize(
    "page", [{}, {"tools": {}}, {"tools": None}, {"tools": [], "nextCursor": 5}, b"[]", b"{", b"\xff"]
)
async def test_what_is_no_list_of_tools_is_refused(page):
    with pytest.raises(UpstreamGarbled, match="without a list of tools"):
        await listed(page)


@each_kind
async def test_a_list_under_the_name_of_another_kind_is_none_of_this_kind(kind):
    others = {other.member: [{}] for other in Kind if other is not kind}
    with pytest.raises(UpstreamGarbled, match=f"without a list of {kind.member}"):
        await listed(others, kind=kind)
    assert values(await listed(others | {kind.member: [{}]}, kind=kind)) == [{}]


@each_kind
async def test_an_error_is_told(kind):
    with pytest.raises(UpstreamRefused, match=rf"does not list its {kind.member}: later \(-32000\)"):
        await listed(Answer(error=b'{"code":-32000,"message":"later"}'), kind=kind)


@pytest.mark.abuse(50)
@each_kind
async def test_too_many_elements_pages_or_bytes_are_refused_with_the_setting_to_raise(kind):
    member = kind.member
    assert len(await listed({member: [1] * 5}, kind=kind, tools_max=5)) == 5
    with pytest.raises(UpstreamGarbled, match=f"more than 5 {member}") as caught:
        await listed({member: [1] * 6}, kind=kind, tools_max=5)
    assert "tools_max" in caught.value.next_step
    pages = [{member: [n], "nextCursor": str(n + 1)} for n in range(4)]
    assert len(await listed(*pages[:3], {member: []}, kind=kind, pages_max=4)) == 3
    with pytest.raises(UpstreamGarbled, match="more than 3 pages"):
        await listed(*pages, kind=kind, pages_max=3)
    large = [{member: ["x" * 600], "nextCursor": "1"}, {member: ["x" * 600]}]
    with pytest.raises(UpstreamGarbled, match=f"bytes of {member}"):
        await listed(*large, kind=kind, answer_bytes_max=1024)


@pytest.mark.abuse(50)
@each_kind
async def test_pages_without_end_are_asked_for_no_further_than_the_bound(kind):
    asked, error = await endless(
        lambda page: {kind.member: [], "nextCursor": f"c{page}"}, kind=kind, pages_max=20
    )
    assert asked == 20
    assert "pages_max" in error.next_step


@pytest.mark.abuse(50)
@each_kind
@pytest.mark.parametrize("period", [1, 2, 3])
async def test_a_cursor_that_comes_back_ends_the_listing(kind, period):
    asked, error = await endless(lambda page: {kind.member: [], "nextCursor": f"c{page % period}"}, kind=kind)
    assert asked == period + 1
    assert "again and again" in error.reason
