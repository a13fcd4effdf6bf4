"""Headers, ``_meta``, versions, sessions, hidden tools, identity (abuse cases 29 to 46, 98 to 109)."""

from __future__ import annotations

import base64
import json

import pytest

from tests.edge.conftest import TOKENS, UPSTREAM_KEY
from tests.edge.raw import MODERN, PREFIX, modern_message, talk

GOOD = modern_message()
NAMED = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "tools__echo", "arguments": {}},
}


@pytest.mark.abuse(29)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Mcp-Method", "tools/list"),
        ("Mcp-Method", "TOOLS/CALL"),
        ("Mcp-Method", None),
        ("Mcp-Method", ""),
        ("Mcp-Name", "tools__denied"),
        ("Mcp-Name", "tools__ECHO"),
        ("Mcp-Name", None),
        ("MCP-Protocol-Version", "2025-11-25"),
        ("MCP-Protocol-Version", "2026-07-29"),
        ("MCP-Protocol-Version", None),
    ],
)
def test_a_routing_header_that_differs_from_the_body_is_refused(gateway, name, value):
    with gateway.unharmed("header_mismatch"):
        answer = gateway.ask(GOOD, headers=((name, value),))
        assert (answer.status, answer.error) == (400, -32020)


def sentinel(text, label="base64"):
    return f"=?{label}?{base64.b64encode(text.encode()).decode()}?="


@pytest.mark.abuse(30)
@pytest.mark.parametrize(
    "value",
    [
        "=?base64?!!!?=",
        "=?base64?dG9vbHNfX2VjaG8?=",
        "=?base64??=",
        "=?base64?dG9vbHNfX2VjaG9=?=",
        sentinel("tools__echo", "BASE64"),
        sentinel("tools__echo", "Base64"),
        sentinel(sentinel("tools__echo")),
        sentinel("tools__denied"),
        "=?base64?" + base64.b64encode(b"\xff\xfe").decode() + "?=",
    ],
)
def test_tricks_with_an_encoded_header_are_refused(gateway, value):
    with gateway.unharmed("header_mismatch"):
        answer = gateway.ask(GOOD, headers=(("Mcp-Name", value),))
        assert (answer.status, answer.error) == (400, -32020)


def test_a_properly_encoded_header_is_read(gateway):
    assert gateway.ask(GOOD, headers=(("Mcp-Name", sentinel("tools__echo")),)).status == 200


REGION = modern_message(params={"name": "tools__region", "arguments": {"region": "eu"}})


@pytest.mark.abuse(31)
@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("Mcp-Param-Region", "us"),),
        (("Mcp-Param-Region", "EU"),),
        (("Mcp-Param-Region", "=?base64?!?="),),
        (("Mcp-Param-Region", "eu"), ("Mcp-Param-Other", "x")),
    ],
)
def test_a_mirrored_parameter_must_equal_the_body(gateway, headers):
    with gateway.unharmed("header_mismatch"):
        answer = gateway.ask(REGION, headers=headers)
        assert (answer.status, answer.error) == (400, -32020)


@pytest.mark.abuse(31)
def test_upstream_headers_are_made_by_the_gateway(gateway):
    assert gateway.ask(REGION, headers=(("mcp-param-region", "eu"),)).status == 200
    headers, _ = gateway.upstream.calls[-1]
    assert headers["Mcp-Param-Region"] == "eu"
    with gateway.unharmed("header_mismatch"):
        assert gateway.ask(GOOD, headers=(("Mcp-Param-Text", "hi"),)).error == -32020


@pytest.mark.abuse(31)
@pytest.mark.parametrize("broken", [b"e\nu", b"e\ru", b"e\0u"])
def test_a_line_break_inside_a_mirrored_parameter_is_no_request(gateway, broken):
    raw = gateway.post(REGION, headers=(("Mcp-Param-Region", "BREAK"),)).replace(b"BREAK", broken)
    with gateway.unharmed():
        assert talk(gateway.port, raw, until_closed=True).statuses == [400]


