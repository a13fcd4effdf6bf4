"""JSON and JSON-RPC: one reading, one message, known methods (abuse cases 13 to 28)."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from tests.edge.raw import MODERN, PREFIX, modern_headers, modern_message, talk

PROC = Path("/proc")
META = {PREFIX + "protocolVersion": MODERN, PREFIX + "clientCapabilities": {}}
GOOD = modern_message()


def spelled(arguments=b'{"text":"hi"}', name=b'"tools__echo"', *, before=b"", inside=b""):
    """A modern call as bytes, for what no JSON library would write."""
    return (
        b'{"jsonrpc":"2.0","id":1,%b"method":"tools/call","params":{%b"name":%b,"arguments":%b,"_meta":%b}}'
        % (
            before,
            inside,
            name,
            arguments,
            json.dumps(META).encode(),
        )
    )


def ask(gateway, body, **rest):
    return gateway.ask(body, headers=tuple(modern_headers(GOOD).items()), **rest)


def test_the_spelled_call_is_a_good_one(gateway):
    assert ask(gateway, spelled()).json["result"]["content"][0]["text"] == '{"text": "hi"}'


UNREADABLE = {
    "method twice": (13, spelled(before=b'"method":"tools/list",')),
    "params twice": (13, spelled(before=b'"params":{},')),
    "name twice": (13, spelled(inside=b'"name":"tools__denied",')),
    "name twice, once escaped": (13, spelled(inside=b'"\\u006eame":"tools__denied",')),
    "twice inside arguments": (13, spelled(b'{"text":"a","text":"b"}')),
    "twice deep inside arguments": (13, spelled(b'{"text":[{"a":{"b":1,"b":2}}]}')),
    "UTF-16": (16, spelled().decode().encode("utf-16")),
    "UTF-16 without a mark": (16, spelled().decode().encode("utf-16-le")),
    "UTF-32": (16, spelled().decode().encode("utf-32")),
    "byte order mark": (16, b"\xef\xbb\xbf" + spelled()),
    "overlong": (16, spelled(b'{"text":"\xc0\xaf"}')),
    "raw surrogate": (16, spelled(b'{"text":"\xed\xa0\x80"}')),
    "lone surrogate": (16, spelled(b'{"text":"\\ud800"}')),
    "lone surrogate in a key": (16, spelled(b'{"\\udfff":1}')),
    "raw NUL": (16, spelled(b'{"text":"\0"}')),
    "NaN": (17, spelled(b'{"amount":NaN}')),
    "Infinity": (17, spelled(b'{"amount":Infinity}')),
    "minus Infinity": (17, spelled(b'{"amount":-Infinity}')),
    "depth 65": (19, spelled(b'{"text":' + b"[" * 62 + b"]" * 62 + b"}")),
    "100,000 brackets": (19, spelled(b'{"text":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    "100,000 open brackets": (19, b"[" * 100_000),
    "two objects": (21, spelled() + spelled()),
    "two lines": (21, spelled() + b"\n" + spelled()),
    "trailing bytes": (21, spelled() + b"x"),
    "nothing": (21, b""),
}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(body, marks=pytest.mark.abuse(number), id=name)
        for name, (number, body) in UNREADABLE.items()
    ],
)
def test_a_body_with_two_readings_is_no_message(gateway, body):
    with gateway.unharmed("malformed_message"):
        answer = ask(gateway, body)
        assert (answer.status, answer.error, answer.json["id"]) == (400, -32700, None)


@pytest.mark.abuse(17)
@pytest.mark.abuse(18)
@pytest.mark.parametrize(
    "literal", ["1e400", "-1e400", "9007199254740992", "9007199254740993.0", "1e20", "9" * 5000]
)
def test_a_number_that_is_read_differently_is_refused(gateway, literal):
    with gateway.unharmed("invalid_params"):
        answer = ask(gateway, spelled(b'{"amount":%b}' % literal.encode()))
        assert (answer.status, answer.error) == (400, -32602)
        assert "string" in answer.json["error"]["message"]


@pytest.mark.abuse(18)
@pytest.mark.parametrize(
    ("literal", "sent"),
    [("-0", "0"), ("1.0", "1"), ("1E2", "100"), ("0.10", "0.1"), ("9007199254740991", "9007199254740991")],
)
def test_a_number_reaches_the_upstream_in_its_one_canonical_spelling(gateway, literal, sent):
    assert ask(gateway, spelled(b'{"amount":%b}' % literal.encode())).status == 200
    _, _, body = gateway.upstream.requests[-1]
    assert b'"arguments":{"amount":%b}' % sent.encode() in body.replace(b": ", b":")


@pytest.mark.abuse(15)
def test_an_escaped_spelling_is_the_same_call_with_the_same_digest(gateway):
    entries = len(gateway.records())
    name = b'"' + b"".join(b"\\u%04x" % byte for byte in b"tools__echo") + b'"'
    assert ask(gateway, spelled(b'{"\\u0074ext":"h\\u0069"}', name)).status == 200
    assert ask(gateway, spelled()).status == 200
    digests = [record["digest"] for record in gateway.records()[entries:] if record["kind"] == "intent"]
    assert len(digests) == 2
    assert digests[0] == digests[1]


@pytest.mark.abuse(14)
@pytest.mark.parametrize(
    ("body", "number"),
    [
        (spelled(before=b'"Method":"tools/list",'), -32600),
        (spelled(before=b'"PARAMS":{},'), -32600),
        (spelled(before='"param\u017f":{},'.encode()), -32600),
        (spelled(inside=b'"Name":"tools__denied",'), -32602),
        (spelled(inside=b'"NAME":"tools__denied",'), -32602),
        (spelled(inside=b'"Arguments":{},'), -32602),
        (spelled(b'{"amount":1,"Amount":1000}'), -32602),
        (spelled(b'{"AMOUNT":1000}'), -32602),
    ],
)
def test_a_member_that_differs_only_in_case_is_refused(gateway, body, number):
    with gateway.unharmed():
        answer = ask(gateway, body)
        assert (answer.status, answer.error) == (400, number)


LARGE = {
    "a million elements": spelled(b'{"text":[' + b"1," * 1_000_000 + b"1]}"),
    "elements up to the bound": spelled(b'{"text":[' + b"1," * 500_000 + b"1]}"),
    "keys up to the bound": spelled(b'{"text":{' + b",".join(b'"%d":1' % n for n in range(90_000)) + b"}}"),
    "a string up to the bound": spelled(b'{"text":"' + b"x" * 1_000_000 + b'"}'),
    "a body over the bound": spelled(b'{"text":"' + b"x" * 1_100_000 + b'"}'),
    "100,000 brackets": spelled(b'{"text":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "a million digits": spelled(b'{"amount":' + b"1" * 1_000_000 + b"}"),
}


@pytest.mark.abuse(19)
@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE.keys())
def test_a_large_message_costs_little_and_hurts_nobody(gateway, body):
    # Denied by policy, so that only our own reading is measured.
    body = body.replace(b"tools__echo", b"tools__denied")
    headers = {**modern_headers(GOOD), "Mcp-Name": "tools__denied"}
    with gateway.unharmed():
        before = cpu_s(gateway) if PROC.exists() else 0
        answer = gateway.ask(body, headers=tuple(headers.items()))
        assert answer.status in {200, 400, 413}
        # Policy denies it, or has no answer in time; both are refusals.
        if answer.status == 200:
            assert answer.json.get("result", {}).get("isError") or answer.code == "policy_unavailable"
        if PROC.exists():
            assert cpu_s(gateway) - before < 1
            assert peak_mib(gateway) < 400


def cpu_s(gateway):
    fields = (PROC / f"{gateway.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def peak_mib(gateway):
    lines = (PROC / f"{gateway.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@pytest.mark.abuse(20)
@pytest.mark.parametrize(
    "batch",
    [
        [],
        [GOOD],
        [GOOD, GOOD],
        [GOOD] * 100,
        [[GOOD]],
        [GOOD, modern_message(params={"name": "tools__denied"})],
    ],
    ids=["empty", "one", "two", "many", "nested", "mixed"],
)
def test_a_batch_is_refused_in_every_era(gateway, batch):
    session, version = gateway.initialize(version="2025-03-26")
    assert version == "2025-06-18"
    with gateway.unharmed("invalid_request"):
        body = json.dumps(batch).encode()
        for answer in (ask(gateway, body), gateway.legacy(body, session)):
            assert (answer.status, answer.error) == (400, -32600)


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
    first.start()
    try:
        gateway.until(lambda: len(gateway.upstream.calls) == calls + 1)
        with gateway.unharmed("invalid_request"):
            assert gateway.legacy(slow, session).error == -32600
        other = {**slow, "id": "7", "params": {"name": "tools__echo", "arguments": {}}}
        assert gateway.legacy(other, session).status == 200
    finally:
        gateway.upstream.release.set()
        first.join()
        gateway.upstream.release.clear()


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


@pytest.mark.abuse(7)
def test_ten_clients_with_half_a_body_do_not_slow_others_down(gateway):
    half = gateway.post(GOOD)[:-5]
    threads = [
        threading.Thread(target=talk, args=(gateway.port, half), kwargs={"wait_s": 2}) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    assert gateway.call(who="ben").status == 200
    assert time.monotonic() - started < 1
    for thread in threads:
        thread.join()
