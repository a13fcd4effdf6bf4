"""Numbers as OPA computes with them.

A number is an ``int`` or, when it was written with a fraction or an exponent, a ``Decimal`` that keeps its
digits. Comparison is exact. Arithmetic on integers is exact; anything else is done as OPA does it, in
binary floating point with a 64-bit mantissa, and the result is the shortest decimal that reads back as the
same binary number. So ``0.1 + 0.2 == 0.3`` here and in OPA, and not in Python.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeAlias

from policies.engines.ir.errors import BudgetExceeded

Number: TypeAlias = int | Decimal

NUMBER_BITS_MAX: Final = 14_000
"""Larger numbers are refused. Below CPython's limit for converting to text (4,300 digits, 14,284 bits)."""

DIGITS_MAX: Final = 4_200
EXPONENT_MAX: Final = 4_200
_MANTISSA_BITS: Final = 64


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
            raise BudgetExceeded(f"a number of more than {NUMBER_BITS_MAX} bits")
    elif type(number) is Decimal:
        _, digits, exponent = number.as_tuple()
        if not isinstance(exponent, int) or abs(exponent) > EXPONENT_MAX or len(digits) > DIGITS_MAX:
            raise BudgetExceeded("a number with too many digits")
    return number


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
    x, y = _integers(a, b)
    return bounded(x + y) if x is not None and y is not None else _rounded(_binary(a) + _binary(b))


def subtract(a: Number, b: Number) -> Number:
    """``a - b``."""
    x, y = _integers(a, b)
    return bounded(x - y) if x is not None and y is not None else _rounded(_binary(a) - _binary(b))


def multiply(a: Number, b: Number) -> Number:
    """``a * b``."""
    x, y = _integers(a, b)
    if x is None or y is None:
        return _rounded(_binary(a) * _binary(b))
    if x.bit_length() + y.bit_length() > NUMBER_BITS_MAX:
        raise BudgetExceeded(f"a number of more than {NUMBER_BITS_MAX} bits")
    return x * y


def divide(a: Number, b: Number) -> Number:
    """``a / b``; exact only when small integers divide. Raises ZeroDivisionError."""
    if type(a) is int and type(b) is int and b and not a % b and _small(a) and _small(b):
        return a // b
    return _rounded(_binary(a) / _binary(b))


def remainder(a: int, b: int) -> int:
    """The rest of the truncated division, so it has the sign of ``a``. Raises ZeroDivisionError."""
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


def magnitude(a: Number) -> Number:
    """``abs(a)``."""
    return _rounded(abs(_binary(a))) if not isinstance(a, int) or not _small(a) else abs(a)


def round_half_away(a: Number) -> Number:
    """The nearest integer, halves away from zero."""
    if _small(a):
        return a
    value = _binary(a)
    half = Fraction(1, 2)
    return _rounded(Fraction(math.ceil(value - half) if value < 0 else math.floor(value + half)))


def ceiling(a: Number) -> Number:
    """The smallest integer that is not below ``a``."""
    return a if _small(a) else _rounded(Fraction(math.ceil(_binary(a))))


def floor(a: Number) -> Number:
    """The largest integer that is not above ``a``."""
    return a if _small(a) else _rounded(Fraction(math.floor(_binary(a))))


def total(numbers: list[Number]) -> Number:
    """The sum: exact when all are integers, else added up in order with binary rounding."""
    integers = [as_integer(number) for number in numbers]
    if None not in integers:
        return bounded(sum(integers))  # type: ignore[arg-type]
    result = Fraction(0)
    for number in numbers:
        result = _nearest(result + _binary(number))
    return _rounded(result)


def _integers(a: Number, b: Number) -> tuple[int | None, int | None]:
    if type(a) is int and type(b) is int:
        return a, b
    return as_integer(a), as_integer(b)


def _small(a: Number) -> bool:
    """Whether OPA treats the number as a machine integer, which it leaves exact."""
    return type(a) is int and -(2**31) <= a < 2**31


def _binary(a: Number) -> Fraction:
    return _nearest(Fraction(a))


def _nearest(value: Fraction) -> Fraction:
    """The nearest number with a 64-bit mantissa, ties to even."""
    if not value:
        return value
    numerator, denominator = abs(value.numerator), value.denominator
    shift = numerator.bit_length() - denominator.bit_length() - _MANTISSA_BITS
    if (numerator << max(-shift, 0)) >= (denominator << (max(shift, 0) + _MANTISSA_BITS)):
        shift += 1
    mantissa = round(Fraction(numerator << max(-shift, 0), denominator << max(shift, 0)))
    result = Fraction(mantissa << max(shift, 0), 1 << max(-shift, 0))
    return -result if value < 0 else result


def _rounded(value: Fraction) -> Number:
    """The value rounded to 64 bits, as the shortest decimal that identifies it among its neighbours."""
    value = _nearest(value)
    if not value:
        return 0
    size = abs(value)
    if size.numerator.bit_length() > NUMBER_BITS_MAX or size.denominator.bit_length() > NUMBER_BITS_MAX:
        raise BudgetExceeded(f"a number of more than {NUMBER_BITS_MAX} bits")
    if size.denominator == 1 and size.numerator < 1 << 53:
        return int(value)
    digits, exponent = _shortest(size)
    if exponent >= 0:
        whole: int = digits * 10**exponent
        return -whole if value < 0 else whole
    return Decimal((int(value < 0), tuple(map(int, str(digits))), exponent))


def _shortest(size: Fraction) -> tuple[int, int]:
    """Digits and decimal exponent of the shortest decimal that rounds to ``size`` at 64 bits."""
    top = size.numerator.bit_length() - size.denominator.bit_length()
    if size >= Fraction(2) ** top:
        top += 1
    unit = Fraction(2) ** (top - _MANTISSA_BITS)
    mantissa = size / unit
    above = size + unit / 2
    below = size - unit / (4 if mantissa == 1 << (_MANTISSA_BITS - 1) else 2)
    even = mantissa % 2 == 0
    magnitude_10 = len(str(int(size))) if size >= 1 else 1 - len(str(int(1 / size)))
    for places in range(1, 23):
        exponent = magnitude_10 - places
        scaled = size / Fraction(10) ** exponent
        digits = round(scaled)
        candidate = digits * Fraction(10) ** exponent
        if below < candidate < above or (even and candidate in {below, above}):
            while digits % 10 == 0:
                digits //= 10
                exponent += 1
            return digits, exponent
    raise AssertionError("21 digits identify every number with a 64-bit mantissa")
