"""Every method of the protocol, held to the rules that hold for calls of tools (abuse cases 22, 25 to 33)."""

from __future__ import annotations

import json

import pytest

from tests.edge.raw import PREFIX, legacy_message, modern_headers, modern_message, sentinel, talk

TASKS = {PREFIX + "clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}
ARGUMENT = {"name": "who", "value": "a"}
# What each forwarded method looks like when all is well: params, and the eras that have it.
GOOD = {
    "tools/call": ({"name": "new__get", "arguments": {}}, "both"),
    "prompts/get": ({"name": "new__greet", "arguments": {"who": "me"}}, "both"),
    "resources/read": ({"uri": "note://one"}, "both"),
    "completion/complete": (
        {"ref": {"type": "ref/prompt", "name": "new__greet"}, "argument": ARGUMENT},
        "both",
    ),
    "resources/subscribe": ({"uri": "note://one"}, "legacy"),
}
ROUTE = "/s/new/mcp"


def on_route(params):
    """The same on the upstream's own route, where names are its own."""
    return json.loads(json.dumps(params).replace("new__", ""))


def names(method):
    params, eras = GOOD[method]
    return on_route(params), eras


@pytest.mark.parametrize("method", GOOD)
def test_each_is_carried_when_all_is_well(world, method):
    params, eras = names(method)
    session, _ = world.gateway.initialize(path=ROUTE)
    if eras == "both":
        answer = world.gateway.ask(modern_message(method, params), path=ROUTE)
        assert answer.status == 200
        assert answer.result["resultType"] == "complete"
        assert world.new.calls[-1].method == method
    answer = world.gateway.legacy(legacy_message(method, params), session, path=ROUTE)
    assert answer.status == 200
    assert "resultType" not in answer.result


REVERSED = ["sampling/createMessage", "elicitation/create", "roots/list"]
NOTICES = [
    "notifications/message", "notifications/tools/list_changed", "notifications/resources/updated",
    "notifications/elicitation/complete", "notifications/tasks/status", "notifications/x", "notifications/tools/call",
]  # fmt: skip
NOWHERE = [*REVERSED, "tasks/list", "x/y", "", "get", "new__get", "tools", "rpc.discover", "$/cancelRequest"]
MODERN_ONLY = ["server/discover", "subscriptions/listen", "tasks/update"]
LEGACY_ONLY = [
    "initialize",
    "ping",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
    "tasks/result",
]


@pytest.mark.abuse(25)
@pytest.mark.parametrize("method", [*NOWHERE, *LEGACY_ONLY])
def test_a_method_that_this_era_s_agents_do_not_have_reaches_nobody(world, method):
    params = {"name": "new__get", "uri": "note://one", "arguments": {}, "messages": [], "level": "info"}
    with world.gateway.unharmed():
        named = (("Mcp-Name", "note://one"),) if method.startswith("resources/") else ()
        answer = world.gateway.ask(modern_message(method, params, meta=TASKS), headers=named)
        assert (answer.status, answer.error) == (404, -32601)
        answer = world.gateway.ask(modern_message(method, {}), path=ROUTE)
        assert (answer.status, answer.error) == (404, -32601)


@pytest.mark.abuse(25)
@pytest.mark.abuse(32)
@pytest.mark.parametrize("method", [*NOWHERE, *MODERN_ONLY])
def test_a_method_that_sessions_do_not_have_reaches_nobody(world, method):
    session, _ = world.gateway.initialize(capabilities={"sampling": {}, "elicitation": {}, "roots": {}})
    with world.gateway.unharmed():
        answer = world.gateway.legacy(legacy_message(method, {"name": "new__get"}), session)
        # What only the newer era has is held to its rules: there is no envelope.
        assert answer.error == (-32602 if method in MODERN_ONLY else -32601)


@pytest.mark.abuse(25)
@pytest.mark.parametrize("method", NOTICES)
def test_a_notice_of_the_other_direction_goes_nowhere(world, method):
    session, _ = world.gateway.initialize()
    messages = [len(server.requests) for server in (world.new, world.old)]
    notice = {"jsonrpc": "2.0", "method": method, "params": {"uri": "note://one", "name": "new__get"}}
    with world.gateway.unharmed():
        assert world.gateway.ask(notice).status == 202
        assert world.gateway.legacy(notice, session).status == 202
        # As a request it is no method at all.
        request = world.gateway.legacy({**notice, "id": 1}, session)
        assert request.error in {-32600, -32601}
    assert [len(server.requests) for server in (world.new, world.old)] == messages


@pytest.mark.abuse(22)
@pytest.mark.parametrize(
    "method", [*GOOD, "tasks/get", "tools/list", "logging/setLevel", "subscriptions/listen"]
)
def test_a_request_without_an_id_is_refused_and_recorded_whatever_it_asks_for(world, method):
    session, _ = world.gateway.initialize(path=ROUTE)
    params = names(method)[0] if method in GOOD else {"taskId": "x", "level": "info", "notifications": {}}
    with world.gateway.unharmed("invalid_request"):
        for message in (modern_message(method, params), legacy_message(method, params)):
            del message["id"]
            answer = world.gateway.ask(message, path=ROUTE)
            assert (answer.status, answer.error) == (400, -32600)
            answer = world.gateway.legacy(message, session, path=ROUTE)
            assert (answer.status, answer.error) == (400, -32600)


WRONG_SHAPES = [
    ("prompts/get", {"name": 5}), ("prompts/get", {"name": None}), ("prompts/get", {}), ("prompts/get", {"name": ["greet"]}),
    ("prompts/get", {"name": "greet", "arguments": []}), ("prompts/get", {"name": "greet", "arguments": None}),
    ("prompts/get", {"name": "greet", "arguments": {"who": 5}}), ("prompts/get", {"name": "greet", "arguments": {"who": {}}}),
    ("resources/read", {}), ("resources/read", {"uri": None}), ("resources/read", {"uri": ["note://one"]}), ("resources/read", {"uri": {}}),
    ("resources/read", {"uri": "one"}), ("resources/read", {"uri": "note://a b"}), ("resources/read", {"uri": "note://\u202eone"}),
    ("resources/read", {"uri": "note://" + "a" * 3000}), ("resources/read", {"uri": "note://\u0000"}),
    ("completion/complete", {}), ("completion/complete", {"ref": "greet", "argument": ARGUMENT}),
    ("completion/complete", {"ref": {"type": "ref/tool", "name": "get"}, "argument": ARGUMENT}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": ["greet"]}, "argument": ARGUMENT}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "who", "value": 5}}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {**ARGUMENT, "x": 1}}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": ARGUMENT, "context": []}),
    ("tasks/get", {}), ("tasks/get", {"taskId": 5}), ("tasks/cancel", {"taskId": None}),
]  # fmt: skip


