"""Headers, ``_meta``, versions, sessions, hidden tools, identity (abuse cases 29 to 46, 98 to 109)."""

from __future__ import annotations

import base64
import json

import pytest

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
        {"progressToken": "x" * 100_000},
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
