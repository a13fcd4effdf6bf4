"""JSON-RPC as an upstream may and may not speak it."""

from __future__ import annotations

import json

import msgspec
import pytest

from gateway.bridge.inputs import InputAnswer
from gateway.core.methods import METHODS
from gateway.errors import MalformedMessage, UpstreamGarbled, UpstreamRefused
from gateway.ports import Send
from gateway.upstream import messages
from gateway.upstream.party import Party

PARTY = Party("x", str)


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


TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


def sent(method="tools/call", params=None, **rest):
    return Send(method=method, name="", params=params or {}, **rest)


def reply(result, *, era="modern", send=None):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
    answer = messages.answer_to(1, read(body), party=PARTY)
    return messages.reply_of(answer, send or sent(), era=era, party=PARTY)


@pytest.mark.abuse(74)
def test_a_result_type_counts_only_in_the_modern_era():
    assert reply({"resultType": "complete"}).kind == "complete"
    assert reply({}).kind == "complete"
    for unknown in ("task", "", 1, None, ["complete"], {"a": 1}, "Complete", "complete "):
        with pytest.raises(UpstreamGarbled, match="no answer to tools/call"):
            reply({"resultType": unknown})
    for kind in ("whatever", "input_required", 1):
        assert reply({"resultType": kind}, era="legacy").kind == "complete"


@pytest.mark.abuse(74)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_input_may_be_required_only_where_the_protocol_has_rounds(method):
    rounds = {"tools/call", "prompts/get", "resources/read"}
    if method in rounds:
        found = reply({"resultType": "input_required"}, send=sent(method))
        assert (found.kind, found.modern) == ("input_required", True)
        assert found.result == b'{"resultType": "input_required"}'
    else:
        with pytest.raises(UpstreamGarbled, match="input_required"):
            reply({"resultType": "input_required"}, send=sent(method))


@pytest.mark.abuse(74)
def test_a_task_answers_a_tool_call_of_a_client_that_speaks_of_tasks_and_nothing_else():
    task = {"resultType": "task", "taskId": "t"}
    assert reply(task, send=sent(capabilities=TASKS)).kind == "task"
    assert reply(task, send=sent(params={"task": {}})).kind == "task"
    for send in (
        sent(),
        sent(capabilities={"extensions": {}}),
        sent(capabilities={"extensions": {"io.modelcontextprotocol/tasks": True}}),
        sent("prompts/get", capabilities=TASKS),
        sent("tasks/get", capabilities=TASKS),
    ):
        with pytest.raises(UpstreamGarbled, match="'task'"):
            reply(task, send=send)


def test_before_there_were_result_types_a_task_is_one_that_was_asked_for():
    result = {"task": {"taskId": "t", "status": "working"}}
    asked = sent(params={"name": "t", "task": {"ttl": 1}})
    assert reply(result, era="legacy", send=asked).kind == "task"
    assert reply(result, era="legacy").kind == "complete"
    assert reply({"content": []}, era="legacy", send=asked).kind == "complete"
    assert not reply(result, era="legacy", send=asked).modern


@pytest.mark.parametrize(("value", "means"), [(True, True), (False, False), (None, False)])
def test_is_error_is_a_boolean(value, means):
    assert reply({"isError": value}).is_error is means


@pytest.mark.parametrize("value", ["true", 1, {}, []])
def test_an_is_error_of_another_type_is_refused(value):
    with pytest.raises(UpstreamGarbled):
        reply({"isError": value})
    # Elsewhere it is one more unknown member.
    assert not reply({"isError": value}, send=sent("resources/read")).is_error


def test_an_error_is_handed_on_and_a_lost_version_is_not():
    def answer(code):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "m", "data": 1.50}})
        return messages.answer_to(1, read(body.encode()), party=PARTY)

    handed_on = messages.reply_of(answer(-32602), sent(), era="modern", party=PARTY)
    assert json.loads(handed_on.error)["code"] == -32602
    with pytest.raises(UpstreamRefused) as caught:
        messages.reply_of(answer(-32022), sent(), era="modern", party=PARTY)
    assert caught.value.status == 400