@pytest.mark.abuse(27)
@pytest.mark.parametrize(("method", "params"), WRONG_SHAPES, ids=lambda one: str(one)[:50])
def test_params_of_another_shape_are_refused(world, method, params):
    session, _ = world.gateway.initialize(path=ROUTE)
    with world.gateway.unharmed():
        answer = world.gateway.ask(modern_message(method, params, meta=TASKS), path=ROUTE)
        # A name that is no text is nothing that the header could equal.
        assert (answer.status, answer.error) in {(400, -32602), (400, -32020)}
        answer = world.gateway.legacy(legacy_message(method, params), session, path=ROUTE)
        assert answer.error == -32602


EMPTY = {
    "tools/list": {},
    "prompts/list": {},
    "resources/list": {},
    "resources/templates/list": {},
    "tasks/get": {"taskId": "x"},
}


@pytest.mark.abuse(28)
@pytest.mark.parametrize("member", ["__proto__", "constructor", "x", "Name", "uri ", "taskIds"])
@pytest.mark.parametrize(
    "method",
    [*GOOD, *EMPTY, "server/discover", "subscriptions/listen", "logging/setLevel", "ping", "initialize"],
)
def test_a_parameter_that_a_method_does_not_have_is_refused(world, method, member):
    params = names(method)[0] if method in GOOD else dict(EMPTY.get(method, {}))
    params |= {"subscriptions/listen": {"notifications": {}}, "logging/setLevel": {"level": "info"}}.get(
        method, {}
    )
    if method == "initialize":
        params |= {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    session, _ = world.gateway.initialize(path=ROUTE)
    params |= {member: {"polluted": True}}
    with world.gateway.unharmed("invalid_params"):
        if method not in {"resources/subscribe", "logging/setLevel", "ping", "initialize"}:
            answer = world.gateway.ask(modern_message(method, params, meta=TASKS), path=ROUTE)
            assert (answer.status, answer.error) == (400, -32602)
        if method not in {"server/discover", "subscriptions/listen"}:
            assert world.gateway.legacy(legacy_message(method, params), session, path=ROUTE).error == -32602


@pytest.mark.abuse(29)
@pytest.mark.abuse(30)
@pytest.mark.parametrize(
    ("method", "value"),
    [
        (method, value)
        for method in ("prompts/get", "resources/read", "tasks/get", "tasks/cancel")
        for value in (
            None,
            "",
            "put",
            "note://secret",
            sentinel("put"),
            "=?base64?!!?=",
            "=?BASE64?Z3JlZXQ=?=",
        )
        if value is not None or not method.startswith("tasks/")
    ],
)
def test_the_name_in_the_header_is_that_of_the_body(world, method, value):
    params = names(method)[0] if method in GOOD else {"taskId": "x"}
    message = modern_message(method, params, meta=TASKS)
    with world.gateway.unharmed("header_mismatch"):
        answer = world.gateway.ask(message, path=ROUTE, headers=(("Mcp-Name", value),))
        assert (answer.status, answer.error) == (400, -32020)
        named = modern_headers(message)["Mcp-Name"]
        for headers in ((("Mcp-Name", named), ("Mcp-Name", named)), (("Mcp-Method", "tools/list"),)):
            answer = world.gateway.ask(message, path=ROUTE, headers=headers)
            assert (answer.status, answer.error) == (400, -32020)


@pytest.mark.abuse(29)
@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel"])
def test_a_task_is_found_by_the_body_where_a_client_leaves_the_header_out(world, method):
    # FastMCP's client does.
    message = modern_message(method, {"taskId": "x"}, meta=TASKS)
    with world.gateway.unharmed("unknown_task"):
        answer = world.gateway.ask(message, path=ROUTE, headers=(("Mcp-Name", None),))
        assert (answer.status, answer.error) == (400, -32602)


@pytest.mark.abuse(29)
def test_policy_reads_the_body_and_not_the_header(world):
    # Allowed by the header, denied by the body; and the other way round.
    for uri, claimed in (("note://secret", "note://one"), ("note://one", "note://secret")):
        message = modern_message("resources/read", {"uri": uri})
        with world.gateway.unharmed("header_mismatch"):
            answer = world.gateway.ask(message, path=ROUTE, headers=(("Mcp-Name", claimed),))
            assert (answer.status, answer.error) == (400, -32020)
    with world.gateway.unharmed("never"):
        answer = world.gateway.ask(modern_message("resources/read", {"uri": "note://secret"}), path=ROUTE)
        assert (answer.status, answer.error) == (200, -32003)


@pytest.mark.abuse(31)
@pytest.mark.parametrize("method", ["prompts/get", "resources/read", "completion/complete"])
def test_a_parameter_header_of_a_method_without_any_reaches_no_upstream(world, method):
    headers = (("Mcp-Param-Region", "forged"), ("Mcp-Param-Who", "forged"))
    answer = world.gateway.ask(modern_message(method, names(method)[0]), path=ROUTE, headers=headers)
    if answer.status == 200:
        sent = world.new.calls[-1]
        assert sent.method == method
        assert not any(name.startswith("mcp-param-") for name in sent.headers)
    else:
        assert (answer.status, answer.error) == (400, -32020)


@pytest.mark.abuse(31)
@pytest.mark.parametrize("region", ["e\nu", "e\r\nX-Injected: 1", "e\0u", "=?base64?ZQ==?=", " eu ", "é"])
def test_a_mirrored_parameter_cannot_write_headers(gateway, region):
    params = {"name": "tools__region", "arguments": {"region": region}}
    answer = gateway.ask(modern_message(params=params), headers=(("Mcp-Param-Region", sentinel(region)),))
    assert answer.status == 200
    headers, message = gateway.upstream.calls[-1]
    assert message["params"]["arguments"] == {"region": region}
    assert headers["Mcp-Param-Region"] == sentinel(region)
    assert "X-Injected" not in headers


@pytest.mark.abuse(32)
@pytest.mark.parametrize("method", [method for method, (_, eras) in GOOD.items() if eras == "both"])
@pytest.mark.parametrize("version", [None, "2025-11-25", "9999-01-01"])
def test_no_method_passes_as_legacy_with_a_modern_body(world, method, version):
    session, _ = world.gateway.initialize(path=ROUTE)
    headers = (
        ("MCP-Protocol-Version", version),
        ("Mcp-Session-Id", session),
        ("Mcp-Method", None),
        ("Mcp-Name", None),
    )
    with world.gateway.unharmed("header_mismatch"):
        answer = world.gateway.ask(modern_message(method, names(method)[0]), path=ROUTE, headers=headers)
        assert (answer.status, answer.error) == (400, -32020)


DENIED = [
    ("tools/call", {"name": "put", "arguments": {}}),
    ("resources/read", {"uri": "note://secret"}),
    ("resources/subscribe", {"uri": "note://secret"}),
]


@pytest.mark.abuse(32)
@pytest.mark.abuse(42)
@pytest.mark.parametrize(("method", "params"), DENIED, ids=[method for method, _ in DENIED])
def test_what_policy_denies_is_denied_in_both_eras_and_on_both_routes(world, method, params):
    session, _ = world.gateway.initialize(path=ROUTE)

    def refused(answer):
        body = answer.json.get("error") or answer.json["result"]
        told = (body.get("data") or body.get("_meta", {}).get("dev.toolgate/decision"))["reasons"]
        return answer.status == 200 and [one["code"] for one in told] == ["never"]

    with world.gateway.unharmed("never"):
        assert refused(world.gateway.legacy(legacy_message(method, params), session, path=ROUTE))
        if method != "resources/subscribe":
            assert refused(world.gateway.ask(modern_message(method, params), path=ROUTE))
    # In the newer era a subscription is a member of another request: not honoured.
    wish = {"notifications": {"resourceSubscriptions": ["note://secret"]}}
    if method == "resources/subscribe":
        with world.gateway.unharmed("never"):
            raw = world.gateway.post(modern_message("subscriptions/listen", wish), path=ROUTE)
            heard = talk(world.gateway.port, raw, wait_s=0.5).data
            assert b"acknowledged" in heard
            assert b"note://secret" not in heard


VENDOR = {
    PREFIX + "clientInfo": {"name": "root", "version": "tenant=other"},
    PREFIX + "relatedTask": {"taskId": "smuggled"},
    PREFIX + "forged": "smuggled",
    "io.modelcontextprotocol/related-task": {"taskId": "smuggled"},
    "tenant": "smuggled", "role": "smuggled", "com.vendor/tenant": "smuggled", "subject": {"id": "smuggled"},
    "baggage": "smuggled=" + "x" * 100_000,
    "tracestate": "smuggled=" + "x" * 1000,
}  # fmt: skip
IDENTITY_HEADERS = tuple(
    (name, "smuggled")
    for name in ("X-Tenant", "X-User", "X-Forwarded-User", "X-Remote-User", "Mcp-Tenant", "Toolgate-Subject", "Baggage", "Traceparent")
)  # fmt: skip


@pytest.mark.abuse(33)
@pytest.mark.parametrize("method", GOOD)
def test_what_is_smuggled_beside_any_request_reaches_neither_upstream_nor_identity(world, method):
    params, eras = names(method)
    params = params if "uri" not in params else {"uri": "note://by/beside"}
    session, _ = world.gateway.initialize(path=ROUTE)
    entries = len(world.gateway.records())
    legacy = legacy_message(method, {**params, "_meta": VENDOR})
    assert world.gateway.legacy(legacy, session, path=ROUTE, headers=IDENTITY_HEADERS).status == 200
    if eras == "both":
        modern = modern_message(method, params, meta=VENDOR)
        assert world.gateway.ask(modern, path=ROUTE, headers=IDENTITY_HEADERS).status == 200
    for sent in world.new.requests[-3:]:
        assert b"smuggled" not in sent.body
        assert "smuggled" not in json.dumps(sent.headers)
    intents = [record for record in world.gateway.records()[entries:] if record["kind"] == "intent"]
    assert {(one["subject"], one["tenant"]) for one in intents} == {("ana@example.com", "acme")}
    assert "smuggled" not in json.dumps(world.gateway.records()[entries:])


LADEN = {
    "sampling": {"tools": {"tenant": "smuggled"}, "context": ["smuggled"], "vendor": "smuggled"},
    "elicitation": {"form": {"role": "smuggled"}, "url": "smuggled" * 1000},
    "roots": {"listChanged": "smuggled"},
    "experimental": {"smuggled": {}},
    "extensions": {"io.modelcontextprotocol/tasks": {"x": "smuggled"}, "com.vendor/smuggled": {}},
}


@pytest.mark.abuse(33)
@pytest.mark.parametrize("server", ["new", "old", "shy", "mute"])
def test_of_a_client_s_capabilities_only_their_names_travel(world, server):
    puppet, path = getattr(world, server), f"/s/{server}/mcp"
    session, _ = world.gateway.initialize(path=path, capabilities=LADEN)
    sent = len(puppet.requests)
    call = {"name": "get", "arguments": {}}
    message = modern_message(params=call, meta={PREFIX + "clientCapabilities": LADEN})
    assert world.gateway.ask(message, path=path).status == 200
    assert world.gateway.legacy(legacy_message(params=call), session, path=path).status == 200
    heard = puppet.requests[sent:]
    assert len([one for one in heard if one.method == "tools/call"]) == 2
    assert not any(b"smuggled" in one.body for one in heard)
    told = [one.body for one in heard if one.method in {"initialize", "tools/call"}]
    assert any(b'"sampling"' in body for body in told) is (server in {"new", "old"})
