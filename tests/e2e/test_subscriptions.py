"""Changes of resources and lists: told to whoever asked to hear of them, and to nobody else, in every combination."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
import pytest_asyncio
from e2e_kit import fronts, mirrors
from e2e_kit.gateways import ANA, BEN, GatewayProcess
from e2e_kit.mirrors import members, soon, tool

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = """\
package toolgate.rules.subscriptions

import rego.v1

allow if true

deny contains {"code": "not_watched", "message": "look once"} if {
	input.action.name == "resources/subscribe"
	endswith(input.arguments.uri, "/denied")
}
"""
CAPABILITIES = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
}
UPDATED = "notifications/resources/updated"
LISTS = {"promptsListChanged": True, "resourcesListChanged": True}
each_upstream = pytest.mark.parametrize("upstream", mirrors.IDS)
each_kind = pytest.mark.parametrize("kind", fronts.KINDS)


def fill(name, mirror, **more):
    mirror.offer(
        capabilities=CAPABILITIES,
        tools=[tool(one) for one in ("tell", "first", "second")],
        prompts=[{"name": "greet"}],
        resourceTemplates=[{"uriTemplate": f"{name}:/{{+rest}}", "name": "any"}],
        resources=[],
        **more,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("subscriptions")
    with mirrors.mirrors(folder) as made:
        for name, mirror in made.items():
            refused = [f"{name}:/{kind}/refused" for kind in fronts.KINDS]
            fill(name, mirror, unsubscribable=refused)
            for uri in refused:
                mirror.say(f"resources/subscribe {uri}", {"error": '{"code":-32602,"message":"not that"}'})
        upstreams = {name: mirror.settings() for name, mirror in made.items()}
        policy = {"subscriptions.rego": POLICY}
        with GatewayProcess(folder / "gateway", upstreams=upstreams, policy=policy) as gateway:
            gateway.offers(*(f"{name}__tell" for name in made))
            yield gateway, made


@pytest.fixture(scope="module")
def gateway(whole):
    return whole[0]


@pytest.fixture(scope="module")
def made(whole):
    return whole[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anas(gateway):
    async with fronts.fronts(gateway, token=ANA) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bens(gateway):
    async with fronts.fronts(gateway, token=BEN) as opened:
        yield opened


def changed(uri):
    return {"tell": {"method": UPDATED, "params": {"uri": uri}}}


async def tell(gateway, mirror, *steps):
    """Have the upstream say these now."""
    mirror.say("tell", *steps)
    async with fronts.front("modern-http", gateway) as agent:
        assert (await agent.call(f"{mirror.id}__tell")).text == "{}"


async def told_until(heard, uri, **rest):
    """URIs of the changes that were told, up to this one. A change may be told more than once."""
    messages = await heard.until(lambda one: one.get("params", {}).get("uri") == uri, **rest)
    return [one["params"]["uri"] for one in messages if one["method"] == UPDATED]


async def all_told(heard, *methods):
    """Until each of these was told, in any order."""
    missing = {*methods}

    def is_last(message):
        missing.discard(message["method"])
        return not missing

    await heard.until(is_last)


@each_kind
@each_upstream
async def test_a_change_reaches_those_who_subscribed_and_only_what_is_allowed_is_subscribed_to(
    gateway, made, anas, bens, kind, upstream
):
    mirror, ana, ben = made[upstream], anas[kind], bens[kind]
    mine, his, denied, refused = (f"{upstream}:/{kind}/{end}" for end in ("mine", "his", "denied", "refused"))
    heard, ben_heard = await ana.watch(mine, denied, refused), await ben.watch(his)
    assert (heard.granted, ben_heard.granted) == ([mine], [his])
    if ana.era == "legacy":
        told = json.loads((await ana.ask("resources/subscribe", {"uri": denied})).error)
        assert (told["code"], told["data"]["reasons"][0]["code"]) == (-32003, "not_watched")
        # What somebody else is told of does not end when this one does not want it.
        assert (await ben.ask("resources/unsubscribe", {"uri": mine})).value == {}
    await tell(gateway, mirror, changed(mine), changed(his))
    assert his not in await told_until(heard, mine)
    # In this order the other one would have come before.
    assert mine not in await told_until(ben_heard, his)
    await ana.unwatch(heard, mine)
    await ben.unwatch(ben_heard, his)
    intent = gateway.entry("intent", code="not_watched")
    assert (intent["method"], intent["effect"]) == ("resources/subscribe", "deny")
    assert not [one.raw for one in mirror.heard() if denied in one.raw]


def listened(mirror):
    """What a mirror of the newer era was last asked to tell of."""
    return json.loads(mirror.last("subscriptions/listen").params["notifications"]).get(
        "resourceSubscriptions", []
    )


def unsubscribed(mirror, uri):
    if mirror.era == "legacy":
        return [one for one in mirror.heard("resources/unsubscribe") if one.message["params"]["uri"] == uri]
    return uri not in listened(mirror)


@each_kind
@each_upstream
async def test_the_upstream_is_told_when_the_last_one_has_gone(gateway, made, anas, kind, upstream):
    mirror, ana, uri = made[upstream], anas[kind], f"{upstream}:/{kind}/shared"
    async with fronts.front(f"{ana.era}-http", gateway, token=BEN) as ben:
        heard, ben_heard = await ana.watch(uri), await ben.watch(uri)
        # It is subscribed to once, however many listen.
        subscribed = [one for one in mirror.heard("resources/subscribe") if uri in one.raw]
        assert len(subscribed) == (mirror.era == "legacy")
        await tell(gateway, mirror, changed(uri))
        await asyncio.gather(told_until(heard, uri), told_until(ben_heard, uri))
        await ana.unwatch(heard, uri)
        await tell(gateway, mirror, changed(uri))
        await told_until(ben_heard, uri)
        assert not unsubscribed(mirror, uri)
        if ben.era == "legacy":
            assert await ben.end() == 204
        else:
            await ben.unwatch(ben_heard)
        await soon(lambda: unsubscribed(mirror, uri), f"{upstream} was not told that nobody listens to {uri}")
    # And it can be had again.
    again = await ana.watch(uri)
    await tell(gateway, mirror, changed(uri))
    await told_until(again, uri)
    await ana.unwatch(again, uri)


async def test_who_subscribes_while_the_last_one_leaves_is_told(gateway, made):
    mirror, uri = made["http-legacy"], "http-legacy:/crossing"
    # The server takes its time to end a subscription, and the requests of one client may overtake each other.
    mirror.say(f"resources/unsubscribe {uri}", {"gate": "crossing"})
    async with (
        fronts.front("legacy-http", gateway, token=ANA) as ana,
        fronts.front("legacy-http", gateway, token=BEN) as ben,
    ):
        await ana.unwatch(await ana.watch(uri), uri)
        await mirror.at("crossing")
        watching = asyncio.ensure_future(ben.watch(uri))
        await asyncio.wait({watching}, timeout=0.3)
        mirror.let_go("crossing")
        heard = await watching
        assert heard.granted == [uri]
        await tell(gateway, mirror, changed(uri))
        await told_until(heard, uri, within_s=3)


async def names(agent, method, member, name):
    return [one[name] for one in (await agent.ask(method)).value[member]]


@each_upstream
async def test_changes_of_lists_are_told_once_the_new_list_is_there(gateway, made, anas, upstream):
    mirror = made[upstream]
    async with contextlib.AsyncExitStack() as stack:
        agents = [anas[kind] for kind in fronts.KINDS]
        heard = [await agent.watch(**LISTS) for agent in agents]
        other = await stack.enter_async_context(fronts.front("modern-http", gateway))
        tools_only = await other.watch(toolsListChanged=True)
        mirror.offer(
            prompts=[{"name": "greet"}, {"name": "fresh"}],
            resources=[{"uri": f"{upstream}:/fresh", "name": "fresh"}],
        )
        methods = [f"notifications/{name}/list_changed" for name in ("prompts", "resources")]
        await tell(gateway, mirror, *({"tell": {"method": method}} for method in methods))
        for agent, events in zip(agents, heard, strict=True):
            await all_told(events, *methods)
            assert f"{upstream}__fresh" in await names(agent, "prompts/list", "prompts", "name")
            assert f"{upstream}:/fresh" in await names(agent, "resources/list", "resources", "uri")
            if agent.era == "modern":
                await agent.unwatch(events)
        # A stream hears of nothing that it did not ask for.
        mirror.offer(tools=[tool("tell"), tool("first"), tool("second"), tool("fresh")])
        await tell(gateway, mirror, {"tell": {"method": "notifications/tools/list_changed"}})
        told = await tools_only.until(lambda one: one["method"] == "notifications/tools/list_changed")
        assert len(told) == 1


async def test_on_the_route_of_an_upstream_nothing_is_told_of_the_others(gateway, made):
    upstream, other = made["http-modern"], made["http-legacy"]
    async with (
        fronts.front("legacy-http", gateway, "/s/http-modern/mcp") as legacy,
        fronts.front("modern-http", gateway, "/s/http-modern/mcp") as modern,
    ):
        heard = [await agent.watch("http-modern:/route", toolsListChanged=True) for agent in (legacy, modern)]
        other.offer(tools=[tool("tell"), tool("elsewhere")])
        await tell(gateway, other, {"tell": {"method": "notifications/tools/list_changed"}})
        gateway.offers("http-legacy__elsewhere")
        await tell(gateway, upstream, changed("http-modern:/route"))
        for one in heard:
            told = await one.until(lambda one: one["method"] == UPDATED)
            assert [message["method"] for message in told] == [UPDATED]


@pytest.mark.abuse(34)
async def test_a_stream_of_another_principals_session_cannot_be_had(gateway):
    async with (
        fronts.front("legacy-http", gateway, token=ANA) as ana,
        fronts.front("legacy-http", gateway, token=BEN) as ben,
    ):
        for headers, status in (({"Mcp-Session-Id": ana.session}, 404), ({}, 200)):
            async with ben.http.get(ben.url, headers={**ben.headers, **headers}) as reply:
                assert reply.status == status
        assert "result" in members((await ana.ask("ping")).raw)


@pytest.mark.parametrize("upstream", ["http-legacy", "stdio-legacy"])
@pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])
async def test_who_leaves_while_it_subscribes_leaves_nothing_behind(gateway, made, kind, upstream):
    mirror, uri = made[upstream], f"{upstream}:/{kind}/leaving"
    gate = f"leaving-{kind}-{upstream}"
    mirror.say(f"resources/subscribe {uri}", {"gate": gate})
    async with fronts.front(kind, gateway) as agent:
        watching = asyncio.ensure_future(agent.watch(uri))
        await mirror.at(gate)
        if kind == "legacy-http":
            assert await agent.end() == 204
        else:
            watching.cancel()
        mirror.let_go(gate)
        await asyncio.gather(watching, return_exceptions=True)
        await soon(
            lambda: unsubscribed(mirror, uri), "nobody listens, and the upstream is not told", within_s=3
        )


async def test_an_agent_on_standard_streams_that_has_gone_listens_no_more(gateway, made):
    mirror, uri = made["http-legacy"], "http-legacy:/gone"
    async with fronts.front("modern-stdio", gateway) as agent:
        assert (await agent.watch(uri)).granted == [uri]
        agent.hang_up()
        # Clients end a server that has not ended by itself after two seconds.
        await soon(lambda: unsubscribed(mirror, uri), "the relay goes on listening", within_s=3)


async def test_nothing_failed_inside_the_gateway(gateway):
    assert "Traceback" not in gateway.stderr
