"""JSON: one reading of one message (abuse cases 13 to 21)."""

from __future__ import annotations

import json
import time

import pytest

from tests.edge.raw import MODERN, PREFIX, legacy_message, modern_headers, modern_message, talk

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
        (spelled(before=b'"ID":2,'), -32600),
        (spelled(before=b'"JSONRPC":"2.0",'), -32600),
        (spelled(before='"\u212aey":{},'.encode()), -32600),
        (spelled(inside=b'"_Meta":{},'), -32602),
        (spelled(inside='"argument\u017f":{},'.encode()), -32602),
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


TOO_LARGE = {
    "depth 65": spelled(b'{"text":' + b"[" * 62 + b"]" * 62 + b"}"),
    "100,000 brackets": spelled(b'{"text":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "100,000 braces": spelled(b'{"text":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}"),
    "a million open brackets": b"[" * 1_000_000,
    "a million keys": spelled(b'{"text":{' + b",".join(b'"%d":1' % n for n in range(1_000_000)) + b"}}"),
    "a million elements": spelled(b'{"text":[' + b"1," * 1_000_000 + b"1]}"),
    "a huge string": spelled(b'{"text":"' + b"x" * 10_000_000 + b'"}'),
    "a string just over the bound": spelled(b'{"text":"' + b"x" * (1 << 20) + b'"}'),
    "a million digits": spelled(b'{"amount":' + b"1" * 1_000_000 + b"}"),
}


@pytest.mark.abuse(19)
@pytest.mark.parametrize("body", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_a_message_that_is_too_large_is_refused_in_no_time_and_no_space(gateway, body):
    with gateway.unharmed(), gateway.grows_at_most_mib(8):
        took = []
        before_s = gateway.cpu_s()
        for _ in range(3):
            started = time.monotonic()
            assert ask(gateway, body).status in {400, 413}
            took.append(time.monotonic() - started)
        # Of three, for a machine that does other things, too.
        assert min(took) < 0.1
        assert gateway.cpu_s() - before_s < 0.3


LARGE = {
    "elements up to the bound": spelled(b'{"text":[' + b"1," * 500_000 + b"1]}"),
    "keys up to the bound": spelled(b'{"text":{' + b",".join(b'"%d":1' % n for n in range(90_000)) + b"}}"),
    "a string up to the bound": spelled(b'{"text":"' + b"x" * 1_000_000 + b'"}'),
}


@pytest.mark.abuse(19)
@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE.keys())
def test_a_message_up_to_the_bound_costs_little_and_hurts_nobody(gateway, body):
    # Denied by policy, so that only our own reading is measured.
    body = body.replace(b"tools__echo", b"tools__denied")
    headers = {**modern_headers(GOOD), "Mcp-Name": "tools__denied"}
    with gateway.unharmed(), gateway.grows_at_most_mib(64):
        before_s = gateway.cpu_s()
        answer = gateway.ask(body, headers=tuple(headers.items()))
        assert answer.status in {200, 400, 413}
        # Policy denies it, or has no answer in time; both are refusals.
        if answer.status == 200:
            assert answer.json.get("result", {}).get("isError") or answer.code == "policy_unavailable"
        assert gateway.cpu_s() - before_s < 1


@pytest.mark.abuse(20)
@pytest.mark.parametrize(
    "batch",
    [
        [],
        [GOOD],
        [GOOD, GOOD],
        [GOOD] * 1000,
        [[GOOD]],
        [[]],
        [GOOD, modern_message(params={"name": "tools__denied"})],
        [{"jsonrpc": "2.0", "method": "notifications/initialized"}],
        [{"jsonrpc": "2.0", "id": 1, "result": {}}],
    ],
    ids=["empty", "one", "two", "many", "nested", "nested empty", "mixed", "notification", "response"],
)
def test_a_batch_is_refused_in_every_era(gateway, batch):
    session, version = gateway.initialize(version="2025-03-26")
    assert version == "2025-06-18"
    with gateway.unharmed("invalid_request"):
        body = json.dumps(batch, separators=(",", ":")).encode()
        for answer in (ask(gateway, body), gateway.legacy(body, session)):
            assert (answer.status, answer.error, answer.json["id"]) == (400, -32600, None)
    assert gateway.legacy(legacy_message(), session).text == '{"text": "hi"}'


@pytest.mark.abuse(20)
def test_a_session_cannot_be_opened_in_a_batch(gateway):
    params = {
        "protocolVersion": "2025-03-26",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    body = json.dumps([legacy_message("initialize", params)]).encode()
    with gateway.unharmed("invalid_request"):
        answer = talk(gateway.port, gateway.request(body)).only
        assert (answer.status, answer.error) == (400, -32600)
        assert "mcp-session-id" not in answer.headers
