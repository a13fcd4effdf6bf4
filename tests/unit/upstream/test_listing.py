"""All pages of the tools, each tool read by itself, everything bounded."""

from __future__ import annotations

import json

import pytest

from gateway.errors import UpstreamGarbled, UpstreamRefused
from gateway.upstream.listing import all_tools
from gateway.upstream.messages import Answer
from gateway.upstream.settings import UpstreamSettings

PARTY = "upstream 'x'"


async def listed(*pages, **bounds):
    """Pages by position; the cursor is the position of the next one."""

    async def fetch(cursor):
        page = pages[int(cursor or 0)]
        return (
            page
            if isinstance(page, Answer)
            else Answer(result=page if isinstance(page, bytes) else json.dumps(page).encode())
        )

    return await all_tools(fetch, UpstreamSettings(url="http://a/", **bounds), party=PARTY)


async def test_pages_are_joined_in_order():
    assert await listed({"tools": [1, 2], "nextCursor": "1"}, {"tools": [3], "nextCursor": ""}) == (1, 2, 3)


async def test_one_bad_tool_comes_as_its_bytes_and_costs_no_other():
    page = (
        b'{"tools":[{"name":"a"},{"name":"b","name":"c"},{"n":NaN},{"name":"d","big":12345678901234567890}]}'
    )
    with pytest.raises(UpstreamGarbled):
        await listed(page)
    page = page.replace(b"NaN", b"1e999")
    assert await listed(page) == (
        {"name": "a"},
        b'{"name":"b","name":"c"}',
        b'{"n":1e999}',
        b'{"name":"d","big":12345678901234567890}',
    )


@pytest.mark.parametrize(
    "page", [{}, {"tools": {}}, {"tools": None}, {"tools": [], "nextCursor": 5}, b"[]", b"{", b"\xff"]
)
async def test_what_is_no_list_of_tools_is_refused(page):
    with pytest.raises(UpstreamGarbled, match="without a list"):
        await listed(page)


async def test_an_error_is_told():
    with pytest.raises(UpstreamRefused, match=r"later \(-32000\)"):
        await listed(Answer(error=b'{"code":-32000,"message":"later"}'))


async def test_too_many_tools_pages_or_bytes_are_refused_with_the_setting_to_raise():
    assert len(await listed({"tools": [1] * 5}, tools_max=5)) == 5
    with pytest.raises(UpstreamGarbled, match="more than 5 tools") as caught:
        await listed({"tools": [1] * 6}, tools_max=5)
    assert "tools_max" in caught.value.next_step
    pages = [{"tools": [n], "nextCursor": str(n + 1)} for n in range(4)]
    assert len(await listed(*pages[:3], {"tools": []}, pages_max=4)) == 3
    with pytest.raises(UpstreamGarbled, match="more than 3 pages"):
        await listed(*pages, pages_max=3)
    large = [{"tools": ["x" * 600], "nextCursor": "1"}, {"tools": ["x" * 600]}]
    with pytest.raises(UpstreamGarbled, match="bytes of tools"):
        await listed(*large, answer_bytes_max=1024)


async def test_a_cursor_that_comes_back_ends_the_listing():
    with pytest.raises(UpstreamGarbled, match="again and again"):
        await listed({"tools": [], "nextCursor": "1"}, {"tools": [], "nextCursor": "1"})
