"""Arguments as a flat list: typed, exact, and never two ways to read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.people.sheet.values import (
    Leaf,
    Unreadable,
    changes,
    difference,
    in_order,
    leaves_of,
    parts_of,
    pointer_of,
)
from tests.unit.gateway.cli.approvals.sheets import canonical

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def leaf(pointer, kind, text):
    return Leaf(
        path=tuple(int(part) if part.isdigit() else part for part in pointer.split("/")[1:]),
        kind=kind,
        text=text,
    )


def test_every_value_has_its_path_its_type_and_its_very_text():
    text = '{"a":{"b":[1,"x",true,null]},"e":{},"l":[],"n":-0.5,"big":12345678901234567890}'
    assert leaves_of(text) == (
        leaf("/a/b/0", "number", "1"),
        leaf("/a/b/1", "string", "x"),
        leaf("/a/b/2", "boolean", "true"),
        leaf("/a/b/3", "null", "null"),
        leaf("/e", "object", "{}"),
        leaf("/l", "list", "[]"),
        leaf("/n", "number", "-0.5"),
        leaf("/big", "number", "12345678901234567890"),
    )


@pytest.mark.abuse(81)
def test_a_number_is_shown_in_the_digits_that_would_be_sent():
    written = ["1", "1.0", "1e2", "100", "1.10", "0.1", "1E400", "12345678901234567890.5"]
    assert [leaves_of(number)[0].text for number in written] == written


@pytest.mark.abuse(81)
@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', "NaN", "[Infinity]", "", "{", "1 2", "[" * 100_000]
)
def test_what_could_be_read_in_two_ways_is_not_read(text):
    with pytest.raises(Unreadable):
        leaves_of(text)
    assert leaves_of('{"a":1,"b":2}')


@pytest.mark.abuse(81)
@given(json_values, json_values)
def test_two_different_arguments_never_give_the_same_list(one, other):
    same = canonical(one) == canonical(other)
    assert (leaves_of(canonical(one)) == leaves_of(canonical(other))) is same


def test_a_list_is_told_from_an_object_whose_names_are_numbers():
    assert leaves_of("[1]") != leaves_of('{"0":1}')
    assert changes(leaves_of("[1]"), leaves_of('{"0":1}'))


@given(st.lists(st.text(max_size=4), min_size=1, max_size=4))
def test_pointers_go_there_and_back(parts):
    assert parts_of(pointer_of(tuple(parts))) == tuple(parts)


def test_what_the_rules_want_seen_comes_first_and_nothing_is_lost():
    leaves = leaves_of('{"a":1,"amount":2,"to":{"name":"x","iban":"y"},"amount2":3}')
    first, rest, missing = in_order(leaves, ["/to", "/amount", "/to/name", "/nowhere"])
    assert [pointer_of(one.path) for one in first] == ["/to/name", "/to/iban", "/amount"]
    assert [pointer_of(one.path) for one in rest] == ["/a", "/amount2"]
    assert missing == ("/nowhere",)


def test_changes_name_what_is_new_what_is_different_and_what_is_gone():
    found = changes(leaves_of('{"a":1,"b":"x","c":0}'), leaves_of('{"a":1,"b":"y","d":2}'))
    told = [
        (pointer_of(one.path), one.before and one.before.text, one.after and one.after.text) for one in found
    ]
    assert told == [("/b", "x", "y"), ("/d", None, "2"), ("/c", "0", None)]
    assert changes(leaves_of('{"a":"1"}'), leaves_of('{"a":1}')), "a text is no number"
    assert not changes(leaves_of('{"a":1}'), leaves_of('{"a":1}'))


@given(st.text(max_size=12), st.text(max_size=12))
def test_the_difference_is_between_what_both_have_in_common(before, after):
    head, tail = difference(before, after)
    assert before[:head] == after[:head]
    assert tail == 0 or before[-tail:] == after[-tail:]
    assert head + tail <= min(len(before), len(after))
    if before != after:
        assert before[head : len(before) - tail] != after[head : len(after) - tail]
