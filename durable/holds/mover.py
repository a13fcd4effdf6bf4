"""The one function that changes a hold. Everything that ever happens to a row goes through ``move``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from durable.holds.columns import columns_of, hold_of, outcome_text, text
from durable.holds.refusals import Concurrent, UnknownHold, WrongStatus
from durable.holds.status import EDGES, FINAL, NEVER_RAN, OPEN, Status, landing

if TYPE_CHECKING:
    from durable.holds.hold import Hold, Requester
    from durable.holds.tx import Tx

LOG = "log"
"""The outbox channel of the audit log."""
WEBHOOKS = "webhooks"
"""The outbox channel of everything outside."""


def locked(tx: Tx, hold_id: str, tenant: str | None = None) -> Hold:
    """The hold as it is now.

    Args:
        tx: the transaction.
        hold_id: in full.
        tenant: whose it must be; None only for the gateway's own work.

    Raises:
        UnknownHold: there is none of that tenant.
    """
    found = tx.rows("SELECT * FROM hold WHERE id = :id", id=hold_id)
    if not found or (tenant is not None and found[0]["tenant"] != tenant):
        raise UnknownHold("no such hold")
    return hold_of(found[0])


def move(
    tx: Tx,
    hold: Hold,
    event: str | Status,
    *,
    actor: str,
    details: dict[str, Any] | None = None,
    attach: bool = True,
    escalated: bool | None = None,
    **members: Any,
) -> Hold:
    """Write what happened: the row, its event and what has to be told elsewhere, in one transaction.

    Args:
        tx: the transaction.
        hold: as it was read in this transaction.
        event: a status to move to, or another kind of event, which leaves the status.
        actor: who or what did it.
        details: what else belongs to the event.
        attach: whether an identical call still finds it.
        escalated: set when the escalation has taken place.
        members: of ``Hold``, with their new values.

    Returns:
        The hold as it is now. A move to "it never ran" lands at ``outcome_unknown`` once an attempt was made.

    Raises:
        WrongStatus: the table has no such edge.
        Concurrent: the row is not the one that was read.
    """
    kind, status = str(event), hold.status
    if isinstance(event, Status):
        status = landing(event, attempts=hold.attempts)
        kind = status.value
        if status not in EDGES[hold.status]:
            raise WrongStatus(
                f"it is {hold.status.value} and cannot become {status.value}",
                status=hold.status.value,
                by=hold.reason_by,
            )
        if status is not event:
            details = {**(details or {}), "wanted": event.value}
    moved = replace(
        hold, **{**members, "status": status, "version": hold.version + 1, "updated_ms": tx.now_ms}
    )
    columns = columns_of(moved)
    if not attach:
        columns["attach_key"] = None
    if status is Status.OUTCOME_UNKNOWN:
        # Only a person can take it from here.
        columns["next_ms"] = None
    if escalated is not None:
        columns["escalated"] = int(escalated)
    _write(tx, hold, columns)
    if status is not hold.status:
        _follow(tx, hold, moved)
    note(tx, moved, kind, actor=actor, details=details)
    return moved


def _follow(tx: Tx, before: Hold, after: Hold) -> None:
    """What stands elsewhere and follows from another status."""
    if after.idempotency_key:
        _follow_key(tx, after)
    if before.status in OPEN and after.status not in OPEN:
        # Used up: whoever writes "approved" into the row again finds nothing that counts.
        tx.execute("UPDATE hold_vote SET proof = '' WHERE hold = :hold", hold=after.id)
    if (before.status is Status.HELD) is not (after.status is Status.HELD):
        count_waiting(tx, after, 1 if after.status is Status.HELD else -1)


def _write(tx: Tx, hold: Hold, columns: dict[str, Any]) -> None:
    """Compare and swap: nothing is written over a version that was not read."""
    changed = {name: value for name, value in columns.items() if name != "id"}
    written = tx.execute(
        f"UPDATE hold SET {', '.join(f'{name} = :{name}' for name in changed)} "  # noqa: S608 - names are ours
        "WHERE id = :hold_id AND version = :hold_version",
        hold_id=hold.id,
        hold_version=hold.version,
        **changed,
    )
    if written != 1:
        raise Concurrent("the hold changed in the meantime", next_step="read it again")


def note(tx: Tx, hold: Hold, kind: str, *, actor: str, details: dict[str, Any] | None = None) -> None:
    """The event row and its outbox rows, for the version that the hold now has."""
    tx.execute(
        "INSERT INTO hold_event (hold, seq, tenant, at_ms, kind, actor, round, fence, details) "
        "VALUES (:hold, :seq, :tenant, :at_ms, :kind, :actor, :round, :fence, :details)",
        hold=hold.id,
        seq=hold.version,
        tenant=hold.tenant,
        at_ms=tx.now_ms,
        kind=kind,
        actor=actor,
        round=hold.round,
        fence=hold.fence,
        details=text({"status": hold.status.value, **(details or {})}),
    )
    for channel in (LOG, WEBHOOKS):
        tx.execute(
            "INSERT INTO hold_outbox (hold, seq, channel, not_before_ms, attempts) "
            "VALUES (:hold, :seq, :channel, :now_ms, 0)",
            hold=hold.id,
            seq=hold.version,
            channel=channel,
            now_ms=tx.now_ms,
        )
    tx.wake(hold.id)


def _follow_key(tx: Tx, hold: Hold) -> None:
    """The caller's idempotency key knows the outcome with the row, and is free again if nothing ran."""
    place = {
        "tenant": hold.tenant,
        "principal": principal_text(hold.requester),
        "target": hold.target,
        "key": hold.idempotency_key,
        "call_id": hold.call_id,
    }
    where = (
        "WHERE tenant = :tenant AND principal = :principal AND target = :target AND key = :key "
        "AND call_id = :call_id"
    )
    if hold.status in NEVER_RAN:
        tx.execute(f"DELETE FROM keyed_call {where}", **place)  # noqa: S608 - fixed text
    elif hold.status in FINAL and hold.outcome is not None:
        tx.execute(
            f"UPDATE keyed_call SET outcome = :outcome {where}",  # noqa: S608 - fixed text
            outcome=outcome_text(hold.outcome),
            **place,
        )


def count_waiting(tx: Tx, hold: Hold, change: int) -> None:
    """Keep the numbers of waiting calls, of the agent and of its tenant.

    Counting rows would cost more with every hold there is.
    """
    for principal in (principal_text(hold.requester), ""):
        tx.execute(
            "INSERT INTO hold_waiting (tenant, principal, waiting) VALUES (:tenant, :principal, :change) "
            "ON CONFLICT (tenant, principal) DO UPDATE SET waiting = hold_waiting.waiting + :change",
            tenant=hold.tenant,
            principal=principal,
            change=change,
        )


def waiting(tx: Tx, tenant: str, requester: Requester | None) -> int:
    """How many calls of an agent wait for a person; without one, of the tenant."""
    found = tx.rows(
        "SELECT waiting FROM hold_waiting WHERE tenant = :tenant AND principal = :principal",
        tenant=tenant,
        principal="" if requester is None else principal_text(requester),
    )
    return int(found[0]["waiting"]) if found else 0


def principal_text(requester: Requester) -> str:
    """A requester as one text; no two of them run together."""
    return text([requester.subject_type, requester.subject_id, requester.agent])
