"""What happens to holds because time passes: reminders, escalation, expiry, lost leases, ends let go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable.holds.columns import hold_of
from durable.holds.deciding import COLLECT_MS
from durable.holds.executing import GATEWAY, finish, retry
from durable.holds.filing import let_go, next_look_ms
from durable.holds.hold import Hold, Outcome
from durable.holds.mover import move
from durable.holds.refusals import HoldUnreadable
from durable.holds.status import Status

if TYPE_CHECKING:
    from durable.holds.columns import Row
    from durable.holds.tx import Tx

SWEPT_MAX = 200
"""Holds of each status that one transaction looks at."""
_LOOKED_AT = (*(status for status in Status if status is not Status.OUTCOME_UNKNOWN),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How many holds each thing happened to."""

    expired: int = 0
    reminded: int = 0
    escalated: int = 0
    lost: int = 0
    """Whoever ran it has not been heard of: outcome unknown, or tried again where that is harmless."""
    let_go: int = 0
    more: bool = False
    """There was more than one transaction should do."""


def sweep(tx: Tx) -> Swept:
    """Look at everything whose time has come."""
    counts = dict.fromkeys(("expired", "reminded", "escalated", "lost", "let_go"), 0)
    more = False
    for status in _LOOKED_AT:
        due = tx.rows(
            # An approved call that is due is the executor's, until its time is over.
            "SELECT * FROM hold WHERE status = :status AND next_ms <= :now_ms "
            "AND (status <> 'approved' OR approved_until_ms <= :now_ms) ORDER BY next_ms LIMIT :most",
            status=status.value,
            now_ms=tx.now_ms,
            most=SWEPT_MAX,
        )
        more = more or len(due) == SWEPT_MAX
        for row in due:
            what = _looked_at(tx, row)
            if what:
                counts[what] += 1
    return Swept(**counts, more=more)


def _looked_at(tx: Tx, row: Row) -> str:
    try:
        hold = hold_of(row)
    except HoldUnreadable:
        # Nothing is done with it, and it is not looked at again: only a person can know what it was.
        tx.execute("UPDATE hold SET next_ms = NULL WHERE id = :id", id=row["id"])
        return ""
    return _look_at(tx, hold, already_escalated=bool(row["escalated"]))


def _look_at(tx: Tx, hold: Hold, *, already_escalated: bool) -> str:
    if hold.status is Status.HELD:
        return _waiting(tx, hold, already_escalated=already_escalated)
    if hold.status is Status.APPROVED:
        return _expire(tx, hold, "the approval was not used in time")
    if hold.status is Status.EXECUTING:
        return _lost(tx, hold)
    let_go(tx, hold)
    return "let_go"


def _waiting(tx: Tx, hold: Hold, *, already_escalated: bool) -> str:
    if tx.now_ms >= hold.expires_ms:
        return _expire(tx, hold, "nobody decided in time")
    requirement = hold.requirement
    began_ms = hold.expires_ms - requirement.ttl_ms
    due = requirement.escalate_ms is not None and tx.now_ms >= began_ms + requirement.escalate_ms
    escalates = due and not already_escalated
    next_ms = next_look_ms(
        requirement,
        since_ms=began_ms,
        now_ms=tx.now_ms,
        expires_ms=hold.expires_ms,
        escalated=already_escalated or escalates,
    )
    if escalates:
        move(
            tx,
            hold,
            "escalated",
            actor=GATEWAY,
            details={"to": list(requirement.escalate_to)},
            next_ms=next_ms,
            escalated=True,
        )
        return "escalated"
    move(tx, hold, "reminder", actor=GATEWAY, next_ms=next_ms)
    return "reminded"


def _expire(tx: Tx, hold: Hold, reason: str) -> str:
    move(
        tx,
        hold,
        Status.EXPIRED,
        actor=GATEWAY,
        details={"because": reason},
        reason=reason,
        reason_by=GATEWAY,
        next_ms=tx.now_ms + COLLECT_MS,
    )
    return "expired"


def _lost(tx: Tx, hold: Hold) -> str:
    if tx.now_ms < hold.lease_ms:
        return ""
    if hold.idempotent and tx.now_ms < hold.approved_until_ms:
        retry(tx, hold.id, hold.fence, reason="whoever ran it was not heard of again", again_ms=0)
    else:
        finish(tx, hold.id, hold.fence, Status.OUTCOME_UNKNOWN, Outcome(kind="unknown", code="lease_lost"))
    return "lost"
