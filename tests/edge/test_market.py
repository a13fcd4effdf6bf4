"""Lists as tool servers send them, names as they choose them (abuse cases 42 to 46)."""

from __future__ import annotations

import contextlib
import json

import pytest

from gateway.config.loading import load_configuration
from gateway.errors import ConfigurationError
from tests.edge.conftest import keyed, running
from tests.edge.gateways import settings_of
from tests.edge.puppet import OBJECT, Puppet, Raw
from tests.edge.raw import legacy_message, modern_message, sentinel

POLICY = """\
package toolgate.rules.market

import rego.v1

allow if input.resource.server != "nobody"

deny contains "never" if input.resource.name == "put"
"""
LISTED = {
    "tools/list": ("tools", "name", ["get", "put", "b\u200bad"], {"inputSchema": OBJECT}),
    "prompts/list": ("prompts", "name", ["greet", "put", "b\u200bad"], {}),
    "resources/list": ("resources", "uri", ["note://one", "note://b\u200bad"], {"name": "x"}),
    "resources/templates/list": ("resourceTemplates", "uriTemplate", ["note://by/{id}"], {"name": "x"}),
}
SEEN = {
    "tools/list": {"get"},
    "prompts/list": {"greet"},
    "resources/list": {"note://one"},
    "resources/templates/list": {"note://by/{id}"},
}


def page(heard):
    member, name, names, about = LISTED[heard.method]
    result = {"resultType": "complete", "ttlMs": 0, "cacheScope": "public"}
    result[member] = [{name: one, **about} for one in names]
    return json.dumps({"jsonrpc": "2.0", "id": heard.id, "result": result}).encode()


def event(body, name=b""):
    return (b"event: " + name + b"\n" if name else b"") + b"data: " + body + b"\n\n"


SSE = "text/event-stream"
# How a list may be answered: form -> the answer, and whether it counts.
FORMS = {
    "plain": (Raw, True),
    "upper": (lambda body: Raw(body, "Application/JSON"), True),
    "param": (lambda body: Raw(body, "application/json ; x"), True),
    "charset": (lambda body: Raw(body, "application/json; charset=utf-8"), True),
    "events": (lambda body: Raw(event(body), SSE), True),
    "events-upper": (lambda body: Raw(event(body), "Text/Event-Stream; charset=utf-8"), True),
    "events-other": (lambda body: Raw(event(body, b"tools"), SSE), False),
    "events-twice": (lambda body: Raw(event(body) + event(body), SSE), False),
    "status-201": (lambda body: Raw(body, status=201), False),
    "status-203": (lambda body: Raw(body, status=203), False),
    "status-206": (lambda body: Raw(body, status=206), False),
    "status-404": (lambda body: Raw(body, status=404), False),
    "status-500": (lambda body: Raw(body, status=500), False),
    "text": (lambda body: Raw(body, "text/plain"), False),
    "html": (lambda body: Raw(body, "text/html"), False),
    "no-type": (lambda body: Raw(body, ""), False),
    "jsonx": (lambda body: Raw(body, "application/jsonx"), False),
    "json-seq": (lambda body: Raw(body, "application/json-seq"), False),
    "vendor": (lambda body: Raw(body, "application/vnd.x+json"), False),
    "two-types": (lambda body: Raw(body, "text/html, application/json"), False),
    "twice": (lambda body: Raw(body + body), False),
    "batch": (lambda body: Raw(b"[" + body + b"]"), False),
    "cut": (lambda body: Raw(body[:-20], length=len(body)), False),
}
NAMES = {
    "tools": [
        "fine", "b\u200bad", "bad name", "bad/name", "bad\nname", "", "x" * 129, "b\u00e4d", "\uff46\uff49\uff4e\uff45", "f\u0456ne",
        "Refund", "refund", "pay1", "payl", "v0", "vO", "learn", "leam", "__proto__", "two__get", "_get", "get_", "..", ".",
    ],
    "prompts": ["hello", "h\u200bello", "Hello-2", "hello-2", "hel lo", "", "p" * 129, "two__greet"],
    "resources": ["note://a", "NOTE://a", "note://b\u200bad", "note://\u202ea", "note:// a", "not-a-uri", "", "note://" + "a" * 3000, "note://x\n"],
}  # fmt: skip
OFFERED = {
    "tools": {"fine", "__proto__", "two__get", "_get", "get_", "..", "."},
    "prompts": {"hello", "two__greet"},
    "resources": {"note://a", "NOTE://a"},
}


