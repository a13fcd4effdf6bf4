"""The reviewers' desk over the store: every act is one transaction, and an entry in the log."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

from durable.errors import StoreUnavailable
from durable.holds import deciding
from durable.holds.erasing import blank_views
from durable.holds.finding import PAGE_MAX, group, of_prefix, one, page, similar, story
from durable.holds.mover import waiting
from durable.holds.refusals import NotEligible, WrongStatus
from durable.holds.reviewing import reviewing
from durable.holds.rules import why_not_eligible
from durable.holds.status import Status
from durable.sessions.placeholders import erase_values
from gateway.core.canonical import canonical_json
from gateway.core.days import days_until
from gateway.core.record import Record
from gateway.desk import HoldSheet
from gateway.errors import AuditUnwritable, PayloadGone
from gateway.holding.facts import sentence_of
from gateway.holding.restoring import restored

if TYPE_CHECKING:
    import datetime
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping

    from durable.holds.deciding import Decided
    from durable.holds.hold import Arguments, Hold, Person
    from durable.holds.reviewing import Reviewing
    from durable.holds.tx import Tx
    from durable.stores.base import HoldStore
    from gateway.desk import Resolution, Verdict
    from gateway.holding.context import Contexts
    from gateway.holding.editing import Editing
    from gateway.holding.inspectable import Inspectable
    from gateway.holding.relay import EventRelay
    from gateway.ports import AuditTrail, Payloads, Redaction, Reviewers

GROUP_MAX = 50
CROWDED = "crowded"
"""The kind of a redaction that hides everything at once (scanners/finding.py)."""


class ReviewersDesk:
    """Satisfies ``gateway.desk.Desk``."""

    def __init__(
        self,
        *,
        store: HoldStore,
        audit: AuditTrail,
        payloads: Payloads,
        reviewers: Reviewers,
        redaction: Redaction,
        relay: EventRelay,
        editing: Editing,
        callers_waiting: Callable[[str], int],
        kept_back: Callable[[Hold], str],
        title_of: Callable[[Hold], str],
        contexts: Contexts,
        resolve_call: Callable[[str, str, Mapping[str, Any]], Awaitable[str]],
        resolve_attempts: Callable[[str, str, Mapping[str, Any]], Awaitable[None]],
        erase_subject: Callable[[str, str, dict[str, str]], Any],
        inspectable: Inspectable,
        zone: datetime.tzinfo,
        key: bytes,
    ) -> None:
        """Take the parts.

        Args:
            store: the rows.
            audit: the log: what was read, and by whom.
            payloads: sealed values.
            reviewers: who there is to be asked.
            redaction: makes them fit to be shown.
            relay: carries what happened into the log.
            editing: judges edited arguments.
            callers_waiting: by hold id, in this process.
            kept_back: why the definition that a call is about is not in use; empty if it is.
            title_of: what the tool calls itself; the server's words.
            contexts: what else is told of a call.
            resolve_call: ``(tenant, beginning of the call's id, members)`` -> the whole id.
            resolve_attempts: the same for the attempts of a hold.
            erase_subject: ``(tenant, subject, members)``.
            inspectable: what is beyond it nobody can approve.
            zone: whose days are counted.
            key: of the bindings.
        """
        self._store = store
        self._audit = audit
        self._payloads = payloads
        self._reviewers = reviewers
        self._redaction = redaction
        self._relay = relay
        self._editing = editing
        self._callers_waiting = callers_waiting
        self._kept_back = kept_back
        self._title_of = title_of
        self._contexts = contexts
        self._resolve_call = resolve_call
        self._resolve_attempts = resolve_attempts
        self._erase_subject = erase_subject
        self._inspectable = inspectable
        self._zone = zone
        self._key = key

    async def queue(
        self,
        person: Person,
        *,
        statuses: Collection[Status],
        limit: int,
        after: tuple[int, int, str] | None = None,
    ) -> list[Hold]:
        """A page of holds, risk first, then time left."""
        return await self._store.read(page, person.tenant, statuses=tuple(statuses), limit=limit, after=after)

    async def held_count(self, person: Person) -> int:
        """How many calls of the tenant wait for a person."""
        return await self._store.read(waiting, person.tenant, None)

    async def find(self, person: Person, prefix: str) -> Hold:
        """The one hold whose id begins like this."""
        return await self._store.read(of_prefix, person.tenant, prefix)

    async def sheet(self, person: Person, prefix: str) -> HoldSheet:
        """Everything about it; reading the arguments is recorded before they are read."""
        hold = await self.find(person, prefix)
        told = await self._store.read(story, hold)
        hold = told.hold
        await self._audit.append(_read_record(person, hold))
        uninspectable, arguments, redactions = await self._looked_at(hold)
        context = await self._contexts.of(hold, arguments)
        return HoldSheet(
            story=told,
            arguments=arguments,
            arguments_text="" if arguments is None else canonical_json(arguments).decode(),
            redactions=redactions,
            original_text=await self._original(hold),
            similar=await self._store.read(similar, hold),
            group=tuple(await self._store.read(group, hold.tenant, hold.group_key, limit=GROUP_MAX)),
            callers_waiting=self._callers_waiting(hold.id),
            sentence=sentence_of(hold),
            definition_title=self._title_of(hold),
            uninspectable=uninspectable,
            may_decide=why_not_eligible(hold, person, escalated=told.escalated),
            colleagues=tuple(one.id for one in self._others(person, hold, escalated=told.escalated)),
            places=context.held_by.places,
            places_left_out=context.held_by.left_out,
            policy_moved=context.held_by.moved,
            described=context.described,
            unusual=context.unusual,
            compared=context.compared,
            trail=context.trail,
        )

    async def _looked_at(self, hold: Hold) -> tuple[str, Any, tuple[tuple[str, str], ...]]:
        """Why nobody can look at it (empty if one can), the arguments as shown, and their redactions."""
        if why := self._inspectable.too_large(hold.arguments):
            return why, None, ()
        try:
            shown, redactions = self._redaction.shown(await self._stored(hold, hold.arguments))
        except PayloadGone as error:
            return error.reason, None, ()
        if why := self._inspectable.too_many(shown):
            return why, None, ()
        if any(kind == CROWDED for _, kind in redactions):
            return "so much of it looks like secrets that all of it is hidden", shown, redactions
        return "", shown, redactions

    async def _original(self, hold: Hold) -> str:
        if hold.original is None or self._inspectable.too_large(hold.original):
            return ""
        try:
            shown, _ = self._redaction.shown(await self._stored(hold, hold.original))
        except PayloadGone as error:
            return f"({error.reason})"
        return canonical_json(shown).decode()

    async def _stored(self, hold: Hold, arguments: Arguments) -> Any:
        body = await self._payloads.read(hold.tenant, hold.requester.subject_id, arguments.payload)
        return json.loads(body)

    async def decide(
        self, person: Person, hold_id: str, verdict: Verdict, *, seen: str, reason: str
    ) -> Decided:
        """One person's word."""
        if verdict == "approve":
            hold = await self.find(person, hold_id)
            uninspectable, _, _ = await self._looked_at(hold)
            if uninspectable:
                raise NotEligible(f"nobody can approve what nobody can look at: {uninspectable}")
        decided = await self._store.run(
            deciding.decide, hold_id, person, verdict, seen=seen, reason=reason, key=self._key
        )
        await self._tell(hold_id)
        return decided

    async def claim(self, person: Person, hold_id: str) -> Hold:
        """Say that one is looking at it."""
        return await self._store.run(deciding.claim, hold_id, person)

    async def ask(self, person: Person, hold_id: str, whom: str, *, note: str) -> Hold:
        """Have a colleague look at it."""
        people = self._reviewers.people(person.tenant)
        colleague = next((one for one in people if one.id.casefold() == whom.casefold()), None)
        asked = await self._store.run(deciding.ask, hold_id, person, colleague, note)
        await self._tell(hold_id)
        return asked

    async def colleagues(self, person: Person, hold: Hold) -> tuple[str, ...]:
        """Ids of the others who may decide it now."""
        escalated = await self._store.read(deciding.escalated, hold)
        return tuple(one.id for one in self._others(person, hold, escalated=escalated))

    def _others(self, person: Person, hold: Hold, *, escalated: bool) -> list[Person]:
        if hold.status is not Status.HELD:
            return []
        return [
            one
            for one in self._reviewers.people(hold.tenant)
            if one.id.casefold() != person.id.casefold()
            and not why_not_eligible(hold, one, escalated=escalated)
        ]

    async def edit(
        self, person: Person, hold_id: str, arguments: dict[str, Any], *, seen: str, reason: str
    ) -> Hold:
        """Put other arguments in place: validated, evaluated, bound again; another round of approvals."""
        hold = await self.find(person, hold_id)
        problem = why_not_eligible(hold, person, escalated=True)
        if problem:
            raise NotEligible(f"you may not decide this call: {problem}")
        stored = await self._stored(hold, hold.arguments)
        shown, _ = self._redaction.shown(stored)
        change = await self._editing.judged(hold, restored(arguments, shown, stored), person)
        edited = await self._store.run(
            deciding.edit, hold_id, person, change, seen=seen, reason=reason, key=self._key
        )
        await self._tell(hold_id)
        return edited

    async def resolve(self, person: Person, hold_id: str, outcome: Resolution, *, evidence: str) -> Hold:
        """Say what became of a call whose outcome was lost, or ask for it to be run again."""
        resolved = await self._store.run(
            deciding.resolve, hold_id, person, outcome, evidence=evidence, key=self._key
        )
        await self._tell(hold_id)
        # The attempts that nobody knows the end of are listed as calls, too.
        members = {"status": outcome, "by": person.id, "how": person.how, "evidence": evidence}
        with suppress(AuditUnwritable):
            await self._resolve_attempts(resolved.tenant, resolved.id, members)
        return resolved

    async def resolve_call(
        self, person: Person, call: str, outcome: Literal["succeeded", "failed"], *, evidence: str
    ) -> str:
        """What became of an ordinary call without an outcome in the log."""
        if not _operates(person):
            raise NotEligible("saying what became of a call needs the role operator")
        members = {"status": outcome, "by": person.id, "how": person.how, "evidence": evidence}
        return await self._resolve_call(person.tenant, call, members)

    async def reviewing(self, person: Person, days: int) -> Reviewing:
        """How reviewing went in their tenant, by the days of the gateway's zone and the store's clock."""

        def of_these_days(tx: Tx) -> Reviewing:
            return reviewing(tx, person.tenant, days_until(tx.now_ms, days, self._zone))

        return await self._store.read(of_these_days)

    async def grants(self, person: Person, *, limit: int) -> list[Hold]:
        """Approvals that wait for their caller to use them."""
        found: list[Hold] = []
        after = None
        while len(found) < limit:
            approved = await self._store.read(
                page, person.tenant, statuses=(Status.APPROVED,), limit=PAGE_MAX, after=after
            )
            found += [hold for hold in approved if hold.requirement.on_approval == "grant"]
            if len(approved) < PAGE_MAX:
                break
            last = approved[-1]
            after = (last.requirement.risk, last.expires_ms, last.id)
        return found[:limit]

    async def revoke(self, person: Person, hold_id: str, *, reason: str) -> Hold:
        """Take such an approval back."""
        hold = await self.find(person, hold_id)
        problem = why_not_eligible(hold, person, escalated=True)
        if problem:
            raise NotEligible(f"you may not decide this call: {problem}")
        if hold.status is not Status.APPROVED:
            raise WrongStatus(
                f"it is {hold.status.value}; only an approval that was not used can be revoked",
                status=hold.status.value,
            )
        revoked = await self._store.run(
            deciding.cancel, hold_id, tenant=person.tenant, actor=person.id, reason=reason
        )
        await self._tell(hold_id)
        return revoked

    async def erase(self, person: Person, subject: str, *, reason: str) -> None:
        """Destroy what opens a subject's stored values; the sole person and operators may."""
        if not _operates(person):
            raise NotEligible("erasing needs the role operator")
        await self._erase_subject(person.tenant, subject, {"by": person.id, "reason": reason})
        # Lists show a part of the arguments; that part goes as well.
        await self._store.run(blank_views, person.tenant, subject)
        await self._store.run(erase_values, person.tenant, subject)

    @contextmanager
    def watch(self, person: Person) -> Iterator[AsyncIterator[str]]:
        """Ids of this tenant's holds as they change."""
        with self._store.watch() as changes:
            yield self._own(person, changes)

    async def _own(self, person: Person, changes: AsyncIterator[str]) -> AsyncIterator[str]:
        async for hold_id in changes:
            if not hold_id:
                yield ""
                continue
            hold = await self._store.read(one, hold_id)
            if hold is not None and hold.tenant == person.tenant:
                yield hold_id

    def callers_waiting(self, hold_id: str) -> int:
        """How many requests of agents wait for it at this moment."""
        return self._callers_waiting(hold_id)

    def kept_back(self, hold: Hold) -> str:
        """Why it cannot run although people may decide it."""
        if hold.status not in {Status.HELD, Status.APPROVED}:
            return ""
        return self._redaction.text(self._kept_back(hold))

    def sentence(self, hold: Hold) -> str:
        """One sentence of facts."""
        return sentence_of(hold)

    async def _tell(self, hold_id: str) -> None:
        """What was decided is durable; the log hears of it now, or as soon as it can. Nothing runs before."""
        with suppress(AuditUnwritable, StoreUnavailable):
            await self._relay.flush(hold_id)


def _operates(person: Person) -> bool:
    return person.sole or "operator" in person.names


def _read_record(person: Person, hold: Hold) -> Record:
    members = {
        "hold": hold.id,
        "call": hold.call_id,
        "tool": hold.target,
        "subject": hold.requester.subject_id,
        "by": person.id,
        "how": person.how,
        "arguments_sha256": hold.arguments.digest,
    }
    return Record(kind="payload_read", tenant=hold.tenant, members=members)
