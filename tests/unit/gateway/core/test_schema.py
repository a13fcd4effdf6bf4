"""Arguments against the served schema: offline, bounded, and silent about values."""

from __future__ import annotations

import socket
import time

import pytest

from gateway.core.schema import PROBLEMS_MAX, ArgumentSchema, pointer
from gateway.errors import InvalidArguments, InvalidParams


def schema(**properties):
    return ArgumentSchema({"type": "object", "properties": properties})


@pytest.mark.abuse(48)
@pytest.mark.parametrize(
    "reference",
    [
        {"$ref": "http://169.254.169.254/latest"},
        {"$ref": "https://example.com/s.json#/a"},
        {"$ref": "file:///etc/passwd"},
        {"$dynamicRef": "http://127.0.0.1:1/x"},
        {"$id": "http://example.com/a", "$ref": "b"},
        {"$schema": "http://127.0.0.1:1/meta", "$ref": "http://127.0.0.1:1/x"},
    ],
)
def test_an_external_reference_is_an_error_and_never_a_fetch(reference, monkeypatch):
    def no_network(*_):
        raise AssertionError("a schema opened a socket")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    with pytest.raises(InvalidParams):
        schema(a=reference)
    schema(a={"$ref": "#/properties/b"}, b={"type": "string"}).check({"a": "x"}, "t")


@pytest.mark.parametrize(
    "members", [{"type": 5}, {"$schema": 5}, {"properties": []}, {"properties": {"a": {"pattern": "("}}}]
)
def test_what_is_no_json_schema_is_refused(members):
    with pytest.raises(InvalidParams) as caught:
        ArgumentSchema(members)
    assert "\n" not in caught.value.reason
    assert len(caught.value.reason) < 400


@pytest.mark.abuse(49)
@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(?=a)(a+)+$", r"^(a|aa)+(?!b)$", r"(.*)*(?<!x)!"])
def test_a_hostile_pattern_is_bounded_in_time(pattern):
    compiled = schema(a={"type": "string", "pattern": pattern})
    started = time.process_time()
    with pytest.raises(InvalidArguments):
        compiled.check({"a": "a" * 100_000 + "c"}, "t")
    assert time.process_time() - started < 1


def test_a_pattern_with_look_ahead_works():
    compiled = schema(a={"type": "string", "pattern": "^(?=.*[0-9])[a-z0-9]+$"})
    compiled.check({"a": "abc1"}, "t")
    with pytest.raises(InvalidArguments):
        compiled.check({"a": "abc"}, "t")


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"type": "integer"}, "s3cret"),
        ({"enum": ["x", "y"]}, "s3cret"),
        ({"const": 1}, "s3cret"),
        ({"pattern": "^x$"}, "s3cret"),
        ({"maxLength": 2}, "s3cret"),
        ({"not": {"type": "string"}}, "s3cret"),
        ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, "s3cret"),
        ({"items": {"type": "integer"}}, ["s3cret"]),
        ({"uniqueItems": True}, ["s3cret", "s3cret"]),
        ({"contains": {"const": 1}}, ["s3cret"]),
        ({"additionalProperties": {"type": "null"}}, {"k": "s3cret"}),
        ({"dependentRequired": {"k": ["l"]}}, {"k": "s3cret"}),
    ],
)
def test_a_complaint_says_where_and_never_the_value(rule, value):
    with pytest.raises(InvalidArguments) as caught:
        schema(a=rule).check({"a": value}, "orders/refund")
    assert "/a" in caught.value.reason
    assert "orders/refund" in caught.value.reason
    assert "s3cret" not in caught.value.reason + caught.value.next_step


def test_a_complaint_is_bounded():
    with pytest.raises(InvalidArguments) as caught:
        schema(a={"items": {"type": "integer"}}).check({"a": ["x"] * 1000}, "t")
    assert caught.value.reason.count("/a/") == PROBLEMS_MAX
    assert caught.value.reason.endswith("and more")


@pytest.mark.abuse(14)
@pytest.mark.parametrize(
    "name", ["Amount", "AMOUNT", "amoun\u0074 ".strip().upper(), "\u212aey", "path\u017f"]
)
def test_an_argument_that_differs_from_a_parameter_only_in_spelling_is_refused(name):
    compiled = schema(amount={"type": "number"}, key={}, paths={})
    with pytest.raises(InvalidParams, match="spelling"):
        compiled.check({"amount": 1, name: 1000}, "t")
    compiled.check({"amount": 1, "other": 1000}, "t")


def test_parameters_that_differ_only_in_case_may_both_be_declared():
    schema(a={"type": "integer"}, A={"type": "integer"}).check({"a": 1, "A": 2}, "t")


def test_a_pointer_escapes_its_parts():
    assert pointer(["a/b", "c~d", 0]) == "/a~1b/c~0d/0"


def doubling(levels, refer, name):
    """Definitions that each hold a value against the next one twice."""
    parts = {
        f"l{level}": {**name(level), "allOf": [{"$ref": refer(level + 1)}, {"$ref": refer(level + 1)}]}
        for level in range(levels)
    }
    return {
        "type": "object",
        "$defs": {**parts, f"l{levels}": {**name(levels), "type": "string"}},
        "properties": {"a": {"$ref": refer(0)}},
    }


SPELLINGS = {
    "pointer": (lambda level: f"#/$defs/l{level}", lambda level: {}),
    "escaped pointer": (lambda level: f"#/%24defs/l{level}", lambda level: {}),
    "anchor": (lambda level: f"#n{level}", lambda level: {"$anchor": f"n{level}"}),
}


@pytest.mark.abuse(49)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_references_that_multiply_are_refused(spelling):
    started = time.process_time()
    with pytest.raises(InvalidParams, match="multiply"):
        ArgumentSchema(doubling(60, *SPELLINGS[spelling]))
    assert time.process_time() - started < 1
    ArgumentSchema(doubling(8, *SPELLINGS[spelling])).check({"a": "x"}, "t")


@pytest.mark.abuse(49)
@pytest.mark.parametrize("turned", [False, True])
def test_a_long_chain_of_references_is_used_or_refused_but_no_fault(turned):
    parts = [(f"l{level}", {"$ref": f"#/$defs/l{level + 1}"}) for level in range(3000)] + [
        ("l3000", {"type": "string"})
    ]
    members = {
        "type": "object",
        "$defs": dict(parts[:: -1 if turned else 1]),
        "properties": {"a": {"$ref": "#/$defs/l0"}},
    }
    try:
        chained = ArgumentSchema(members)
    except InvalidParams:
        return
    chained.check({"a": "x"}, "t")


@pytest.mark.abuse(49)
def test_recursive_and_wide_schemas_are_used():
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    ArgumentSchema(tree).check({"left": {"right": {}}}, "t")
    loop = {
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
        "properties": {"x": {"$ref": "#/$defs/a"}},
    }
    ArgumentSchema(loop).check({"x": 1}, "t")
    schema(a={"anyOf": [{"const": number} for number in range(10_000)]}).check({"a": 5}, "t")
