"""Between a row and a ``Hold``: the only place that knows how members lie in columns."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from durable.holds.hold import (
    Arguments,
    Event,
    Hold,
    Outcome,
    Requester,
    Requirement,
    Vote,
    Why,
)
from durable.holds.refusals import HoldUnreadable
from durable.holds.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Row = dict[str, Any]

_PLAIN = (
    "id",
    "tenant",
    "version",
    "round",
    "created_ms",
    "updated_ms",
    "expires_ms",
    "approved_until_ms",
    "next_ms",
    "session",
    "client",
    "method",
    "upstream",
    "name",
    "call_id",
    "call_digest",
    "group_key",
    "idempotency_key",
    "definition_digest",
    "revision",
    "binding",
    "send_key",
    "fence",
    "attempts",
    "owner",
    "lease_ms",
    "reason",
    "reason_by",
    "claimed_by",
    "claimed_until_ms",
    "decided_ms",
)


def text(value: Any) -> str:
    """A document as it is stored."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def hold_of(row: Mapping[str, Any]) -> Hold:
    """The hold in a row of ``hold``.

    Raises:
        HoldUnreadable: it is none.
    """
    try:
        return _hold_of(row)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise HoldUnreadable(f"the row of hold {row['id']} cannot be read") from error


def holds_of(rows: Iterable[Mapping[str, Any]]) -> list[Hold]:
    """Those of the rows that can be read: one that cannot must not keep the others from anybody."""
    found = []
    for row in rows:
        with suppress(HoldUnreadable):
            found.append(hold_of(row))
    return found


def _hold_of(row: Mapping[str, Any]) -> Hold:
    requirement, original, outcome = row["requirement"], row["original"], row["outcome"]
    return Hold(
        **{name: row[name] for name in _PLAIN},
        status=Status(row["status"]),
        requester=Requester(
            subject_type=row["subject_type"], subject_id=row["subject_id"], agent=row["agent"]
        ),
        workflow=json.loads(row["workflow"]),
        arguments=Arguments(**json.loads(row["arguments"])),
        original=None if original is None else Arguments(**json.loads(original)),
        view=json.loads(row["view"]),
        requirement=requirement_of_text(requirement),
        idempotent=bool(row["idempotent"]),
        outcome=None if outcome is None else Outcome(**json.loads(outcome)),
        collected=bool(row["collected"]),
        statement={name: str(said) for name, said in json.loads(row["statement"]).items()},
        group_size=row.get("group_size", 1),
        approvals=row.get("approvals"),
    )


def columns_of(hold: Hold) -> Row:
    """Every column of a hold but those that only the scripts look at (``attach_key``, ``escalated``)."""
    return {
        **{name: getattr(hold, name) for name in _PLAIN},
        "status": hold.status.value,
        "subject_type": hold.requester.subject_type,
        "subject_id": hold.requester.subject_id,
        "agent": hold.requester.agent,
        "workflow": text(dict(hold.workflow)),
        "arguments": arguments_text(hold.arguments),
        "original": None if hold.original is None else arguments_text(hold.original),
        "view": text(hold.view),
        "requirement": requirement_text(hold.requirement),
        "risk": hold.requirement.risk,
        "idempotent": int(hold.idempotent),
        "outcome": None if hold.outcome is None else outcome_text(hold.outcome),
        "collected": int(hold.collected),
        "statement": text(dict(hold.statement)),
    }


def arguments_text(arguments: Arguments) -> str:
    """As stored."""
    return text(
        {
            "digest": arguments.digest,
            "size_bytes": arguments.size_bytes,
            "payload": dict(arguments.payload),
        }
    )


def outcome_text(outcome: Outcome) -> str:
    """As stored."""
    return text(
        {
            "kind": outcome.kind,
            "code": outcome.code,
            "is_error": outcome.is_error,
            "modern": outcome.modern,
            "payload": None if outcome.payload is None else dict(outcome.payload),
            "call_id": outcome.call_id,
        }
    )


def requirement_text(requirement: Requirement) -> str:
    """As stored."""
    return text(
        {
            "groups": requirement.groups,
            "quorum": requirement.quorum,
            "ttl_ms": requirement.ttl_ms,
            "risk": requirement.risk,
            "reasons": [[one.code, one.why, one.rule] for one in requirement.reasons],
            "show": requirement.show,
            "self_confirm": requirement.self_confirm,
            "on_approval": requirement.on_approval,
            "remind_ms": requirement.remind_ms,
            "escalate_ms": requirement.escalate_ms,
            "escalate_to": requirement.escalate_to,
        }
    )


def requirement_of_text(stored: str) -> Requirement:
    """The inverse of ``requirement_text``."""
    read = json.loads(stored)
    return Requirement(
        **{
            **read,
            "groups": tuple(tuple(group) for group in read["groups"]),
            "reasons": tuple(Why(code=code, why=why, rule=rule) for code, why, rule in read["reasons"]),
            "show": tuple(read["show"]),
            "escalate_to": tuple(read["escalate_to"]),
        }
    )


def vote_of(row: Mapping[str, Any]) -> Vote:
    """The vote in a row of ``hold_vote``."""
    return Vote(
        person=row["person"],
        verdict=row["verdict"],
        round=row["round"],
        at_ms=row["at_ms"],
        seen=row["seen"],
        binding=row["binding"],
        names=frozenset(json.loads(row["names"])),
        sole=bool(row["sole"]),
        how=row["how"],
        reason=row["reason"],
        proof=row["proof"],
    )


def event_of(row: Mapping[str, Any]) -> Event:
    """The event in a row of ``hold_event``."""
    return Event(
        hold=row["hold"],
        tenant=row["tenant"],
        seq=row["seq"],
        at_ms=row["at_ms"],
        kind=row["kind"],
        actor=row["actor"],
        round=row["round"],
        fence=row["fence"],
        details=json.loads(row["details"]),
    )
