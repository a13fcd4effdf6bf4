"""What people do to a hold: claim, ask a colleague, approve, deny, edit, cancel, resolve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from durable.holds.columns import vote_of
from durable.holds.filing import next_look_ms
from durable.holds.hold import Arguments, Hold, Outcome, Person, Requirement, Vote, binding_of
from durable.holds.mover import locked, move
from durable.holds.refusals import (
    AlreadyVoted,
    ClaimedByOther,
    NotAskable,
    NotEligible,
    SeenStale,
    WrongStatus,
)
from durable.holds.rules import same_human, satisfied, why_not_eligible
from durable.holds.status import Status
from durable.holds.voting import genuine, write_vote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from durable.holds.tx import Tx
    from durable.holds.voting import Verdict

CLAIM_MS = 10 * 60_000
APPROVAL_GRACE_MS = 15 * 60_000
"""An approval in the last moment can still be used for so long."""
COLLECT_MS = 60 * 60_000
"""An end stays to be collected until the hold would have expired, and at least for so long."""

RESOLVED = "resolved"
"""The outcome's code where a person said what came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What became of a decision."""

    hold: Hold
    counted: bool
    """False where the same person had said the same before: nothing changed."""


def votes_of(tx: Tx, hold: Hold) -> tuple[Vote, ...]:
    """Everything said in the current round, in order."""
    found = tx.rows(
        "SELECT * FROM hold_vote WHERE hold = :hold AND round = :round ORDER BY at_ms, person",
        hold=hold.id,
        round=hold.round,
    )
    return tuple(map(vote_of, found))


def escalated(tx: Tx, hold: Hold) -> bool:
    """Whether the wider circle may decide by now."""
    after_ms = hold.requirement.escalate_ms
    if after_ms is None:
        return False
    found = tx.rows("SELECT escalated FROM hold WHERE id = :id", id=hold.id)
    return bool(found[0]["escalated"])


def decide(
    tx: Tx, hold_id: str, person: Person, verdict: Verdict, *, seen: str, reason: str, key: bytes
) -> Decided:
    """One person's word. A denial ends it; approvals count until the requirement is met.

    A denial also takes back an approval that has not been used yet: deny beats approve.

    Raises:
        UnknownHold: none of this person's tenant.
        NotEligible: not theirs to decide.
        WrongStatus: decided, expired, withdrawn or running already.
        SeenStale: it changed since it was shown.
        AlreadyVoted: they said something else in this round.
    """
    hold = locked(tx, hold_id, person.tenant)
    said = {vote.person: vote for vote in votes_of(tx, hold)}.get(person.id)
    if said is not None and said.verdict == verdict and said.seen == seen:
        return Decided(hold=hold, counted=False)
    _may_decide(tx, hold, person, seen, verdict, key=key)
    if hold.status is Status.APPROVED:
        after = move(
            tx,
            hold,
            Status.CANCELLED,
            actor=person.id,
            details=_proof(person) | {"withdrawn": True, "reason": reason},
            **_ended(tx, hold, reason=reason, by=person.id),
        )
        return Decided(hold=after, counted=True)
    if said is not None and verdict == "approve":
        raise AlreadyVoted(f"you said {said.verdict} in this round", next_step="ask somebody else")
    write_vote(tx, hold, person, verdict, seen=seen, reason=reason, key=key)
    if verdict == "deny":
        after = move(
            tx,
            hold,
            Status.DENIED,
            actor=person.id,
            details=_proof(person) | {"reason": reason},
            decided_ms=hold.decided_ms or tx.now_ms,
            **_ended(tx, hold, reason=reason, by=person.id),
        )
        return Decided(hold=after, counted=True)
    return _counted(tx, hold, person, reason, key)


def _counted(tx: Tx, hold: Hold, person: Person, reason: str, key: bytes) -> Decided:
    """A yes that is written down already: perhaps it was the last one that was needed."""
    votes = genuine(key, votes_of(tx, hold))
    approvals = sum(1 for vote in votes if vote.verdict == "approve")
    if satisfied(hold.requirement, hold.requester, votes, escalated=escalated(tx, hold)):
        until_ms = max(hold.expires_ms, tx.now_ms + APPROVAL_GRACE_MS)
        after = move(
            tx,
            hold,
            Status.APPROVED,
            actor=person.id,
            details=_proof(person) | ({"reason": reason} if reason else {}),
            decided_ms=hold.decided_ms or tx.now_ms,
            approved_until_ms=until_ms,
            next_ms=until_ms if hold.requirement.on_approval == "grant" else tx.now_ms,
            reason=reason,
            reason_by=person.id,
            claimed_by="",
            claimed_until_ms=0,
            approvals=approvals,
        )
        return Decided(hold=after, counted=True)
    details = _proof(person) | {"verdict": "approve"}
    after = move(tx, hold, "vote", actor=person.id, details=details, approvals=approvals)
    return Decided(hold=after, counted=True)


