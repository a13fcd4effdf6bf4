"""One message, known methods, ids, params (abuse cases 22 to 28)."""

from __future__ import annotations

import json
import threading

import pytest

from tests.edge.raw import modern_message
from tests.edge.test_json import GOOD, ask, spelled


@pytest.mark.abuse(22)
@pytest.mark.parametrize(
    "method", ["tools/call", "tools/list", "server/discover", "ping", "initialize", "x/y"]
)
def test_a_request_sent_as_a_notification_is_refused_and_recorded(gateway, method):
    session, _ = gateway.initialize()
    message = modern_message(method)
    del message["id"]
    with gateway.unharmed("invalid_request" if method != "x/y" else "unknown_method"):
        answer = gateway.ask(message)
        assert answer.status in {400, 404}
        assert answer.error in {-32600, -32601}
        legacy = {"jsonrpc": "2.0", "method": method, "params": {"name": "tools__echo", "arguments": {}}}
        assert gateway.legacy(legacy, session).error in {-32600, -32601}


@pytest.mark.abuse(23)
@pytest.mark.parametrize("member", [{"result": {}}, {"error": {"code": 1, "message": ""}}])
def test_a_response_to_nothing_is_refused(gateway, member):
    session, _ = gateway.initialize()
    message = {"jsonrpc": "2.0", "id": 1, **member}
    with gateway.unharmed("invalid_request"):
        assert (gateway.ask(message).status, gateway.ask(message).error) == (400, -32600)
        assert gateway.legacy(message, session).status == 400


@pytest.mark.abuse(24)
@pytest.mark.parametrize("request_id", [None, 1.5, True, {}, [], "x" * 10_000])
def test_an_id_of_another_shape_is_refused(gateway, request_id):
    with gateway.unharmed("invalid_request"):
        answer = gateway.ask(modern_message(request_id=request_id))
        assert (answer.status, answer.error, answer.json["id"]) == (400, -32600, None)


@pytest.mark.abuse(24)
def test_answers_never_cross_between_clients_that_use_one_id(gateway):
    found = {}

    def call(who, number):
        answer = gateway.call(arguments={"text": f"{who}-{number}"}, who=who)
        found[who, number] = answer.json["result"]["content"][0]["text"]

    threads = [
        threading.Thread(target=call, args=(who, number))
        for who in ("ana", "ben", "cap")
        for number in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {(who, number): json.dumps({"text": f"{who}-{number}"}) for who, number in found}
    assert len(found) == 9


@pytest.mark.abuse(24)
def test_an_id_in_use_in_a_session_is_refused(gateway):
    session, _ = gateway.initialize()
    slow = {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"name": "tools__slow", "arguments": {}},
    }
    calls = len(gateway.upstream.calls)
    first = threading.Thread(target=gateway.legacy, args=(slow, session))
    with gateway.upstream.holding():
        first.start()
        gateway.until(lambda: len(gateway.upstream.calls) == calls + 1)
        with gateway.unharmed("invalid_request"):
            assert gateway.legacy(slow, session).error == -32600
        other = {**slow, "id": "7", "params": {"name": "tools__echo", "arguments": {}}}
        assert gateway.legacy(other, session).status == 200
    first.join()


UNKNOWN = [
    "sampling/createMessage",
    "elicitation/create",
    "roots/list",
    "tasks/list",
    "x/y",
    "tools__echo",
    "echo",
]


@pytest.mark.abuse(25)
@pytest.mark.parametrize("method", UNKNOWN)
def test_a_method_that_is_unknown_reversed_or_not_carried_is_not_forwarded(gateway, method):
    session, _ = gateway.initialize()
    requests = len(gateway.upstream.requests)
    answer = gateway.ask(modern_message(method, {"name": "tools__echo", "uri": "x:y"}))
    assert (answer.status, answer.error) == (404, -32601)
    assert gateway.legacy({"jsonrpc": "2.0", "id": 1, "method": method}, session).error == -32601
    assert len(gateway.upstream.requests) == requests
    with gateway.unharmed():
        pass


