"""count, sum, product, max, min, sort, all, any and the membership tests behind ``in``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.engines.ir.builtins.operands import numbers, wrong
from policies.engines.ir.builtins.registry import builtin, by_digits, by_members
from policies.engines.ir.numbers import NUMBER_BITS_MAX, total
from policies.engines.ir.numbers import product as multiplied
from policies.engines.ir.runtime import lookup
from policies.engines.ir.values import LONG_TEXT, UNDEFINED, RegoSet, Value, equal, key_of, order_of, sort

if TYPE_CHECKING:
    from policies.engines.ir.evaluation import Evaluation

# A product of few factors is small; a product of many may be as large as numbers get.
_FEW: Final = 16


@builtin("count")
def count(collection: Value) -> Value:
    """Members of a collection, characters of a string."""
    if type(collection) not in {list, dict, RegoSet, str}:
        raise wrong(1, collection, "array", "object", "set", "string")
    return len(collection)


@builtin("sum", evaluation=True, cost=by_members)
def sum_(run: Evaluation, collection: Value) -> Value:
    """The sum of an array or set of numbers."""
    summands = numbers(collection, 1, run)
    for summand in summands:
        run.charge(by_digits(summand))
    return total(summands)


@builtin("product", evaluation=True)
def product(run: Evaluation, collection: Value) -> Value:
    """The product of an array or set of numbers."""
    factors = numbers(collection, 1, run)
    for factor in factors:
        run.charge(by_digits(factor) + (NUMBER_BITS_MAX // 256 if len(factors) > _FEW else 0))
    return multiplied(factors)


@builtin("max", evaluation=True, cost=by_members, partial=True)
def max_(run: Evaluation, collection: Value) -> Value:
    """The member that sorts last; undefined for none."""
    found = _unsorted(collection)
    return max(found, key=lambda value: order_of(value, run)) if found else UNDEFINED


@builtin("min", evaluation=True, cost=by_members, partial=True)
def min_(run: Evaluation, collection: Value) -> Value:
    """The member that sorts first; undefined for none."""
    found = _unsorted(collection)
    return min(found, key=lambda value: order_of(value, run)) if found else UNDEFINED


@builtin("sort", evaluation=True, cost=by_members)
def sort_(run: Evaluation, collection: Value) -> Value:
    """The members in order, as an array."""
    return sort(_unsorted(collection), run)


@builtin("all", cost=by_members)
def all_(collection: Value) -> Value:
    """Whether every member is ``true``."""
    return all(member is True for member in _unsorted(collection))


@builtin("any", cost=by_members)
def any_(collection: Value) -> Value:
    """Whether some member is ``true``."""
    return any(member is True for member in _unsorted(collection))


@builtin("internal.member_2", evaluation=True)
def member(run: Evaluation, value: Value, collection: Value) -> Value:
    """``value in collection``; false when that is no collection."""
    kind = type(collection)
    if kind is RegoSet:
        return (value if type(value) is str else key_of(value, run)) in collection.members
    if kind is not list and kind is not dict:
        return False
    run.charge(len(collection) // 8)
    if type(value) is str and len(value) > LONG_TEXT:
        run.charge(len(collection) * len(value) // LONG_TEXT)
    found = collection if kind is list else collection.values()
    if type(value) is str:
        # Python's == is right for a string: nothing else equals one.
        return value in found
    return any(other is value or equal(value, other, run) for other in found)


@builtin("internal.member_3", evaluation=True)
def member_with_key(run: Evaluation, key: Value, value: Value, collection: Value) -> Value:
    """``key, value in collection``; false when that is no collection."""
    found = lookup(collection, key, run)
    return found is not UNDEFINED and equal(found, value, run)


def _unsorted(collection: Value) -> list[Value]:
    if type(collection) is list:
        return collection
    if type(collection) is RegoSet:
        return list(collection)
    raise wrong(1, collection, "set", "array")
