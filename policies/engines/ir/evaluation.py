"""The state of one evaluation: what is left of its budget, what it has worked out, what time it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policies.engines.ir.budget import Budget

if TYPE_CHECKING:
    from policies.engines.ir.trace import Trace


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
