"""What a start of the process makes of its holds, with the complete audit log beside the database.

Nothing runs yet. Of each attempt that was begun it becomes clear whether it was sent and what came of it; a
database that is older than the log, or that somebody wrote into, runs nothing that the log knows to be over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from durable.holds.columns import hold_of, holds_of
from durable.holds.executing import GATEWAY, finish, give_back, retry
from durable.holds.hold import Hold, Outcome
from durable.holds.mover import move
from durable.holds.status import FINAL, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from durable.holds.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """What the audit log says about the last attempt of a hold."""

    fence: int
    ended: str
    """``status`` of its outcome record, or empty where there is none; ``reopened`` where a person wants
    it run again."""
    call: str = ""
    """Its id in the log."""
    outcome: Outcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What became of the holds that the last process left."""

    given_back: int = 0
    """The log has no intent: nothing was sent; they go on by themselves."""
    finished: int = 0
    """The log has their outcome."""
    unknown: int = 0
    """An intent without outcome: a person has to find out."""
    older: int = 0
    """The log knows attempts that this database does not: it was restored from an older copy."""


def executing(tx: Tx, after: str, limit: int) -> list[Hold]:
    """Holds that some process was running, in the order of their ids."""
    # Every one of these has a lease, so the index of what is due has them together.
    found = tx.rows(
        "SELECT * FROM hold WHERE status = 'executing' AND next_ms IS NOT NULL AND id > :after "
        "ORDER BY id LIMIT :limit",
        after=after,
        limit=limit,
    )
    return holds_of(found)


def fences_of(tx: Tx, hold_ids: list[str]) -> dict[str, int]:
    """The last attempt that the database knows of each of these holds that it has and that are not over."""
    found: dict[str, int] = {}
    for hold_id in hold_ids:
        rows = tx.rows("SELECT fence, status FROM hold WHERE id = :id", id=hold_id)
        if rows and rows[0]["status"] not in FINAL:
            found[hold_id] = int(rows[0]["fence"])
    return found


def recover(tx: Tx, hold_id: str, logged: Logged | None) -> str:
    """Bring one hold in line with the complete audit log, at start, while nothing runs.

    Returns:
        The member of ``Recovered`` that it counts for; empty where nothing had to be done.
    """
    found = tx.rows("SELECT * FROM hold WHERE id = :id", id=hold_id)
    if not found:
        # The database is older than this hold. Nothing can run it: there is no row.
        return "older"
    hold = hold_of(found[0])
    if logged is not None and (logged.fence > hold.fence or _has_run(hold, logged)):
        return _catch_up(tx, hold, logged)
    if hold.status not in {Status.EXECUTING, Status.OUTCOME_UNKNOWN}:
        return ""
    said = logged if logged is not None and logged.fence == hold.fence else None
    if said is not None and said.ended in {"succeeded", "failed"} and said.outcome is not None:
        # Also where the lease was lost before: the log had the outcome in time, the row had not.
        finish(tx, hold.id, hold.fence, Status(said.ended), said.outcome)
        return "finished"
    if hold.status is Status.OUTCOME_UNKNOWN:
        return ""
    if said is None or said.ended == "not_sent":
        give_back(tx, hold.id, hold.fence, reason="the process ended before anything was sent", again_ms=0)
        return "given_back"
    if hold.idempotent and tx.now_ms < hold.approved_until_ms:
        retry(tx, hold.id, hold.fence, reason="the process ended before it had the outcome", again_ms=0)
        return "given_back"
    lost = Outcome(kind="unknown", code="process_ended", call_id=said.call)
    finish(tx, hold.id, hold.fence, Status.OUTCOME_UNKNOWN, lost)
    return "unknown"


def _has_run(hold: Hold, logged: Logged) -> bool:
    """Whether a call that could run now has run, or may have: somebody wrote into its row.

    Between an attempt that was sent and another approval of the same call there is always a person who
    wanted it, or the operator's word that twice is as good as once.
    """
    if hold.status is not Status.APPROVED or logged.fence != hold.fence:
        return False
    if logged.ended in {"succeeded", "failed"}:
        return True
    return logged.ended not in {"not_sent", "reopened"} and not hold.idempotent


def _catch_up(tx: Tx, hold: Hold, logged: Logged) -> str:
    """The log has an attempt that the row knows nothing of: it must never become another one."""
    if hold.status in FINAL:
        return ""
    # Of the attempts between the row's and the log's last one nobody knows here: only if there is none
    # can "not sent" be said of all that the row has not heard of.
    next_one = hold.status is not Status.EXECUTING and logged.fence == hold.fence + 1
    if logged.ended == "not_sent" and (next_one or hold.status is Status.OUTCOME_UNKNOWN):
        move(tx, hold, "caught_up", actor=GATEWAY, fence=logged.fence)
        return "older"
    members: dict[str, Any] = {
        "fence": logged.fence,
        "attempts": hold.attempts + 1,
        "owner": "",
        "lease_ms": 0,
    }
    details = {"because": "this database is older than the audit log"}
    if hold.status is not Status.OUTCOME_UNKNOWN:
        hold = move(
            tx,
            hold,
            Status.OUTCOME_UNKNOWN,
            actor=GATEWAY,
            details=details,
            **members,
            outcome=Outcome(kind="unknown", code="database_restored", call_id=logged.call),
            next_ms=None,
        )
    else:
        hold = move(tx, hold, "caught_up", actor=GATEWAY, details=details, **members)
    if logged.ended in {"succeeded", "failed"} and logged.outcome is not None:
        finish(tx, hold.id, logged.fence, Status(logged.ended), logged.outcome)
    return "older"


def is_older(tx: Tx, latest: Sequence[tuple[str, int]]) -> bool:
    """Whether the database lacks one of these events, hold and version.

    An event is in the log only after its row.
    """
    for hold_id, version in latest:
        found = tx.rows("SELECT version FROM hold WHERE id = :id", id=hold_id)
        if not found or found[0]["version"] < version:
            return True
    return False


def waiting_or_approved(tx: Tx, hold_ids: Sequence[str]) -> list[str]:
    """Those of these holds that somebody could still run, as far as the database knows."""
    return [
        row["id"]
        for hold_id in hold_ids
        for row in tx.rows(
            "SELECT id FROM hold WHERE id = :id AND status IN ('held', 'approved')", id=hold_id
        )
    ]


def close_again(tx: Tx, hold_id: str, status: Status) -> bool:
    """The log knows that it was denied, withdrawn or over: it is that again. Whether it had to be moved."""
    found = tx.rows("SELECT * FROM hold WHERE id = :id", id=hold_id)
    if not found:
        return False
    hold = hold_of(found[0])
    if hold.status not in {Status.HELD, Status.APPROVED}:
        return False
    # From approved a denial is called a withdrawal, and nothing else leads out of held.
    if hold.status is Status.APPROVED and status is Status.DENIED:
        status = Status.CANCELLED
    move(
        tx,
        hold,
        status,
        actor="gateway",
        details={"because": "the audit log says so; this database is older"},
        reason="it was over already; this database is older than the audit log",
        reason_by="gateway",
        next_ms=hold.expires_ms,
    )
    return True