@pytest.mark.abuse(32)
@pytest.mark.parametrize("version", [None, "2025-11-25", "2024-11-05", "9999-01-01"])
def test_a_modern_body_cannot_pass_as_legacy(gateway, version):
    session, _ = gateway.initialize()
    with gateway.unharmed():
        headers = (
            ("MCP-Protocol-Version", version),
            ("Mcp-Session-Id", session),
            ("Mcp-Method", None),
            ("Mcp-Name", None),
        )
        answer = gateway.ask(GOOD, headers=headers)
        assert (answer.status, answer.error) == (400, -32020)


@pytest.mark.abuse(32)
@pytest.mark.parametrize("version", ["2025-11-25", "9999-01-01", "", "x" * 10_000])
def test_an_unknown_revision_is_answered_with_those_we_speak(gateway, version):
    message = modern_message(meta={PREFIX + "protocolVersion": version})
    with gateway.unharmed():
        answer = gateway.ask(message, headers=(("MCP-Protocol-Version", version),))
        assert (answer.status, answer.error) == (400, -32022)
        assert answer.json["error"]["data"]["supported"] == [MODERN]
        assert len(answer.body) < 2000


@pytest.mark.abuse(32)
def test_the_legacy_path_has_the_same_policy_and_the_same_checks(gateway):
    session, _ = gateway.initialize()
    denied = {**NAMED, "params": {"name": "tools__denied", "arguments": {}}}
    with gateway.unharmed("never", "unknown_tool", "invalid_arguments"):
        assert gateway.legacy(denied, session).json["result"]["isError"]
        unknown = {**NAMED, "params": {"name": "tools__none", "arguments": {}}}
        assert gateway.legacy(unknown, session).error == -32602
        misfit = {**NAMED, "params": {"name": "tools__echo", "arguments": {"amount": "x"}}}
        assert gateway.legacy(misfit, session).json["result"]["isError"]
    assert "result" in gateway.legacy(NAMED, session).json


@pytest.mark.abuse(32)
def test_without_a_session_there_is_no_legacy_call(gateway):
    with gateway.unharmed("wire_refused"):
        body = json.dumps(NAMED).encode()
        assert talk(gateway.port, gateway.request(body)).only.status == 400


SMUGGLED = {
    PREFIX + "relatedTask": {"taskId": "x"},
    PREFIX + "clientInfo": {"name": "root", "version": "tenant=other"},
    PREFIX + "subscriptionId": 5,
    "tenant": "other",
    "role": "admin",
    "com.vendor/tenant": "other",
    "baggage": "k=canary-baggage" * 6000,
    "progressToken": "canary-token",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


@pytest.mark.abuse(33)
def test_smuggled_members_reach_neither_the_upstream_nor_the_identity(gateway):
    entries = len(gateway.records())
    answer = gateway.ask(modern_message(meta=SMUGGLED))
    assert answer.status == 200
    _, message = gateway.upstream.calls[-1]
    meta = message["params"]["_meta"]
    assert meta[PREFIX + "clientInfo"]["name"] == "toolgate"
    assert meta["traceparent"] == SMUGGLED["traceparent"]
    allowed = {
        PREFIX + "protocolVersion",
        PREFIX + "clientInfo",
        PREFIX + "clientCapabilities",
        "traceparent",
        "progressToken",
    }
    assert meta.keys() <= allowed
    assert "canary" not in json.dumps(message)
    intent = next(record for record in gateway.records()[entries:] if record["kind"] == "intent")
    assert (intent["subject"], intent["tenant"]) == ("ana@example.com", "acme")


@pytest.mark.abuse(33)
@pytest.mark.parametrize(
    "meta",
    [
        {"progressToken": {}},
        {"progressToken": True},
        {"dev.toolgate/step": 5},
        {"dev.toolgate/step": "x" * 257},
    ],
)
def test_a_member_of_another_shape_is_refused(gateway, meta):
    with gateway.unharmed("invalid_params"):
        assert gateway.ask(modern_message(meta=meta)).error == -32602


@pytest.mark.abuse(34)
def test_a_stolen_session_is_worth_nothing_with_another_token(gateway):
    session, _ = gateway.initialize(who="ana")
    with gateway.unharmed("unknown_session"):
        assert gateway.legacy(NAMED, session, who="cap").status == 404
        for verb in ("GET", "DELETE"):
            raw = gateway.request(b"", verb=verb, who="cap", headers=(("Mcp-Session-Id", session),))
            assert talk(gateway.port, raw).only.status == 404
    assert "result" in gateway.legacy(NAMED, session, who="ana").json


@pytest.mark.abuse(35)
@pytest.mark.parametrize("session", ["0" * 32, "x", "../../x", "\xff", "a" * 4000])
def test_a_session_that_was_never_issued_is_not_found(gateway, session):
    requests = len(gateway.upstream.requests)
    answer = gateway.legacy(NAMED, session)
    assert (answer.status, answer.error) == (404, -32004)
    assert len(gateway.upstream.requests) == requests
    with gateway.unharmed("unknown_session"):
        assert gateway.legacy(NAMED, session).status == 404


@pytest.mark.abuse(36)
def test_a_session_cannot_be_chosen_by_the_client(gateway):
    chosen = "f" * 32
    message = {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        },
    }
    with gateway.unharmed():
        answer = gateway.legacy(message, chosen)
        assert answer.status == 200
        assert answer.headers["mcp-session-id"] != chosen
        assert gateway.legacy(NAMED, chosen).status == 404
        issued = answer.headers["mcp-session-id"]
        for query in (f"?sessionId={issued}", f"?session_id={issued}", f"?Mcp-Session-Id={issued}"):
            raw = gateway.request(json.dumps(NAMED).encode(), path="/mcp" + query)
            assert talk(gateway.port, raw).only.status == 400


