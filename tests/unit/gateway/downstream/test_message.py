"""One JSON-RPC message: exact members, exact types, nothing else."""

from __future__ import annotations

import json

import pytest

from gateway.core.methods import METHODS, By
from gateway.downstream.message import Response, only_members, read_message
from gateway.errors import InvalidParams, InvalidRequest, MalformedMessage, UnknownMethod


def message(**members):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", **members}).encode()


def without(name, **members):
    found = json.loads(message(**members))
    del found[name]
    return json.dumps(found).encode()


def test_a_request_is_read():
    read = read_message(message(id="x", params={"cursor": "c", "_meta": {"k": 1}}))
    assert (read.id, read.method, read.params["cursor"], read.meta) == ("x", "tools/list", "c", {"k": 1})
    assert read.row is METHODS["tools/list"]


def test_a_notification_is_read():
    assert read_message(without("id", method="notifications/initialized")).id is None


@pytest.mark.abuse(20)
@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_a_batch_is_refused(count):
    with pytest.raises(InvalidRequest, match="batch"):
        read_message(b"[" + b",".join([message()] * count) + b"]")


@pytest.mark.abuse(20)
def test_a_nested_batch_is_refused():
    with pytest.raises(InvalidRequest):
        read_message(b"[[" + message() + b"]]")


@pytest.mark.abuse(14)
@pytest.mark.parametrize(
    "name", ["Method", "METHOD", "PARAMS", "param\u017f", "ID", "\u212a", "jsonRpc", "__proto__", "x"]
)
def test_a_member_that_is_not_of_json_rpc_is_refused(name):
    with pytest.raises(InvalidRequest):
        read_message(message(**{name: "tools/list"}))


@pytest.mark.abuse(22)
@pytest.mark.parametrize(
    "method", [row.name for row in METHODS.values() if row.sent_by(By.AGENT) and not row.notification]
)
def test_a_request_sent_as_a_notification_is_refused(method):
    with pytest.raises(InvalidRequest, match="needs an id"):
        read_message(without("id", method=method))


@pytest.mark.abuse(22)
def test_an_unknown_method_without_id_is_refused():
    with pytest.raises(UnknownMethod):
        read_message(without("id", method="x/y"))


def test_a_notification_with_an_id_is_refused():
    with pytest.raises(InvalidRequest):
        read_message(message(method="notifications/cancelled"))


@pytest.mark.abuse(23)
@pytest.mark.parametrize("member", ["result", "error"])
def test_a_response_is_told_from_a_request_and_must_be_whole(member):
    good = {"result": {"a": 1.5}, "error": {"code": 1, "message": "no"}}[member]
    found = read_message(json.dumps({"jsonrpc": "2.0", "id": "q", member: good}).encode())
    assert isinstance(found, Response)
    assert found.id == "q"
    for wrong in (
        {"jsonrpc": "2.0", member: good},
        {"jsonrpc": "1.0", "id": 1, member: good},
        {"jsonrpc": "2.0", "id": None, member: good},
        {"jsonrpc": "2.0", "id": 1, member: good, "more": 1},
        {"jsonrpc": "2.0", "id": 1, "result": {}, "error": good},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": "1"}},
    ):
        with pytest.raises(InvalidRequest):
            read_message(json.dumps(wrong).encode())


@pytest.mark.abuse(25)
@pytest.mark.parametrize("method", ["sampling/createMessage", "elicitation/create", "roots/list"])
def test_what_only_a_server_may_ask_is_no_method_of_an_agent(method):
    assert read_message(message(method="tools/list")).row is not None
    assert read_message(message(method=method)).row is None


@pytest.mark.abuse(24)
@pytest.mark.parametrize("request_id", [None, True, False, 1.5, {}, [], "x" * 257, "x" * 10_000])
def test_an_id_of_another_shape_is_refused(request_id):
    with pytest.raises(InvalidRequest):
        read_message(message(id=request_id))


@pytest.mark.abuse(24)
def test_seven_and_the_text_seven_are_different_ids():
    assert read_message(message(id=7)).id != read_message(message(id="7")).id


@pytest.mark.parametrize(
    "members",
    [
        {"jsonrpc": "1.0"},
        {"jsonrpc": 2},
        {"jsonrpc": None},
        {"method": None},
        {"method": 5},
        {"method": "x" * 129},
    ],
)
def test_an_envelope_of_another_shape_is_refused(members):
    with pytest.raises(InvalidRequest):
        read_message(message(**members))


@pytest.mark.parametrize("body", [b'"x"', b"1", b"null", b"{}"])
def test_what_is_no_json_rpc_object_is_refused(body):
    with pytest.raises(InvalidRequest):
        read_message(body)


@pytest.mark.abuse(27)
@pytest.mark.parametrize("params", [None, [], "x", 1, {"_meta": None}, {"_meta": []}])
def test_params_of_another_shape_are_refused(params):
    with pytest.raises(InvalidParams):
        read_message(message(params=params))


def test_params_may_be_absent():
    assert read_message(message()).params == {}


@pytest.mark.abuse(26)
@pytest.mark.parametrize(
    "method", ["tools/call ", " tools/call", "TOOLS/CALL", "tools∕call", "tools/call\0", "Tools/call"]
)
def test_a_method_that_only_looks_like_one_has_no_row(method):
    assert read_message(message(method=method)).row is None


@pytest.mark.abuse(13)
def test_a_repeated_member_is_refused():
    with pytest.raises(MalformedMessage):
        read_message(b'{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"ping"}')


@pytest.mark.abuse(28)
def test_unknown_parameters_are_refused_by_name():
    only_members({"name": 1}, frozenset({"name"}), "tools/call")
    with pytest.raises(InvalidParams, match="__proto__"):
        only_members({"name": 1, "__proto__": 2}, frozenset({"name"}), "tools/call")


def test_every_mirrored_parameter_is_one_that_its_method_has():
    mirrored = {row.name: row.target for row in METHODS.values() if row.target}
    assert mirrored["tools/call"] == "name"
    assert all(target in METHODS[name].parameters for name, target in mirrored.items())