@pytest.fixture(scope="module")
def market(upstream, tmp_path_factory):
    """One gateway: all forms of lists, two servers that offer the same, one with odd names."""
    names = {
        "tools_list": {"tools": [{"name": name, "inputSchema": OBJECT} for name in NAMES["tools"]]},
        "prompts_list": {"prompts": [{"name": name} for name in NAMES["prompts"]]},
        "resources_list": {"resources": [{"uri": uri, "name": "x"} for uri in NAMES["resources"]]},
    }
    with contextlib.ExitStack() as open_servers:
        forms, one, two, odd = (open_servers.enter_context(Puppet()) for _ in range(4))
        forms.on = {
            method: lambda heard: FORMS[heard.path.split("/")[-1]][0](page(heard)) for method in LISTED
        }
        odd.lists = odd.lists | {name.replace("_", "/"): listed for name, listed in names.items()}
        servers = {name: {"url": f"{forms.url}/{name}"} for name in FORMS}
        servers |= {"one": {"url": one.url}, "two": {"url": two.url}, "odd": {"url": odd.url}}
        settings = settings_of(servers | {"tools": keyed(upstream.port)}, limits={"stream_ping_s": 1})
        folder = tmp_path_factory.mktemp("market")
        with running(folder, settings, POLICY, upstream, forms, one, two, odd, tools=10) as found:
            found.forms, found.one, found.two, found.odd = forms, one, two, odd
            yield found


def listed(gateway, method, *, path="/mcp", session=None, **rest):
    if session is None:
        answer = gateway.ask(modern_message(method, {}), path=path, **rest)
    else:
        answer = gateway.legacy(legacy_message(method, {}), session, path=path, **rest)
    member, name, _, _ = LISTED[method]
    return {one[name] for one in answer.result[member]}


@pytest.mark.abuse(43)
@pytest.mark.parametrize("form", FORMS)
def test_a_list_in_whatever_form_is_cut_down_or_refused(market, form):
    _, counts = FORMS[form]
    path = f"/s/{form}/mcp"
    session, _ = market.initialize(path=path)
    for method, seen in SEEN.items():
        wanted = seen if counts else set()
        assert listed(market, method, path=path) == wanted, method
        assert listed(market, method, path=path, session=session) == wanted, method
    ours = {name for name in listed(market, "tools/list") if name.startswith(f"{form}__")}
    assert ours == ({f"{form}__get"} if counts else set())
    # What is not shown cannot be called either; what is, can.
    with market.unharmed("unknown_tool" if not counts else "never"):
        for name in ("put", "b\u200bad") if counts else ("get", "put"):
            params = {"name": name, "arguments": {}}
            answer = market.ask(
                modern_message(params=params), path=path, headers=(("Mcp-Name", sentinel(name)),)
            )
            assert answer.status == 400 or answer.result["isError"]
    if counts:
        assert market.ask(modern_message(params={"name": "get", "arguments": {}}), path=path).status == 200
    else:
        names = [
            one["name"]
            for record in market.records()
            if record["kind"] == "catalogue"
            for one in record["refused"]
        ]
        assert names
        assert f"upstream {form!r}" in market.log.read_text()


