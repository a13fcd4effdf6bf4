"""Set operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.engines.ir.builtins.operands import set_
from policies.engines.ir.builtins.registry import builtin, by_members
from policies.engines.ir.values import RegoSet, Value

if TYPE_CHECKING:
    from policies.engines.ir.evaluation import Evaluation


@builtin("and", cost=by_members)
def and_(a: Value, b: Value) -> Value:
    """``a & b``: members of both."""
    return _common(set_(a, 1), set_(b, 2))


@builtin("or", cost=by_members)
def or_(a: Value, b: Value) -> Value:
    """``a | b``: members of either."""
    return RegoSet({**set_(b, 2).members, **set_(a, 1).members})


@builtin("set_diff", cost=by_members)
def set_diff(a: Value, b: Value) -> Value:
    """Members of the first that are not in the second."""
    others = set_(b, 2).members
    return RegoSet({key: value for key, value in set_(a, 1).members.items() if key not in others})


@builtin("union", evaluation=True)
def union(run: Evaluation, sets: Value) -> Value:
    """Members of any of the sets in a set."""
    result = RegoSet()
    for member in set_(sets, 1):
        run.charge(1 + len(set_(member, 1)))
        result.members.update(member.members)
    return result


@builtin("intersection", evaluation=True)
def intersection(run: Evaluation, sets: Value) -> Value:
    """Members of all of the sets in a set; none of none."""
    result: RegoSet | None = None
    for member in set_(sets, 1):
        run.charge(1 + len(set_(member, 1)))
        result = member if result is None else _common(result, member)
    return RegoSet() if result is None else result


def _common(a: RegoSet, b: RegoSet) -> RegoSet:
    return RegoSet({key: value for key, value in a.members.items() if key in b.members})