def _may_decide(tx: Tx, hold: Hold, person: Person, seen: str, verdict: Verdict, *, key: bytes) -> None:
    problem = why_not_eligible(hold, person, escalated=escalated(tx, hold))
    if problem:
        raise NotEligible(f"you may not decide this call: {problem}")
    takes_back = verdict == "deny" and hold.status is Status.APPROVED
    if hold.status is not Status.HELD and not takes_back:
        by = f" by {hold.reason_by}" if hold.reason_by else ""
        raise WrongStatus(
            f"it is {hold.status.value}{by} already", status=hold.status.value, by=hold.reason_by
        )
    if hold.status is Status.HELD and tx.now_ms >= hold.expires_ms:
        raise WrongStatus("it has expired", status=Status.EXPIRED.value)
    if seen != hold.seen:
        raise SeenStale("what you were shown is not what is held now", next_step="look at it again")
    if verdict == "approve" and not bound(hold, key):
        raise SeenStale("the stored call is not the one that was held; nobody can approve it")
    if verdict == "approve" and hold.claimed_by not in {"", person.id} and tx.now_ms < hold.claimed_until_ms:
        raise ClaimedByOther(f"{hold.claimed_by} has claimed it", next_step="claim it yourself first")


def bound(hold: Hold, key: bytes) -> bool:
    """Whether the row still says what was held: somebody may have written to the database."""
    expected = binding_of(
        key,
        call_digest=hold.call_digest,
        hold=hold.id,
        round_number=hold.round,
        revision=hold.revision,
        expires_ms=hold.expires_ms,
    )
    return expected == hold.binding


def _proof(person: Person) -> dict[str, Any]:
    return {"how": person.how, "names": sorted(person.names), "single_user": person.sole}


def _ended(tx: Tx, hold: Hold, *, reason: str, by: str) -> dict[str, Any]:
    """What every end has in common: why, by whom, and how long it waits to be collected."""
    return {
        "reason": reason,
        "reason_by": by,
        "next_ms": max(hold.expires_ms, tx.now_ms + COLLECT_MS),
        "claimed_by": "",
        "claimed_until_ms": 0,
    }


def claim(tx: Tx, hold_id: str, person: Person) -> Hold:
    """Say "I am looking at it", for ten minutes; the one who claims last has it.

    Raises:
        UnknownHold, NotEligible, WrongStatus: as for a decision.
    """
    hold = _waiting_for(tx, hold_id, person)
    return move(
        tx,
        hold,
        "claimed",
        actor=person.id,
        details={"from": hold.claimed_by} if hold.claimed_by else {},
        claimed_by=person.id,
        claimed_until_ms=tx.now_ms + CLAIM_MS,
    )


def ask(tx: Tx, hold_id: str, person: Person, whom: Person | None, note: str) -> Hold:
    """Have a colleague look at it: says nothing about the call, and changes nobody's right to decide.

    The one who asks lets go of it, if they had claimed it. ``whom``: None where there is no such reviewer.

    Raises:
        UnknownHold, NotEligible, WrongStatus: as for a decision.
        NotAskable: there is no such colleague, or they may not decide it, or it is the person themselves.
    """
    hold = _waiting_for(tx, hold_id, person)
    if tx.now_ms >= hold.expires_ms:
        raise WrongStatus("it has expired", status=Status.EXPIRED.value)
    if whom is None:
        raise NotAskable("no reviewer has that id", next_step="the call's sheet lists who may decide it")
    problem = why_not_eligible(hold, whom, escalated=escalated(tx, hold))
    if whom.id.casefold() == person.id.casefold():
        problem = "it is you"
    if problem:
        raise NotAskable(f"{whom.id} cannot be asked about this call: {problem}")
    its_own = hold.claimed_by == person.id
    return move(
        tx,
        hold,
        "asked",
        actor=person.id,
        details={"whom": whom.id, "note": note},
        claimed_by="" if its_own else hold.claimed_by,
        claimed_until_ms=0 if its_own else hold.claimed_until_ms,
    )


def _waiting_for(tx: Tx, hold_id: str, person: Person) -> Hold:
    """The hold, if it waits and this person may decide it."""
    hold = locked(tx, hold_id, person.tenant)
    problem = why_not_eligible(hold, person, escalated=escalated(tx, hold))
    if problem:
        raise NotEligible(f"you may not decide this call: {problem}")
    if hold.status is not Status.HELD:
        raise WrongStatus(f"it is {hold.status.value} already", status=hold.status.value, by=hold.reason_by)
    return hold