@pytest.mark.abuse(43)
@pytest.mark.parametrize(
    "headers",
    [
        (("Accept", "application/json"),), (("Accept", SSE),), (("Accept", "*/*"),), (("Accept", "x/y"),), (("Accept", ""),), (("Accept", None),),
        (("Accept", "Application/JSON, Text/Event-Stream"),), (("Accept", "application/json;q=0"),), (("Accept-Encoding", "gzip"),),
        (("Content-Type", "Application/JSON"),), (("Content-Type", "application/json ; x"),), (("Content-Type", "application/json-seq"),),
        (("Range", "bytes=0-"),), (("If-None-Match", "*"),), (("TE", "trailers"),), (("Prefer", "return=representation"),),
        (("X-HTTP-Method-Override", "GET"),), (("X-Original-URL", "/s/plain/mcp"),),
    ],
    ids=str,
)  # fmt: skip
def test_no_header_of_an_agent_gets_it_more_than_its_list(market, headers):
    session, _ = market.initialize(path="/s/plain/mcp")
    with market.unharmed():
        for raw in (
            market.post(modern_message("tools/list", {}), path="/s/plain/mcp", headers=headers),
            market.legacy_post(
                legacy_message("tools/list", {}), session, path="/s/plain/mcp", headers=headers
            ),
        ):
            answer = market.heard(raw)
            assert b'"put"' not in answer.body
            assert answer.status in {400, 406, 415} or {one["name"] for one in answer.result["tools"]} == {
                "get"
            }
            assert "content-encoding" not in answer.headers


@pytest.mark.abuse(43)
def test_the_last_good_list_stays_when_the_next_one_is_of_no_form(market):
    before = listed(market, "tools/list", path="/s/one/mcp")
    assert before == {"get"}
    more = {"tools": [{"name": name, "inputSchema": OBJECT} for name in ("get", "put", "fresh")]}
    asked = len(market.one.of("tools/list"))

    def as_201(heard):
        return Raw(json.dumps(market.one.body(heard, more)).encode(), status=201)

    with market.one.doing(tools_list=as_201):
        market.one.changed("tools")
        market.until(lambda: len(market.one.of("tools/list")) > asked, within_s=8)
        assert listed(market, "tools/list", path="/s/one/mcp") == before
    with market.one.doing(tools_list=more):
        market.one.changed("tools")
        market.until(lambda: listed(market, "tools/list", path="/s/one/mcp") == {"get", "fresh"}, within_s=8)
    market.one.changed("tools")
    market.until(lambda: listed(market, "tools/list", path="/s/one/mcp") == before, within_s=8)


@pytest.mark.abuse(44)
@pytest.mark.abuse(45)
def test_what_two_servers_call_the_same_has_two_names(market):
    shown = listed(market, "tools/list") | listed(market, "prompts/list")
    assert {"one__get", "two__get", "one__greet", "two__greet"} <= shown
    assert not {"get", "greet"} & shown
    for server in ("one", "two"):
        for method, name in (("tools/call", "get"), ("prompts/get", "greet")):
            before = len(market.one.calls), len(market.two.calls)
            params = {"name": f"{server}__{name}", "arguments": {}}
            assert market.ask(modern_message(method, params)).status == 200
            after = len(market.one.calls) - before[0], len(market.two.calls) - before[1]
            assert after == ((1, 0) if server == "one" else (0, 1))
            assert getattr(market, server).calls[-1].params["name"] == name
    with market.unharmed("unknown_tool", "unknown_prompt"):
        assert market.ask(modern_message(params={"name": "get", "arguments": {}})).code == "unknown_tool"
        assert market.ask(modern_message("prompts/get", {"name": "greet"})).code == "unknown_prompt"


@pytest.mark.abuse(44)
@pytest.mark.parametrize("method", ["resources/read", "resources/subscribe", "completion/complete"])
def test_a_resource_of_two_servers_is_neither_s_where_both_are_meant(market, method):
    # note://one is listed by both, and note://by/{id} stands for the same URIs at both.
    assert not {"note://one", "note://by/{id}"} & listed(market, "resources/list")
    session, _ = market.initialize()
    for uri in ("note://one", "note://by/7"):
        params = {"uri": uri}
        if method == "completion/complete":
            ref = {"type": "ref/resource", "uri": "note://by/{id}"}
            params = {"ref": ref, "argument": {"name": "id", "value": ""}}
        with market.unharmed("unknown_resource"):
            assert market.legacy(legacy_message(method, params), session).code == "unknown_resource"
            if method != "resources/subscribe":
                assert market.ask(modern_message(method, params)).code == "unknown_resource"
        for server in ("one", "two"):
            path = f"/s/{server}/mcp"
            own, _ = market.initialize(path=path)
            before = len(getattr(market, server).calls)
            assert "result" in market.legacy(legacy_message(method, params), own, path=path).json
            assert len(getattr(market, server).calls) + len(market.one.of("subscriptions/listen")) > before


