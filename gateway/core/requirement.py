"""From the rules that hold a call to what people have to say; and whether what was asked before covers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from durable.holds.hold import RISK_NAMES, Requirement, Why
from policies.model import Risk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policies.model import HoldRule

_Value = TypeVar("_Value")

RISK_DEFAULT = Risk.MEDIUM
"""Of a rule that does not say how much harm the call could do."""


def requirement_of(holds: Sequence[HoldRule]) -> Requirement:
    """All matching holds together: whatever each of them asks for.

    A rule can only add to what the others ask. So every approver group stays, quorum and risk are the
    highest, the time is the shortest; what makes agreeing easier (self-confirm, escalation) counts as far
    as every rule says it: for an escalation that is the latest time, and the names that all of them name.
    """
    if not holds:
        raise ValueError("a call that no rule holds requires nothing")
    reminds = [hold.remind_s for hold in holds if hold.remind_s is not None]
    ttl_s = min(hold.ttl_s for hold in holds)
    escalate_s, escalate_to = _escalation(holds, ttl_s)
    return Requirement(
        groups=_groups(holds),
        quorum=max(hold.quorum for hold in holds),
        ttl_ms=1000 * ttl_s,
        risk=max(hold.risk or RISK_DEFAULT for hold in holds).value,
        reasons=_each_once(Why(code=hold.code, why=hold.why, rule=hold.rule) for hold in holds),
        show=_each_once(pointer for hold in holds for pointer in hold.show),
        self_confirm=all(hold.self_confirm for hold in holds),
        on_approval="grant" if any(hold.on_approval == "grant" for hold in holds) else "execute",
        remind_ms=1000 * min(reminds) if reminds else None,
        escalate_ms=None if escalate_s is None else 1000 * escalate_s,
        escalate_to=escalate_to,
    )


def stricter(new: Requirement, old: Requirement) -> str:
    """Why an approval of ``old`` does not do for ``new``, in one sentence; empty if it does.

    Does: whoever could satisfy ``old`` satisfies ``new``, and was asked about nothing less. A shorter time
    is not stricter, for it limits the waiting and not what is said; nor is another choice of what to show.
    """
    return next(_differences(new, old), "")


def _differences(new: Requirement, old: Requirement) -> Iterator[str]:
    asked = {reason.code for reason in old.reasons}
    for reason in new.reasons:
        if reason.code not in asked:
            yield f"a rule holds it now that nobody was asked about: {reason.code}"
    if new.risk > old.risk:
        yield f"its risk is {RISK_NAMES[new.risk]} now, and was {RISK_NAMES[old.risk]}"
    if new.quorum > old.quorum:
        yield f"{new.quorum} people have to agree now, and not {old.quorum}"
    for group in new.groups:
        if not _covered(group, new, old):
            yield f"somebody of {', '.join(group)} has to agree now"
    if new.quorum > 1 and not _names(old) <= _names(new):
        strangers = ", ".join(sorted(_names(old) - _names(new)))
        yield f"of the {new.quorum} people who have to agree none may be of {strangers} now"
    if old.self_confirm and not new.self_confirm:
        yield "a person may not confirm what their own agent asks for now"
    if new.on_approval == "grant" and old.on_approval == "execute":
        yield "an approval only permits the call now, and does not run it"


def _covered(group: tuple[str, ...], new: Requirement, old: Requirement) -> bool:
    """Whether everyone who could speak for some group of ``old`` can speak for this one of ``new``."""
    names = set(group)
    escalated = set(old.escalate_to)
    if new.escalate_ms is not None and old.escalate_ms is not None and new.escalate_ms <= old.escalate_ms:
        # Who spoke for it because it had waited so long, could speak for this one as well by then.
        escalated -= set(new.escalate_to)
    return escalated <= names and any(set(asked) <= names for asked in old.groups)


def _names(requirement: Requirement) -> set[str]:
    return {name for group in requirement.groups for name in group} | set(requirement.escalate_to)


def _groups(holds: Sequence[HoldRule]) -> tuple[tuple[str, ...], ...]:
    groups: dict[frozenset[str], tuple[str, ...]] = {}
    for hold in holds:
        groups.setdefault(frozenset(hold.by), hold.by)
    return tuple(groups.values())


def _escalation(holds: Sequence[HoldRule], ttl_s: int) -> tuple[int | None, tuple[str, ...]]:
    afters = [hold.escalate_after_s for hold in holds if hold.escalate_after_s is not None]
    everywhere = set[str].intersection(*(set(hold.escalate_to) for hold in holds))
    if not everywhere or max(afters) >= ttl_s:
        return None, ()
    return max(afters), tuple(name for name in holds[0].escalate_to if name in everywhere)


def _each_once(values: Iterable[_Value]) -> tuple[_Value, ...]:
    return tuple(dict.fromkeys(values))
