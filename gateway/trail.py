"""The audit trail port over the durable log: words of the flows in, words of the log out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from durable.audit.entry import Draft, PayloadDraft
from durable.errors import DurableError
from gateway.errors import AuditUnwritable

if TYPE_CHECKING:
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

    async def append(self, *records: Record) -> tuple[int, ...]:
        """Write and sync; returns the sequence numbers.

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
        return tuple(one.seq for one in appended)

    def enqueue(self, *records: Record) -> None:
        """Write with the next group."""
        self._log.enqueue(*map(_draft, records))


def _draft(record: Record) -> Draft:
    return Draft(
        record.kind,
        record.members,
        record.tenant,
        tuple(PayloadDraft(name=one.name, subject=one.subject, body=one.body) for one in record.payloads),
    )