@pytest.mark.abuse(45)
def test_every_name_leads_back_to_its_own_tool(market):
    shown = sorted(name for name in listed(market, "tools/list") if name.startswith("odd__"))
    assert {name.removeprefix("odd__") for name in shown} == OFFERED["tools"]
    for name in shown:
        assert market.ask(modern_message(params={"name": name, "arguments": {}})).status == 200, name
        assert market.odd.calls[-1].params["name"] == name.removeprefix("odd__")
    # odd/two__get is not two/get, although two is a server, too.
    with market.unharmed("unknown_tool"):
        for name in (
            "two__two__get",
            "odd___fine",
            "odd__odd__fine",
            "odd_fine",
            "ODD__fine",
            "__fine",
            "odd__",
        ):
            assert market.ask(modern_message(params={"name": name, "arguments": {}})).code == "unknown_tool"


@pytest.mark.abuse(46)
@pytest.mark.parametrize("kind", NAMES)
def test_names_that_are_none_or_another_s_are_not_offered_and_recorded(market, kind):
    method = f"{kind}/list"
    assert listed(market, method, path="/s/odd/mcp") == OFFERED[kind]
    refused = {
        one["name"].removeprefix("prompt:").removeprefix("resource:"): one["code"]
        for record in market.records()
        if record["kind"] == "catalogue" and record["upstream"] == "odd"
        for one in record["refused"]
    }
    for name in set(NAMES[kind]) - OFFERED[kind]:
        alike = name.lower() in {"refund", "hello-2", "pay1", "payl", "v0", "vo", "learn", "leam"}
        assert refused[name[:128]] == ("definition_look_alike" if alike else "definition_name"), name


@pytest.mark.abuse(42)
@pytest.mark.abuse(46)
def test_what_is_not_offered_cannot_be_used_by_its_exact_name(market):
    with market.unharmed():
        for method, kind in (("tools/call", "tools"), ("prompts/get", "prompts")):
            for name in [*sorted(set(NAMES[kind]) - OFFERED[kind]), "never-listed"]:
                message = modern_message(method, {"name": name, "arguments": {}})
                answer = market.ask(message, path="/s/odd/mcp", headers=(("Mcp-Name", sentinel(name)),))
                assert (answer.status, answer.error) == (400, -32602), name
        for uri in set(NAMES["resources"]) - OFFERED["resources"]:
            message = modern_message("resources/read", {"uri": uri})
            answer = market.ask(message, path="/s/odd/mcp", headers=(("Mcp-Name", sentinel(uri)),))
            assert (answer.status, answer.error) == (400, -32602), uri


@pytest.mark.abuse(44)
@pytest.mark.abuse(45)
@pytest.mark.abuse(46)
@pytest.mark.parametrize(
    ("ids", "good"),
    [
        (["one", "two"], True),
        (["toolgate"], False),
        (["ToolGate"], False),
        (["a__b"], False),
        (["a_"], False),
        (["tools", "Tools"], False),
        (["pay1", "payl"], False),
    ],
    ids=str,
)
def test_ids_of_servers_that_could_be_mixed_up_are_refused_at_the_start(tmp_path, ids, good):
    file = tmp_path / "toolgate.yaml"
    settings = settings_of({name: {"url": "http://127.0.0.1:1/mcp"} for name in ids})
    del settings["policy"]
    file.write_text(json.dumps(settings))
    if good:
        assert set(load_configuration(file, {}).settings.upstreams) == set(ids)
    else:
        with pytest.raises(ConfigurationError):
            load_configuration(file, {})
