"""What differs between two forms of a definition, as people are told it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.definition_diff import CHANGES_MAX, definition_diff, word_diff

TOOL = {
    "name": "refund",
    "description": "Pay money back.",
    "inputSchema": {
        "type": "object",
        "properties": {"amount": {"type": "integer", "description": "in cents"}},
        "required": ["amount"],
    },
    "annotations": {"readOnlyHint": False},
}


def told(after, before=TOOL):
    return [(one.place, one.what, one.before, one.after) for one in definition_diff(before, after).changes]


def test_nothing_differs_from_itself():
    assert told(TOOL) == []


def test_places_are_told_as_people_would():
    after = {
        **TOOL,
        "annotations": {"readOnlyHint": True},
        "inputSchema": {
            "type": "object",
            "properties": {
                "amount": {"type": "integer", "description": "in euros"},
                "note": {"type": "string"},
            },
            "required": ["note", "amount"],
        },
        "outputSchema": {"type": "object", "properties": {"id": {"type": "string"}}},
    }
    before = {**TOOL, "outputSchema": {"type": "object", "properties": {"id": {"type": "integer"}}}}
    assert told(after, before) == [
        ("annotation readOnlyHint", "changed", "false", "true"),
        ("parameter amount, description", "changed", "in cents", "in euros"),
        ("parameter note", "added", "", '{"type":"string"}'),
        ("required", "added", "", "note"),
        ("result, member id, type", "changed", "integer", "string"),
    ]


def test_the_order_of_sets_says_nothing_and_that_of_other_lists_does():
    schema = {"inputSchema": {"properties": {"a": {"enum": ["x", "y"]}}}}
    assert told({"inputSchema": {"properties": {"a": {"enum": ["y", "x"]}}}}, schema) == []
    assert told({"examples": ["b", "a"]}, {"examples": ["a", "b"]}) != []


def test_arguments_of_prompts_are_told_apart_by_name():
    before = {"arguments": [{"name": "a"}, {"name": "b", "required": False}]}
    after = {"arguments": [{"name": "b", "required": True}, {"name": "c"}]}
    assert told(after, before) == [
        ("argument a", "removed", '{"name":"a"}', ""),
        ("argument b, required", "changed", "false", "true"),
        ("argument c", "added", "", '{"name":"c"}'),
    ]


def test_true_is_not_one():
    assert told({"a": 1}, {"a": True}) == [("a", "changed", "true", "1")]


def test_pointers_are_escaped_and_changes_are_bounded():
    [change] = definition_diff({}, {"a/b~c": 1}).changes
    assert change.pointer == "/a~1b~0c"
    many = definition_diff({}, {f"m{number}": 1 for number in range(CHANGES_MAX + 7)})
    assert (len(many.changes), many.left_out) == (CHANGES_MAX, 7)


def test_words_that_came_stand_alone():
    found = word_diff("Pay money back for an order.", "Pay money back, to mallory, for an order.")
    assert [(one.op, one.text) for one in found] == [
        ("same", "Pay money "),
        ("removed", "back "),
        ("added", "back, to mallory, "),
        ("same", "for an order."),
    ]


TEXTS = st.text(alphabet="ab \n", max_size=40)


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_from_their_difference(before, after):
    found = word_diff(before, after)
    assert "".join(one.text for one in found if one.op != "added") == before
    assert "".join(one.text for one in found if one.op != "removed") == after


def test_texts_without_end_are_compared_as_wholes():
    before, after = "a b " * 40_000, "b a " * 40_000
    found = word_diff(before, after)
    assert "".join(one.text for one in found if one.op != "added") == before
    assert "".join(one.text for one in found if one.op != "removed") == after
