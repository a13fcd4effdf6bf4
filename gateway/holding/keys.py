"""Idempotency keys of callers: the first call runs, a repetition gets its recorded answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable.errors import StoreUnavailable
from durable.holds.deciding import RESOLVED
from durable.holds.keyed import KeyedCall, release, reserve, settle
from durable.holds.mover import principal_text
from durable.holds.refusals import KeyReused as KeyReusedRefusal
from gateway.core.call import call_digest
from gateway.errors import ApprovalsUnavailable, KeyReused, KeyUnsettled
from gateway.holding.filing import requester_of
from gateway.ports import Reply

if TYPE_CHECKING:
    from durable.holds.hold import Outcome
    from durable.holds.keyed import Earlier
    from durable.stores.base import HoldStore
    from gateway.passage.passage import Passage
    from gateway.ports import Payloads


class IdempotencyKeys:
    """What keys stand for. A key means one call of one principal to one tool, for a day."""

    def __init__(self, store: HoldStore, payloads: Payloads, *, owner: str) -> None:
        """``owner``: this process, different with every start."""
        self._store = store
        self._payloads = payloads
        self._owner = owner

    async def reserve(self, passage: Passage) -> Earlier | None:
        """Take the caller's key for this call; None if it is the first with it.

        Raises:
            KeyReused: the key came with other arguments.
            ApprovalsUnavailable: nobody can know.
        """
        try:
            return await self._store.run(reserve, self._keyed(passage))
        except KeyReusedRefusal as error:
            raise KeyReused(error.reason, next_step=error.next_step) from error
        except StoreUnavailable as error:
            raise unavailable(error) from error

    async def settle(self, passage: Passage, outcome: Outcome | None) -> None:
        """Write down what the key stands for; None: nothing was sent, the key is free again."""
        try:
            if outcome is None:
                await self._store.run(release, self._keyed(passage))
            else:
                await self._store.run(settle, self._keyed(passage), outcome)
        except StoreUnavailable:
            # The key stays taken without an outcome: a repetition is refused, never run.
            return

    async def repeated(self, passage: Passage, earlier: Earlier) -> Reply:
        """The recorded answer of the first call with the same key.

        Raises:
            KeyUnsettled: it is under way, or nobody knows what came of it.
            PayloadGone: the answer cannot be read any more.
        """
        principal, outcome = passage.caller.principal, earlier.outcome
        if outcome is None or outcome.payload is None:
            raise unsettled(earlier, owner=self._owner)
        body = await self._payloads.read(principal.tenant, principal.subject.id, outcome.payload)
        return answer_of(outcome, body)

    def _keyed(self, passage: Passage) -> KeyedCall:
        principal = passage.caller.principal
        return KeyedCall(
            tenant=principal.tenant,
            principal=principal_text(requester_of(principal)),
            target=passage.call.target,
            key=passage.caller.workflow.idempotency_key,
            call_digest=call_digest(passage.call, principal, passage.digest),
            call_id=passage.call_id,
            owner=self._owner,
        )


def answer_of(outcome: Outcome, body: bytes) -> Reply:
    """A recorded answer as the upstream gave it."""
    if outcome.kind == "error":
        return Reply(error=body, modern=outcome.modern)
    return Reply(result=body, is_error=outcome.is_error, modern=outcome.modern)


def unsettled(earlier: Earlier, *, owner: str = "") -> KeyUnsettled:
    """Why a repetition is neither answered nor made."""
    if earlier.outcome is not None and earlier.outcome.code == RESOLVED:
        state, next_step = "was found to have ended", "ask the reviewer who found out, or the audit log"
    elif earlier.outcome is None and earlier.owner == owner:
        state, next_step = "is under way", "wait for it"
    else:
        state, next_step = "may have run", "find out what came of it, or use another key for another call"
    return KeyUnsettled(
        f"the call {earlier.call_id[:12]} with this idempotency key {state}; it is not made again",
        next_step=next_step,
    )


def unavailable(error: StoreUnavailable) -> ApprovalsUnavailable:
    """The store's failure in the agent's words."""
    return ApprovalsUnavailable(
        f"the store of held calls does not answer ({error.code}), so the call was not made",
        next_step="the operator looks at /readyz",
    )
