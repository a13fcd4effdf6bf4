"""The audit trail port over the durable log: words of the flows in, words of the log out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from durable.audit.entry import Draft, PayloadDraft, read_line
from durable.audit.intents import OpenIntents
from durable.audit.reading import show, story
from durable.errors import AmbiguousCall, DurableError, UnknownCall
from durable.holds.hold import Outcome
from durable.holds.refusals import AmbiguousHold, UnknownHold, WrongStatus
from gateway.core.record import Record, Recorded
from gateway.errors import AuditUnwritable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from durable.audit.entry import Appended


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


async def resolve_attempts(log: Log, data: Path, tenant: str, hold: str, members: Mapping[str, Any]) -> None:
    """Write down what a person said about a held call for each of its attempts that has no end in the log.

    Raises:
        AuditUnwritable: it could not be written down.
    """
    try:
        entries = await asyncio.to_thread(story, data, hold, tenant=tenant)
    except (UnknownCall, AmbiguousCall):
        return
    intents = OpenIntents()
    for entry in entries:
        stored = read_line(entry.line)
        assert stored is not None
        intents.see(stored)
    records = [
        Record(kind="resolution", tenant=tenant, members={"call": one.call, "hold": hold, **members})
        for one in intents.unresolved()
    ]
    if records:
        await Trail(log).append(*records)


async def resolve_in_log(log: Log, data: Path, tenant: str, call: str, members: Mapping[str, Any]) -> str:
    """Write down what a person found out about a call whose outcome is not in the log; its whole id.

    Raises:
        UnknownHold, AmbiguousHold: not one call of this tenant.
        WrongStatus: the log knows already, or the call belongs to a hold, which is resolved itself.
        AuditUnwritable: it could not be written down.
    """
    try:
        shown = await asyncio.to_thread(show, data, call, tenant=tenant)
    except UnknownCall as error:
        raise UnknownHold("no such call", next_step="toolgate audit unresolved") from error
    except AmbiguousCall as error:
        raise AmbiguousHold(
            error.reason, candidates=error.candidates, next_step="give more of the id"
        ) from error
    intents = OpenIntents()
    for entry in shown.entries:
        stored = read_line(entry.line)
        assert stored is not None
        intents.see(stored)
    if not len(intents):
        raise WrongStatus("the log knows already what became of it", status="resolved")
    hold = shown.entries[0].members.get("hold")
    if hold:
        raise WrongStatus(
            "it is an attempt of a held call", status="held", next_step=f"toolgate approvals resolve {hold}"
        )
    await Trail(log).append(Record(kind="resolution", tenant=tenant, members={"call": shown.call, **members}))
    return shown.call


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
