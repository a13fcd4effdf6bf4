"""One attempt to run an approved call: begin, give back, finish.

The order around these scripts is the flow's (gateway/approval.py): ``begin`` commits, the intent with its
fence is in the audit log, then the call is sent, then the outcome is in the log, then ``finish`` commits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from durable.holds.deciding import COLLECT_MS, bound, escalated, new_round, votes_of
from durable.holds.mover import locked, move
from durable.holds.refusals import StaleFence, WrongStatus
from durable.holds.rules import satisfied
from durable.holds.status import Status
from durable.holds.voting import genuine
from durable.pins.rows import in_force

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from durable.holds.hold import Hold, Outcome, Person, Requirement
    from durable.holds.tx import Tx
    from durable.pins.pin import PinKey

GATEWAY = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What is true at this moment of a call that is about to run.

    Gathered by the flow, judged in the transaction that takes the right to run it.
    """

    arguments_digest: str
    """Of the stored bytes as they were read."""
    call_digest: str
    definition_digest: str
    """Of the pinned definition; where it is no longer offered, of the one that was."""
    revision: str
    denied: str
    """Why it may not run at all; empty if it may."""
    requirement: Requirement | None
    """What policy asks for now; None where it would allow the call outright."""
    stricter: str
    """In what it asks for more than the approvers were told; empty if not."""
    people: Mapping[str, Person]
    """Who may still decide, by id, as they are now."""
    pin: PinKey | None = None
    """What has to be pinned in the form of that digest; None: it is about nothing that could be."""


def begin(tx: Tx, hold_id: str, version: int, now: Now, *, owner: str, lease_ms: int, key: bytes) -> Hold:
    """Take the right to run it once, or move it to where it belongs now.

    Returns:
        ``executing`` with a new fence; or ``invalidated``, ``held`` (another round), ``expired``; or as it
        was, ``approved``: its definition is kept back by now, and may come back in either form.

    Raises:
        WrongStatus, Concurrent: somebody was first.
    """
    hold = locked(tx, hold_id)
    if hold.status is not Status.APPROVED or hold.version != version:
        raise WrongStatus(f"it is {hold.status.value}", status=hold.status.value, by=hold.reason_by)
    if tx.now_ms >= hold.approved_until_ms:
        return _over(tx, hold, Status.EXPIRED, "the approval was not used in time")
    broken = _broken(tx, hold, now, key)
    if broken:
        return _over(tx, hold, Status.INVALIDATED, broken)
    if now.pin is not None and not in_force(tx, now.pin, now.definition_digest):
        # Since it was looked up its upstream has changed it, or a person has taken the pin back.
        return hold
    if now.denied:
        return _over(tx, hold, Status.INVALIDATED, now.denied)
    again = _another_round(tx, hold, now)
    if again:
        asked = now.requirement or hold.requirement
        if hold.original is not None:
            # An edited call is not what the agent would send again: the gateway runs it.
            asked = replace(asked, on_approval="execute")
        if hold.original is None and not _finds_itself(tx, hold, now.call_digest):
            return _over(
                tx, hold, Status.INVALIDATED, "the same call waits again, with the tool's new definition"
            )
        members = new_round(
            tx,
            hold,
            key=key,
            call_digest=now.call_digest,
            revision=now.revision,
            requirement=asked,
            definition_digest=now.definition_digest,
        )
        return move(tx, hold, Status.HELD, actor=GATEWAY, details={"because": again}, **members)
    return move(
        tx,
        hold,
        Status.EXECUTING,
        actor=owner,
        details={"revision": now.revision},
        fence=hold.fence + 1,
        attempts=hold.attempts + 1,
        owner=owner,
        lease_ms=tx.now_ms + lease_ms,
        next_ms=tx.now_ms + lease_ms,
    )


def _finds_itself(tx: Tx, hold: Hold, call_digest: str) -> bool:
    """Let the agent's next identical call find this hold although the tool's definition changed.

    Its digest is another one with another definition. False where such a call has a hold of its own by now.
    """
    if call_digest == hold.call_digest:
        return True
    taken = tx.rows(
        "SELECT 1 FROM hold WHERE tenant = :tenant AND attach_key = :digest AND id <> :id",
        tenant=hold.tenant,
        digest=call_digest,
        id=hold.id,
    )
    if taken:
        return False
    tx.execute(
        "UPDATE hold SET attach_key = :digest WHERE id = :id AND attach_key IS NOT NULL",
        digest=call_digest,
        id=hold.id,
    )
    return True


def _broken(tx: Tx, hold: Hold, now: Now, key: bytes) -> str:
    """Whether what would run is not what was approved."""
    if now.arguments_digest != hold.arguments.digest:
        return "the stored arguments are not those that were approved"
    if not bound(hold, key):
        return "the stored call is not the one that was approved"
    votes = votes_of(tx, hold)
    if len(genuine(key, votes)) != len(votes):
        return "a vote was not written by this gateway"
    approvals = [vote for vote in votes if vote.verdict == "approve"]
    if any(vote.binding != hold.binding or vote.seen != hold.seen for vote in approvals):
        return "an approval is about something else than this call"
    if now.definition_digest == hold.definition_digest and now.call_digest != hold.call_digest:
        return "the stored call is not the one that was approved"
    return ""


