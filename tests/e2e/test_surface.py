"""Everything but tools/call: prompts, resources, completion, log messages; listed, governed, recorded, in every combination."""

from __future__ import annotations

import json

import pytest
import pytest_asyncio
from e2e_kit import fronts, mirrors
from e2e_kit.front import META
from e2e_kit.gateways import BEN, GatewayProcess
from e2e_kit.mirrors import soon, tool

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = """\
package toolgate.rules.surface

import rego.v1

allow if true

deny contains {"code": "secret_uri", "message": "not to be read", "would_pass": "a public one"} if {
	input.action.name == "resources/read"
	contains(input.arguments.uri, ":/secret/")
}

deny contains {"code": "secret_prompt", "message": "not to be had"} if {
	input.action.name == "prompts/get"
	input.resource.name == "secret"
}

deny contains {"code": "guessed", "message": "only what is listed"} if {
	input.action.name == "resources/read"
	"unlisted" in input.resource.labels
	contains(input.arguments.uri, "/guess/")
}

deny contains {"code": "no_completion", "message": "guess yourself"} if {
	input.action.name == "completion/complete"
	input.arguments.argument.value == "forbidden"
}

deny contains "hidden" if input.tool.name == "hidden"

deny contains "too_much" if {
	input.tool.name == "measured"
	input.arguments.amount > 10
}

deny contains "anas_own" if {
	input.tool.name == "anas"
	input.subject.id != "ana@example.com"
}
"""
FULL = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
    "completions": {},
    "logging": {},
}
DENIED = -32003
TOOLS = ("run", "hidden", "measured", "anas", "fifth")
each_upstream = pytest.mark.parametrize("upstream", mirrors.IDS)
each_kind = pytest.mark.parametrize("kind", fronts.KINDS)
over_http = pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])


def resource(uri, **more):
    return {"uri": uri, "name": uri.rpartition("/")[2], **more}


def template(uri):
    return {"uriTemplate": uri, "name": "any"}


