"""A view for lists is within its bound, and whatever it leaves out it states."""

from __future__ import annotations

import copy
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.bounded_view import CHARACTERS_MIN, DEPTH_MAX, bounded_view
from tests.unit.scanners.samples import GITHUB, PATIENT, redactor

TEXTS = st.one_of(
    st.text(max_size=300),
    st.integers(0, 3_000).map(lambda length: "x" * length),
    st.integers(0, 500).map(lambda length: '\x00"\\' * length),
    st.sampled_from(["…", "…#2", "…(+5 characters)", "[REDACTED:github-token:3f9a]" * 20]),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(TEXTS, inner, max_size=30),
    max_leaves=60,
)
BOUNDS = st.integers(CHARACTERS_MIN, 1_200)
CUT = re.compile(r"…\(\+(\d+) characters\)$")


def size(value):
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def check(view, value):
    """Every difference between the view and the value is stated in the view."""
    if isinstance(value, str):
        if view != value:
            cut = CUT.search(view)
            head = view[: cut.start()]
            assert value.startswith(head)
            assert len(head) + int(cut[1]) == len(value)
    elif isinstance(view, str):
        assert re.fullmatch(r"…\(\+\d+ (items|members|digits)\)", view)
        assert str(len(value)) in view if isinstance(value, dict | list) else "digits" in view
    elif isinstance(value, list):
        shown = view
        if len(view) != len(value) or (view and view[-1] != value[-1] and str(view[-1]).endswith(" items)")):
            shown = view[:-1]
            assert view[-1] == f"…(+{len(value) - len(shown)} items)"
        for one, other in zip(shown, value, strict=False):
            check(one, other)
    elif isinstance(value, dict):
        members, rest = list(view.items()), len(value) - len(view) + 1
        if rest > 1 or (
            members and members[-1][0] not in value and re.fullmatch("…(#[0-9]+)?", members[-1][0])
        ):
            assert members.pop()[1] == f"+{rest} members"
        for (name, one), (original, other) in zip(members, value.items(), strict=False):
            assert name == original or CUT.search(re.sub(r"#\d+$", "", name))
            check(one, other)
    else:
        assert view == value


@PATIENT
@given(VALUES, BOUNDS)
def test_it_is_within_the_bound(value, bound):
    assert size(bounded_view(value, characters_max=bound)) <= bound


@PATIENT
@given(VALUES, BOUNDS)
def test_nothing_is_left_out_silently(value, bound):
    check(bounded_view(value, characters_max=bound), value)


@PATIENT
@given(VALUES, BOUNDS)
def test_what_fits_is_the_value_itself(value, bound):
    view = bounded_view(value, characters_max=bound)
    if size(value) <= bound:
        assert view == value
    else:
        assert view != value


@PATIENT
@given(VALUES, BOUNDS)
def test_the_input_is_never_changed(value, bound):
    before = copy.deepcopy(value)
    bounded_view(value, characters_max=bound)
    assert value == before


def test_long_texts_keep_their_beginning_and_say_how_much_is_missing():
    assert bounded_view("a" * 100, characters_max=64) == "a" * 45 + "…(+55 characters)"


def test_short_members_stay_whole_at_the_expense_of_long_ones():
    view = bounded_view({"body": "x" * 5_000, "to": "ana@example.com", "amount": 250}, characters_max=200)
    assert (view["to"], view["amount"]) == ("ana@example.com", 250)
    assert view["body"].startswith("x" * 100)
    assert size(view) > 190


def test_long_arrays_and_objects_state_their_rest():
    assert bounded_view(list(range(1_000)), characters_max=64)[-1] == "…(+988 items)"
    view = bounded_view({f"member-{n}": n for n in range(1_000)}, characters_max=100)
    assert view["…"] == f"+{1_000 - (len(view) - 1)} members"
    assert view["member-0"] == 0


def test_a_member_called_like_the_statement_is_not_lost():
    view = bounded_view({"…": 7, **{f"member-{n}": n for n in range(100)}}, characters_max=100)
    assert view["…"] == 7
    assert view["…#2"].endswith(" members")


def test_a_member_called_like_the_statement_that_is_left_out_does_not_seem_to_be_shown():
    value = {"a": None, "b" * 60: 1, "…": ["long" * 10]}
    assert bounded_view(value, characters_max=64) == {"a": None, "…#2": "+2 members"}


def test_names_that_become_equal_when_cut_are_told_apart():
    view = bounded_view({"n" * 300 + end: end for end in "abc"} | {"z": "z" * 900}, characters_max=600)
    assert sorted(view.values())[:3] == ["a", "b", "c"]


def test_a_name_that_stays_is_not_taken_by_one_that_was_cut():
    long, filler = "n" * 300, {"z": "z" * 900}
    [cut, _] = bounded_view({long: 1, **filler}, characters_max=300)
    view = bounded_view({long: 1, cut: 2, **filler}, characters_max=300)
    assert (view[f"{cut}#2"], view[cut]) == (1, 2)


def test_no_marker_is_cut_in_two():
    text = redactor().text(f"{'0123456789' * 5} {GITHUB} {'x' * 200}").text
    views = [bounded_view(text, characters_max=bound) for bound in range(CHARACTERS_MIN, 150)]
    assert all(("[" in view) == ("]" in view) for view in views)
    assert {"[" in view for view in views} == {True, False}


def test_what_lies_too_deep_is_stated():
    deep: object = "leaf"
    for _ in range(2_000):
        deep = [deep]
    view = bounded_view(deep, characters_max=5_000)
    assert json.dumps(view) == "[" * DEPTH_MAX + '"\\u2026(+1 items)"' + "]" * DEPTH_MAX


def test_a_bound_in_which_nothing_can_be_said_is_refused():
    assert bounded_view("x", characters_max=CHARACTERS_MIN) == "x"
    with pytest.raises(ValueError, match="at least 64"):
        bounded_view("x", characters_max=CHARACTERS_MIN - 1)
