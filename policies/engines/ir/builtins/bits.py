"""bits.* on integers of any size, within the size limit of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.engines.ir.builtins.operands import integer
from policies.engines.ir.builtins.registry import builtin
from policies.engines.ir.errors import BudgetExceeded, OperandError
from policies.engines.ir.numbers import NUMBER_BITS_MAX

if TYPE_CHECKING:
    from policies.engines.ir.values import Value


@builtin("bits.and")
def and_(a: Value, b: Value) -> Value:
    """Bits set in both."""
    return integer(a, 1) & integer(b, 2)


@builtin("bits.or")
def or_(a: Value, b: Value) -> Value:
    """Bits set in either."""
    return integer(a, 1) | integer(b, 2)


@builtin("bits.xor")
def xor(a: Value, b: Value) -> Value:
    """Bits set in exactly one."""
    return integer(a, 1) ^ integer(b, 2)


@builtin("bits.negate")
def negate(a: Value) -> Value:
    """Every bit flipped."""
    return ~integer(a, 1)


@builtin("bits.lsh")
def lsh(a: Value, places: Value) -> Value:
    """Shifted to the left."""
    value, shift = integer(a, 1), _places(places)
    if value and value.bit_length() + shift > NUMBER_BITS_MAX:
        raise BudgetExceeded(f"a number of more than {NUMBER_BITS_MAX} bits")
    return value << shift if value else 0


@builtin("bits.rsh")
def rsh(a: Value, places: Value) -> Value:
    """Shifted to the right, keeping the sign."""
    value, shift = integer(a, 1), _places(places)
    return value >> min(shift, NUMBER_BITS_MAX)


def _places(value: Value) -> int:
    shift = integer(value, 2)
    if shift < 0:
        raise OperandError(2, "must be an unsigned integer number but got a negative integer")
    return shift
