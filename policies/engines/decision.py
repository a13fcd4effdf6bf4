"""One evaluation of a program, and every way it can fail to answer. Used in the event loop and in workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policies.combine import ENTRYPOINT
from policies.engines.ir.errors import BudgetExceeded, EvaluationConflict, EvaluationFailed
from policies.engines.ir.program import Limits
from policies.errors import PolicyBudgetExceeded, PolicyConflict, PolicyCrashed, PolicyUndefined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.engines.ir.program import Prepared, Program


def decision_of(
    program: Program, prepared: Prepared, evaluation: Mapping[str, Any], *, steps_max: int
) -> Any:
    """What ``toolgate/main/decision`` answers, as JSON. Raises ``PolicyUnavailable``."""
    now_ns = _now_ns(evaluation)
    try:
        results = program.evaluate(
            ENTRYPOINT, evaluation, prepared, now_ns=now_ns, limits=Limits(steps_max=steps_max)
        )
    except BudgetExceeded as exceeded:
        raise PolicyBudgetExceeded(str(exceeded)) from exceeded
    except EvaluationConflict as conflict:
        raise PolicyConflict(str(conflict)) from conflict
    except EvaluationFailed as failed:
        raise PolicyCrashed(str(failed)) from failed
    except Exception as defect:
        # The true edge of generated code: whatever it does, the call it was asked about is not allowed.
        raise PolicyCrashed(f"the evaluator failed: {type(defect).__name__}: {defect}") from defect
    if not results:
        raise PolicyUndefined("the policy is undefined for this request")
    return results[0]["result"]


def _now_ns(evaluation: Mapping[str, Any]) -> int:
    """The time the request says it is; policy knows no other."""
    try:
        unix = evaluation["context"]["time"]["unix"]
        if evaluation["version"] == 1 and type(unix) in {int, float}:
            return int(unix * 1_000_000_000)
    except (KeyError, TypeError, OverflowError, ValueError):
        pass
    raise PolicyCrashed("the evaluation request is not a version 1 document with context.time.unix")
