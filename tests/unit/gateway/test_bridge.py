"""Between the eras: only what one of them does not have is changed, everything else stays byte for byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.definitions import needs_task, served
from gateway.bridge.errors import agent_error
from gateway.bridge.inputs import (
    InputAnswer,
    answer_problem,
    as_result,
    input_requests,
    read_ask,
    read_input_required,
    signed,
)
from gateway.bridge.results import agent_result, renamed_task, task_id_of
from gateway.core.methods import METHODS
from gateway.errors import MalformedMessage

CALL, READ = METHODS["tools/call"], METHODS["resources/read"]
LITERALS = b'{"content":[],"n":1.50,"big":12345678901234567890,"e":1E2,"x":{"unknown":"\\u0041"}}'
TYPED = b'{"resultType":"complete",' + LITERALS[1:]


def to_modern(result, row=CALL, *, from_modern=False):
    return agent_result(row, result, from_modern=from_modern, to_modern=True)


def to_legacy(result, row=CALL, *, from_modern=True):
    return agent_result(row, result, from_modern=from_modern, to_modern=False)


def test_within_an_era_a_result_stays_byte_for_byte():
    assert to_modern(TYPED, from_modern=True) == TYPED
    assert to_legacy(LITERALS, from_modern=False) == LITERALS
    odd = b'{"resultType":5, "content":[]}'
    assert to_legacy(odd, from_modern=False) == odd


def test_a_modern_agent_is_told_that_a_result_is_complete():
    assert to_modern(LITERALS) == TYPED
    assert to_modern(LITERALS, from_modern=True) == TYPED


def test_what_an_older_server_calls_a_result_type_means_nothing():
    told = json.loads(to_modern(b'{"resultType":"input_required","content":[]}'))
    assert told == {"resultType": "complete", "content": []}


def test_an_older_agent_is_not_told():
    assert to_legacy(TYPED) == LITERALS


@pytest.mark.parametrize("mention", [b'{"a":"\\"resultType\\""}', b'{"a":{"resultType":"x"}}'])
def test_a_mention_deeper_inside_is_not_taken_for_it(mention):
    assert json.loads(to_legacy(mention)) == json.loads(mention)
    assert json.loads(to_modern(mention)) == {"resultType": "complete", **json.loads(mention)}


@pytest.mark.abuse(52)
def test_what_can_be_cached_is_private_whatever_the_upstream_says():
    shared = b'{"resultType":"complete","contents":[],"ttlMs":5,"cacheScope":"public"}'
    told = json.loads(to_modern(shared, READ, from_modern=True))
    assert (told["ttlMs"], told["cacheScope"]) == (5, "private")
    older = json.loads(to_modern(b'{"contents":[]}', READ))
    assert (older["ttlMs"], older["cacheScope"]) == (0, "private")
    assert json.loads(to_legacy(shared, READ)) == {"contents": []}
    assert "ttlMs" not in json.loads(to_modern(b'{"content":[]}'))


def test_a_round_of_input_carries_no_hints_for_caches():
    asked = b'{"resultType":"input_required","requestState":"s"}'
    assert json.loads(to_modern(asked, READ, from_modern=True)) == json.loads(asked)


def test_structured_content_that_is_no_object_reaches_an_older_agent_as_text():
    told = json.loads(to_legacy(b'{"resultType":"complete","content":[],"structuredContent":[1.0,2]}'))
    assert told == {"content": [{"type": "text", "text": "[1.0,2]"}]}
    repeated = b'{"resultType":"complete","content":[{"type":"text","text":"x"}],"structuredContent":5}'
    assert json.loads(to_legacy(repeated)) == {"content": [{"type": "text", "text": "x"}]}
    kept = b'{"resultType":"complete","content":[],"structuredContent":{"a":1}}'
    assert json.loads(to_legacy(kept)) == {"content": [], "structuredContent": {"a": 1}}
    newer = b'{"resultType":"complete","content":[],"structuredContent":[1]}'
    assert to_modern(newer, from_modern=True) == newer


def test_a_definition_is_served_byte_for_byte_where_nothing_forbids_it():
    raw = b'{ "name":"x", "inputSchema":{"type":"object","properties":{"n":{"maximum":1.50e2}}},"z":1E2}'
    assert served(raw, name=None, modern=True) == raw
    assert served(raw, name=None, modern=False) == raw
    renamed = served(raw, name="up__x", modern=True)
    assert json.loads(renamed) == {**json.loads(raw), "name": "up__x"}
    assert b"1.50e2" in renamed
    assert b"1E2" in renamed


def test_schemas_that_an_older_revision_cannot_carry_are_left_out_or_written_otherwise():
    raw = b'{"name":"x","inputSchema":{"type":"object","properties":{"a":true,"b":false,"c":{}}},"outputSchema":{"type":"array"}}'
    told = json.loads(served(raw, name=None, modern=False))
    assert told == {
        "name": "x",
        "inputSchema": {"type": "object", "properties": {"a": {}, "b": {"not": {}}, "c": {}}},
    }
    assert served(raw, name=None, modern=True) == raw
    objects = b'{"name":"x","inputSchema":{"type":"object"},"outputSchema":{"type":"object"}}'
    assert served(objects, name=None, modern=False) == objects


def test_a_tool_that_only_runs_as_an_older_task_is_known():
    assert needs_task(b'{"name":"x","execution":{"taskSupport":"required"}}')
    assert not needs_task(b'{"name":"x","execution":{"taskSupport":"optional"}}')
    assert not needs_task(b'{"name":"taskSupport","execution":"required"}')
    assert not needs_task(b'{"name":"x"}')


def test_a_missing_resource_has_the_number_of_the_agents_era():
    older = b'{"code":-32002,"message":"gone","data":{"uri":"a:b"}}'
    newer = json.dumps({**json.loads(older), "code": -32602}).encode()
    to = {"from_modern": False, "to_modern": True}
    assert json.loads(agent_error("resources/read", older, **to)) == json.loads(newer)
    back = {"from_modern": True, "to_modern": False}
    assert json.loads(agent_error("resources/read", newer, **back)) == json.loads(older)
    for untouched in (b'{"code":-32602,"message":"other"}', b'{"code":-32000,"message":"x"}'):
        assert agent_error("resources/read", untouched, **back) == untouched
    assert agent_error("tools/call", older, **to) == older
    assert agent_error("resources/read", older, from_modern=False, to_modern=False) == older


def test_a_task_is_renamed_wherever_its_era_names_it():
    newer = b'{"resultType":"task","taskId":"t1","n":1.50}'
    assert task_id_of(newer) == "t1"
    assert renamed_task(newer, "t2") == b'{"resultType":"task","taskId":"t2","n":1.50}'
    older = b'{"task":{"taskId":"t1","ttl":null}}'
    assert task_id_of(older) == "t1"
    assert json.loads(renamed_task(older, "t2")) == {"task": {"taskId": "t2", "ttl": None}}
    result = b'{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"},"v":1}}'
    told = json.loads(renamed_task(result, "t2"))["_meta"]
    assert told == {"io.modelcontextprotocol/related-task": {"taskId": "t2"}, "v": 1}
    assert task_id_of(b'{"content":[]}') is None
    assert task_id_of(b'{"task":"x"}') is None


ASKED = {
    "who": {"method": "elicitation/create", "params": {"message": "name?", "n": 1}},
    "what": {"method": "roots/list"},
}


def test_input_requests_are_read_and_written_back_the_same():
    result = {"resultType": "input_required", "inputRequests": ASKED, "requestState": "s"}
    asks, state = read_input_required(json.dumps(result).encode())
    assert state == "s"
    assert asks["who"].params == {"message": "name?", "n": 1}
    assert json.loads(input_requests(asks)) == {
        "who": ASKED["who"],
        "what": {"method": "roots/list", "params": {}},
    }


@pytest.mark.abuse(74)
@pytest.mark.parametrize(
    "result",
    [
        {},
        {"inputRequests": {}},
        {"inputRequests": []},
        {"inputRequests": {"a": 5}},
        {"inputRequests": {"a": {"params": {}}}},
        {"inputRequests": {"a": {"method": "roots/list", "params": []}}},
        {"requestState": 5},
        {"inputRequests": {str(n): {"method": "roots/list"} for n in range(33)}},
        {"inputRequests": {"a" * 257: {"method": "roots/list"}}},
    ],
)
def test_a_round_that_is_not_of_its_form_is_malformed(result):
    with pytest.raises(MalformedMessage):
        read_input_required(json.dumps({"resultType": "input_required", **result}).encode())


@pytest.mark.abuse(13)
def test_a_question_that_two_parsers_read_differently_is_malformed():
    read_ask("roots/list", b'{"a":1}')
    for params in (b'{"a":1,"a":2}', b"[]", b'{"a":9007199254740993}'):
        with pytest.raises(MalformedMessage):
            read_ask("roots/list", params)


@pytest.mark.abuse(75)
def test_what_people_read_begins_with_the_name_of_the_server_that_asks():
    ask = read_ask("elicitation/create", b'{"message":"pay?","requestedSchema":{"x":1.50}}')
    shown = signed(ask, "orders")
    assert shown.params["message"] == "orders: pay?"
    assert json.loads(shown.raw)["message"] == "orders: pay?"
    assert b"1.50" in shown.raw
    other = read_ask("sampling/createMessage", b'{"message":"x"}')
    assert signed(other, "orders") is other


@pytest.mark.parametrize(
    ("method", "good", "bad"),
    [
        ("elicitation/create", {"action": "accept", "content": {"a": 1}}, {"action": "yes"}),
        ("elicitation/create", {"action": "decline"}, {"action": "accept", "content": 5}),
        ("roots/list", {"roots": [{"uri": "file:///a"}]}, {"roots": [{}]}),
        ("roots/list", {"roots": []}, {}),
        ("sampling/createMessage", {"content": {}, "model": "m", "role": "assistant"}, {"content": {}}),
        ("sampling/createMessage", {"content": [], "model": "m"}, "text"),
    ],
)
def test_an_answer_must_be_of_its_form(method, good, bad):
    assert answer_problem(method, good) == ""
    assert answer_problem(method, bad)


def test_an_error_is_a_cancelled_form_and_has_no_counterpart_elsewhere():
    error = InputAnswer(error=b'{"code":1,"message":"no"}')
    assert json.loads(as_result("elicitation/create", error)) == {"action": "cancel"}
    assert as_result("roots/list", error) is None
    assert as_result("roots/list", InputAnswer(result=b"{}")) == b"{}"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
OURS = {"resultType", "structuredContent", "content", "ttlMs", "cacheScope", "taskId", "task", "_meta"}


@given(st.dictionaries(st.text(max_size=8).filter(lambda name: name not in OURS), json_values, max_size=6))
def test_unknown_members_pass_in_every_direction(members):
    result = json.dumps({"content": [1], **members}).encode()
    for from_modern in (False, True):
        for to in (False, True):
            told = json.loads(agent_result(CALL, result, from_modern=from_modern, to_modern=to))
            told.pop("resultType", None)
            assert told == {"content": [1], **members}
