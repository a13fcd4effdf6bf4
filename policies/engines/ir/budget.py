"""How much work an evaluation may still do."""

from __future__ import annotations

from typing import NoReturn

from policies.engines.ir.errors import BudgetExceeded


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