def _another_round(tx: Tx, hold: Hold, now: Now) -> str:
    """Why the approvals that there are do not carry what policy and catalogue say now."""
    if now.definition_digest != hold.definition_digest:
        return "the tool's definition changed after it was approved"
    votes = votes_of(tx, hold)
    asked = now.requirement or hold.requirement
    if now.stricter:
        return now.stricter
    if not satisfied(asked, hold.requester, votes, now.people, escalated=escalated(tx, hold)):
        return "those who approved may no longer, or somebody else has to agree by now"
    return ""


def _over(tx: Tx, hold: Hold, status: Status, reason: str) -> Hold:
    return move(
        tx,
        hold,
        status,
        actor=GATEWAY,
        details={"because": reason},
        reason=reason,
        reason_by=GATEWAY,
        next_ms=max(hold.expires_ms, tx.now_ms + COLLECT_MS),
    )


def postpone(tx: Tx, hold_id: str, version: int, *, again_ms: int) -> None:
    """It cannot be run at the moment: look again later. No event: nothing happened."""
    tx.execute(
        "UPDATE hold SET next_ms = "
        "CASE WHEN approved_until_ms < :at_ms THEN approved_until_ms ELSE :at_ms END "
        "WHERE id = :id AND version = :version AND status = 'approved'",
        at_ms=tx.now_ms + again_ms,
        id=hold_id,
        version=version,
    )


def recall(tx: Tx, hold_ids: Iterable[str]) -> None:
    """What these were postponed for is over: look at them now. No event: nothing happened.

    Not for a grant, which waits for its caller.
    """
    for hold_id in hold_ids:
        if tx.execute(
            "UPDATE hold SET next_ms = :now_ms WHERE id = :id AND status = 'approved' AND next_ms > :now_ms",
            now_ms=tx.now_ms,
            id=hold_id,
        ):
            tx.wake(hold_id)


def renew(tx: Tx, hold_id: str, fence: int, *, owner: str, lease_ms: int) -> bool:
    """Keep the right to run it for a while longer. No event: nothing happened."""
    return (
        tx.execute(
            "UPDATE hold SET lease_ms = :until, next_ms = :until "
            "WHERE id = :id AND fence = :fence AND owner = :owner AND status = 'executing'",
            until=tx.now_ms + lease_ms,
            id=hold_id,
            fence=fence,
            owner=owner,
        )
        == 1
    )


def give_back(tx: Tx, hold_id: str, fence: int, *, reason: str, again_ms: int) -> Hold:
    """Proof that nothing was sent: approved as before, and tried again after ``again_ms``.

    Raises:
        StaleFence: it is another attempt's by now.
    """
    hold = _of_fence(tx, hold_id, fence)
    if hold.status is not Status.EXECUTING:
        raise StaleFence(f"it is {hold.status.value} by now")
    return move(
        tx,
        hold,
        Status.APPROVED,
        actor=GATEWAY,
        details={"because": reason, "sent": False},
        attempts=hold.attempts - 1,
        owner="",
        lease_ms=0,
        next_ms=_again_at_ms(tx, hold, again_ms),
    )


def _again_at_ms(tx: Tx, hold: Hold, again_ms: int) -> int:
    """When the executor is to take it up again; never for a grant, which waits for its caller."""
    if hold.requirement.on_approval == "grant":
        return hold.approved_until_ms
    return min(tx.now_ms + again_ms, hold.approved_until_ms)


def retry(tx: Tx, hold_id: str, fence: int, *, reason: str, again_ms: int) -> Hold:
    """It may have been sent, and the operator says that twice is as good as once: approved again.

    Raises:
        StaleFence: it is another attempt's by now.
        WrongStatus: the tool is not declared idempotent.
    """
    hold = _of_fence(tx, hold_id, fence)
    if not hold.idempotent or hold.status is not Status.EXECUTING:
        raise WrongStatus("not to be tried again by itself", status=hold.status.value)
    return move(
        tx,
        hold,
        Status.APPROVED,
        actor=GATEWAY,
        details={"because": reason, "sent": True},
        owner="",
        lease_ms=0,
        next_ms=_again_at_ms(tx, hold, again_ms),
    )


def finish(tx: Tx, hold_id: str, fence: int, status: Status, outcome: Outcome) -> Hold:
    """Its outcome is in the log: ``succeeded``, ``failed`` or ``outcome_unknown``.

    Late ones count as long as no other attempt was begun.

    Raises:
        StaleFence: it is another attempt's by now.
        WrongStatus: it has another end.
    """
    hold = _of_fence(tx, hold_id, fence)
    if hold.status is status:
        return hold
    if hold.status not in {Status.EXECUTING, Status.OUTCOME_UNKNOWN}:
        # It is approved again, or a person wants it run again: that attempt has no more say in it.
        raise WrongStatus(f"it is {hold.status.value} by now", status=hold.status.value)
    ended = status is not Status.OUTCOME_UNKNOWN
    return move(
        tx,
        hold,
        status,
        actor=GATEWAY,
        details={"code": outcome.code} if outcome.code else {},
        owner="",
        lease_ms=0,
        outcome=outcome,
        next_ms=max(hold.expires_ms, tx.now_ms + COLLECT_MS) if ended else None,
    )


def _of_fence(tx: Tx, hold_id: str, fence: int) -> Hold:
    hold = locked(tx, hold_id)
    if hold.fence != fence:
        raise StaleFence(f"attempt {fence} is not the last one of this call ({hold.fence})")
    return hold