@pytest.mark.abuse(37)
@pytest.mark.abuse(38)
def test_round_trip_state_that_nobody_handed_out_is_refused(gateway):
    params = {"name": "tools__echo", "arguments": {}, "requestState": "forged", "inputResponses": {"a": {}}}
    with gateway.unharmed("request_state_refused"):
        assert gateway.ask(modern_message(params=params)).error == -32602
    # Answers that nobody asked for are dropped, and the call is decided as any other.
    del params["requestState"]
    assert "result" in gateway.ask(modern_message(params=params)).json
    _, message = gateway.upstream.calls[-1]
    assert "inputResponses" not in message["params"]


@pytest.mark.abuse(42)
@pytest.mark.parametrize(
    "tool", ["none", "Twin", "twin", "remote", "split", "no name\u200b", "x" * 200, "", "../echo", "echo\n"]
)
def test_a_tool_that_is_not_offered_cannot_be_called(gateway, tool):
    assert gateway.tool_names() == {"tools__echo", "tools__region", "tools__slow"}, (
        "what policy denies is not shown"
    )
    with gateway.unharmed("unknown_tool"):
        for path, name in (("/mcp", f"tools__{tool}"), ("/s/tools/mcp", tool)):
            encoded = sentinel(name)
            answer = gateway.ask(
                modern_message(params={"name": name, "arguments": {}}),
                path=path,
                headers=(("Mcp-Name", encoded),),
            )
            assert (answer.status, answer.error, answer.code) == (400, -32602, "unknown_tool")


@pytest.mark.abuse(42)
def test_text_that_could_not_be_a_name_is_not_recorded_as_one(gateway):
    entries = len(gateway.records())
    params = {"name": "n" * 100_000, "arguments": {}}
    with gateway.unharmed("unknown_tool"):
        answer = gateway.ask(modern_message(params=params), path="/s/tools/mcp", headers=(("Mcp-Name", "x"),))
        assert answer.status == 400
        session, _ = initialize_on(gateway, "/s/tools/mcp")
        legacy = {**NAMED, "params": params}
        assert gateway.legacy(legacy, session, path="/s/tools/mcp").error == -32602
    written = gateway.records()[entries:]
    assert all(len(json.dumps(record)) < 4000 for record in written)
    assert not any("nnnn" in str(record.get("tool")) for record in written)


def initialize_on(gateway, path):
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).encode()
    answer = talk(gateway.port, gateway.request(body, path=path)).only
    return answer.headers["mcp-session-id"], answer


@pytest.mark.abuse(42)
def test_a_denied_tool_says_why_and_is_not_forwarded(gateway):
    with gateway.unharmed("never"):
        result = gateway.call("denied").json["result"]
        assert result["isError"]
        assert "never" in result["content"][0]["text"]


