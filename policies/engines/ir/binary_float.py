"""Binary floating point with a 64-bit mantissa, as OPA computes: Go's ``big.Float`` by default.

A number is ``mantissa * 2**exponent``; the mantissa has exactly 64 bits, or is 0. Every operation is exact
and then rounded once, to nearest, ties to even.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from decimal import Decimal

Binary: TypeAlias = tuple[int, int]

BITS: Final = 64
EXPONENT_MAX: Final = 14_000
"""Of 2, in a number that is written out in decimal: about 4,200 digits."""

_EXTRA_BITS: Final = 3
_APART: Final = 2 * BITS + _EXTRA_BITS
"""Operands further apart than this do not change each other, except as "a little more than"."""


def to_binary(number: int | Decimal) -> Binary:
    """The nearest binary number."""
    if isinstance(number, int):
        return _rounded(number, 0)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    whole = int("".join(map(str, digits)))
    whole = -whole if sign else whole
    return _rounded(whole * 10**exponent, 0) if exponent >= 0 else _ratio(whole, 10**-exponent, 0)


def plus(a: Binary, b: Binary) -> Binary:
    """``a + b``."""
    if not a[0] or not b[0]:
        return a if a[0] else b
    if a[1] < b[1]:
        a, b = b, a
    gap = a[1] - b[1]
    if gap > _APART:
        b, gap = (1 if b[0] > 0 else -1, a[1] - _APART), _APART
    return _rounded((a[0] << gap) + b[0], b[1])


def times(a: Binary, b: Binary, *, bits: int = BITS) -> Binary:
    """``a * b``."""
    return _rounded(a[0] * b[0], a[1] + b[1], bits)


def over(a: Binary, b: Binary) -> Binary:
    """``a / b``. Raises ZeroDivisionError."""
    if not b[0]:
        raise ZeroDivisionError
    return _ratio(a[0], b[0], a[1] - b[1])


def truncated(a: Binary) -> int:
    """The integer part, exactly."""
    mantissa, exponent = a
    if exponent >= 0:
        return mantissa << exponent
    whole = abs(mantissa) >> -exponent
    return -whole if mantissa < 0 else whole


def _ratio(numerator: int, denominator: int, exponent: int) -> Binary:
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    # Enough bits for the mantissa and for rounding; a remainder makes the last one "a little more".
    shift = max(BITS + _EXTRA_BITS + denominator.bit_length() - numerator.bit_length(), 0)
    quotient, rest = divmod(abs(numerator) << shift, denominator)
    quotient |= rest != 0
    return _rounded(-quotient if numerator < 0 else quotient, exponent - shift)


def _rounded(value: int, exponent: int, bits: int = BITS) -> Binary:
    """``value * 2**exponent`` with a mantissa of so many bits."""
    if not value:
        return 0, 0
    size = abs(value)
    excess = size.bit_length() - bits
    if excess > 0:
        half, low = 1 << (excess - 1), size & ((1 << excess) - 1)
        size >>= excess
        size += low > half or (low == half and size & 1)
        if size >> bits:
            size, excess = size >> 1, excess + 1
    else:
        size <<= -excess
    return -size if value < 0 else size, exponent + excess


def shortest_decimal(value: Binary) -> tuple[int, int]:
    """Digits, with the sign, and decimal exponent of the shortest decimal that reads back as this number.

    Go's rule, digit by digit: stop where cutting off or rounding up stays inside half the gap to a neighbour.
    It sometimes overlooks that rounding up would do; so does this. Raises OverflowError beyond EXPONENT_MAX.
    """
    mantissa, exponent = 2 * abs(value[0]), value[1] - 1
    if not mantissa:
        return 0, 0
    if abs(exponent) > EXPONENT_MAX:
        raise OverflowError
    factor = 1 << exponent if exponent >= 0 else 5**-exponent
    digits = str(mantissa * factor)
    point = len(digits) + min(exponent, 0)
    shown = _shortened(
        digits.rstrip("0"),
        str((mantissa - 1) * factor).rstrip("0"),
        str((mantissa + 1) * factor).rstrip("0"),
        inclusive=not mantissa & 2,
    )
    whole, places = int(shown.digits), point + shown.carried - len(shown.digits)
    return -whole if value[0] < 0 else whole, places


class _Shown(NamedTuple):
    digits: str
    carried: bool
    """Whether rounding up made one digit more."""


def _shortened(digits: str, lower: str, upper: str, *, inclusive: bool) -> _Shown:
    for i, digit in enumerate(digits):
        low, high = lower[i : i + 1] or "0", upper[i : i + 1] or "0"
        down = low != digit or (inclusive and i + 1 == len(lower))
        up = digit != high and (inclusive or int(digit) + 1 < int(high) or i + 1 < len(upper))
        if down and up:
            rest = digits[i + 1 :]
            up = digit in "13579" if rest == "5" else rest >= "5"
        if up:
            return _rounded_up(digits[: i + 1])
        if down:
            return _Shown(digits[: i + 1], carried=False)
    return _Shown(digits, carried=False)


def _rounded_up(digits: str) -> _Shown:
    kept = digits.rstrip("9")
    if not kept:
        return _Shown("1", carried=True)
    return _Shown(kept[:-1] + str(int(kept[-1]) + 1), carried=False)
