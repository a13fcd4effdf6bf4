"""Numbers as OPA computes with them.

A number is an ``int`` or, when it was written with a fraction or an exponent, a ``Decimal`` that keeps its
digits. Comparison is exact. Arithmetic on integers is exact; anything else is done as OPA does it, in
binary floating point with a 64-bit mantissa, and the result is the shortest decimal that reads back as the
same binary number. So ``0.1 + 0.2 == 0.3`` here and in OPA, and not in Python.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

from policies.engines.ir.binary_float import (
    over,
    plus,
    shortest_decimal,
    times,
    to_binary,
    truncated,
)
from policies.engines.ir.errors import BudgetExceeded

if TYPE_CHECKING:
    from policies.engines.ir.binary_float import Binary

Number: TypeAlias = int | Decimal

NUMBER_BITS_MAX: Final = 14_000
"""Larger numbers are refused. Below CPython's limit for converting to text (4,300 digits, 14,284 bits)."""

DIGITS_MAX: Final = 4_200
FRACTION_DIGITS_MAX: Final = 400
"""Of a number with a fraction or an exponent, all its digits."""

_PRODUCT_BITS: Final = 53
_HALF: Final = to_binary(Decimal("0.5"))
_MINUS_HALF: Final = to_binary(Decimal("-0.5"))
EXPONENT_MAX: Final = 4_200


def exact(number: float | Decimal) -> Number:
    """The number without binary rounding: a float is worth what its shortest decimal text says."""
    if type(number) is float:
        if not math.isfinite(number):
            raise ValueError("not JSON: NaN or infinity")
        return Decimal(repr(number))
    return bounded(number)  # type: ignore[arg-type]


def bounded(number: Number) -> Number:
    """The number, or BudgetExceeded when it is too large to compute with."""
    if type(number) is int:
        if number.bit_length() > NUMBER_BITS_MAX:
            raise too_large()
    elif type(number) is Decimal:
        _, digits, exponent = number.as_tuple()
        if not isinstance(exponent, int) or abs(exponent) > EXPONENT_MAX or len(digits) > FRACTION_DIGITS_MAX:
            raise BudgetExceeded("a number with too many digits")
    return number


def too_large() -> BudgetExceeded:
    """The error for a number beyond the limit."""
    return BudgetExceeded(f"a number of more than {NUMBER_BITS_MAX} bits")


def parse_number(text: str) -> Number:
    """A number from its JSON text, digits kept. Raises ValueError, or BudgetExceeded beyond the limits."""
    if len(text) > DIGITS_MAX:
        raise BudgetExceeded("a number with too many digits")
    if text.lstrip("-").isdecimal():
        return int(text)
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(f"not a number: {text}")
    return bounded(number)


def as_integer(number: float | Decimal) -> int | None:
    """The integer this number is worth, or None when it has a fraction."""
    if type(number) is int:
        return number
    value = exact(number)
    if isinstance(value, int):
        return value
    return int(value) if value == value.to_integral_value() else None


def number_text(number: float | Decimal) -> str:
    """JSON text of the number, in the digits it was written with."""
    value = exact(number)
    if type(value) is int:
        return str(value)
    text = str(value)
    if "E" not in text:
        return text
    # As it is mostly written: 1e400, and 5e-07.
    mantissa, exponent = text.split("E")
    return f"{mantissa}e-{exponent[1:]:0>2}" if exponent[0] == "-" else f"{mantissa}e{exponent[1:]}"


def json_number(number: Number) -> int | float:
    """The number as Python's JSON would read it."""
    if type(number) is int:
        return number
    as_int = as_integer(number)
    if as_int is not None:
        return as_int
    as_float = float(number)
    return as_float if math.isfinite(as_float) else round(number)


def add(a: Number, b: Number) -> Number:
    """``a + b``."""
    x, y = as_integer(a), as_integer(b)
    return bounded(x + y) if x is not None and y is not None else to_number(plus(to_binary(a), to_binary(b)))


def subtract(a: Number, b: Number) -> Number:
    """``a - b``."""
    x, y = as_integer(a), as_integer(b)
    return bounded(x - y) if x is not None and y is not None else to_number(plus(to_binary(a), to_binary(-b)))


def multiply(a: Number, b: Number) -> Number:
    """``a * b``."""
    x, y = as_integer(a), as_integer(b)
    if x is None or y is None:
        return to_number(times(to_binary(a), to_binary(b)))
    if x.bit_length() + y.bit_length() > NUMBER_BITS_MAX:
        raise too_large()
    return x * y


def divide(a: Number, b: Number) -> Number:
    """``a / b``; exact only when small integers divide. Raises ZeroDivisionError."""
    if isinstance(a, int) and isinstance(b, int) and b and not a % b and _small(a) and _small(b):
        return a // b
    return to_number(over(to_binary(a), to_binary(b)))


def remainder(a: int, b: int) -> int:
    """The rest of the truncated division, so it has the sign of ``a``. Raises ZeroDivisionError."""
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


def magnitude(a: Number) -> Number:
    """``abs(a)``."""
    if isinstance(a, int) and _small(a):
        return abs(a)
    return to_number(to_binary(-a if a < 0 else a))


# As OPA 1.22 does it, oddities included: integers of more than 32 bits go through binary rounding, and
# between -1 and 0 the ceiling is 1 and the floor 0. An answer unlike OPA's would be worse than an odd one.


def round_half_away(a: Number) -> Number:
    """The nearest integer, halves away from zero."""
    if isinstance(a, int) and _small(a):
        return a
    return bounded(truncated(plus(to_binary(a), _HALF if a > 0 else _MINUS_HALF)))


def ceiling(a: Number) -> Number:
    """The smallest integer that is not below ``a``."""
    if isinstance(a, int) and _small(a):
        return a
    binary = to_binary(a)
    whole = truncated(binary)
    return bounded(whole + (whole >= 0 and to_binary(whole) != binary))


def floor(a: Number) -> Number:
    """The largest integer that is not above ``a``."""
    if isinstance(a, int) and _small(a):
        return a
    binary = to_binary(a)
    whole = truncated(binary)
    return bounded(whole - (whole < 0 and to_binary(whole) != binary))


def total(numbers: list[Number]) -> Number:
    """The sum: exact when all are integers, else added up in order with binary rounding."""
    integers = [as_integer(number) for number in numbers]
    if None not in integers:
        return bounded(sum(integers))  # type: ignore[arg-type]
    result = (0, 0)
    for number in numbers:
        result = plus(result, to_binary(number))
    return to_number(result)


def product(numbers: list[Number]) -> Number:
    """The product: exact when all are integers, else in order and, as in OPA, rounded to fewer bits."""
    result: Number = 1
    if any(as_integer(number) is None for number in numbers):
        binary = (1, 0)
        for number in numbers:
            binary = times(binary, to_binary(number), bits=_PRODUCT_BITS)
        return to_number(binary)
    for number in numbers:
        result = multiply(result, number)
    return result


def _small(a: int) -> bool:
    """Whether OPA treats the integer as a machine integer, which it leaves exact."""
    return -(2**31) <= a < 2**31


def to_number(value: Binary) -> Number:
    """The shortest decimal that reads back as this binary number."""
    try:
        digits, exponent = shortest_decimal(value)
    except OverflowError:
        raise too_large() from None
    if exponent < 0:
        return Decimal((int(digits < 0), tuple(map(int, str(abs(digits)))), exponent))
    if exponent > DIGITS_MAX:
        raise too_large()
    whole: int = digits * 10**exponent
    return bounded(whole)
