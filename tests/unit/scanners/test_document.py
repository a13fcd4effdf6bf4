"""The texts of a value, joined; and the value with some of them rewritten."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.document import Number, document_of, rewritten
from scanners.pattern_set import SEPARATOR

NAMES = st.text(st.characters(codec="utf-8"), max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


def test_leaves_come_in_the_order_of_the_document_with_their_places():
    value = {"a": ["x", {"b/c": "y"}], "n": 3, "z~": "w"}
    told = [(leaf.text, leaf.pointer, leaf.key, leaf.in_name) for leaf in document_of(value).leaves]
    assert told == [
        ("a", "/a", "a", True),
        ("x", "/a/0", "a", False),
        ("b/c", "/a/1/b~1c", "b/c", True),
        ("y", "/a/1/b~1c", "b/c", False),
        ("n", "/n", "n", True),
        ("z~", "/z~0", "z~", True),
        ("w", "/z~0", "z~", False),
    ]


def test_a_bare_string_is_one_leaf_and_a_bare_number_none():
    assert [(leaf.text, leaf.pointer) for leaf in document_of("x").leaves] == [("x", "")]
    assert document_of(3).leaves == []
    assert document_of([Number("1.50")]).leaves == []
    counted = document_of([1.5, Number("1.50"), True], numbers=True).leaves
    assert [(leaf.text, leaf.is_number) for leaf in counted] == [("1.5", True), ("1.50", True)]


def test_what_json_does_not_have_is_refused():
    with pytest.raises(TypeError, match="set"):
        document_of({"a": {1, 2}})


@given(VALUES)
def test_every_byte_belongs_to_the_leaf_it_came_from(value):
    document = document_of(value)
    for number, leaf in enumerate(document.leaves):
        start, end = document.starts[number], document.end_of(number)
        assert document.raw[start:end].decode("utf-8", "surrogatepass") == leaf.text
        assert document.raw[end : end + 1] in {SEPARATOR, b""}
        assert document.index_at(start) == number or start == end


@given(VALUES)
def test_rewriting_nothing_changes_nothing_and_shares_no_container(value):
    made = rewritten(value, {}, {})
    assert json.dumps(made) == json.dumps(value)
    if isinstance(value, dict | list) and value:
        assert made is not value


@given(VALUES, st.data())
def test_only_the_places_that_are_named_change(value, data):
    leaves = [leaf for leaf in document_of(value).leaves if not leaf.in_name]
    if not leaves:
        return
    chosen = data.draw(st.sampled_from(leaves))
    after = document_of(rewritten(value, {chosen.place: "NEW"}, {})).leaves
    assert [leaf.text for leaf in after] == [
        "NEW" if leaf.place == chosen.place and not leaf.in_name else leaf.text
        for leaf in document_of(value).leaves
    ]


def test_names_that_become_equal_lose_no_member():
    value = {"x": 1, "y": 2, "same": 3}
    names = {leaf.place: "same" for leaf in document_of(value).leaves if leaf.text in {"x", "y"}}
    assert rewritten(value, {}, names) == {"same#2": 1, "same#3": 2, "same": 3}
