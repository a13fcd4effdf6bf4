"""What a schema says of arguments: found wherever it stands in the document, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.holding.describing import DESCRIBED_MAX, TEXT_CHARACTERS_MAX, described

WHO = {"description": "who gets it", "properties": {"mail": {"description": "their address"}}}


def told(schema, arguments):
    return dict(described(schema, arguments))


SCHEMAS = {
    "a property": {"properties": {"a": WHO}},
    "a definition": {"properties": {"a": {"$ref": "#/$defs/who"}}, "$defs": {"who": WHO}},
    "an older definition": {"properties": {"a": {"$ref": "#/definitions/who"}}, "definitions": {"who": WHO}},
    "a chain": {
        "properties": {"a": {"$ref": "#/$defs/x~1y"}},
        "$defs": {"x/y": {"$ref": "#/$defs/list/1"}, "list": [{}, WHO]},
    },
    "a part": {"allOf": [{"properties": {"b": {}}}, {"properties": {"a": {"anyOf": [{}, WHO]}}}]},
    "a choice": {"properties": {"a": {"oneOf": [{"type": "null"}, WHO]}}},
    "any member": {"additionalProperties": WHO},
    "the whole": {"$ref": "#/$defs/all", "$defs": {"all": {"properties": {"a": WHO}}}},
}


@pytest.mark.parametrize("place", SCHEMAS)
def test_an_argument_is_described_wherever_its_schema_stands(place):
    assert told(SCHEMAS[place], {"a": {"mail": "x", "other": 1}}) == {
        "/a": "who gets it",
        "/a/mail": "their address",
    }


@pytest.mark.parametrize(
    "items", [{"items": WHO}, {"prefixItems": [WHO], "items": {}}, {"items": [WHO]}, {"prefixItems": [WHO]}]
)
def test_of_a_list_the_first_item_is_described(items):
    schema = {"properties": {"to": {"description": "all of them", **items}}}
    assert told(schema, {"to": [{"mail": "x"}, {"mail": "y"}]}) == {
        "/to": "all of them",
        "/to/0": "who gets it",
        "/to/0/mail": "their address",
    }


def test_only_what_is_there_is_described():
    schema = {"properties": {"a": WHO, "b": {"description": "never sent"}}}
    assert told(schema, {"a": 1, "c": 2}) == {"/a": "who gets it"}
    assert told(schema, {}) == {}
    assert told({"properties": {"x/~": WHO}}, {"x/~": 1}) == {"/x~1~0": "who gets it"}


LOOP = {"description": "again", "properties": {"next": {"$ref": "#/$defs/loop"}}}
HOSTILE = {
    "another document": {"properties": {"a": {"$ref": "http://127.0.0.1:1/schema"}}},
    "another file": {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
    "nothing": {"properties": {"a": {"$ref": "#/$defs/none"}}},
    "no text": {"properties": {"a": {"description": {"text": "x"}}}},
    "itself": {"properties": {"a": {"$ref": "#/properties/a"}}},
    "no schemas": {"properties": {"a": {"allOf": [1, None, "x"], "$ref": 7}}, "allOf": 3},
    "no members": {"properties": ["a"], "additionalProperties": True},
}


@pytest.mark.parametrize("place", HOSTILE)
def test_a_schema_that_leads_nowhere_describes_nothing(place):
    assert told(HOSTILE[place], {"a": {"b": [1]}}) == {}


def test_what_refers_to_itself_comes_to_an_end():
    deep = value = {}
    for _ in range(500):
        value["next"] = {}
        value = value["next"]
    found = told({"$ref": "#/$defs/loop", "$defs": {"loop": LOOP}}, deep)
    assert 10 < len(found) < 100
    branches = {
        "$defs": {"x": {"allOf": [{"$ref": "#/$defs/x"}] * 50}},
        "properties": {"a": {"$ref": "#/$defs/x"}},
    }
    assert told(branches, {"a": 1}) == {}


def test_texts_and_their_number_are_bounded():
    schema = {"properties": {f"n{number:04}": {"description": "x\n y" * 500} for number in range(3000)}}
    found = told(schema, {f"n{number:04}": 1 for number in range(3000)})
    assert len(found) == DESCRIBED_MAX
    assert {len(text) for text in found.values()} == {TEXT_CHARACTERS_MAX + 1}
    assert found["/n0000"].startswith("x yx y")
    assert found["/n0000"].endswith("…")


SCHEMA = st.recursive(
    st.none()
    | st.booleans()
    | st.text(max_size=5)
    | st.sampled_from(["#", "#/properties/a", "#/allOf/0", "#/x~1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "properties",
                    "a",
                    "items",
                    "prefixItems",
                    "$ref",
                    "allOf",
                    "anyOf",
                    "description",
                    "additionalProperties",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(SCHEMA, SCHEMA)
def test_no_schema_is_odd_enough_to_fail(schema, arguments):
    found = described({"properties": {"a": schema}}, {"a": arguments})
    assert all(pointer.startswith("/a") for pointer, _ in found)
    assert described({"properties": {"a": {"description": "x"}}}, {"a": arguments}) == (("/a", "x"),)
