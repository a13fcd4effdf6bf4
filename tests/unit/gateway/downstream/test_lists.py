"""Pages: what is shown, in the route's names and the agent's era; encoded once for all who see the same."""

from __future__ import annotations

import json

import pytest

from gateway.core.definition import Kind, Listed, parse_definition
from gateway.downstream.lists import Lists
from gateway.downstream.message import read_message
from gateway.errors import InvalidParams
from tests.fakes import caller, defined, definition


def page_of(shown, method="tools/list", *, upstream=None, modern=True, params=None):
    async def visible(kind, route, who):
        return shown

    lists = Lists(visible, lambda kind, route: shown, lambda: ())
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    return lists.page(read_message(json.dumps(body).encode()), upstream, caller(), modern=modern)


async def test_a_page_is_in_the_agents_era_and_the_routes_names():
    shown = (definition(), definition("read", upstream="notes"))
    modern = json.loads(await page_of(shown))
    assert [tool["name"] for tool in modern["tools"]] == ["orders__refund_order", "notes__read"]
    assert (modern["resultType"], modern["cacheScope"]) == ("complete", "private")
    older = json.loads(await page_of(shown[:1], upstream="orders", modern=False))
    assert older.keys() == {"tools"}
    assert older["tools"][0]["name"] == "refund_order"


async def test_what_was_listed_is_served_byte_for_byte():
    raw = b'{"name":"x","inputSchema":{"type":"object","maximum":1.50e2},"z":1E2}'
    value = {"name": "x", "inputSchema": {"type": "object", "maximum": 150.0}, "z": 100.0}
    one = parse_definition("orders", Listed(raw=raw, value=value))
    assert raw in await page_of((one,), upstream="orders")
    assert b"1.50e2" in await page_of((one,))


@pytest.mark.abuse(44)
async def test_a_uri_of_two_upstreams_is_offered_on_their_own_routes_only():
    one = defined({"uri": "a:1"}, Kind.RESOURCE)
    twin = defined({"uri": "a:1"}, Kind.RESOURCE, upstream="notes")
    other = defined({"uri": "a:2"}, Kind.RESOURCE)
    listed = json.loads(await page_of((one, other, twin), "resources/list"))
    assert [each["uri"] for each in listed["resources"]] == ["a:2"]
    own = json.loads(await page_of((one, other), "resources/list", upstream="orders"))
    assert [each["uri"] for each in own["resources"]] == ["a:1", "a:2"]


async def test_a_tool_that_only_runs_as_an_older_task_is_not_offered_to_newer_agents():
    task = definition("slow", execution={"taskSupport": "required"})
    assert json.loads(await page_of((task,)))["tools"] == []
    assert len(json.loads(await page_of((task,), modern=False))["tools"]) == 1


async def test_a_cursor_is_unknown_because_no_page_hands_one_out():
    assert await page_of((definition(),), params={"cursor": None})
    with pytest.raises(InvalidParams):
        await page_of((definition(),), params={"cursor": "x"})


async def test_a_page_is_encoded_once_until_something_else_is_shown():
    shown = [(definition(),)]

    async def visible(kind, route, who):
        return shown[0]

    lists = Lists(visible, lambda kind, route: shown[0], lambda: ())
    message = read_message(b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
    first = await lists.page(message, None, caller(), modern=True)
    assert await lists.page(message, None, caller(), modern=True) is first
    shown[0] = (definition("other"),)
    assert b"other" in await lists.page(message, None, caller(), modern=True)
