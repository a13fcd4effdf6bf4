"""What several upstreams list alike, and what one does not have at all: whatever is offered on a route can be used there."""

from __future__ import annotations

import json

import pytest
import pytest_asyncio
from e2e_kit import fronts
from e2e_kit.gateways import GatewayProcess
from e2e_kit.mirrors import Mirror, mirrors, tool

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = """\
package toolgate.rules.twins

import rego.v1

allow if true

deny contains {"code": "half_seen", "message": "twin-b keeps it"} if {
	input.action.name == "resources/read"
	input.resource.server == "twin-b"
	contains(input.arguments.uri, "/half")
}
"""
SMALL = {"tools": {"listChanged": True}, "prompts": {"listChanged": True}}
over_http = pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])


def resource(uri, **more):
    return {"uri": uri, "name": uri.rpartition("/")[2], **more}


def template(uri):
    return {"uriTemplate": uri, "name": "any"}


def twins(folder):
    """Two upstreams that list the same URIs."""
    made = {
        "twin-a": Mirror(folder / "a", "http", "modern"),
        "twin-b": Mirror(folder / "b", "stdio", "legacy"),
    }
    for name, mirror in made.items():
        uris = ("shared:/one", "shared:/half", f"{name}:/own")
        mirror.offer(
            capabilities={"tools": {}, "prompts": {}, "resources": {}},
            tools=[tool("same")],
            prompts=[{"name": "same"}],
            resources=[resource(uri) for uri in uris],
            resourceTemplates=[template("shared-named:/{who}"), template(f"{name}-named:/{{who}}")],
        )
    return made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twins")
    made = twins(folder)
    small = made["small"] = Mirror(folder / "small", "stdio", "modern")
    small.offer(capabilities={"tools": {}, "prompts": {}}, prompts=[{"name": "only"}])
    upstreams = {name: mirror.settings() for name, mirror in made.items()}
    try:
        made["twin-a"].start()
        with GatewayProcess(
            folder / "gateway", upstreams=upstreams, policy={"twins.rego": POLICY}
        ) as gateway:
            gateway.offers("twin-a__same", "twin-b__same", "small__echo")
            yield gateway
    finally:
        made["twin-a"].kill()


@pytest.fixture(scope="module")
def without_tools(tmp_path_factory):
    folder = tmp_path_factory.mktemp("without")
    with mirrors(folder, only=lambda name: name.startswith("stdio")) as made:
        for name, mirror in made.items():
            mirror.offer(capabilities={"resources": {}}, tools=None, resources=[resource(f"{name}:/one")])
        upstreams = {name: mirror.settings() for name, mirror in made.items()}
        with GatewayProcess(folder / "gateway", upstreams=upstreams) as gateway:
            yield gateway


@pytest_asyncio.fixture(loop_scope="module")
async def agent(gateway, kind):
    async with fronts.front(kind, gateway) as opened:
        yield opened


async def names(agent, member):
    method, name = {
        "tools": ("tools/list", "name"),
        "prompts": ("prompts/list", "name"),
        "resources": ("resources/list", "uri"),
        "resourceTemplates": ("resources/templates/list", "uriTemplate"),
    }[member]
    page = (await agent.ask(method)).value
    assert "nextCursor" not in page
    return [one[name] for one in page[member]]


@over_http
async def test_what_an_upstream_does_not_have_is_not_announced_on_its_route(gateway, kind):
    async with fronts.front(kind, gateway, "/s/small/mcp") as agent:
        told = (await agent.ask("server/discover")).value if kind == "modern-http" else agent.introduced
        assert told["capabilities"] == SMALL
        assert "says of itself" not in told["instructions"]


@pytest.mark.abuse(44)
@over_http
async def test_what_two_upstreams_list_is_offered_by_prefix_or_only_on_their_own_routes(gateway, agent):
    for member in ("tools", "prompts"):
        assert {"twin-a__same", "twin-b__same"} <= {*await names(agent, member)}
    shown = await names(agent, "resources")
    assert {"twin-a:/own", "twin-b:/own"} <= {*shown}
    assert "shared:/one" not in shown
    assert (await agent.ask("resources/read", {"uri": "shared:/one"})).failure == (-32602, "unknown_resource")
    for name in ("twin-a", "twin-b"):
        async with fronts.front(f"{agent.era}-http", gateway, f"/s/{name}/mcp") as own:
            assert "shared:/one" in await names(own, "resources")
            assert (await own.ask("resources/read", {"uri": "shared:/one"})).value["contents"]


@pytest.mark.abuse(44)
@over_http
async def test_every_resource_that_is_listed_can_be_read_on_that_route(agent):
    # twin-b's shared:/half is hidden from this agent; the other twin's must not be shown and then refused.
    for uri in await names(agent, "resources"):
        assert "result" in json.loads((await agent.ask("resources/read", {"uri": uri})).raw), uri


@pytest.mark.abuse(44)
@over_http
async def test_every_template_that_is_listed_can_be_used_on_that_route(agent):
    shown = await names(agent, "resourceTemplates")
    assert {"twin-a-named:/{who}", "twin-b-named:/{who}"} <= {*shown}
    for pattern in shown:
        uri = pattern.replace("{who}", "ana")
        assert "result" in json.loads((await agent.ask("resources/read", {"uri": uri})).raw), uri


@over_http
async def test_an_upstream_without_tools_is_as_good_as_any(without_tools, kind):
    async with fronts.front(kind, without_tools) as agent:
        assert await names(agent, "resources") == ["stdio-legacy:/one", "stdio-modern:/one"]
        assert await names(agent, "tools") == []
        for era in ("modern", "legacy"):
            assert (await agent.ask("resources/read", {"uri": f"stdio-{era}:/one"})).value["contents"]
    async with fronts.front(kind, without_tools, "/s/stdio-modern/mcp") as agent:
        told = (await agent.ask("server/discover")).value if kind == "modern-http" else agent.introduced
        assert told["capabilities"] == {"resources": {"listChanged": True}}


async def test_nothing_failed_inside_the_gateway(gateway):
    assert "Traceback" not in gateway.stderr
