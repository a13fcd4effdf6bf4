"""The table of builtins.

A builtin is a function of Rego values that returns a Rego value, or raises BuiltinError when it must
refuse. It is paid for before it runs: by one step, or by what its ``cost`` says about the operands (any
operands: the cost is asked before their types are checked), or by itself when it takes the evaluation as
its first argument and charges as it goes.
"""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from policies.engines.ir.values import RegoSet, Value

if TYPE_CHECKING:
    from collections.abc import Callable

CHARACTERS_PER_STEP: Final = 256
_FRACTION_STEPS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Builtin:
    """One entry of the table."""

    name: str
    function: Callable[..., Value]
    arity: int
    cost: Callable[..., int] | None
    takes_evaluation: bool
    partial: bool
    """Whether it may be UNDEFINED for operands that are in order."""


REGISTRY: Final[dict[str, Builtin]] = {}


def builtin(
    *names: str,
    cost: Callable[..., int] | None = None,
    evaluation: bool = False,
    partial: bool = False,
) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Register a function under one or more Rego names."""

    def register(function: Callable[..., Value]) -> Callable[..., Value]:
        arity = len(inspect.signature(function).parameters) - evaluation
        for name in names:
            REGISTRY[name] = Builtin(
                name=name,
                function=function,
                arity=arity,
                cost=cost,
                takes_evaluation=evaluation,
                partial=partial,
            )
        return function

    return register


def by_text(*operands: Any) -> int:
    """One step per 256 characters of the operands that are strings."""
    return 1 + sum(len(x) for x in operands if type(x) is str) // CHARACTERS_PER_STEP


def by_text_from(steps: int) -> Callable[..., int]:
    """As ``by_text``, but starting at so many steps: for builtins that are slow however short the text is."""

    def cost(*operands: Any) -> int:
        return steps + by_text(*operands)

    return cost


def by_members(*operands: Any) -> int:
    """One step per member of the operands that are collections."""
    return 1 + sum(len(x) for x in operands if type(x) in {list, dict, RegoSet})


def by_digits(*operands: Any) -> int:
    """One step for small integers; more for large ones, and for numbers with a fraction."""
    steps = 1
    for operand in operands:
        kind = type(operand)
        if kind is int:
            steps += operand.bit_length() // 256
        elif kind is float:
            steps += _FRACTION_STEPS + int(abs(math.log10(abs(operand) or 1)))
        elif kind is Decimal:
            steps += _FRACTION_STEPS + abs(operand.adjusted())
        elif kind is RegoSet:
            steps += len(operand)
    return steps
