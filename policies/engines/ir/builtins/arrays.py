"""Builtins under ``array.``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.engines.ir.builtins.operands import array, integer
from policies.engines.ir.builtins.registry import builtin, by_members

if TYPE_CHECKING:
    from policies.engines.ir.values import Value


def _by_nested_members(value: Value) -> int:
    return by_members(value) + sum(map(by_members, value)) if type(value) is list else 1


@builtin("array.concat", cost=by_members)
def concat(a: Value, b: Value) -> Value:
    """One array after the other."""
    return array(a, 1) + array(b, 2)


@builtin("array.flatten", cost=_by_nested_members)
def flatten(value: Value) -> Value:
    """Members that are arrays replaced by their members, one level deep."""
    return [inner for member in array(value, 1) for inner in (member if type(member) is list else (member,))]


@builtin("array.reverse", cost=by_members)
def reverse(value: Value) -> Value:
    """Last member first."""
    return array(value, 1)[::-1]


@builtin("array.slice", cost=by_members)
def slice_(value: Value, start: Value, stop: Value) -> Value:
    """Members from ``start`` up to, not including, ``stop``; both clamped to the array."""
    members, first, last = array(value, 1), integer(start, 2), integer(stop, 3)
    last = min(max(last, 0), len(members))
    return members[min(max(first, 0), last) : last]
