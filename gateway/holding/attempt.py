"""One attempt to run an approved call, in this order: row, log, send, log, row.

The right to run it is committed already when this begins (``durable.holds.executing.begin``). A crash after
the row leaves no intent: nothing was sent, the next start gives it back. A crash after the intent leaves
the question whether it ran to a person, unless the outcome is in the log: then the row is finished.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from durable.errors import StoreUnavailable
from durable.holds.executing import finish, give_back, retry
from durable.holds.finding import one
from durable.holds.hold import Hold, Outcome
from durable.holds.refusals import Refused
from durable.holds.status import Status
from gateway.core.decision import decide
from gateway.core.obligations import treatment_of
from gateway.core.record import Attempt, intent_record, outcome_record
from gateway.errors import AuditUnwritable, GatewayError, UpstreamError
from gateway.inputs.values import AskedInput
from gateway.passage.passage import NOBODY, Passage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from durable.stores.base import HoldStore
    from gateway.core.record import Record
    from gateway.holding.reevaluation import Standing
    from gateway.holding.relay import EventRelay
    from gateway.passage.forwarding import Forwarding
    from gateway.ports import AuditTrail, Reply, Telemetry

RETRY_S = 0.5
"""Between two tries to write down what came of a call."""
SEND_WITHIN_S = 20.0
"""From the right to run it to the send: later, the lease could be over before there is an answer."""
AGAIN_MS = 2_000
"""Before an approved call that could not be sent is tried again; doubles with each attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """What came of the send."""

    logged: str
    """``status`` of the outcome record."""
    outcome: Outcome
    body: bytes | None = None
    reason: str = ""

    @property
    def sent(self) -> bool:
        return self.logged != "not_sent"


