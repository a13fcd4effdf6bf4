"""Comparison operators, over values of all types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.engines.ir.builtins.registry import builtin
from policies.engines.ir.values import Value, equal, less

if TYPE_CHECKING:
    from policies.engines.ir.evaluation import Evaluation


@builtin("equal", "eq", evaluation=True)
def equal_(run: Evaluation, a: Value, b: Value) -> Value:
    """``a == b``."""
    return equal(a, b, run)


@builtin("neq", evaluation=True)
def neq(run: Evaluation, a: Value, b: Value) -> Value:
    """``a != b``."""
    return not equal(a, b, run)


@builtin("lt", evaluation=True)
def lt(run: Evaluation, a: Value, b: Value) -> Value:
    """``a < b``."""
    return less(a, b, run)


@builtin("lte", evaluation=True)
def lte(run: Evaluation, a: Value, b: Value) -> Value:
    """``a <= b``."""
    return not less(b, a, run)


@builtin("gt", evaluation=True)
def gt(run: Evaluation, a: Value, b: Value) -> Value:
    """``a > b``."""
    return less(b, a, run)


@builtin("gte", evaluation=True)
def gte(run: Evaluation, a: Value, b: Value) -> Value:
    """``a >= b``."""
    return not less(a, b, run)