def cancel(tx: Tx, hold_id: str, *, tenant: str, actor: str, reason: str) -> Hold:
    """Withdraw it: the agent does not want it any more, or a grant is revoked.

    Raises:
        UnknownHold, WrongStatus.
    """
    hold = locked(tx, hold_id, tenant)
    if hold.status not in {Status.HELD, Status.APPROVED}:
        raise WrongStatus(f"it is {hold.status.value} already", status=hold.status.value, by=hold.reason_by)
    return move(
        tx,
        hold,
        Status.CANCELLED,
        actor=actor,
        details={"reason": reason},
        **_ended(tx, hold, reason=reason, by=actor),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Other arguments in place of the agent's, already validated and evaluated."""

    arguments: Arguments
    view: Mapping[str, Any]
    call_digest: str
    revision: str
    requirement: Requirement
    """What policy asks for before the edited call may run."""


def edit(tx: Tx, hold_id: str, person: Person, change: Edit, *, seen: str, reason: str, key: bytes) -> Hold:
    """Put edited arguments in place: another round, in which nobody has said anything yet.

    The agent's identical call still finds this hold; what the agent sent can no longer run.

    Raises:
        UnknownHold, NotEligible, WrongStatus, SeenStale: as for a decision.
    """
    hold = locked(tx, hold_id, person.tenant)
    _may_decide(tx, hold, person, seen, "approve", key=key)
    details = _proof(person) | {
        "from": hold.arguments.digest,
        "to": change.arguments.digest,
        "from_payload": dict(hold.arguments.payload),
        "to_payload": dict(change.arguments.payload),
        "reason": reason,
    }
    return move(
        tx,
        hold,
        "edited",
        actor=person.id,
        details=details,
        **new_round(
            tx,
            hold,
            key=key,
            call_digest=change.call_digest,
            revision=change.revision,
            # An edited call is not what the agent would send again: the gateway runs it.
            requirement=replace(change.requirement, on_approval="execute"),
        ),
        arguments=change.arguments,
        original=hold.original or hold.arguments,
        view=change.view,
        # With other arguments it is another call, also for an upstream that knows calls by their keys.
        send_key=f"{hold.id}-{hold.round + 1}",
    )


def new_round(
    tx: Tx,
    hold: Hold,
    *,
    key: bytes,
    call_digest: str,
    revision: str,
    requirement: Requirement,
    definition_digest: str = "",
) -> dict[str, Any]:
    """The members with which another round of approvals begins."""
    expires_ms = tx.now_ms + requirement.ttl_ms
    return {
        "round": hold.round + 1,
        "expires_ms": expires_ms,
        "approved_until_ms": 0,
        "call_digest": call_digest,
        "revision": revision,
        "requirement": requirement,
        "definition_digest": definition_digest or hold.definition_digest,
        "escalated": False,
        "binding": binding_of(
            key,
            call_digest=call_digest,
            hold=hold.id,
            round_number=hold.round + 1,
            revision=revision,
            expires_ms=expires_ms,
        ),
        "next_ms": next_look_ms(requirement, since_ms=tx.now_ms, now_ms=tx.now_ms, expires_ms=expires_ms),
        "claimed_by": "",
        "claimed_until_ms": 0,
    }


Finding = Literal["succeeded", "failed", "held"]


def resolve(tx: Tx, hold_id: str, person: Person, outcome: Finding, *, evidence: str, key: bytes) -> Hold:
    """A person found out what came of a call whose outcome was lost, or wants it run again (``held``).

    Raises:
        UnknownHold, WrongStatus.
        NotEligible: not theirs to decide, or their own call.
    """
    hold = locked(tx, hold_id, person.tenant)
    if same_human(person.id, hold.requester) and not (person.sole or hold.requirement.self_confirm):
        raise NotEligible("a person cannot say what became of what their own agent asked for")
    problem = why_not_eligible(hold, person, escalated=True)
    if problem:
        raise NotEligible(f"you may not resolve this call: {problem}")
    if hold.status is not Status.OUTCOME_UNKNOWN:
        raise WrongStatus(
            f"it is {hold.status.value}; only an unknown outcome is resolved", status=hold.status.value
        )
    details = _proof(person) | {"evidence": evidence}
    if outcome == "held":
        again = new_round(
            tx,
            hold,
            key=key,
            call_digest=hold.call_digest,
            revision=hold.revision,
            requirement=hold.requirement,
        )
        return move(
            tx, hold, Status.HELD, actor=person.id, details=details, **again, outcome=None, collected=False
        )
    kind: Literal["none", "unknown"] = "unknown"
    found = hold.outcome or Outcome(kind=kind)
    return move(
        tx,
        hold,
        Status(outcome),
        actor=person.id,
        details=details,
        **_ended(tx, hold, reason=evidence, by=person.id),
        outcome=replace(found, code=RESOLVED),
    )
