"""JSON-RPC as an upstream may and may not speak it."""

from __future__ import annotations

import json

import pytest

from gateway.errors import MalformedMessage, UpstreamGarbled, UpstreamNeedsInput, UpstreamRefused
from gateway.ports import ToolSend
from gateway.upstream import messages

PARTY = "upstream 'x'"


def read(body, *, strict=True, elements_max=1000):
    return messages.read_message(body, strict=strict, elements_max=elements_max)


def test_a_result_is_kept_byte_for_byte():
    result = b'{ "a":1.0, "b" : [1e2,12345678901234567890], "unknown":{"c":null} }'
    message = read(b'{"jsonrpc":"2.0","x":1,"id":3,"result":' + result + b"}")
    assert message.result == result
    assert message.id == 3
    assert message.members["unknown"] == {"c": None}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}',
        b'{"jsonrpc":"2.0","id":1,"result":[]}',
        b'{"jsonrpc":"2.0","id":1,"result":null}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":"x","message":"x"}}',
        b'{"jsonrpc":"2.0","id":1,"error":{"message":"x"}}',
        b'{"jsonrpc":"2.0","id":true,"result":{}}',
        b'{"jsonrpc":"2.0","id":1.5,"result":{}}',
        b'{"jsonrpc":"2.0","id":{},"result":{}}',
        b'{"jsonrpc":"2.0","method":"x","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}',
        b'{"jsonrpc":"2.0","id":1,"id":2,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{}} {}',
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":' + b"[" * 100 + b"]" * 100 + b"}}",
    ],
)
def test_what_is_no_message_is_refused(body):
    with pytest.raises(MalformedMessage):
        read(body)


def test_a_loose_reading_looks_only_at_the_outside():
    body = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"a":1,"a":2}]}}'
    assert read(body, strict=False).result == b'{"tools":[{"a":1,"a":2}]}'
    with pytest.raises(MalformedMessage):
        read(b'{"jsonrpc":"2.0","id":1}', strict=False)


@pytest.mark.parametrize("number", [1, "7", None])
def test_only_the_number_that_was_asked_is_answered(number):
    message = read(json.dumps({"jsonrpc": "2.0", "id": number, "result": {}}).encode())
    with pytest.raises(UpstreamGarbled, match="wrong id"):
        messages.answer_to(7, message, party=PARTY)


def reply(result, *, era="modern"):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
    answer = messages.answer_to(1, read(body), party=PARTY)
    return messages.tool_reply(answer, era=era, party=PARTY)


def test_a_result_type_counts_only_in_the_modern_era():
    assert reply({"resultType": "complete"}).result
    assert reply({}).result
    with pytest.raises(UpstreamNeedsInput):
        reply({"resultType": "input_required"})
    for unknown in ("task", "", 1, None, ["complete"]):
        with pytest.raises(UpstreamGarbled, match="unknown"):
            reply({"resultType": unknown})
    assert reply({"resultType": "whatever"}, era="legacy").result


@pytest.mark.parametrize(("value", "means"), [(True, True), (False, False), (None, False)])
def test_is_error_is_a_boolean(value, means):
    assert reply({"isError": value}).is_error is means


@pytest.mark.parametrize("value", ["true", 1, {}, []])
def test_an_is_error_of_another_type_is_refused(value):
    with pytest.raises(UpstreamGarbled):
        reply({"isError": value})


def test_an_error_is_handed_on_and_a_lost_version_is_not():
    def answer(code):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "m", "data": 1.50}})
        return messages.answer_to(1, read(body.encode()), party=PARTY)

    assert json.loads(messages.tool_reply(answer(-32602), era="modern", party=PARTY).error)["code"] == -32602
    with pytest.raises(UpstreamRefused) as caught:
        messages.tool_reply(answer(-32022), era="modern", party=PARTY)
    assert caught.value.status == 400


def test_a_call_carries_its_arguments_unchanged_and_its_number_as_progress_token():
    send = ToolSend(
        tool='a"b', arguments_json=b'{"n": 1.0}', arguments={}, wants_progress=True, meta={"k": 1}
    )
    body = messages.tool_call(5, send, {"p": 2})
    assert b'"arguments":{"n": 1.0}' in body
    params = json.loads(body)["params"]
    assert params["name"] == 'a"b'
    assert params["_meta"] == {"k": 1, "p": 2, "progressToken": 5}


def progress(**params):
    body = json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
    return messages.progress_of(read(body.encode()))


def test_progress_is_read_with_its_token_apart():
    assert progress(progressToken=5, progress=1.5, total=3) == (5, {"progress": 1.5, "total": 3})
    assert progress(progressToken="5", progress=1) is None
    assert progress(progressToken=True, progress=1) is None
    assert progress(progress=1) is None


def test_a_ping_is_served_and_everything_else_declined():
    def ours(method):
        body = json.dumps({"jsonrpc": "2.0", "id": "a", "method": method})
        return json.loads(messages.reply_to(read(body.encode())))

    assert ours("ping") == {"jsonrpc": "2.0", "id": "a", "result": {}}
    for method in ("sampling/createMessage", "elicitation/create", "roots/list", "nonsense"):
        assert ours(method)["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("body", "number"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{"a":1,"a":1}}', 7),
        (b'{"jsonrpc":"2.0","id":7,"result":{"x":"AAAA', 7),
        (b'{"jsonrpc":"2.0","result":{}x,"id": 9}', 9),
        (b'{"jsonrpc":"2.0","id":"7","result":{"a":NaN}}', None),
        (b"garbage", None),
        (b'{"id":' + b"9" * 30 + b"}", None),
    ],
)
def test_an_unusable_answer_is_blamed_on_the_call_it_names(body, number):
    assert messages.claimed_id(body) == number


def test_foreign_text_is_made_harmless_and_short():
    assert messages.shown("a\x1b[31m\u202eb\nc") == "a?[31m?b?c"
    assert len(messages.shown("x" * 10_000)) == 200


@pytest.mark.parametrize("piece", [b"[]", b"{}", b"1", b'{"a":1}', b'""', b"[1,2]"])
def test_more_elements_than_the_bound_are_refused_before_they_are_built(piece):
    def body(count):
        return b'{"jsonrpc":"2.0","id":1,"result":{"x":[' + b",".join([piece] * count) + b"]}}"

    assert read(body(30), elements_max=200).result
    with pytest.raises(MalformedMessage, match="more than 200"):
        read(body(1000), elements_max=200)
    with pytest.raises(MalformedMessage, match="more than 200"):
        read(body(1000), elements_max=200, strict=False)


def test_commas_and_brackets_inside_of_strings_are_not_elements():
    text = 'a,b,[c,{d\\"' * 500
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"csv": text, "more": [text + "\\"]}}).encode()
    assert json.loads(read(body, elements_max=20).result)["csv"] == text