def test_a_call_carries_its_arguments_unchanged_and_its_number_as_progress_token():
    params = {"name": 'a"b', "arguments": msgspec.Raw(b'{"n": 1.0}')}
    send = sent(params=params, wants_progress=True, meta={"k": 1})
    body = messages.request_for(5, send, {"p": 2})
    assert b'"arguments":{"n": 1.0}' in body
    params = json.loads(body)["params"]
    assert params["name"] == 'a"b'
    assert params["_meta"] == {"k": 1, "p": 2, "progressToken": 5}


def test_a_request_that_needs_no_meta_has_none():
    body = messages.request_for(5, sent("resources/read", {"uri": "note://one"}), {})
    assert json.loads(body)["params"] == {"uri": "note://one"}


def test_each_request_says_what_its_own_caller_can_be_asked_and_wants_to_hear():
    meta = messages.ModernMeta({"name": "toolgate", "version": "0"})
    prefix = "io.modelcontextprotocol/"
    asked = meta.of(sent(capabilities={"elicitation": {"form": {}}}, log_level="warning"))
    assert asked[f"{prefix}clientCapabilities"] == {"elicitation": {"form": {}}}
    assert asked[f"{prefix}logLevel"] == "warning"
    plain = meta.of(sent())
    assert plain[f"{prefix}clientCapabilities"] == {}
    assert f"{prefix}logLevel" not in plain
    assert {f"{prefix}protocolVersion", f"{prefix}clientInfo"} <= plain.keys() & asked.keys()


def notice(method, **params):
    body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params})
    found = messages.notice_of(read(body.encode()))
    if found is None:
        return None
    number, about = found
    assert about.method == method
    return number, {name: json.loads(bytes(value)) for name, value in about.params.items()}


def progress(**params):
    return notice("notifications/progress", **params)


def test_progress_is_read_with_its_token_apart():
    assert progress(progressToken=5, progress=1.5, total=3) == (5, {"progress": 1.5, "total": 3})
    assert progress(progressToken="5", progress=1) is None
    assert progress(progressToken=True, progress=1) is None
    assert progress(progressToken=-5, progress=1) is None
    assert progress(progressToken=5.0, progress=1) is None
    assert progress(progress=1) is None


def test_a_log_message_names_no_request_and_keeps_its_members():
    found = notice("notifications/message", level="info", data={"a": [1]}, new=True, _meta={"x": 1})
    assert found == (None, {"level": "info", "data": {"a": [1]}, "new": True})
    assert notice("notifications/nonsense", level="info") is None


@pytest.mark.parametrize(
    ("params", "number"),
    [
        ({"_meta": {"io.modelcontextprotocol/subscriptionId": 7}}, 7),
        ({"_meta": {"io.modelcontextprotocol/subscriptionId": "7"}}, None),
        ({"_meta": {"io.modelcontextprotocol/subscriptionId": None}}, None),
        ({"io.modelcontextprotocol/subscriptionId": 7}, None),
        ({"_meta": 7}, None),
        ({}, None),
    ],
)
def test_what_comes_of_a_subscription_says_so_by_our_number(params, number):
    body = json.dumps({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": params})
    assert messages.subscription_of(read(body.encode())) == number


@pytest.mark.parametrize(
    ("params", "uri"), [({"uri": "note://a"}, "note://a"), ({"uri": 5}, None), ({}, None), ([], None)]
)
def test_an_update_names_the_resource_or_is_none(params, uri):
    body = json.dumps({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": params})
    assert messages.updated_uri(read(body.encode())) == uri


def test_a_ping_is_served_and_everything_else_declined():
    def ours(method):
        body = json.dumps({"jsonrpc": "2.0", "id": "a", "method": method})
        return json.loads(messages.reply_to(read(body.encode())))

    assert ours("ping") == {"jsonrpc": "2.0", "id": "a", "result": {}}
    for method in ("sampling/createMessage", "elicitation/create", "roots/list", "nonsense"):
        assert ours(method)["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("answer", "half"),
    [
        (InputAnswer(result=b'{"action": "accept","content":{"n":1.50}}'), b'"result":{"action": "accept"'),
        (InputAnswer(error=b'{"code":-1,"message":"no"}'), b'"error":{"code":-1'),
    ],
)
def test_an_agent_s_answer_goes_back_under_the_server_s_id_byte_for_byte(answer, half):
    body = messages.answer_ask(read(b'{"jsonrpc":"2.0","id":"7","method":"elicitation/create"}'), answer)
    assert half in body
    assert json.loads(body)["id"] == "7"


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
