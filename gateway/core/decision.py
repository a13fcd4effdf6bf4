"""From a policy verdict to the one final answer. The only place that can say ALLOW."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.core.obligations import restorable, why_not

if TYPE_CHECKING:
    from policies.model import Duty, HoldRule, Verdict


class Effect(enum.Enum):
    """What happens to the call. The strongest one wins: DENY over HOLD over ALLOW."""

    ALLOW = "allow"
    HOLD = "hold"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why, for people and agents; ``code`` is what is matched."""

    code: str
    message: str
    would_pass: str = ""
    rule: str = ""
    """The policy package that said so, or empty when the gateway itself did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The one final answer to one evaluation request."""

    effect: Effect
    reasons: tuple[Reason, ...]
    holds: tuple[HoldRule, ...]
    duties: tuple[Duty, ...]
    revision: str
    """The policy revision that was asked; empty if none answered."""
    restores: frozenset[str] = frozenset()
    """Kinds of personal data whose placeholders the upstream is trusted with."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Reason codes in order."""
        return tuple(reason.code for reason in self.reasons)


NOT_ALLOWED = Reason(
    code="not_allowed",
    message="no rule allows this call",
    would_pass="an allow rule in a package under toolgate.rules that matches it",
)


def decide(verdict: Verdict, *, holds_met: bool = False) -> Decision:
    """Combine what the rules said: any denial denies; else any hold holds; else allow only if a rule allows.

    A duty that cannot be carried out is treated as a denial (AuthZEN obligations profile: unknown or
    failed means deny): a result that a rule wants redacted must not pass unredacted.

    ``holds_met``: those whom the holds ask for have agreed, as the transaction that began the attempt found.
    """
    unknown = tuple(
        Reason(
            code="unsupported_obligation",
            message=f"rule {duty.code} asks to {duty.do} the result: {problem}",
            would_pass="another on_result rule in its place",
            rule=duty.rule,
        )
        for duty in verdict.duties
        if (problem := why_not(duty))
    ) + tuple(
        Reason(
            code="unsupported_obligation",
            message=f"rule {one.code} asks to restore {one.kind!r:.60}, which nothing tokenises",
            would_pass="another on_call rule in its place",
            rule=one.rule,
        )
        for one in verdict.restores
        if not restorable(one.kind)
    )
    denials = (
        *(
            Reason(code=d.code, message=d.message, would_pass=d.would_pass, rule=d.rule)
            for d in verdict.denials
        ),
        *unknown,
    )
    if denials:
        effect, reasons = Effect.DENY, denials
    elif verdict.holds and holds_met:
        effect = Effect.ALLOW
        reasons = tuple(Reason(code="approved", message=hold.code, rule=hold.rule) for hold in verdict.holds)
    elif verdict.holds:
        effect = Effect.HOLD
        reasons = tuple(Reason(code=hold.code, message=hold.why, rule=hold.rule) for hold in verdict.holds)
    elif verdict.allow:
        effect = Effect.ALLOW
        reasons = tuple(Reason(code="allowed", message="", rule=rule) for rule in verdict.allowed_by)
    else:
        effect, reasons = Effect.DENY, (NOT_ALLOWED,)
    return Decision(
        effect=effect,
        reasons=reasons,
        holds=verdict.holds,
        duties=verdict.duties,
        revision=verdict.revision,
        restores=frozenset[str]().union(*(restorable(one.kind) for one in verdict.restores)),
    )


def refusal(code: str, message: str, *, would_pass: str = "") -> Decision:
    """A denial by the gateway itself, when policy was not or could not be asked."""
    reason = Reason(code=code, message=message, would_pass=would_pass)
    return Decision(effect=Effect.DENY, reasons=(reason,), holds=(), duties=(), revision="")
