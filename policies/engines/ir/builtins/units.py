"""units.parse and units.parse_bytes: amounts with a unit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import re2

from policies.engines.ir.builtins.operands import string
from policies.engines.ir.builtins.registry import builtin, by_text_from
from policies.engines.ir.errors import BuiltinError
from policies.engines.ir.numbers import Number, bounded, parse_number

if TYPE_CHECKING:
    from policies.engines.ir.values import Value

_COST = by_text_from(40)

_DECIMAL: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15, "e": 10**18}
_BINARY: Final = {"ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40, "pi": 1 << 50, "ei": 1 << 60}
_BYTES: Final = {
    **_DECIMAL,
    **_BINARY,
    **{unit + "b": size for unit, size in {**_DECIMAL, **_BINARY}.items() if unit},
}
# Only in units.parse is "m" a thousandth, and then in lower case.
_PLAIN: Final[dict[str, int | Fraction]] = {
    **_DECIMAL,
    **_BINARY,
    **{unit.capitalize(): size for unit, size in {**_DECIMAL, **_BINARY}.items()},
    "m": Fraction(0.001),
}

# The number takes every digit, point and sign, and an "e" only when an exponent follows.
_AMOUNT: Final = re2.compile(r"((?:[0-9.+-]|[eE][0-9+-])*)(.*)")
_NUMBER: Final = re2.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?")


@builtin("units.parse", cost=_COST)
def parse(text: Value) -> Value:
    """An amount with an SI or binary unit; ``m`` is a thousandth."""
    value = string(text, 1).replace('"', "")
    number, unit = _split(value)
    size = _PLAIN.get(unit[:1] + unit[1:].lower())
    if size is None:
        raise BuiltinError(f"units.parse: unit {unit} not recognized")
    amount = _amount(number) * size
    if amount.denominator == 1:
        return bounded(int(amount))
    scaled = amount * 10**10
    # Ten places, halves away from zero.
    rounded = (abs(scaled.numerator) * 2 + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(rounded if amount >= 0 else -rounded).scaleb(-10)


@builtin("units.parse_bytes", cost=_COST)
def parse_bytes(text: Value) -> Value:
    """A number of bytes with a unit in any case, the fraction cut off."""
    value = string(text, 1).lower().replace('"', "")
    number, unit = _split(value)
    size = _BYTES.get(unit)
    if size is None:
        raise BuiltinError(f"units.parse_bytes: byte unit {unit} not recognized")
    amount: Number = int(_amount(number) * size)
    return bounded(amount)


def _split(text: str) -> tuple[str, str]:
    if " " in text:
        raise BuiltinError("spaces not allowed in resource strings")
    found = _AMOUNT.fullmatch(text)
    if found is None or not found[1]:
        raise BuiltinError("no amount provided")
    return found[1], found[2]


def _amount(text: str) -> Fraction:
    if not _NUMBER.fullmatch(text):
        raise BuiltinError("could not parse amount to a number")
    return Fraction(parse_number(text.removeprefix("+")))
