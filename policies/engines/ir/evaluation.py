"""The state of one evaluation: what is left of its budget, what it has worked out, what time it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from policies.engines.ir.errors import BudgetExceeded

if TYPE_CHECKING:
    from policies.engines.ir.trace import Trace


class Budget:
    """Steps that may still be taken: a turn of a loop, a call, a small piece of a large value.

    Generated code counts down ``left`` by itself and calls :meth:`exhausted`; everything else uses
    :meth:`charge`, before the work it pays for.
    """

    __slots__ = ("left",)

    def __init__(self, steps_max: int) -> None:
        self.left = steps_max

    def charge(self, steps: int) -> None:
        """Pay for work that is about to be done."""
        self.left -= steps
        if self.left < 0:
            self.exhausted()

    def exhausted(self) -> NoReturn:
        """There is nothing left to pay with."""
        raise BudgetExceeded("the evaluation took more steps than it may")


class Evaluation(Budget):
    """One run of one entrypoint. Never shared between threads."""

    __slots__ = ("memo", "now_ns", "strict", "trace")

    def __init__(self, *, steps_max: int, now_ns: int, strict: bool, trace: Trace | None) -> None:
        super().__init__(steps_max)
        self.memo: dict[int, Any] = {}
        """Results of rules by function number. Set aside while a ``with`` changes what they would see."""
        self.now_ns = now_ns
        self.strict = strict
        self.trace = trace