@pytest.mark.abuse(45)
@pytest.mark.parametrize(
    "name",
    [
        "echo",
        "tools/echo",
        "tools_echo",
        "tools___echo",
        "__echo",
        "tools__",
        "TOOLS__echo",
        "tools__tools__echo",
    ],
)
def test_another_spelling_of_a_name_is_another_tool(gateway, name):
    with gateway.unharmed("unknown_tool"):
        assert gateway.ask(modern_message(params={"name": name, "arguments": {}})).code == "unknown_tool"


@pytest.mark.abuse(46)
def test_names_that_can_be_mixed_up_are_refused_and_recorded(gateway):
    refused = {
        item["name"]: item["code"]
        for record in gateway.records()
        if record["kind"] == "catalogue"
        for item in record["refused"]
    }
    assert refused["Twin"] == refused["twin"] == "definition_look_alike"
    assert refused["no name\u200b"] == "definition_name"
    assert refused["remote"] == "definition_schema"
    assert refused["split"] == "definition_header"


BAD_TOKENS = [
    None,
    "",
    "Bearer",
    "Bearer x",
    "Basic YTpi",
    "Bearer tg_" + "0" * 64,
    "Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbmFAZXhhbXBsZS5jb20ifQ.",
    "Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6Ii4uLy4uL2Rldi9udWxsIn0.eyJzdWIiOiJhbmEifQ.AAAA",
    "Bearer \xff\xfe",
    "Bearer " + "x" * 10_000,
    "bearer  ",
]


@pytest.mark.abuse(98)
@pytest.mark.abuse(99)
@pytest.mark.parametrize("path", ["/mcp", "/s/tools/mcp"])
def test_without_a_known_token_there_is_one_answer(gateway, path):
    bodies = set()
    with gateway.unharmed("~unauthenticated"):
        for value in BAD_TOKENS:
            answer = gateway.ask(GOOD, who=None, path=path, headers=(("Authorization", value),))
            assert (answer.status, answer.error) == (401, -32001)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            bodies.add(answer.body)
            # Nothing of the body was looked at.
            assert gateway.ask(b"{", who=None, path=path, headers=(("Authorization", value),)).status == 401
    assert len(bodies) == 1


@pytest.mark.abuse(99)
def test_a_token_of_a_megabyte_is_a_flood_not_an_identity(gateway):
    with gateway.unharmed():
        answer = gateway.ask(GOOD, who=None, headers=(("Authorization", "Bearer " + "x" * 1_000_000),))
        assert answer.status == 431


@pytest.mark.abuse(100)
def test_no_credential_of_the_client_reaches_the_upstream(gateway):
    secrets = (
        ("Cookie", "session=cookie-canary"),
        ("X-Upstream-Authorization", "Bearer client-canary"),
        ("Proxy-Authorization", "Basic proxy-canary"),
        ("X-Api-Key", "api-canary"),
    )
    assert gateway.call(headers=secrets).status == 200
    headers, _ = gateway.upstream.calls[-1]
    assert headers["Authorization"] == f"Bearer {UPSTREAM_KEY}"
    seen = json.dumps([(path, sent, body.decode()) for path, sent, body in gateway.upstream.requests])
    assert TOKENS["ana"] not in seen
    for canary in ("cookie-canary", "client-canary", "proxy-canary", "api-canary"):
        assert canary not in seen


@pytest.mark.abuse(109)
@pytest.mark.parametrize("name", ["access_token", "token", "Authorization", "api_key"])
def test_a_token_in_the_url_is_refused(gateway, name):
    with gateway.unharmed():
        answer = gateway.ask(GOOD, who=None, path=f"/mcp?{name}={TOKENS['ana']}")
        assert answer.status == 400
        assert TOKENS["ana"].encode() not in answer.body
        assert gateway.ask(GOOD, path=f"/mcp?{name}={TOKENS['ana']}").status == 400


@pytest.mark.abuse(109)
@pytest.mark.abuse(114)
def test_no_token_is_written_down_anywhere(gateway):
    assert gateway.call().status == 200
    gateway.ask(GOOD, who=None, path=f"/mcp?token={TOKENS['ana']}")
    written = [path for path in gateway.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".jsonl" for path in written)
    for path in written:
        found = path.read_bytes()
        for token in TOKENS.values():
            assert token.encode() not in found, path
        assert UPSTREAM_KEY.encode() not in found or path == gateway.file
