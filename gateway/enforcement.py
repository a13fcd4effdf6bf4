"""One governed call, from parsed arguments to recorded outcome. Start reading here.

The order is the product: definition, arguments, policy, intent on disk, then and only then the
effect, then the outcome. Nothing may be reordered without a reason written beside it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.core.call import ToolCall, tool_call
from gateway.core.decision import Decision, Effect, decide, refusal
from gateway.core.evaluation import evaluation_request
from gateway.core.record import Record, intent_record, outcome_record
from gateway.errors import GatewayError, InvalidArguments, PolicyUnanswered, UnknownTool, UpstreamError
from gateway.ports import CallEnd, ToolSend
from policies.errors import PolicyUnavailable

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Mapping

    from gateway.core.definition import ToolDefinition
    from gateway.core.principal import Caller
    from gateway.ports import AuditTrail, Catalogue, Policy, ProgressSink, Telemetry, ToolReply, Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswer:
    """What became of one call: a ``reply``, a ``failure``, or neither when it was refused."""

    call_id: str
    decision: Decision
    reply: ToolReply | None = None
    failure: UpstreamError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnforcementSettings:
    """Bounds and mode of the flow."""

    policy_deadline_s: float = 0.25
    call_deadline_s: Mapping[str, float]
    """Per upstream id."""
    shadow: bool = False
    """Evaluate and record, never block."""
    zone: datetime.tzinfo


class Enforcement:
    """The policy enforcement point for ``tools/call``."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        policy: Policy,
        audit: AuditTrail,
        upstreams: Mapping[str, Upstream],
        telemetry: Telemetry,
        settings: EnforcementSettings,
        clock_us: Callable[[], int],
        monotonic_s: Callable[[], float],
        new_call_id: Callable[[], str],
    ) -> None:
        """Take everything the flow needs; it owns nothing."""
        self._catalogue = catalogue
        self._policy = policy
        self._audit = audit
        self._upstreams = upstreams
        self._telemetry = telemetry
        self._settings = settings
        self._clock_us = clock_us
        self._monotonic_s = monotonic_s
        self._new_call_id = new_call_id

    async def handle(
        self,
        upstream_id: str,
        tool: str,
        arguments: dict[str, Any],
        caller: Caller,
        on_progress: ProgressSink | None = None,
    ) -> CallAnswer:
        """Decide, record, perhaps forward, record.

        Raises:
            UnknownTool: not offered here; recorded.
            InvalidArguments: they do not match the served schema; recorded, policy not asked.
            PolicyUnanswered: no usable answer; recorded, not sent.
            AuditUnwritable: the intent could not be made durable; not sent.
        """
        call = tool_call(upstream_id, tool, arguments)
        passage = _Passage(self._new_call_id(), call, caller, self._monotonic_s())
        passage.span = self._telemetry.call_started("tools/call", call.tool_id, caller)
        try:
            answer = await self._governed(passage, on_progress)
            passage.error_type = _error_type(answer)
        except GatewayError as error:
            passage.error_type = error.code
            raise
        except asyncio.CancelledError:
            passage.error_type = "cancelled"
            raise
        finally:
            self._telemetry.call_ended(passage.span, passage.end(self._monotonic_s()))
        return answer

    async def _governed(self, passage: _Passage, on_progress: ProgressSink | None) -> CallAnswer:
        call = passage.call
        definition = passage.definition = self._catalogue.find(call.upstream, call.tool)
        if definition is None:
            reason, next_step = self._absent(call)
            await self._refuse(passage, refusal(UnknownTool.code, reason))
            raise UnknownTool(reason, next_step=next_step)
        try:
            definition.arguments.check(call.arguments, call.tool_id)
        except InvalidArguments as error:
            await self._refuse(passage, refusal(error.code, error.reason))
            raise
        decision = await self._decision(passage, definition)
        if decision.effect is not Effect.ALLOW and not self._settings.shadow:
            await self._refuse(passage, decision)
            return CallAnswer(call_id=passage.call_id, decision=decision)
        # Durable before the effect: a crash after this line leaves a trace that the call may have
        # happened; a crash before it leaves no call at all.
        try:
            await self._append(passage, self._intent(passage, decision, forwarded=True))
        except asyncio.CancelledError:
            # The intent becomes durable without us; whoever reads it must learn that nothing followed.
            self._outcome(passage, "not_sent", code="cancelled")
            raise
        return await self._forwarded(passage, definition, decision, on_progress)

    def _absent(self, call: ToolCall) -> tuple[str, str]:
        reason = f"no tool {call.tool_id} is offered here"
        upstream = self._upstreams.get(call.upstream)
        if upstream is not None and not self._catalogue.offered(call.upstream):
            state = upstream.health().state
            if state != "ready":
                # Not a wrong name: nobody can know its tools before it has answered once.
                return f"{reason}: upstream {call.upstream!r} is {state}; nothing was sent", "try again later"
        return reason, "list the tools again"

    async def _decision(self, passage: _Passage, definition: ToolDefinition) -> Decision:
        settings = self._settings
        evaluation = evaluation_request(
            passage.call, definition, passage.caller, now_us=self._clock_us(), zone=settings.zone
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

    async def _forwarded(
        self,
        passage: _Passage,
        definition: ToolDefinition,
        decision: Decision,
        on_progress: ProgressSink | None,
    ) -> CallAnswer:
        call, call_id = passage.call, passage.call_id
        send = ToolSend(
            tool=call.tool,
            arguments_json=call.arguments_json,
            arguments=call.arguments,
            param_headers=definition.param_headers,
            session_key=passage.caller.principal.key,
            meta=self._telemetry.outgoing(passage.span, passage.caller),
            wants_progress=on_progress is not None,
        )
        passage.sent_s = self._monotonic_s()
        try:
            reply = await self._upstreams[call.upstream].call_tool(
                send, deadline_s=self._settings.call_deadline_s[call.upstream], on_progress=on_progress
            )
        except UpstreamError as error:
            self._outcome(passage, "outcome_unknown" if error.sent else "not_sent", code=error.code)
            return CallAnswer(call_id=call_id, decision=decision, failure=error)
        except asyncio.CancelledError:
            self._outcome(passage, "outcome_unknown", code="cancelled")
            raise
        if reply.result is None:
            self._outcome(passage, "failed", code="upstream_rpc_error", body=reply.error)
        else:
            self._outcome(passage, "succeeded", body=reply.result, is_error=reply.is_error)
        return CallAnswer(call_id=call_id, decision=decision, reply=reply)

    async def _refuse(self, passage: _Passage, decision: Decision) -> None:
        # Intent and outcome together: one write, one sync, and the log needs no third kind of story.
        outcome = outcome_record(
            passage.call_id, passage.call, passage.caller, "refused", code=decision.codes[0]
        )
        await self._append(passage, self._intent(passage, decision, forwarded=False), outcome)

    async def _append(self, passage: _Passage, *records: Record) -> None:
        passage.effect = str(records[0].members["effect"])
        passage.seq = (await self._audit.append(*records))[0]

    def _intent(self, passage: _Passage, decision: Decision, *, forwarded: bool) -> Record:
        return intent_record(
            passage.call_id,
            passage.call,
            passage.caller,
            passage.definition,
            decision,
            forwarded=forwarded,
            mode="shadow" if self._settings.shadow else "enforce",
        )

    def _outcome(
        self,
        passage: _Passage,
        status: str,
        *,
        code: str = "",
        body: bytes | None = None,
        is_error: bool = False,
    ) -> None:
        duration_us = int((self._monotonic_s() - passage.sent_s) * 1_000_000)
        record = outcome_record(
            passage.call_id,
            passage.call,
            passage.caller,
            status,
            code=code,
            duration_us=duration_us,
            body=body,
            is_error=is_error,
        )
        self._audit.enqueue(record)


class _Passage:
    """One call on its way through the flow: what is known of it so far."""

    __slots__ = (
        "call",
        "call_id",
        "caller",
        "definition",
        "effect",
        "error_type",
        "sent_s",
        "seq",
        "span",
        "started_s",
    )

    def __init__(self, call_id: str, call: ToolCall, caller: Caller, started_s: float) -> None:
        self.call_id = call_id
        self.call = call
        self.caller = caller
        self.started_s = started_s
        self.sent_s = started_s
        self.definition: ToolDefinition | None = None
        self.span: Any = None
        self.seq = -1
        self.effect = ""
        self.error_type = ""

    def end(self, now_s: float) -> CallEnd:
        return CallEnd(
            call_id=self.call_id,
            seq=self.seq,
            tool=self.call.tool_id,
            effect=self.effect,
            error_type=self.error_type,
            seconds=now_s - self.started_s,
        )


def _error_type(answer: CallAnswer) -> str:
    if answer.failure is not None:
        return answer.failure.code
    if answer.reply is None:
        return answer.decision.codes[0] if answer.decision.codes else answer.decision.effect.value
    if answer.reply.error is not None:
        return "upstream_rpc_error"
    # OpenTelemetry MCP conventions: a result with isError is the error type "tool_error".
    return "tool_error" if answer.reply.is_error else ""
