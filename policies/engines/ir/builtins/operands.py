"""Operands checked and taken as the type a builtin needs. All raise OperandError in OPA's words."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from policies.engines.ir.errors import OperandError
from policies.engines.ir.numbers import Number, as_integer, exact
from policies.engines.ir.values import NUMBER_TYPES, TYPE_NAMES, RegoSet, Value, sort

if TYPE_CHECKING:
    from policies.engines.ir.budget import Budget


def wrong(position: int, value: Value, *expected: str) -> OperandError:
    """The error for an operand of the wrong type."""
    wanted = expected[0] if len(expected) == 1 else "one of {" + ", ".join(expected) + "}"
    return OperandError(position, f"must be {wanted} but got {TYPE_NAMES[type(value)]}")


def wrong_member(position: int, holder: Value, member: Value, expected: str) -> OperandError:
    """The error for a collection with a member of the wrong type."""
    kind = TYPE_NAMES[type(holder)]
    return OperandError(
        position, f"must be {kind} of {expected}s but got {kind} containing {TYPE_NAMES[type(member)]}"
    )


def string(value: Value, position: int) -> str:
    """A string."""
    if type(value) is not str:
        raise wrong(position, value, "string")
    return value


def number(value: Value, position: int) -> Number:
    """A number, exact."""
    kind = type(value)
    if kind is int or kind is Decimal:
        return value  # type: ignore[no-any-return]
    if kind is not float:
        raise wrong(position, value, "number")
    return exact(value)


def integer(value: Value, position: int) -> int:
    """A number without a fraction."""
    if type(value) is int:
        return value
    found = as_integer(number(value, position))
    if found is None:
        raise OperandError(position, "must be integer number but got floating-point number")
    return found


def array(value: Value, position: int) -> list[Value]:
    """An array."""
    if type(value) is not list:
        raise wrong(position, value, "array")
    return value


def object_(value: Value, position: int) -> dict[Any, Value]:
    """An object, keys as they are stored."""
    if type(value) is not dict:
        raise wrong(position, value, "object")
    return value


def set_(value: Value, position: int) -> RegoSet:
    """A set."""
    if type(value) is not RegoSet:
        raise wrong(position, value, "set")
    return value


def members(value: Value, position: int, budget: Budget) -> list[Value]:
    """The members of an array, or of a set in order."""
    if type(value) is list:
        return value
    if type(value) is not RegoSet:
        raise wrong(position, value, "array", "set")
    return sort(value, budget)


def strings(value: Value, position: int, budget: Budget) -> list[str]:
    """The members of an array or set of strings."""
    found = members(value, position, budget)
    for member in found:
        if type(member) is not str:
            raise wrong_member(position, value, member, "string")
    return found


def numbers(value: Value, position: int, budget: Budget) -> list[Number]:
    """The members of an array or set of numbers."""
    found = members(value, position, budget)
    for member in found:
        if type(member) not in NUMBER_TYPES:
            raise wrong_member(position, value, member, "number")
    return [exact(member) for member in found]
