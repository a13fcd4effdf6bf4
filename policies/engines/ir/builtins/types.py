"""What type a value has, and conversion to number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import re2

from policies.engines.ir.builtins.operands import wrong
from policies.engines.ir.builtins.registry import builtin, by_members, by_text_from
from policies.engines.ir.errors import BuiltinError
from policies.engines.ir.numbers import parse_number
from policies.engines.ir.values import NUMBER_TYPES, TYPE_NAMES, RegoSet, Value, sort

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.engines.ir.evaluation import Evaluation


@builtin("type_name")
def type_name(value: Value) -> Value:
    """The name of the value's type."""
    return TYPE_NAMES[type(value)]


def _is(name: str, *kinds: type) -> Callable[[Value], Value]:
    def test(value: Value) -> Value:
        return type(value) in kinds

    return builtin(name)(test)


is_array = _is("is_array", list)
is_boolean = _is("is_boolean", bool)
is_null = _is("is_null", type(None))
is_number = _is("is_number", *NUMBER_TYPES)
is_object = _is("is_object", dict)
is_set = _is("is_set", RegoSet)
is_string = _is("is_string", str)


def _cast(name: str, wanted: str, *kinds: type) -> Callable[[Value], Value]:
    def cast(value: Value) -> Value:
        if type(value) not in kinds:
            raise wrong(1, value, wanted)
        return value

    return builtin(name)(cast)


cast_boolean = _cast("cast_boolean", "boolean", bool)
cast_null = _cast("cast_null", "null", type(None))
cast_object = _cast("cast_object", "object", dict)
cast_string = _cast("cast_string", "string", str)


@builtin("cast_array", evaluation=True, cost=by_members)
def cast_array(run: Evaluation, value: Value) -> Value:
    """An array as it is, a set in order."""
    if type(value) is RegoSet:
        return sort(value, run)
    if type(value) is not list:
        raise wrong(1, value, "array", "set")
    return value


@builtin("cast_set", evaluation=True, cost=by_members)
def cast_set(run: Evaluation, value: Value) -> Value:
    """A set as it is, an array without repetitions."""
    if type(value) is list:
        return RegoSet.of(value, run)
    if type(value) is not RegoSet:
        raise wrong(1, value, "array", "set")
    return value


# Go's number scanner takes what JSON does not: a sign in front, a bare leading or trailing point.
# Go's strconv.ParseFloat, which is what OPA asks: an underscore may stand between two digits and after
# a base prefix, and a hexadecimal mantissa needs its exponent.
_DIGITS: Final = r"[0-9](?:_?[0-9])*"
_HEX: Final = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_DECIMAL: Final = re2.compile(rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?")
_HEXADECIMAL: Final = re2.compile(rf"[+-]?0[xX]_?(?:{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})[pP][+-]?{_DIGITS}")
_LONG_EXPONENT: Final = re2.compile(r"[eEpP][+-]?0*[0-9]{6,}$")


@builtin("to_number", cost=by_text_from(8))
def to_number(value: Value) -> Value:
    """A number as it is, null and booleans as 0 or 1, a string by its text."""
    kind = type(value)
    if kind in NUMBER_TYPES:
        return value
    if value is None or kind is bool:
        return int(value or 0)
    if kind is not str:
        raise wrong(1, value, "null", "boolean", "number", "string")
    plain = value.replace("_", "").removeprefix("+")
    decimal = value.isascii() and _DECIMAL.fullmatch(value) is not None
    if not decimal and (not value.isascii() or _HEXADECIMAL.fullmatch(value) is None):
        raise BuiltinError(f"{value[:40]!r} is not a number")
    try:
        # OPA keeps every digit, but only of a number that a 64-bit float can hold.
        as_float = float(plain) if decimal else float.fromhex(plain)
    except OverflowError:
        as_float = math.inf
    if math.isinf(as_float) or _LONG_EXPONENT.search(plain) is not None:
        raise BuiltinError(f"{value[:40]!r} is beyond a 64-bit float")
    return parse_number(plain if decimal else repr(as_float))
