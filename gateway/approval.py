"""One held call: filed, decided by people, run once. One of the three flows.

A hold is a row, not a coroutine: nothing here has to survive for it to go on. ``hold`` writes it before
anybody is told; people move it through the desk (holding/desk.py); ``execute`` runs it; whoever waits for it
only reads (holding/callers.py).
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from durable.errors import StoreUnavailable
from durable.holds.deciding import cancel, votes_of
from durable.holds.executing import begin, postpone, recall
from durable.holds.filing import Caps, attached, file_hold
from durable.holds.finding import holders, one, postponed
from durable.holds.mover import waiting
from durable.holds.refusals import Refused, TooManyHolds
from durable.holds.rules import satisfiable
from durable.holds.status import NEVER_RAN, Status
from gateway.core.call import call_digest
from gateway.core.record import Attempt, intent_record, outcome_record
from gateway.core.requirement import requirement_of
from gateway.errors import (
    CannotHold,
    HoldLimit,
    NobodyApproves,
)
from gateway.holding.filing import HOLDABLE, filing_of, requester_of
from gateway.holding.keys import unavailable, unsettled
from gateway.holding.reevaluation import NotNow
from policies.errors import PolicyUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from durable.holds.hold import Hold, Requirement
    from durable.holds.tx import Tx
    from durable.stores.base import HoldStore
    from gateway.core.decision import Decision
    from gateway.core.principal import Principal, PrincipalKey
    from gateway.core.record import Record
    from gateway.holding.attempt import Attempts
    from gateway.holding.reevaluation import Reevaluation
    from gateway.holding.settings import ApprovalSettings
    from gateway.passage.passage import Passage
    from gateway.ports import AuditTrail, Redaction, Reviewers, Screen

LEASE_MARGIN_S = 30.0
"""An attempt may take as long as the call itself, and so much longer."""
POSTPONED_MS = 2_000
"""The first pause of a call about which nothing can be known at the moment; each further one is double."""
VALUES_KEPT_MS = 31 * 24 * 60 * 60 * 1000
"""So much longer than a call may wait is kept what its placeholders stand for: rounds can follow."""
REMEMBER_AGAIN_S = 1.0
FAULT_POSTPONED_MS = 60_000


class Approval:
    """The flow of held calls."""

    def __init__(
        self,
        *,
        store: HoldStore,
        audit: AuditTrail,
        reviewers: Reviewers,
        redaction: Redaction,
        screen: Screen,
        reevaluation: Reevaluation,
        attempts: Attempts,
        kept_back: Callable[[Hold], str],
        settings: ApprovalSettings,
        call_deadline_s: dict[str, float],
        key: bytes,
        owner: str,
        new_hold_id: Callable[[], str],
    ) -> None:
        """Take the parts.

        Args:
            store: the rows.
            audit: the log.
            reviewers: who may decide.
            redaction: makes views.
            screen: keeps what stands behind placeholders.
            reevaluation: brings an approved call up to date.
            attempts: runs it.
            kept_back: why the definition that a call is about is not in use; empty if it is.
            settings: bounds.
            call_deadline_s: by upstream.
            key: of the bindings; not in the database.
            owner: this process, different with every start.
            new_hold_id: unguessable.
        """
        self._store = store
        self._audit = audit
        self._reviewers = reviewers
        self._redaction = redaction
        self._screen = screen
        self._reevaluation = reevaluation
        self._attempts = attempts
        self._kept_back = kept_back
        self._caps = Caps(per_agent=settings.per_agent_max, per_tenant=settings.per_tenant_max)
        self._call_deadline_s = call_deadline_s
        self._key = key
        self._owner = owner
        self._beginnings = itertools.count(1)
        self._new_hold_id = new_hold_id
        self._postponed: Counter[str] = Counter()
        """How often in a row, by hold: a backlog for one server must not keep the executor busy."""
        self._back_off_max_ms = int(1000 * settings.back_off_max_s)
        self._holding: set[PrincipalKey] = set()
        """Who has holds, or had: only they can have one that an allowed call is about."""
        self._remembers = False

    async def hold(self, passage: Passage, decision: Decision) -> Hold:
        """The hold of a call that policy holds: the one that an identical call began, or a new one.

        It is durable, in the log and in the store, when this returns. The request itself is recorded.

        Raises:
            CannotHold: nobody can decide it, or too much waits; nothing is recorded yet.
            ApprovalsUnavailable, AuditUnwritable: it could not be made durable.
        """
        call, principal = passage.call, passage.caller.principal
        if call.method not in HOLDABLE or passage.side.task is not None or passage.resumed is not None:
            raise CannotHold(f"a person would have to decide, and {call.method} cannot wait for one here")
        digest = call_digest(call, principal, passage.digest)
        try:
            found = await self._store.read(attached, principal.tenant, digest)
            if found is None and passage.repeats is not None:
                raise unsettled(passage.repeats)
            if found is None:
                return await self._filed(passage, decision, digest)
        except StoreUnavailable as error:
            raise unavailable(error) from error
        await self._record(passage, decision, found.id)
        return found

    async def taken_up(self, passage: Passage) -> Hold | None:
        """What an identical call began that policy held, now that policy allows it; None: forward it.

        One that still waits is withdrawn: otherwise a reviewer's yes would run the call a second time.

        Raises:
            ApprovalsUnavailable: nobody can know.
        """
        found = await self.begun_before(passage)
        try:
            if found is None or found.status in NEVER_RAN:
                return None
            if found.status is not Status.HELD:
                return found
            withdrawn = await self._store.run(
                cancel,
                found.id,
                tenant=found.tenant,
                actor="gateway",
                reason="policy allows the same call by now, and its caller made it again",
            )
        except Refused:
            # A reviewer was first.
            return await self._latest(found) if found is not None else None
        except StoreUnavailable as error:
            raise unavailable(error) from error
        # An attempt of long ago may have run: then nothing has become of it that could be forwarded.
        return None if withdrawn.status in NEVER_RAN else withdrawn

    async def begun_before(self, passage: Passage) -> Hold | None:
        """What an identical call began that is open, or whose end nobody has collected.

        Raises:
            ApprovalsUnavailable: nobody can know.
        """
        principal = passage.caller.principal
        if self._remembers and principal.key not in self._holding:
            return None
        digest = call_digest(passage.call, principal, passage.digest)
        try:
            return await self._store.read(attached, principal.tenant, digest)
        except StoreUnavailable as error:
            raise unavailable(error) from error

    async def remember(self) -> None:
        """At start, beside everything else: who has holds. Until that is known every call is looked up."""
        while not self._remembers:
            try:
                self._holding.update(await self._store.read(holders))
                self._remembers = True
            except StoreUnavailable:
                await asyncio.sleep(REMEMBER_AGAIN_S)

    async def _filed(self, passage: Passage, decision: Decision, digest: str) -> Hold:
        principal, definition = passage.caller.principal, passage.definition
        assert definition is not None
        requirement = requirement_of(decision.holds)
        if not satisfiable(requirement, requester_of(principal), self._reviewers.people(principal.tenant)):
            raise NobodyApproves(_nobody(requirement))
        self._holding.add(principal.key)
        await self._refuse_more(principal)
        await self._keep_values(passage, requirement)
        hold_id = self._new_hold_id()
        payload = await self._record(passage, decision, hold_id)
        filing = filing_of(
            hold_id=hold_id,
            call_id=passage.call_id,
            call=passage.call,
            caller=passage.caller,
            digest=digest,
            definition=definition,
            revision=decision.revision,
            requirement=requirement,
            payload=payload,
            view=self._redaction.view(passage.call.arguments),
            statement={
                name: self._redaction.text(words)
                for name, words in passage.caller.statement.members().items()
            },
        )
        try:
            hold, _ = await self._store.run(file_hold, filing, key=self._key, caps=self._caps)
        except TooManyHolds as error:
            raise HoldLimit(error.reason, next_step=error.next_step) from error
        return hold

    async def _keep_values(self, passage: Passage, requirement: Requirement) -> None:
        """What stands behind placeholders must still be there when the call runs; its session may be over."""
        now_ms = await self._store.read(_now_ms)
        until_ms = now_ms + requirement.ttl_ms + VALUES_KEPT_MS
        await self._screen.keep(passage.call, passage.caller, until_ms=until_ms)

    async def _refuse_more(self, principal: Principal) -> None:
        """Before anything is written: a flood must not fill the log with requests that find no room."""
        for whose, requester, most in (
            ("agent", requester_of(principal), self._caps.per_agent),
            ("tenant", None, self._caps.per_tenant),
        ):
            found = await self._store.read(waiting, principal.tenant, requester)
            if found >= most:
                raise HoldLimit(
                    f"{found} calls of this {whose} wait for a person already",
                    next_step="wait until some of them are decided",
                )

    async def _record(self, passage: Passage, decision: Decision, hold_id: str) -> dict[str, Any]:
        """The request in the log: that it was made, and is held. The commitment of its arguments."""
        recorded = await self._audit.append(*self.request(passage, decision, hold_id))
        passage.effect = "hold"
        passage.seq = recorded[0].seq
        return dict(recorded[0].payloads["arguments"])

    @staticmethod
    def request(passage: Passage, decision: Decision, hold_id: str) -> tuple[Record, Record]:
        """The records of a request that is answered from a hold: that it was made, and that it is held."""
        attempt = Attempt(hold=hold_id)
        about = (passage.call_id, passage.call, passage.caller, passage.definition)
        intent = intent_record(
            *about, decision, forwarded=False, mode="enforce", attempt=attempt, found=passage.noticed
        )
        return intent, outcome_record(*about, "held", code=decision.codes[0], attempt=attempt)

    async def _latest(self, hold: Hold) -> Hold:
        found = await self._store.read(one, hold.id)
        return hold if found is None else found

    async def execute(self, hold: Hold) -> Hold:
        """Run an approved call once, if everything that was true when it was approved still is.

        Returns:
            The hold as it is then. Whatever cannot be known at the moment leaves it approved, for later.

        Raises:
            StoreUnavailable: nothing was begun.
        """
        votes = await self._store.read(votes_of, hold)
        try:
            standing = await self._reevaluation.of(hold, votes)
        except (NotNow, PolicyUnavailable):
            return await self._later(hold)
        except Exception:
            # A fault of ours with one call must not keep the executor from the others.
            await self._postpone(hold, FAULT_POSTPONED_MS)
            raise
        # Each beginning has a name of its own, by which it is found again if nobody acknowledged it.
        owner = f"{self._owner}/{next(self._beginnings)}"
        lease_s = self._call_deadline_s.get(hold.upstream, 0.0) + LEASE_MARGIN_S
        try:
            begun = await self._store.run(
                begin,
                hold.id,
                hold.version,
                standing.now,
                owner=owner,
                lease_ms=int(lease_s * 1000),
                key=self._key,
            )
        except Refused:
            # Somebody was first.
            self._postponed.pop(hold.id, None)
            return await self._latest(hold)
        except StoreUnavailable:
            # The row may say all the same that it is under way. Nothing was sent, and only we know.
            return await self._attempts.never_began(hold, owner)
        if begun.status is Status.APPROVED:
            return await self._later(begun)
        self._postponed.pop(hold.id, None)
        if begun.status is not Status.EXECUTING:
            return begun
        return await self._attempts.run(begun, standing)

    async def look_again(self, upstream: str) -> None:
        """What this upstream offers has changed: approved calls that waited for it need wait no longer."""
        with suppress(StoreUnavailable):
            waiting = await self._store.read(postponed, upstream)
            now = [hold.id for hold in waiting if not self._kept_back(hold)]
            if now:
                await self._store.run(recall, now)

    async def _later(self, hold: Hold) -> Hold:
        """It stays approved, and is looked at again, less and less often."""
        again_ms = min(POSTPONED_MS << min(self._postponed[hold.id], 10), self._back_off_max_ms)
        self._postponed[hold.id] += 1
        await self._postpone(hold, again_ms)
        return hold

    async def _postpone(self, hold: Hold, again_ms: int) -> None:
        if hold.requirement.on_approval == "execute":
            # The other kind waits for its caller, and must never be due.
            await self._store.run(postpone, hold.id, hold.version, again_ms=again_ms)


def _now_ms(tx: Tx) -> int:
    return tx.now_ms


def _nobody(requirement: Requirement) -> str:
    groups = "; ".join(" or ".join(group) for group in requirement.groups)
    return (
        f"a person would have to decide ({groups}, {requirement.quorum} in all), and no reviewer who is "
        "configured may"
    )