class Attempts:
    """Runs attempts; each is safe against the end of the process at any point."""

    def __init__(
        self,
        *,
        store: HoldStore,
        relay: EventRelay,
        audit: AuditTrail,
        forwarding: Forwarding,
        telemetry: Telemetry,
        back_off_max_ms: int,
        monotonic_s: Callable[[], float],
        new_call_id: Callable[[], str],
    ) -> None:
        """Take what an attempt needs."""
        self._store = store
        self._relay = relay
        self._audit = audit
        self._forwarding = forwarding
        self._telemetry = telemetry
        self._back_off_max_ms = back_off_max_ms
        self._monotonic_s = monotonic_s
        self._new_call_id = new_call_id

    async def run(self, begun: Hold, standing: Standing) -> Hold:
        """Carry out the attempt whose fence ``begun`` has.

        Returns:
            The hold as it is then: ended, given back, or with an unknown outcome.
        """
        began_s = self._monotonic_s()
        passage = self._passage(begun, standing)
        intent = self._intent(begun, standing, passage)
        try:
            await self._relay.flush(begun.id)
            await self._intended(begun, passage, intent)
        except (AuditUnwritable, StoreUnavailable) as error:
            return await self._give_back(begun, f"the audit log cannot take it: {error.reason}")
        passage.effect = "allow"
        passage.sent_s = self._monotonic_s()
        if passage.sent_s - began_s > SEND_WITHIN_S:
            # The log was slow: the right to run it could be over before there is an answer.
            late = _Ended(
                logged="not_sent",
                outcome=Outcome(kind="none", code="lease_short"),
                reason="too late to be sent with this right to run it",
            )
            return await self._settle(begun, await self._logged(begun, passage, late))
        passage.span = self._telemetry.call_started(passage.call.method, passage.shown, passage.caller)
        try:
            ended = await self._send(passage)
        except asyncio.CancelledError:
            # The process is ending: what the log says is what the next start goes by.
            self._audit.enqueue(self._outcome(begun, passage, _unknown("process_ended")))
            raise
        finally:
            self._telemetry.call_ended(passage.span, passage.end(self._monotonic_s()))
        ended = await self._logged(begun, passage, ended)
        return await self._settle(begun, ended)

    async def never_began(self, hold: Hold, owner: str) -> Hold:
        """Take back a beginning of which the store did not say whether it is stored.

        Args:
            hold: as it was before.
            owner: the name under which it was begun, and nothing else.
        """
        while True:
            try:
                found = await self._store.read(one, hold.id)
                if found is None or found.status is not Status.EXECUTING or found.owner != owner:
                    return hold if found is None else found
                return await self._store.run(
                    give_back,
                    found.id,
                    found.fence,
                    reason="the store did not say that it was begun",
                    again_ms=self._again_ms(found),
                )
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)
            except Refused:
                return hold

    def _passage(self, begun: Hold, standing: Standing) -> Passage:
        assert standing.call is not None
        assert standing.caller is not None
        assert standing.definition is not None
        passage = Passage(self._new_call_id(), standing.call, standing.caller, NOBODY, self._monotonic_s())
        passage.definition = standing.definition
        passage.digest = standing.definition.digest
        passage.send_key = begun.send_key
        assert standing.verdict is not None
        decision = decide(standing.verdict, holds_met=True)
        passage.treatment, passage.restores = treatment_of(decision.duties), decision.restores
        return passage

    @staticmethod
    def _intent(begun: Hold, standing: Standing, passage: Passage) -> Record:
        assert standing.verdict is not None
        return intent_record(
            passage.call_id,
            passage.call,
            passage.caller,
            passage.definition,
            decide(standing.verdict, holds_met=True),
            forwarded=True,
            mode="enforce",
            attempt=Attempt(hold=begun.id, fence=begun.fence),
        )

    async def _intended(self, begun: Hold, passage: Passage, intent: Record) -> None:
        try:
            passage.seq = (await self._audit.append(intent))[0].seq
        except asyncio.CancelledError:
            # It becomes durable without us; whoever reads it must learn that nothing followed.
            self._audit.enqueue(self._outcome(begun, passage, _cut_off()))
            raise

    async def _send(self, passage: Passage) -> _Ended:
        """Send it, and say what came of it whatever happens."""
        try:
            reply = await self._forwarding.answer_to(passage)
        except UpstreamError as error:
            passage.error_type = error.code
            if not error.sent:
                return _not_sent(error)
            return _unknown(error.code)
        except GatewayError as error:
            passage.error_type = error.code
            return _not_sent(error)
        except Exception:  # noqa: BLE001 - a fault of ours must not leave an intent without an end
            passage.error_type = "internal_failure"
            return _unknown("internal_failure")
        if isinstance(reply, AskedInput):
            # Nobody declared that questions can be answered here, so none should come.
            passage.error_type = "upstream_needs_input"
            return _Ended(logged="input_required", outcome=Outcome(kind="none", code="upstream_needs_input"))
        return _answered(reply)

    async def _logged(self, begun: Hold, passage: Passage, ended: _Ended) -> _Ended:
        """The outcome in the log, before the row says so.

        An outage of the log is waited for, however long: no call begins meanwhile, and once the lease is
        over the row says that nobody knows. A late outcome still counts.
        """
        record = self._outcome(begun, passage, ended)
        while True:
            try:
                recorded = (await self._audit.append(record))[0]
            except AuditUnwritable:
                if not ended.sent:
                    self._audit.enqueue(record)
                    return ended
                try:
                    await asyncio.sleep(RETRY_S)
                except asyncio.CancelledError:
                    self._audit.enqueue(record)
                    raise
                continue
            payload = recorded.payloads.get("result")
            return _Ended(
                logged=ended.logged,
                outcome=_with_place(ended.outcome, payload, passage.call_id),
                reason=ended.reason,
            )

    async def _settle(self, begun: Hold, ended: _Ended) -> Hold:
        if not ended.sent:
            return await self._give_back(begun, ended.reason)
        if ended.logged == "outcome_unknown" and begun.idempotent:
            return await self._insist(retry, begun, reason=ended.reason, again_ms=self._again_ms(begun))
        status = {"succeeded": Status.SUCCEEDED, "outcome_unknown": Status.OUTCOME_UNKNOWN}.get(
            ended.logged, Status.FAILED
        )
        return await self._insist(finish, begun, status=status, outcome=ended.outcome)

    async def _give_back(self, begun: Hold, reason: str) -> Hold:
        return await self._insist(give_back, begun, reason=reason, again_ms=self._again_ms(begun))

    async def _insist(self, script: Callable[..., Hold], begun: Hold, **members: object) -> Hold:
        """Commit what the log says already; an outage of the store is waited for."""
        while True:
            try:
                return await self._store.run(script, begun.id, begun.fence, **members)
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)
            except Refused:
                # The sweeper or a person was first; the log has what we know.
                return begun

    def _again_ms(self, begun: Hold) -> int:
        return min(AGAIN_MS << min(begun.fence - 1, 10), self._back_off_max_ms)

    def _outcome(self, begun: Hold, passage: Passage, ended: _Ended) -> Record:
        return outcome_record(
            passage.call_id,
            passage.call,
            passage.caller,
            passage.definition,
            ended.logged,
            code=ended.outcome.code,
            duration_us=int((self._monotonic_s() - passage.sent_s) * 1_000_000),
            body=ended.body,
            is_error=ended.outcome.is_error,
            attempt=Attempt(hold=begun.id, fence=begun.fence),
            kept=True,
            modern=ended.outcome.modern,
            found=passage.observed,
        )


def _answered(reply: Reply) -> _Ended:
    if reply.result is None:
        outcome = Outcome(kind="error", code="upstream_rpc_error", modern=reply.modern)
        return _Ended(logged="failed", outcome=outcome, body=reply.error)
    outcome = Outcome(kind="result", is_error=reply.is_error, modern=reply.modern)
    return _Ended(logged="succeeded", outcome=outcome, body=reply.result)


def _not_sent(error: GatewayError) -> _Ended:
    return _Ended(logged="not_sent", outcome=Outcome(kind="none", code=error.code), reason=error.reason)


def _cut_off() -> _Ended:
    return _Ended(logged="not_sent", outcome=Outcome(kind="none", code="process_ended"))


def _unknown(code: str) -> _Ended:
    return _Ended(logged="outcome_unknown", outcome=Outcome(kind="unknown", code=code), reason=code)


def _with_place(outcome: Outcome, payload: Mapping[str, object] | None, call_id: str) -> Outcome:
    return replace(outcome, payload=payload, call_id=call_id)
