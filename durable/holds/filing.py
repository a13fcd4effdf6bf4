"""A call comes in that policy holds: find its hold again, or begin one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from durable.holds.columns import columns_of, hold_of
from durable.holds.hold import Arguments, Hold, Requester, Requirement, binding_of
from durable.holds.mover import count_waiting, move, note, waiting
from durable.holds.refusals import TooManyHolds
from durable.holds.status import FINAL, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from durable.holds.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """A held call before it has a row."""

    id: str
    """New and unguessable; used only if there is no hold to attach to."""
    tenant: str
    requester: Requester
    session: str
    workflow: Mapping[str, Any]
    client: str
    method: str
    upstream: str
    name: str
    call_id: str
    call_digest: str
    group_key: str
    idempotency_key: str
    arguments: Arguments
    view: Mapping[str, Any]
    definition_digest: str
    revision: str
    requirement: Requirement
    idempotent: bool
    send_key: str
    statement: Mapping[str, str] = field(default_factory=dict)
    """What the agent says of it, redacted. An identical call that finds a hold adds nothing to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Bounds on calls that wait."""

    per_agent: int
    per_tenant: int


def attached(tx: Tx, tenant: str, call_digest: str) -> Hold | None:
    """The hold that an identical call belongs to: one that is open, or whose end nobody has collected."""
    hold = _of_digest(tx, tenant, call_digest)
    return None if hold is None or _is_over(tx, hold) else hold


def _of_digest(tx: Tx, tenant: str, call_digest: str) -> Hold | None:
    found = tx.rows(
        "SELECT * FROM hold WHERE tenant = :tenant AND attach_key = :digest",
        tenant=tenant,
        digest=call_digest,
    )
    return hold_of(found[0]) if found else None


def _is_over(tx: Tx, hold: Hold) -> bool:
    """Whether the sweeper is late to let go of it: what is over is over."""
    return hold.status in FINAL and (hold.next_ms is None or hold.next_ms <= tx.now_ms)


def file_hold(tx: Tx, filing: Filing, *, key: bytes, caps: Caps) -> tuple[Hold, bool]:
    """The hold of this call, and whether it is new.

    Raises:
        TooManyHolds: the agent or its tenant has too many calls waiting.
    """
    existing = _of_digest(tx, filing.tenant, filing.call_digest)
    if existing is not None and not _is_over(tx, existing):
        return existing, False
    _within(tx, filing, caps)
    if existing is not None:
        let_go(tx, existing)
    hold = _new(tx, filing, key)
    columns = columns_of(hold) | {"attach_key": hold.call_digest, "escalated": 0}
    names = ", ".join(columns)
    values = ", ".join(f":{name}" for name in columns)
    tx.execute(f"INSERT INTO hold ({names}) VALUES ({values})", **columns)  # noqa: S608 - names are ours
    count_waiting(tx, hold, 1)
    note(tx, hold, Status.HELD, actor=hold.requester.agent)
    return hold, True


def _new(tx: Tx, filing: Filing, key: bytes) -> Hold:
    now_ms, requirement = tx.now_ms, filing.requirement
    expires_ms = now_ms + requirement.ttl_ms
    binding = binding_of(
        key,
        call_digest=filing.call_digest,
        hold=filing.id,
        round_number=1,
        revision=filing.revision,
        expires_ms=expires_ms,
    )
    return Hold(
        id=filing.id,
        tenant=filing.tenant,
        status=Status.HELD,
        version=1,
        round=1,
        created_ms=now_ms,
        updated_ms=now_ms,
        expires_ms=expires_ms,
        approved_until_ms=0,
        next_ms=next_look_ms(requirement, since_ms=now_ms, now_ms=now_ms, expires_ms=expires_ms),
        requester=filing.requester,
        session=filing.session,
        workflow=filing.workflow,
        client=filing.client,
        method=filing.method,
        upstream=filing.upstream,
        name=filing.name,
        call_id=filing.call_id,
        call_digest=filing.call_digest,
        group_key=filing.group_key,
        idempotency_key=filing.idempotency_key,
        arguments=filing.arguments,
        original=None,
        view=filing.view,
        definition_digest=filing.definition_digest,
        revision=filing.revision,
        requirement=requirement,
        binding=binding,
        idempotent=filing.idempotent,
        send_key=filing.send_key,
        fence=0,
        attempts=0,
        owner="",
        lease_ms=0,
        outcome=None,
        reason="",
        reason_by="",
        collected=False,
        claimed_by="",
        claimed_until_ms=0,
        statement=filing.statement,
    )


def _within(tx: Tx, filing: Filing, caps: Caps) -> None:
    requester = filing.requester
    mine = waiting(tx, filing.tenant, requester)
    if mine >= caps.per_agent:
        raise TooManyHolds(
            f"{mine} calls of this agent wait for a person already",
            next_step="wait until some of them are decided",
        )
    everybody = waiting(tx, filing.tenant, None)
    if everybody >= caps.per_tenant:
        raise TooManyHolds(
            f"{everybody} calls of this tenant wait for people already",
            next_step="wait until some of them are decided",
        )


def next_look_ms(
    requirement: Requirement,
    *,
    since_ms: int,
    now_ms: int,
    expires_ms: int,
    escalated: bool = False,
) -> int:
    """When the sweeper has to look at a waiting hold again: the end, a reminder or the escalation."""
    looks = [expires_ms]
    if requirement.remind_ms is not None:
        looks.append(now_ms + requirement.remind_ms)
    if requirement.escalate_ms is not None and not escalated:
        looks.append(since_ms + requirement.escalate_ms)
    return max(now_ms, min(looks)) if looks else expires_ms


def collect(tx: Tx, hold: Hold) -> Hold:
    """Its end was handed over: an identical call from now on is another call.

    What a person has forbidden stays forbidden until the hold would have expired anyway: asking again at once
    would only wear the reviewers out.
    """
    if hold.status not in FINAL or hold.collected:
        return hold
    stays = hold.status is Status.DENIED and hold.expires_ms > tx.now_ms
    return move(
        tx,
        hold,
        "collected",
        actor=hold.requester.agent,
        collected=True,
        attach=stays,
        next_ms=hold.expires_ms if stays else None,
    )


def let_go(tx: Tx, hold: Hold) -> Hold:
    """Nobody collected its end in time."""
    return move(tx, hold, "let_go", actor="gateway", attach=False, next_ms=None)