def fill(name, mirror):
    mirror.offer(
        capabilities=FULL,
        instructions=f"Ask {name} nicely.",
        page=2,
        tools=[tool(one) for one in TOOLS],
        prompts=[{"name": one, "arguments": [{"name": "who"}]} for one in ("greet", "secret", "third")],
        resources=[resource(f"{name}:/{end}") for end in ("public/one", "secret/one", "public/two")],
        resourceTemplates=[template(f"{name}:/named/{{who}}"), template(f"{name}:/other/{{who}}")],
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("surface")
    with mirrors.mirrors(folder) as made:
        for name, mirror in made.items():
            fill(name, mirror)
        upstreams = {name: mirror.settings() for name, mirror in made.items()}
        with GatewayProcess(
            folder / "gateway", upstreams=upstreams, policy={"surface.rego": POLICY}
        ) as gateway:
            gateway.offers(*(f"{name}__run" for name in made))
            yield gateway, made


@pytest.fixture(scope="module")
def gateway(whole):
    return whole[0]


@pytest.fixture(scope="module")
def made(whole):
    return whole[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agents(gateway):
    async with fronts.fronts(gateway) as opened:
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


@each_kind
@each_upstream
async def test_all_pages_of_every_list_become_one_with_what_may_be_used_and_prefixes(agents, kind, upstream):
    agent = agents[kind]

    async def of(member):
        return {name for name in await names(agent, member) if upstream in name}

    assert await of("tools") == {f"{upstream}__{name}" for name in TOOLS if name != "hidden"}
    assert await of("prompts") == {f"{upstream}__greet", f"{upstream}__third"}
    assert await of("resources") == {f"{upstream}:/public/one", f"{upstream}:/public/two"}
    assert await of("resourceTemplates") == {f"{upstream}:/named/{{who}}", f"{upstream}:/other/{{who}}"}


@over_http
@each_upstream
async def test_on_its_own_route_an_upstream_has_its_own_names_capabilities_and_words(gateway, kind, upstream):
    async with fronts.front(kind, gateway, f"/s/{upstream}/mcp") as agent:
        assert await names(agent, "tools") == sorted({*TOOLS} - {"hidden"})
        assert await names(agent, "prompts") == ["greet", "third"]
        got = await agent.ask("prompts/get", {"name": "greet"})
        assert got.value["messages"][0]["content"]["text"] == "greet"
        told = (await agent.ask("server/discover")).value if kind == "modern-http" else agent.introduced
        assert told["capabilities"] == FULL
        assert f"Ask {upstream} nicely." in told["instructions"]
        if kind == "modern-http":
            assert told["supportedVersions"] == ["2026-07-28"]
            assert (told["resultType"], told["cacheScope"]) == ("complete", "private")


@over_http
async def test_a_tool_that_is_not_for_everybody_is_shown_to_nobody_else(gateway, agents, kind):
    assert "http-modern__anas" in await names(agents[kind], "tools")
    async with fronts.front(kind, gateway, token=BEN) as ben:
        shown = await names(ben, "tools")
        assert "http-modern__anas" not in shown
        # What depends on the arguments is shown, and decided when it is called.
        assert "http-modern__measured" in shown
        small, large = [await ben.call("http-modern__measured", {"amount": amount}) for amount in (1, 11)]
        assert (small.value.get("isError"), large.value.get("isError")) == (None, True)


@each_kind
@each_upstream
async def test_prompts_resources_and_completions_are_answered_by_their_upstream(agents, made, kind, upstream):
    agent = agents[kind]
    prompt = await agent.ask("prompts/get", {"name": f"{upstream}__greet", "arguments": {"who": "Ána"}})
    assert prompt.value["messages"][0]["content"]["text"] == "greet"
    assert json.loads(made[upstream].last("prompts/get").params["arguments"]) == {"who": "Ána"}
    for end in ("public/one", "named/ána%20b"):
        uri = f"{upstream}:/{end}"
        read = (await agent.ask("resources/read", {"uri": uri})).value
        assert read["contents"] == [{"uri": uri, "text": f"what {uri} holds"}]
        assert (read.get("cacheScope"), read.get("ttlMs")) == (
            ("private", 0) if agent.era == "modern" else (None, None)
        )
    refs = {
        "ref/prompt": {"type": "ref/prompt", "name": f"{upstream}__greet"},
        "ref/resource": {"type": "ref/resource", "uri": f"{upstream}:/named/{{who}}"},
    }
    for kind_of, ref in refs.items():
        more = {"argument": {"name": "who", "value": "A"}, "context": {"arguments": {"where": "ü"}}}
        told = await agent.ask("completion/complete", {"ref": ref, **more})
        assert told.value["completion"] == {"values": ["A-completed"]}
        heard = made[upstream].last("completion/complete").message["params"]
        heard.pop("_meta", None)
        assert heard == {"ref": {**ref, "name": "greet"} if kind_of == "ref/prompt" else ref, **more}


@over_http
@each_upstream
async def test_a_uri_that_was_only_linked_to_can_be_read_and_policy_is_told_that_it_is_unlisted(
    gateway, made, kind, upstream
):
    async with fronts.front(kind, gateway, f"/s/{upstream}/mcp") as agent:
        linked = f"elsewhere:/linked/{upstream}"
        assert (await agent.ask("resources/read", {"uri": linked})).value["contents"][0]["uri"] == linked
        since = len(made[upstream].records())
        refused = await agent.ask("resources/read", {"uri": f"elsewhere:/guess/{upstream}"})
        assert json.loads(refused.error)["data"]["reasons"][0]["code"] == "guessed"
        assert made[upstream].heard("resources/read", since=since) == []
        # What a template stands for is not unlisted.
        assert "result" in json.loads(
            (await agent.ask("resources/read", {"uri": f"{upstream}:/named/guess"})).raw
        )
    call = json.loads(refused.error)["data"]["call"]
    assert "guess/" not in json.dumps([one for one in gateway.entries() if one.get("call") == call])


REFUSALS = {
    "secret_uri": ("resources/read", lambda upstream: {"uri": f"{upstream}:/secret/one"}),
    "secret_prompt": ("prompts/get", lambda upstream: {"name": f"{upstream}__secret"}),
    "no_completion": (
        "completion/complete",
        lambda upstream: {
            "ref": {"type": "ref/prompt", "name": f"{upstream}__greet"},
            "argument": {"name": "who", "value": "forbidden"},
        },
    ),
}


@each_kind
@each_upstream
async def test_what_policy_denies_is_an_error_that_names_the_rule_and_nothing_is_sent(
    gateway, agents, made, kind, upstream
):
    for code, (method, params) in REFUSALS.items():
        since = len(made[upstream].records())
        refused = json.loads((await agents[kind].ask(method, params(upstream))).error)
        assert refused["code"] == DENIED
        assert f"{code} in toolgate.rules.surface" in refused["message"]
        assert refused["data"]["reasons"][0]["rule"] == "toolgate.rules.surface"
        assert made[upstream].heard(since=since) == []
        recorded = [one for one in gateway.entries() if one.get("call") == refused["data"]["call"]]
        assert [one["kind"] for one in recorded] == ["intent", "outcome"]
        assert (recorded[0]["method"], recorded[0]["code"], recorded[0]["effect"]) == (method, code, "deny")
        assert recorded[1]["status"] == "refused"


@each_kind
@each_upstream
async def test_what_policy_allows_leaves_one_intent_and_one_outcome(gateway, agents, kind, upstream):
    seen = len(gateway.entries())
    await agents[kind].ask("resources/read", {"uri": f"{upstream}:/public/two"})

    def recorded():
        return [one for one in gateway.entries()[seen:] if one["kind"] in {"intent", "outcome"}]

    await soon(lambda: len(recorded()) > 1, "no outcome was recorded")
    intent, outcome = recorded()
    assert (intent["method"], intent["effect"]) == ("resources/read", "allow")
    assert intent["target"] == outcome["target"] == f"{upstream}/{upstream}:/public/two"
    assert (intent["call"], outcome["status"]) == (outcome["call"], "succeeded")


LOGGED = ("debug", "info", "warning", "emergency")


def log(level):
    message = {"level": level, "logger": "mirror", "data": {"n": 1.5}}
    return {"say": json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": message})}


@each_kind
@each_upstream
async def test_log_messages_come_from_the_level_up_that_was_asked_for(agents, made, kind, upstream):
    agent = agents[kind]
    made[upstream].say("run", *map(log, LOGGED))
    since = len(made[upstream].records())
    meta = {}
    if agent.era == "legacy":
        assert (await agent.ask("logging/setLevel", {"level": "warning"})).value == {}
    else:
        meta = {f"{META}logLevel": "warning"}
        assert (await agent.call(f"{upstream}__run")).before == []
    answer = await agent.call(f"{upstream}__run", meta=meta)
    assert [one["params"]["level"] for one in answer.before] == ["warning", "emergency"]
    assert answer.before[0]["params"] == {"level": "warning", "logger": "mirror", "data": {"n": 1.5}}
    if made[upstream].era == "modern":
        assert made[upstream].last("tools/call").meta[f"{META}logLevel"] == "warning"
    elif kind == "legacy-http":
        assert {
            one.message["params"]["level"] for one in made[upstream].heard("logging/setLevel", since=since)
        } <= {"warning"}


@each_kind
async def test_ping_belongs_to_the_session_era(agents, kind):
    answer = await agents[kind].ask("ping")
    if agents[kind].era == "legacy":
        assert answer.value == {}
    else:
        assert answer.failure == (-32601, "unknown_method")


@pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])
@each_upstream
async def test_the_number_of_an_upstreams_error_says_nothing_about_the_agents_own_connection(
    agents, made, kind, upstream
):
    # SDKs use -32001 for their own time-outs. As an HTTP 401 it would send a client to log in, as a 404 a
    # session would be taken for lost.
    for code in (-32000, -32001, -32004, -32005):
        made[upstream].say("run", {"error": json.dumps({"code": code, "message": "mine"})})
        answer = await agents[kind].call(f"{upstream}__run")
        assert (answer.status, json.loads(answer.error)["code"]) == (200, code)


@each_kind
@each_upstream
async def test_a_resource_that_is_not_there_has_the_number_of_the_agents_era(agents, made, kind, upstream):
    number = -32602 if made[upstream].era == "modern" else -32002
    uri = f"{upstream}:/named/gone"
    made[upstream].say(uri, {"error": json.dumps({"code": number, "message": "gone", "data": {"uri": uri}})})
    error = json.loads((await agents[kind].ask("resources/read", {"uri": uri})).error)
    assert error == {
        "code": -32602 if agents[kind].era == "modern" else -32002, "message": "gone", "data": {"uri": uri}
    }  # fmt: skip


async def test_nothing_failed_inside_the_gateway(gateway):
    assert "Traceback" not in gateway.stderr