NOT_OFFERED = [
    ("prompts/get", {"name": "tools__echo"}, -32602, "unknown_prompt"),
    ("resources/read", {"uri": "x:y"}, -32602, "unknown_resource"),
    (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "tools__echo"}, "argument": {"name": "a", "value": ""}},
        -32602,
        "unknown_prompt",
    ),
    ("tasks/get", {"taskId": "x"}, -32021, "capability_missing"),
    ("tasks/cancel", {"taskId": "x"}, -32021, "capability_missing"),
]


@pytest.mark.abuse(25)
@pytest.mark.abuse(42)
@pytest.mark.parametrize(("method", "params", "number", "code"), NOT_OFFERED, ids=lambda one: str(one)[:20])
def test_what_no_upstream_offers_is_refused_without_asking_one(gateway, method, params, number, code):
    named = params.get("name") or params.get("uri") or params.get("taskId")
    headers = (("Mcp-Name", named),) if named else ()
    with gateway.unharmed(code):
        answer = gateway.ask(modern_message(method, params), headers=headers)
        assert (answer.status, answer.error, answer.code) == (400, number, code)
    session, _ = gateway.initialize()
    wanted = {"capability_missing": "unknown_task"}.get(code, code)
    with gateway.unharmed(wanted):
        answer = gateway.legacy({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, session)
        assert (answer.error, answer.code) == (-32602, wanted)


@pytest.mark.abuse(26)
@pytest.mark.parametrize(
    "method",
    [
        "tools/call ",
        " tools/call",
        "TOOLS/CALL",
        "Tools/Call",
        "tools\u2215call",
        "tools/call\0",
        "tools//call",
    ],
)
def test_a_method_that_only_looks_like_one_is_not_found(gateway, method):
    session, _ = gateway.initialize()
    message = modern_message(method)
    with gateway.unharmed():
        answer = gateway.ask(message, headers=(("Mcp-Method", "tools/call"),))
        assert (answer.status, answer.error) in {(404, -32601), (400, -32020)}
        named = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": method,
            "params": {"name": "tools__echo", "arguments": {}},
        }
        assert gateway.legacy(named, session).error == -32601


@pytest.mark.abuse(26)
def test_a_method_that_only_looks_like_one_is_not_found_with_its_own_header_either(gateway):
    with gateway.unharmed("unknown_method"):
        answer = gateway.ask(modern_message("TOOLS/CALL"))
        assert (answer.status, answer.error) == (404, -32601)


@pytest.mark.abuse(27)
@pytest.mark.parametrize("params", [None, [], "x", 5])
def test_params_of_another_type_are_refused(gateway, params):
    with gateway.unharmed("invalid_params"):
        assert ask(gateway, json.dumps({**GOOD, "params": params}).encode()).error == -32602


@pytest.mark.abuse(27)
@pytest.mark.parametrize("arguments", [b"null", b"[]", b'"x"', b"5", b"true"])
def test_arguments_of_another_type_are_refused(gateway, arguments):
    with gateway.unharmed("invalid_params"):
        assert ask(gateway, spelled(arguments)).error == -32602


@pytest.mark.abuse(27)
def test_absent_arguments_are_an_empty_object_for_all(gateway):
    answer = gateway.ask(modern_message(params={"name": "tools__echo"}))
    assert answer.json["result"]["content"][0]["text"] == "{}"
    _, message = gateway.upstream.calls[-1]
    assert message["params"]["arguments"] == {}


@pytest.mark.abuse(28)
@pytest.mark.parametrize(
    ("name", "eras"),
    [
        ("__proto__", "both"),
        ("constructor", "both"),
        ("x", "both"),
        ("requestState", "both"),  # Modern has it, but as a string.
        ("task", "modern"),
        ("inputResponses", "legacy"),
    ],
)
def test_a_parameter_that_is_unknown_is_refused(gateway, name, eras):
    session, _ = gateway.initialize()
    params = {"name": "tools__echo", "arguments": {}, name: {}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    with gateway.unharmed("invalid_params"):
        if eras != "legacy":
            assert gateway.ask(modern_message(params=params)).error == -32602
        if eras != "modern":
            assert gateway.legacy(message, session).error == -32602


@pytest.mark.abuse(28)
def test_unknown_members_of_arguments_arrive_as_they_are(gateway):
    arguments = {"text": {"__proto__": {"a": 1}}, "constructor": 2}
    assert gateway.call(arguments=arguments).status == 200
    assert gateway.upstream.calls[-1][1]["params"]["arguments"] == arguments
