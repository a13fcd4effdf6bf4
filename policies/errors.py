"""What can go wrong in the policy decision point, as types. Matched by ``code``; the text is for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.model import Problem


class PolicyError(Exception):
    """Policy could not be used. Never raised itself: every error says how."""

    code = "policy_error"


class PolicyRejected(PolicyError):
    """The policy text cannot be put in force. Whatever was in force before still is."""

    code = "policy_rejected"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Keep every problem found, so that an author mends them in one round."""
        super().__init__("; ".join(str(problem) for problem in problems) or "no reason was given")
        self.problems = problems


class PolicyUnavailable(PolicyError):
    """No usable answer. Never an allow.

    ``reason`` is one line for the operator's log; it may name rules and files, so agents are not shown it.
    """

    code = "policy_unavailable"

    def __init__(self, reason: str) -> None:
        """Keep one line of what happened."""
        self.reason = " ".join(reason.split())
        super().__init__(self.reason)


class PolicyNotLoaded(PolicyUnavailable):
    """No policy has been loaded yet, or the engine is closed."""

    code = "policy_not_loaded"


class PolicyTimeout(PolicyUnavailable):
    """The evaluation did not end within its deadline and was stopped."""

    code = "policy_timeout"


class PolicyBudgetExceeded(PolicyUnavailable):
    """The evaluation asked for more work than any decision is worth and was stopped."""

    code = "policy_budget"


class PolicyConflict(PolicyUnavailable):
    """Two rules gave one name two different values (OPA: eval_conflict_error)."""

    code = "policy_conflict"


class PolicyUndefined(PolicyUnavailable):
    """The policy has no answer to this request: a gap, not a denial and not an allow."""

    code = "policy_undefined"


class PolicyAnswerMalformed(PolicyUnavailable):
    """The rules answered something that is not a verdict: unknown key, wrong type, unknown duty."""

    code = "policy_answer_malformed"


class PolicyCrashed(PolicyUnavailable):
    """The evaluator itself failed, or its process ended."""

    code = "policy_crashed"
