"""One governed call, from parsed arguments to recorded outcome. Start reading here.

The order is the product: definition, arguments, policy, intent on disk, then and only then the
effect, then the outcome. Nothing may be reordered without a reason written beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable.holds.hold import Outcome
from durable.holds.keyed import answered
from gateway.core.call import call_digest
from gateway.core.decision import Decision, Effect, decide, refusal
from gateway.core.evaluation import evaluation_request
from gateway.core.obligations import treatment_of
from gateway.errors import (
    ApprovalsUnavailable,
    AuditUnwritable,
    CannotHold,
    DefinitionKeptBack,
    GatewayError,
    InvalidParams,
    KeyReused,
    KeyUnsettled,
    PayloadGone,
    PolicyUnanswered,
    ScanUnfinished,
    UnknownPrompt,
    UnknownResource,
    UnknownTool,
    UpstreamError,
)
from gateway.inputs.values import AskedInput
from gateway.passage.answer import CallAnswer
from gateway.passage.forwarding import Forwarding
from gateway.passage.passage import NAMED, NOBODY, AgentSide, Passage
from gateway.passage.records import intent_of, outcome_of, unsent_of
from gateway.passage.subject_matter import SubjectMatter
from policies.errors import PolicyUnavailable

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Mapping

    from durable.holds.hold import Hold
    from gateway.core.call import Call
    from gateway.core.definition import Definition
    from gateway.core.principal import Caller
    from gateway.core.record import Record
    from gateway.inputs.rounds import InputRounds
    from gateway.inputs.values import Resumed
    from gateway.passage.set_aside import HeldCalls, Keys
    from gateway.ports import AuditTrail, Catalogue, Policy, Reply, Screen, Telemetry, Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class EnforcementSettings:
    """Bounds and mode of the flow."""

    policy_deadline_s: float = 0.25
    call_deadline_s: Mapping[str, float]
    """Per upstream id."""
    shadow: bool = False
    """Evaluate and record, never block."""
    zone: datetime.tzinfo


REFUSED_UNASKED = (
    UnknownTool,
    UnknownPrompt,
    UnknownResource,
    InvalidParams,
    ScanUnfinished,
    ApprovalsUnavailable,
)
"""Before policy is asked; recorded."""


class Enforcement:
    """The policy enforcement point for every method that leaves the gateway (``Way.CALL``)."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        policy: Policy,
        audit: AuditTrail,
        upstreams: Mapping[str, Upstream],
        telemetry: Telemetry,
        rounds: InputRounds,
        screen: Screen,
        held: HeldCalls,
        keys: Keys,
        shows: Callable[[Definition, Caller], bool],
        settings: EnforcementSettings,
        clock_us: Callable[[], int],
        monotonic_s: Callable[[], float],
        new_call_id: Callable[[], str],
    ) -> None:
        """Take everything the flow needs; it owns nothing. ``shows``: who could be shown what."""
        self._policy = policy
        self._audit = audit
        self._telemetry = telemetry
        self._rounds = rounds
        self._screen = screen
        self._held = held
        self._keys = keys
        self._shows = shows
        self._settings = settings
        self._subject_matter = SubjectMatter(catalogue, upstreams)
        self._forwarding = Forwarding(
            upstreams, rounds, telemetry, screen=screen, deadline_s=settings.call_deadline_s
        )
        self._clock_us = clock_us
        self._monotonic_s = monotonic_s
        self._new_call_id = new_call_id

    async def handle(self, call: Call, caller: Caller, side: AgentSide = NOBODY) -> CallAnswer:
        """Decide, record, perhaps forward, record.

        Raises:
            UnknownTool, UnknownPrompt, UnknownResource: not offered here; recorded.
            DefinitionKeptBack: a person has to look at it first; recorded, policy not asked.
            InvalidArguments: they do not match the served schema; recorded, policy not asked.
            InvalidParams: a request state that does not fit; recorded, policy not asked.
            ScanUnfinished: nobody can say what stands in the arguments; recorded, policy not asked.
            PolicyUnanswered: no usable answer; recorded, not sent.
            KeyReused, KeyUnsettled: the idempotency key came before; recorded, not sent.
            ApprovalsUnavailable, PayloadGone: what is needed of an earlier call cannot be read; recorded.
            AuditUnwritable: the intent could not be made durable; not sent.
        """
        passage = Passage(self._new_call_id(), call, caller, side, self._monotonic_s())
        passage.span = self._telemetry.call_started(call.method, passage.shown, caller)
        try:
            answer = await self._governed(passage)
            passage.error_type = answer.error_type
        except GatewayError as error:
            passage.error_type = error.code
            raise
        except asyncio.CancelledError:
            passage.error_type = "cancelled"
            raise
        finally:
            self._telemetry.call_ended(passage.span, passage.end(self._monotonic_s()))
        return answer

    async def _governed(self, passage: Passage) -> CallAnswer:
        call = passage.call
        try:
            definition = passage.definition = self._subject_matter.served(passage, self._shows)
            if definition is not None and call.method in NAMED:
                definition.arguments.check(call.arguments, call.target)
            passage.digest = definition.digest if definition is not None else ""
            if passage.side.request_state is not None or passage.side.input_responses:
                passage.resumed = self._resumed(passage)
            passage.noticed = await self._screen.arguments(call, passage.caller, passage.answers)
            labels = await self._screen.labels(passage.caller)
        except DefinitionKeptBack as error:
            return await self._kept_back(passage, error)
        except REFUSED_UNASKED as error:
            await self._refuse(passage, refusal(error.code, error.reason))
            raise
        decision = await self._decision(passage, definition, labels)
        passage.treatment, passage.restores = treatment_of(decision.duties), decision.restores
        if passage.hidden and decision.effect is not Effect.DENY:
            decision = refusal(UnknownResource.code, "no such resource is offered here")
        try:
            answer = await self._set_aside(passage, decision)
        except CannotHold as error:
            answer, decision = None, refusal(error.code, error.reason, would_pass=error.next_step)
        except (KeyReused, KeyUnsettled, ApprovalsUnavailable, PayloadGone) as error:
            await self._free_key(passage)
            await self._refuse(passage, refusal(error.code, error.reason))
            raise
        except (AuditUnwritable, asyncio.CancelledError):
            await self._free_key(passage)
            raise
        if answer is not None:
            return answer
        if decision.effect is not Effect.ALLOW and (passage.hidden or not self._settings.shadow):
            if passage.resumed is not None and passage.resumed.parked is not None:
                # It was begun under a decision that no longer stands.
                self._rounds.take(passage.resumed.parked)
                passage.resumed.parked.cancel()
            await self._refuse(passage, decision)
            await self._free_key(passage)
            return CallAnswer(call_id=passage.call_id, decision=decision)
        # Durable before the effect: a crash after this line leaves a trace that the call may have
        # happened; a crash before it leaves no call at all.
        try:
            await self._append(passage, self._intent(passage, decision, forwarded=True))
        except asyncio.CancelledError:
            # The intent becomes durable without us; whoever reads it must learn that nothing followed.
            self._outcome(passage, "not_sent", code="cancelled")
            await self._free_key(passage)
            raise
        except AuditUnwritable:
            await self._free_key(passage)
            raise
        if not passage.keyed:
            return await self._forwarded(passage, decision)
        return await self._keyed(passage, decision)

    async def _kept_back(self, passage: Passage, error: DefinitionKeptBack) -> CallAnswer:
        """Not called. Whoever repeats what is held already is told how that stands."""
        decision = refusal(error.code, error.reason)
        waits = None
        if passage.digest and passage.side.request_state is None and not self._settings.shadow:
            with contextlib.suppress(ApprovalsUnavailable):
                waits = await self._held.begun_before(passage)
        if waits is None:
            await self._refuse(passage, decision)
            raise error
        await self._append(passage, *self._held.request(passage, decision, waits.id))
        return CallAnswer(call_id=passage.call_id, decision=decision, hold=waits)

    async def _set_aside(self, passage: Passage, decision: Decision) -> CallAnswer | None:
        """A call that is not forwarded now although it is not denied: repeated, or a person's to decide."""
        if decision.effect is Effect.DENY:
            return None
        if passage.keyed:
            # Whoever repeats a call with its key wants its outcome, not another effect.
            passage.repeats = await self._keys.reserve(passage)
            if answered(passage.repeats):
                return await self._repeated(passage, decision)
        if self._settings.shadow or passage.resumed is not None:
            return None
        if decision.effect is Effect.HOLD:
            hold: Hold | None = await self._held.hold(passage, decision)
        else:
            hold = await self._held.taken_up(passage)
            if hold is not None:
                await self._append(passage, *self._held.request(passage, decision, hold.id))
        if hold is not None:
            return CallAnswer(call_id=passage.call_id, decision=decision, hold=hold)
        if passage.repeats is not None:
            # Of a hold that was taken back the key is free again; of anything else it is not.
            passage.repeats = await self._keys.reserve(passage)
        return None if passage.repeats is None else await self._repeated(passage, decision)

    async def _repeated(self, passage: Passage, decision: Decision) -> CallAnswer:
        earlier = passage.repeats
        assert earlier is not None
        reply = await self._keys.repeated(passage, earlier)
        repeat = unsent_of(passage, "repeated", code=earlier.call_id)
        await self._append(passage, self._intent(passage, decision, forwarded=True), repeat)
        return CallAnswer(call_id=passage.call_id, decision=decision, reply=reply)

    async def _keyed(self, passage: Passage, decision: Decision) -> CallAnswer:
        """Forward a call with a key: its answer is kept for whoever repeats it, before it is handed out."""
        try:
            answer = await self._forwarded(passage, decision)
        except GatewayError:
            await self._free_key(passage)
            raise
        if answer.failure is not None and answer.failure.sent:
            await self._keys.settle(passage, Outcome(kind="unknown", code=answer.failure.code))
        elif passage.kept is not None:
            await self._keys.settle(passage, passage.kept)
        else:
            await self._free_key(passage)
        return answer

    async def _free_key(self, passage: Passage) -> None:
        """Nothing was sent. A key that another call has taken stays that call's."""
        if passage.keyed and passage.repeats is None:
            await self._keys.settle(passage, None)

    def _resumed(self, passage: Passage) -> Resumed | None:
        side = passage.side
        digest = call_digest(passage.call, passage.caller.principal, passage.digest)
        if side.request_state is None:
            return self._rounds.answered_lately(digest, side.input_responses)
        return self._rounds.resume(passage.caller, digest, side.request_state, side.input_responses)

    async def _decision(
        self, passage: Passage, definition: Definition | None, labels: frozenset[str]
    ) -> Decision:
        settings = self._settings
        evaluation = evaluation_request(
            passage.call,
            definition,
            passage.caller,
            now_us=self._clock_us(),
            zone=settings.zone,
            findings=passage.noticed.findings,
            labels=labels,
        )
        try:
            verdict = await self._policy.evaluate(evaluation, deadline_s=settings.policy_deadline_s)
        except PolicyUnavailable as error:
            decision = refusal(error.code, f"policy gave no answer: {error}")
            if settings.shadow:
                return decision
            await self._refuse(passage, decision)
            raise PolicyUnanswered(
                f"policy gave no usable answer ({error.code}), so the call was not made",
                next_step="the operator finds the cause with: toolgate audit show " + passage.call_id[:12],
            ) from error
        return decide(verdict)

    async def _forwarded(self, passage: Passage, decision: Decision) -> CallAnswer:
        call_id = passage.call_id
        passage.sent_s = self._monotonic_s()
        try:
            reply = await self._forwarding.answer_to(passage)
        except UpstreamError as error:
            self._outcome(passage, "outcome_unknown" if error.sent else "not_sent", code=error.code)
            return CallAnswer(call_id=call_id, decision=decision, failure=error)
        except GatewayError as error:
            self._outcome(passage, "not_sent", code=error.code)
            raise
        except asyncio.CancelledError:
            self._outcome(passage, "outcome_unknown", code="cancelled")
            raise
        except Exception:
            # A fault of ours must not leave an intent without an end.
            self._outcome(passage, "outcome_unknown", code="internal_failure")
            raise
        if isinstance(reply, AskedInput):
            self._outcome(passage, "input_required")
            return CallAnswer(call_id=call_id, decision=decision, asked=reply)
        now_s = self._monotonic_s()
        if reply.result is None:
            record = outcome_of(passage, "failed", now_s=now_s, code="upstream_rpc_error", body=reply.error)
        else:
            record = outcome_of(passage, "succeeded", now_s=now_s, body=reply.result, is_error=reply.is_error)
        if passage.keyed:
            await self._keep(passage, record, reply)
        else:
            self._audit.enqueue(record)
        return CallAnswer(call_id=call_id, decision=decision, reply=reply)

    async def _keep(self, passage: Passage, record: Record, reply: Reply) -> None:
        """Write down an answer that may be asked for again, and where it is."""
        try:
            recorded = (await self._audit.append(record))[0]
        except AuditUnwritable:
            # It ran. What cannot be written now is written later; a repetition is told that it may have run.
            self._audit.enqueue(record)
            passage.kept = Outcome(kind="unknown", code=AuditUnwritable.code, call_id=passage.call_id)
            return
        passage.kept = Outcome(
            kind="error" if reply.result is None else "result",
            is_error=reply.is_error,
            modern=reply.modern,
            payload=recorded.payloads.get("result"),
            call_id=passage.call_id,
        )

    async def _refuse(self, passage: Passage, decision: Decision) -> None:
        # Intent and outcome together: one write, one sync, and the log needs no third kind of story.
        outcome = unsent_of(passage, "refused", code=decision.codes[0])
        await self._append(passage, self._intent(passage, decision, forwarded=False), outcome)

    async def _append(self, passage: Passage, *records: Record) -> None:
        passage.effect = str(records[0].members["effect"])
        passage.seq = (await self._audit.append(*records))[0].seq

    def _intent(self, passage: Passage, decision: Decision, *, forwarded: bool) -> Record:
        return intent_of(passage, decision, forwarded=forwarded, shadow=self._settings.shadow)

    def _outcome(self, passage: Passage, status: str, *, code: str = "") -> None:
        self._audit.enqueue(outcome_of(passage, status, now_s=self._monotonic_s(), code=code))
