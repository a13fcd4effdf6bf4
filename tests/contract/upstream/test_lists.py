"""Lists that fail, never end or change all the time cost no other list, and nobody's calls."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from gateway.core.definition import Kind
from gateway.errors import UpstreamGarbled, UpstreamRefused, UpstreamTimeout

ALL = frozenset(Kind)
EVERYTHING = {"prompts": {}, "resources": {}}
OTHERS = [kind for kind in Kind if kind is not Kind.TOOL]

each_kind = pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.member)
each_other = pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.member)


class Lists:
    """A modern HTTP server with one element of each kind; ``on`` replaces the answer to a list."""

    def __init__(self, http, *, capabilities=EVERYTHING, on=None):
        self.http = http
        self.capabilities = capabilities
        self.on = on or {}

    def __call__(self, request):
        if request.method == "server/discover":
            return self.http.discover(request, **self.capabilities)
        if request.method in self.on:
            return self.on[request.method](request)
        kind = next((kind for kind in Kind if kind.method == request.method), None)
        result = {"resultType": "complete"} | (
            {} if kind is None else {kind.member: [{kind.name_member: "x:y"}], "ttlMs": 0}
        )
        return self.http.result(request, result)


async def never(request):
    await asyncio.Event().wait()


FAILURES = {
    "an error": lambda http: lambda request: http.error(request, -32603, "broken"),
    "a method it does not know after all": lambda http: lambda request: http.error(request, -32601, "what?"),
    "no list": lambda http: lambda request: http.result(request, {"resultType": "complete"}),
    "an HTTP error": lambda http: lambda request: http.answer(b"no", status="500 No", kind="text/plain"),
    "a page that comes again and again": lambda http: (
        lambda request: http.result(
            request, {"prompts": [], "resources": [], "resourceTemplates": [], "nextCursor": "1"}
        )
    ),
    "silence": lambda http: never,
}


@each_other
@pytest.mark.parametrize("failure", FAILURES)
async def test_a_list_that_fails_is_named_and_costs_no_other(workshop, scripted, http, call, kind, failure):
    script = Lists(http, on={kind.method: FAILURES[failure](http)})
    async with scripted(script) as server:
        upstream = await workshop.ready(url=server.url, list_timeout_s=1.5)
        listing = await upstream.list_definitions(deadline_s=5, kinds=ALL)
        assert listing.elements.keys() == ALL - {kind}
        assert listing.elements[Kind.TOOL][0].value == {"name": "x:y"}
        assert listing.failed.keys() == {kind}
        assert "'orders'" in listing.failed[kind]
        assert upstream.health().state == "ready"
        script.on.clear()
        listing = await upstream.list_definitions(deadline_s=5, kinds=ALL)
        assert (listing.elements.keys(), listing.failed) == (ALL, {})


@pytest.mark.parametrize(
    ("failure", "error"),
    [("an error", UpstreamRefused), ("no list", UpstreamGarbled), ("silence", UpstreamTimeout)],
)
async def test_tools_that_cannot_be_listed_are_an_error(workshop, scripted, http, failure, error):
    script = Lists(http, on={"tools/list": FAILURES[failure](http)})
    async with scripted(script) as server:
        upstream = await workshop.ready(url=server.url, list_timeout_s=1.5)
        with pytest.raises(error):
            await upstream.list_definitions(deadline_s=5, kinds=ALL)
        listing = await upstream.list_definitions(deadline_s=5, kinds=frozenset({Kind.PROMPT}))
        assert listing.elements.keys() == {Kind.PROMPT}


async def test_what_is_not_announced_is_not_asked_for(workshop, scripted, http):
    async with scripted(Lists(http, capabilities={"prompts": {}})) as server:
        upstream = await workshop.ready(url=server.url)
        listing = await upstream.list_definitions(deadline_s=5, kinds=ALL)
        assert listing.elements.keys() == {Kind.TOOL, Kind.PROMPT}
        assert {one.method for one in server.requests} == {"server/discover", "tools/list", "prompts/list"}


async def test_what_a_server_says_of_itself_comes_with_its_lists(workshop, scripted, legacy, http):
    script = legacy(capabilities={"logging": {}}, on={"tools/list": lambda r: http.result(r, {"tools": []})})
    async with scripted(script) as server:
        upstream = await workshop.ready(url=server.url)
        listing = await upstream.list_definitions(deadline_s=5, kinds=ALL)
        assert (listing.era, listing.capabilities) == ("legacy", {"tools": {}, "logging": {}})


# ---------------------------------------------------------------------------------------------------- bounds


@pytest.mark.abuse(50)
@each_kind
async def test_fifty_thousand_elements_are_cut_off_and_calls_go_on_meanwhile(
    workshop, scripted, http, call, kind
):
    page = [{kind.name_member: f"x:{n}", "description": "y" * 50} for n in range(50_000)]
    result = json.dumps({"resultType": "complete", kind.member: page}).encode()

    def large(request):
        return http.answer(b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (request.id, result))

    async with scripted(Lists(http, on={kind.method: large})) as server:
        upstream = await workshop.ready(url=server.url)
        listing = asyncio.ensure_future(upstream.list_definitions(deadline_s=10, kinds=ALL))
        assert (await call(upstream, "get")).result
        if kind is Kind.TOOL:
            with pytest.raises(UpstreamGarbled, match="more than"):
                await listing
        else:
            assert "more than" in (await listing).failed[kind]
            assert Kind.TOOL in (await listing).elements
        assert upstream.health().state == "ready"


@pytest.mark.abuse(50)
@each_kind
@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_pages_without_end_are_asked_for_no_further_than_the_bound(
    workshop, scripted, puppets, http, kind, transport
):
    def page(number):
        return {"resultType": "complete", kind.member: [], "nextCursor": f"c{number}"}

    script = Lists(http, on={kind.method: lambda request: http.result(request, page(request.id))})
    on = {other.method: {other.member: []} for other in Kind}
    on[kind.method] = lambda child, request: page(request["id"])
    async with scripted(script) as server, puppets(era="modern", capabilities=EVERYTHING, on=on) as theirs:
        there = {"url": server.url} if transport == "http" else {"command": theirs.command}
        upstream = await workshop.ready(pages_max=7, **there)
        try:
            reason = (await upstream.list_definitions(deadline_s=5, kinds=ALL)).failed[kind]
        except UpstreamGarbled as error:
            assert kind is Kind.TOOL
            reason = error.reason
        assert "more than 7 pages" in reason
        asked = server.of(kind.method) if transport == "http" else theirs.all[0].of(kind.method)
        assert len(asked) == 7


# --------------------------------------------------------------------------------------------------- changes


def changes(*capabilities):
    return [
        {"jsonrpc": "2.0", "method": f"notifications/{capability}/list_changed"}
        for capability in capabilities
    ]


@pytest.mark.abuse(51)
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_storm_of_changes_of_one_list_is_reported_once_a_moment_and_delays_no_other(
    workshop, puppets, call, era
):
    def storm(child, request):
        number = next((one["id"] for one in child.of("subscriptions/listen")), None)
        meta = {"params": {"_meta": {"io.modelcontextprotocol/subscriptionId": number}}} if number else {}
        for one in (*changes("prompts") * 3000, *changes("tools"), *changes("prompts") * 3000):
            child.say(one | meta)
        return {"content": []}

    lists = {"tools": {"listChanged": True}, "prompts": {"listChanged": True}}
    on = {"tools/call": storm, "subscriptions/listen": lambda child, request: None}
    async with puppets(era=era, capabilities=lists, on=on) as theirs:
        upstream = await workshop.ready(command=theirs.command)
        await workshop.until(lambda: workshop.changed == [("orders", "")])
        if era == "modern":
            await workshop.until(lambda: theirs.all[0].of("subscriptions/listen"))
        started_s = time.monotonic()
        assert (await call(upstream, "get")).result
        await workshop.until(lambda: ("orders", "tools") in workshop.changed)
        await workshop.until(lambda: workshop.changed.count(("orders", "prompts")) >= 2)
        # One at once, one for all that came within the moment after it.
        assert workshop.changed.count(("orders", "prompts")) <= 2 + (time.monotonic() - started_s)
        assert workshop.changed.count(("orders", "tools")) == 1


async def test_each_change_is_reported_with_the_list_it_is_about(workshop, puppets, call):
    def grow(child, request):
        child.say(*changes("tools", "prompts", "resources", "nonsense"))
        return {"content": []}

    async with puppets(on={"tools/call": grow}) as theirs:
        upstream = await workshop.ready(command=theirs.command)
        await workshop.until(lambda: workshop.changed == [("orders", "")])
        assert (await call(upstream, "get")).result
        await workshop.until(lambda: len(workshop.changed) == 4)
        assert set(workshop.changed[1:]) == {("orders", one) for one in ("tools", "prompts", "resources")}
