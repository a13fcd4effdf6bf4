"""Operators on numbers, and ``-`` on sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.engines.ir import numbers
from policies.engines.ir.builtins.operands import integer, number, wrong
from policies.engines.ir.builtins.registry import builtin, by_digits
from policies.engines.ir.errors import BuiltinError, OperandError
from policies.engines.ir.values import NUMBER_TYPES, RegoSet, Value

if TYPE_CHECKING:
    from policies.engines.ir.evaluation import Evaluation


@builtin("plus", cost=by_digits)
def plus(a: Value, b: Value) -> Value:
    """``a + b``."""
    return numbers.add(number(a, 1), number(b, 2))


@builtin("minus", cost=by_digits)
def minus(a: Value, b: Value) -> Value:
    """``a - b`` of two numbers or two sets."""
    if type(a) in NUMBER_TYPES and type(b) in NUMBER_TYPES:
        return numbers.subtract(number(a, 1), number(b, 2))
    if type(a) is RegoSet and type(b) is RegoSet:
        return RegoSet({key: value for key, value in a.members.items() if key not in b.members})
    if type(a) not in NUMBER_TYPES and type(a) is not RegoSet:
        raise wrong(1, a, "number", "set")
    raise wrong(2, b, "set" if type(b) in NUMBER_TYPES else "number")


@builtin("mul", cost=by_digits)
def mul(a: Value, b: Value) -> Value:
    """``a * b``."""
    return numbers.multiply(number(a, 1), number(b, 2))


@builtin("div", cost=by_digits)
def div(a: Value, b: Value) -> Value:
    """``a / b``."""
    try:
        return numbers.divide(number(a, 1), number(b, 2))
    except ZeroDivisionError:
        raise BuiltinError("divide by zero") from None


@builtin("rem", cost=by_digits)
def rem(a: Value, b: Value) -> Value:
    """``a % b``, with the sign of ``a``."""
    number(a, 1)
    number(b, 2)
    try:
        return numbers.remainder(integer(a, 1), integer(b, 2))
    except OperandError:
        raise BuiltinError("modulo on floating-point number") from None
    except ZeroDivisionError:
        raise BuiltinError("modulo by zero") from None


@builtin("abs", cost=by_digits)
def abs_(a: Value) -> Value:
    """The absolute value."""
    return numbers.magnitude(number(a, 1))


@builtin("round", cost=by_digits)
def round_(a: Value) -> Value:
    """The nearest integer, halves away from zero."""
    return numbers.round_half_away(number(a, 1))


@builtin("ceil", cost=by_digits)
def ceil(a: Value) -> Value:
    """The smallest integer not below."""
    return numbers.ceiling(number(a, 1))


@builtin("floor", cost=by_digits)
def floor(a: Value) -> Value:
    """The largest integer not above."""
    return numbers.floor(number(a, 1))


@builtin("numbers.range", evaluation=True)
def range_(run: Evaluation, first: Value, last: Value) -> Value:
    """All integers between two, both included, in the direction from the first to the last."""
    return _stepped(run, first, last, 1)


@builtin("numbers.range_step", evaluation=True)
def range_step(run: Evaluation, first: Value, last: Value, step: Value) -> Value:
    """As ``numbers.range``, every ``step``-th."""
    width = integer(step, 3)
    if width <= 0:
        raise BuiltinError("numbers.range_step: step must be a positive integer")
    return _stepped(run, first, last, width)


def _stepped(run: Evaluation, first: Value, last: Value, step: int) -> list[int]:
    start, end = integer(first, 1), integer(last, 2)
    run.charge(abs(end - start) // step + 1)
    return list(range(start, end + 1, step)) if start <= end else list(range(start, end - 1, -step))
