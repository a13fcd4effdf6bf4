"""The audit trail port over the durable log: words of the flows in, words of the log out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from durable.audit.entry import Draft, PayloadDraft
from durable.audit.reading import show
from durable.errors import DurableError
from durable.holds.hold import Outcome
from gateway.core.record import Recorded
from gateway.errors import AuditUnwritable

if TYPE_CHECKING:
    from pathlib import Path

    from durable.audit.entry import Appended
    from gateway.core.record import Record


class Log(Protocol):
    """What is needed of ``durable.audit.segments.AuditLog``; which one is the composition root's choice."""

    async def append(self, *drafts: Draft) -> tuple[Appended, ...]:
        """Write and sync; raises DurableError."""
        ...

    def enqueue(self, *drafts: Draft) -> None:
        """Write with the next group; never raises: what is lost is counted in the log's health."""
        ...


class Trail:
    """Satisfies ``AuditTrail``."""

    def __init__(self, log: Log) -> None:
        """Take the open log; it stays the caller's to close."""
        self._log = log

    async def append(self, *records: Record) -> tuple[Recorded, ...]:
        """Write and sync; returns where each went.

        Raises:
            AuditUnwritable: the log did not take them.
        """
        try:
            appended = await self._log.append(*map(_draft, records))
        except DurableError as error:
            raise AuditUnwritable(
                f"the audit log cannot take the record ({error.code}), so the call was not made",
                next_step="the operator looks at /readyz",
            ) from error
        return tuple(Recorded(seq=one.seq, payloads=one.payloads) for one in appended)

    def enqueue(self, *records: Record) -> None:
        """Write with the next group."""
        self._log.enqueue(*map(_draft, records))


def logged_outcome(data: Path, tenant: str, call: str) -> Outcome | None:
    """What the log says came of one attempt; None if it has no answer. Blocks; for the start."""
    try:
        shown = show(data, call, tenant=tenant)
    except DurableError:
        return None
    for entry in shown.entries:
        if entry.kind == "outcome" and entry.members.get("status") in {"succeeded", "failed"}:
            return Outcome(
                kind="result" if entry.members["status"] == "succeeded" else "error",
                code=str(entry.members.get("code", "")),
                is_error=bool(entry.members.get("is_error")),
                modern=bool(entry.members.get("modern")),
                payload=entry.payloads.get("result"),
                call_id=call,
            )
    return None


def _draft(record: Record) -> Draft:
    return Draft(
        record.kind,
        record.members,
        record.tenant,
        tuple(
            PayloadDraft(name=one.name, subject=one.subject, body=one.body, durable=one.durable)
            for one in record.payloads
        ),
    )
