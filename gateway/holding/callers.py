"""The caller's side of held calls: waiting, collecting, running what was approved for it, confirming."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from durable.errors import StoreUnavailable
from durable.holds.deciding import cancel, decide
from durable.holds.filing import collect
from durable.holds.finding import one
from durable.holds.hold import Person
from durable.holds.refusals import Refused
from durable.holds.status import Status
from gateway.errors import ApprovalsUnavailable, AuditUnwritable, PayloadGone
from gateway.holding.ending import Ending, usable, waits
from gateway.holding.filing import requester_of
from gateway.holding.keys import answer_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from durable.holds.hold import Hold, Outcome
    from durable.stores.base import HoldStore
    from gateway.core.principal import Principal
    from gateway.desk import Verdict
    from gateway.holding.relay import EventRelay
    from gateway.ports import Payloads, Reply

ELICITATION = "elicitation"
USE_AGAIN_S = 2.0
"""Between two tries to run a call for its caller."""


class Callers:
    """What agents can do with the calls of theirs that are held."""

    def __init__(
        self,
        *,
        store: HoldStore,
        payloads: Payloads,
        relay: EventRelay,
        execute: Callable[[Hold], Awaitable[Hold]],
        start_task: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None] | None],
        key: bytes,
    ) -> None:
        """Take the parts.

        Args:
            store: the rows.
            payloads: sealed values.
            relay: carries what happened into the log.
            execute: runs an approved call once.
            start_task: the background's ``start``.
            key: of the bindings.
        """
        self._store = store
        self._payloads = payloads
        self._relay = relay
        self._execute = execute
        self._start_task = start_task
        self._key = key
        self._used: dict[str, asyncio.Event] = {}
        self._waiting: dict[str, int] = {}
        self.draining = False

    async def wait(self, hold: Hold, *, timeout_s: float) -> Hold:
        """The hold once it is over or its caller can run it, or as it is when the time is up.

        Raises:
            ApprovalsUnavailable: the store does not answer.
        """
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        self._waiting[hold.id] = self._waiting.get(hold.id, 0) + 1
        try:
            while waits(hold) and not usable(hold) and not self.draining:
                left_s = deadline_s - asyncio.get_running_loop().time()
                if left_s <= 0:
                    return hold
                await self._store.changed(hold.id, hold.version, timeout_s=left_s)
                found = await self._store.read(one, hold.id)
                if found is None:
                    return hold  # Another database was put in its place; there is nothing to wait for.
                hold = found
        except StoreUnavailable as error:
            raise _unknowable(error) from error
        finally:
            self._waiting[hold.id] -= 1
            if not self._waiting[hold.id]:
                del self._waiting[hold.id]
        return hold

    def callers_waiting(self, hold_id: str) -> int:
        """How many requests wait for it at this moment."""
        return self._waiting.get(hold_id, 0)

    def drain(self) -> None:
        """Whoever waits is answered now; the next process picks them up."""
        self.draining = True
        self._store.wake_all()

    async def of_owner(self, principal: Principal, hold_id: str) -> Hold | None:
        """A hold by its id, if it is this principal's."""
        try:
            hold = await self._store.read(one, hold_id)
        except StoreUnavailable as error:
            raise _unknowable(error) from error
        mine = hold is not None and (hold.tenant, hold.requester) == (
            principal.tenant,
            requester_of(principal),
        )
        return hold if mine else None

    async def withdraw(self, hold: Hold) -> Hold:
        """Its caller does not want it any more. What runs already is not stopped."""
        try:
            return await self._store.run(
                cancel,
                hold.id,
                tenant=hold.tenant,
                actor=hold.requester.agent,
                reason="withdrawn by the agent",
            )
        except Refused:
            return await self._latest(hold)
        except StoreUnavailable as error:
            raise _unknowable(error) from error

    async def ending(self, hold: Hold, *, handed_over: bool = True) -> Ending:
        """What its caller gets; from now on an identical call is another call.

        Unless nobody is there to receive it: then the next identical call gets it.
        """
        ending = await self._ending(hold)
        if not handed_over:
            return ending
        try:
            await self._store.run(collect, hold)
        except (Refused, StoreUnavailable):
            # It stays to be collected; that costs nothing but a second reading.
            return ending
        return ending

    async def _ending(self, hold: Hold) -> Ending:
        outcome = hold.outcome
        if hold.status not in {Status.SUCCEEDED, Status.FAILED} or outcome is None:
            return Ending(hold=hold)
        try:
            return Ending(hold=hold, reply=await self._reply(hold, outcome))
        except PayloadGone as error:
            return Ending(hold=hold, gone=error.reason)

    async def _reply(self, hold: Hold, outcome: Outcome) -> Reply | None:
        if outcome.payload is None:
            return None
        body = await self._payloads.read(hold.tenant, hold.requester.subject_id, outcome.payload)
        return answer_of(outcome, body)

    async def use(self, hold: Hold) -> Hold:
        """Run a call that was approved for its caller, who has come for it.

        It goes on if the caller goes away: then the result waits to be collected. What could not be sent is
        left alone for a moment, however often its caller comes.
        """
        done = asyncio.Event()

        async def run() -> None:
            try:
                after = await self._execute(hold)
                done.set()
                if usable(after):
                    await asyncio.sleep(USE_AGAIN_S)
            except StoreUnavailable:
                return
            finally:
                self._used.pop(hold.id, None)
                done.set()

        if hold.id in self._used:
            done = self._used[hold.id]
        elif self._start_task(run(), f"approved call {hold.id[:8]}") is None:
            return hold
        else:
            self._used[hold.id] = done
        await done.wait()
        try:
            return await self._latest(hold)
        except StoreUnavailable as error:
            raise _unknowable(error) from error

    async def settled(self, deadline_s: float) -> None:
        """Wait for what runs for callers, also for those who are gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                for done in list(self._used.values()):
                    await done.wait()

    async def confirm(self, hold: Hold, principal: Principal, verdict: Verdict) -> Hold:
        """What the requester's own person says in their client, where the rules let them confirm.

        It is recorded as that, and counts for nothing where a rule wants somebody else as well.

        Raises:
            ApprovalsUnavailable: it could not be written down.
        """
        person = Person(id=principal.subject.id, tenant=principal.tenant, names=frozenset(), how=ELICITATION)
        try:
            await self._store.run(decide, hold.id, person, verdict, seen=hold.seen, reason="", key=self._key)
            with suppress(AuditUnwritable):
                await self._relay.flush(hold.id)
        except Refused:
            # Somebody else was first, or they may not: it stands as it stands.
            return await self._latest(hold)
        except StoreUnavailable as error:
            raise _unknowable(error) from error
        return await self._latest(hold)

    async def _latest(self, hold: Hold) -> Hold:
        found = await self._store.read(one, hold.id)
        return hold if found is None else found


def _unknowable(error: StoreUnavailable) -> ApprovalsUnavailable:
    """For a call that is held already: it may even be running."""
    return ApprovalsUnavailable(
        f"the store of held calls does not answer ({error.code}): nobody can say what has become of the call",
        next_step="ask again later, and do not try to reach the same effect another way",
    )
