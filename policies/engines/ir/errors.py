"""What can go wrong with a plan or an evaluation. All of them mean: no answer, so nothing is allowed."""

from __future__ import annotations

from dataclasses import dataclass

from policies.errors import PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProblem:
    """One reason why a plan is refused, at the place in the author's file that caused it."""

    code: str
    """One of the codes listed in README.md, e.g. ``unsafe_variable``."""

    message: str
    file: str = ""
    row: int = 0
    """1-based; 0 when the problem belongs to no line."""

    column: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.row}:{self.column}: " if self.row else ""
        return f"{place}{self.code}: {self.message}"


class PlanRejected(PolicyError):
    """The plan cannot be loaded; nothing of it has been run."""

    code = "plan_rejected"

    def __init__(self, problems: tuple[PlanProblem, ...]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class EvaluationFailed(PolicyError):
    """No answer: a strict builtin error, a value that is not JSON, or a defect here."""

    code = "evaluation_failed"

    def __init__(self, message: str, *, file: str = "", row: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.row = row

    def __str__(self) -> str:
        return f"{self.file}:{self.row}: {self.message}" if self.row else self.message


class EvaluationConflict(EvaluationFailed):
    """Two rules, or two members of one object, gave different values for the same name."""

    code = "evaluation_conflict"


class BudgetExceeded(EvaluationFailed):
    """The evaluation asked for more work, or a larger value, than it may. Raised before the work."""

    code = "budget_exceeded"


class BuiltinError(Exception):
    """A builtin refused its operands. Undefined in an ordinary evaluation, EvaluationFailed in a strict one.

    It never leaves this package.
    """


class OperandError(BuiltinError):
    """An operand has the wrong type or an impossible value."""

    def __init__(self, position: int, complaint: str) -> None:
        super().__init__(f"operand {position} {complaint}")
