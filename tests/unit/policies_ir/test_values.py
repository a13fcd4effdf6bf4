"""Values: equality, order, keys and JSON."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal

import pytest

from policies.engines.ir.budget import Budget
from policies.engines.ir.errors import BudgetExceeded
from policies.engines.ir.values import (
    RegoSet,
    equal,
    from_json,
    json_text,
    key_of,
    object_key,
    order_of,
    sort,
    to_json,
)


@pytest.fixture
def budget():
    return Budget(100_000)


def ascending(budget):
    """One value of every kind and rank, in Rego's order."""
    inner = RegoSet.of([1], budget)
    return [
        None, False, True, -1, 0, Decimal("0.1"), 1, Decimal("1.5"), 2, 10**30, "", "A", "a", "a\x00", "ab", "é",
        "\uffff", "\U0001f600", [], [1], [1, 2], [2], ["a"], [[1]], {}, {"a": 1}, {"a": 2}, {"a": 2, "b": 0}, {"b": 0},
        RegoSet(), inner, RegoSet.of([1, 2], budget), RegoSet.of([2], budget),
    ]  # fmt: skip


def test_values_sort_as_opa_sorts_them(budget):
    values = ascending(budget)
    assert sort(list(reversed(values)), budget) == values
    for a, b in itertools.pairwise(values):
        assert order_of(a, budget) < order_of(b, budget)


def test_strings_sort_as_their_utf8_bytes(budget):
    texts = ["\u007f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000"]
    assert sort(reversed(texts), budget) == sorted(texts, key=lambda t: t.encode())


def test_a_value_equals_itself_and_no_other_and_its_key_says_the_same(budget):
    values = ascending(budget)
    for i, j in itertools.product(range(len(values)), repeat=2):
        assert equal(values[i], values[j], budget) is (i == j)
        assert (key_of(values[i], budget) == key_of(values[j], budget)) is (i == j)


@pytest.mark.parametrize(
    ("a", "b"), [(1, Decimal("1.0")), (1, 1.0), (0.1, Decimal("0.1")), (100, Decimal("1e2"))]
)
def test_numbers_are_equal_by_what_they_are_worth(a, b, budget):
    for x, y in ((a, b), ([a], [b]), ({"k": a}, {"k": b})):
        assert equal(x, y, budget)
        assert key_of(x, budget) == key_of(y, budget)
    assert len(RegoSet.of([a, b], budget)) == 1


@pytest.mark.parametrize(
    ("a", "b"), [(True, 1), (False, 0), ([True], [1]), ({"k": False}, {"k": 0}), (None, False)]
)
def test_booleans_are_not_numbers(a, b, budget):
    assert not equal(a, b, budget)
    assert key_of(a, budget) != key_of(b, budget)
    assert len(RegoSet.of([a, b], budget)) == 2


def test_an_object_and_a_set_or_array_that_look_alike_have_different_keys(budget):
    pairs = RegoSet.of([["a", 1]], budget)
    assert len({key_of(v, budget) for v in ({"a": 1}, pairs, [["a", 1]], [pairs], ["a", 1])}) == 5


def test_keys_of_objects_that_are_not_strings_are_found_again(budget):
    value = {object_key(1, budget): "number", "1": "string", object_key(True, budget): "boolean"}
    assert value[object_key(Decimal("1.0"), budget)] == "number"
    assert to_json({object_key([1, "a"], budget): 2}, budget) == {'[1,"a"]': 2}


def test_json_of_sets_is_sorted_arrays(budget):
    assert to_json(RegoSet.of(["b", 2, None, "a"], budget), budget) == [None, 2, "a", "b"]


def test_json_text_is_compact_sorted_and_safe_in_html(budget):
    assert (
        json_text({"b": [1, Decimal("1.50")], "a": "<é>\n"}, budget)
        == '{"a":"\\u003cé\\u003e\\n","b":[1,1.50]}'
    )


def test_a_prepared_document_is_a_copy_with_exact_numbers():
    document = {"a": [0.1, 2, 1e300]}
    found = from_json(document)
    document["a"].append(3)
    assert found == {"a": [Decimal("0.1"), 2, Decimal("1e+300")]}


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}, (1,), {"a": {2}}, b"x"])
def test_what_is_not_json_is_refused(value):
    with pytest.raises(ValueError, match="not JSON"):
        from_json(value)


def test_comparing_is_paid_for_by_size(budget):
    a, b = [[i] for i in range(60_000)], [[i] for i in range(60_000)]
    with pytest.raises(BudgetExceeded):
        equal(a, b, budget)
    assert equal(a[:1000], b[:1000], Budget(100_000))
