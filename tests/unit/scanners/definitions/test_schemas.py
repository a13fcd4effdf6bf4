"""Schemas that point elsewhere or ask for too much work are found, in a bounded number of steps."""

from __future__ import annotations

import pytest

from scanners.definitions.costly_patterns import is_costly
from scanners.definitions.schemas import CHARACTERS_MAX, NODES_MAX
from tests.unit.scanners.definitions.kit import found, quarantined, tool


def doubling(member):
    parts = {f"d{level}": member({"$ref": f"#/$defs/d{level + 1}"}) for level in range(30)}
    return {"type": "object", "$ref": "#/$defs/d0", "$defs": {**parts, "d30": {"type": "string"}}}


def nested(levels):
    schema = {}
    for _ in range(levels):
        schema = {"properties": {"x": schema}}
    return schema


ELSEWHERE = [
    {"$ref": "http://169.254.169.254/latest/meta-data"},
    {"$ref": "https://schemas.example/a.json#/x"},
    {"$ref": "file:///etc/hostname"},
    {"$ref": "other.json"},
    {"$dynamicRef": "https://schemas.example/a#node"},
    {"$schema": "https://schemas.example/mine"},
    {"properties": {"a": {"items": [{"anyOf": [{"$ref": "//schemas.example/a"}]}]}}},
    {"properties": {"$ref": "https://schemas.example/a"}},
]


@pytest.mark.abuse(48)
@pytest.mark.parametrize("schema", ELSEWHERE)
@pytest.mark.parametrize("member", ["inputSchema", "outputSchema", "x-unknown"])
def test_a_reference_to_elsewhere_is_found(schema, member):
    finding = found(tool(**{member: schema}))["schema.external-reference"]
    assert finding.severity == "quarantine"
    assert finding.pointer.startswith(f"/{member}")
    assert finding.excerpt in str(schema)


@pytest.mark.abuse(48)
def test_a_reference_within_the_schema_is_none():
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$defs": {"a": {"$id": "https://schemas.example/a", "type": "string"}, "n": {"$anchor": "n"}},
        "properties": {
            "x": {"$ref": "#/$defs/a"},
            "y": {"$ref": "https://schemas.example/a"},
            "z": {"$ref": "#n"},
            "$ref": {"type": "string"},
            "children": {"items": {"$ref": "#"}},
        },
    }
    assert found(tool(schema=schema)) == {}


BOMBS = {
    "doubled in one value": doubling(lambda ref: {"allOf": [ref, ref]}),
    "doubled in members": doubling(lambda ref: {"properties": {"x": ref, "y": ref}}),
    "many alternatives": {"anyOf": [{"const": number} for number in range(900)]},
    "ten thousand alternatives": {"anyOf": [{"const": number} for number in range(10_000)]},
    "an endless circle": {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}},
    "itself": {"$ref": "#"},
    "a chain": {"$ref": "#/d/0", "d": {str(n): {"$ref": f"#/d/{n + 1}"} for n in range(900)}},
    "deep": nested(2_000),
    "a costly pattern": {"properties": {"x": {"pattern": "^(a+)+$"}}},
    "a costly pattern of names": {"patternProperties": {"(x|x)*y": {}}},
    "long patterns": {"properties": {str(n): {"pattern": "a?" * 100} for n in range(90)}},
    "a million values": {"enum": list(range(1_000_000))},
    "a long text": {"description": "x" * (CHARACTERS_MAX + 1)},
}


@pytest.mark.abuse(49)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_schema_bomb_is_found(bomb):
    every = quarantined(tool(schema=BOMBS[bomb]))
    assert every & {"schema.bomb", "schema.too-large"}


@pytest.mark.abuse(49)
def test_what_is_beyond_the_bound_is_not_walked_over():
    class Counted(list):
        walked = 0

        def __iter__(self):
            type(self).walked += 1
            return super().__iter__()

    # A list of that type is no JSON; the walk would raise if it went on to look at what is in it.
    assert "schema.too-large" in quarantined(tool(schema={"enum": [0] * NODES_MAX, "z": [Counted()]}))
    assert Counted.walked == 0


@pytest.mark.abuse(49)
def test_a_large_ordinary_schema_is_no_bomb():
    properties = {f"member_{n}": {"type": "string", "description": f"The {n}th member"} for n in range(400)}
    shared = {"$defs": {"a": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}}}
    refs = {f"r{n}": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]} for n in range(200)}
    tree = {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
    }
    schema = {"properties": {**properties, **refs}, "$defs": {**shared["$defs"], "tree": tree}}
    assert found(tool(schema=schema)) == {}


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "^(a*)*$", "(a|a)*", "(a|aa)+", "(.*a){20}", r"(\w+\s?)*", "([a-z]+)*", "(x+x+)+y", "(a*?)*", "(?:a+){2,}",
     "((a{1,200}){1,200}){1,5}", r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}$"],
)  # fmt: skip
def test_a_pattern_that_backtracks_without_end_is_told_by_its_shape(pattern):
    assert is_costly(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$",
        r"^([a-z0-9]+(-[a-z0-9]+)*)$",
        r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?$",
        r"([0-9]{1,3}\.){3}[0-9]{1,3}",
        r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@-]{1,64}$",
        "^(read|write|run)*$",
        r"(\d+,)+",
        "(",
        "a)",
        "[",
        "",
    ],
)
def test_an_ordinary_pattern_is_not(pattern):
    assert not is_costly(pattern)
