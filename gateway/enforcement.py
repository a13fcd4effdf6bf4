"""One governed call, from parsed arguments to recorded outcome. Start reading here.

The order is the product: definition, arguments, policy, intent on disk, then and only then the
effect, then the outcome. Nothing may be reordered without a reason written beside it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.core.call import ToolCall, call_digest, tool_call
from gateway.core.decision import Decision, Effect, decide, refusal
from gateway.core.evaluation import evaluation_request
from gateway.errors import GatewayError, InvalidArguments, PolicyUnanswered, UnknownTool, UpstreamError
from gateway.ports import Payload, Record, ToolSend
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
        call_id = self._new_call_id()
        started_s = self._monotonic_s()
        span = self._telemetry.call_started("tools/call", f"{upstream_id}/{tool}", caller.trace)
        error_type = ""
        try:
            answer = await self._governed(call_id, upstream_id, tool, arguments, caller, on_progress)
            error_type = _error_type(answer)
        except GatewayError as error:
            error_type = error.code
            raise
        except asyncio.CancelledError:
            error_type = "cancelled"
            raise
        finally:
            self._telemetry.call_ended(span, error_type=error_type, seconds=self._monotonic_s() - started_s)
        return answer

    async def _governed(
        self,
        call_id: str,
        upstream_id: str,
        tool: str,
        arguments: dict[str, Any],
        caller: Caller,
        on_progress: ProgressSink | None,
    ) -> CallAnswer:
        definition = self._catalogue.find(upstream_id, tool)
        call = tool_call(upstream_id, tool, arguments)
        if definition is None:
            reason = f"no tool {call.tool_id} is offered here"
            await self._refuse(call_id, call, caller, None, refusal(UnknownTool.code, reason))
            raise UnknownTool(reason, next_step="list the tools again")
        try:
            definition.arguments.check(call.arguments, call.tool_id)
        except InvalidArguments as error:
            await self._refuse(call_id, call, caller, definition, refusal(error.code, error.reason))
            raise
        decision = await self._decision(call_id, call, caller, definition)
        if decision.effect is not Effect.ALLOW and not self._settings.shadow:
            await self._refuse(call_id, call, caller, definition, decision)
            return CallAnswer(call_id=call_id, decision=decision)
        # Durable before the effect: a crash after this line leaves a trace that the call may have
        # happened; a crash before it leaves no call at all.
        await self._audit.append(self._intent(call_id, call, caller, definition, decision, forwarded=True))
        return await self._forwarded(call_id, call, caller, definition, decision, on_progress)

    async def _decision(
        self, call_id: str, call: ToolCall, caller: Caller, definition: ToolDefinition
    ) -> Decision:
        settings = self._settings
        evaluation = evaluation_request(call, definition, caller, now_us=self._clock_us(), zone=settings.zone)
        try:
            verdict = await self._policy.evaluate(evaluation, deadline_s=settings.policy_deadline_s)
        except PolicyUnavailable as error:
            decision = refusal(error.code, f"policy gave no answer: {error}")
            if settings.shadow:
                return decision
            await self._refuse(call_id, call, caller, definition, decision)
            raise PolicyUnanswered(
                f"policy gave no usable answer ({error.code}), so the call was not made",
                next_step="the operator finds the cause with: toolgate audit show " + call_id[:12],
            ) from error
        return decide(verdict)

    async def _forwarded(
        self,
        call_id: str,
        call: ToolCall,
        caller: Caller,
        definition: ToolDefinition,
        decision: Decision,
        on_progress: ProgressSink | None,
    ) -> CallAnswer:
        send = ToolSend(
            tool=call.tool,
            arguments_json=call.arguments_json,
            arguments=call.arguments,
            param_headers=definition.param_headers,
            session_key=caller.principal.key,
            meta=dict(caller.trace),
            wants_progress=on_progress is not None,
        )
        started_s = self._monotonic_s()
        deadline_s = self._settings.call_deadline_s[call.upstream]
        try:
            reply = await self._upstreams[call.upstream].call_tool(
                send, deadline_s=deadline_s, on_progress=on_progress
            )
        except UpstreamError as error:
            status = "outcome_unknown" if error.sent else "not_sent"
            self._record_outcome(call_id, call, caller, status, started_s, code=error.code)
            return CallAnswer(call_id=call_id, decision=decision, failure=error)
        except asyncio.CancelledError:
            self._record_outcome(call_id, call, caller, "outcome_unknown", started_s, code="cancelled")
            raise
        if reply.result is None:
            self._record_outcome(
                call_id, call, caller, "failed", started_s, code="upstream_rpc_error", body=reply.error
            )
        else:
            self._record_outcome(
                call_id, call, caller, "succeeded", started_s, body=reply.result, is_error=reply.is_error
            )
        return CallAnswer(call_id=call_id, decision=decision, reply=reply)

    async def _refuse(
        self,
        call_id: str,
        call: ToolCall,
        caller: Caller,
        definition: ToolDefinition | None,
        decision: Decision,
    ) -> None:
        # Intent and outcome together: one write, one sync, and the log needs no third kind of story.
        members = {"call": call_id, "tool": call.tool_id, "status": "refused", "code": decision.codes[0]}
        outcome = Record(kind="outcome", tenant=caller.principal.tenant, members=members)
        await self._audit.append(self._intent(call_id, call, caller, definition, decision), outcome)

    def _intent(
        self,
        call_id: str,
        call: ToolCall,
        caller: Caller,
        definition: ToolDefinition | None,
        decision: Decision,
        *,
        forwarded: bool = False,
    ) -> Record:
        principal, workflow = caller.principal, caller.workflow
        members: dict[str, Any] = {
            "call": call_id,
            "method": "tools/call",
            "tool": call.tool_id,
            "subject": principal.subject.id,
            "agent": principal.agent,
            "effect": Effect.ALLOW.value if forwarded else decision.effect.value,
            "mode": "shadow" if self._settings.shadow else "enforce",
            "code": decision.codes[0] if decision.codes else "",
            "reasons": [{"code": reason.code, "rule": reason.rule} for reason in decision.reasons],
            "revision": decision.revision,
            "era": caller.era,
            "protocol": caller.protocol_version,
            "client": caller.client,
            "session": caller.session_id,
        }
        if forwarded and decision.effect is not Effect.ALLOW:
            # Shadow mode: what was done, and beside it what enforcing would have done.
            members["would"] = decision.effect.value
        if definition is not None:
            members["definition"] = definition.digest
            members["digest"] = call_digest(call, principal, definition)
        if workflow.id or workflow.step or workflow.idempotency_key or workflow.model:
            members["workflow"] = {
                "id": workflow.id,
                "step": workflow.step,
                "attempt": workflow.attempt,
                "idempotency_key": workflow.idempotency_key,
                "model": workflow.model,
                "verified": workflow.verified,
            }
        payload = Payload(name="arguments", subject=principal.subject.id, body=call.arguments_json)
        return Record(kind="intent", tenant=principal.tenant, members=members, payloads=(payload,))

    def _record_outcome(
        self,
        call_id: str,
        call: ToolCall,
        caller: Caller,
        status: str,
        started_s: float,
        *,
        code: str = "",
        body: bytes | None = None,
        is_error: bool = False,
    ) -> None:
        principal = caller.principal
        members: dict[str, Any] = {
            "call": call_id,
            "tool": call.tool_id,
            "status": status,
            "duration_us": int((self._monotonic_s() - started_s) * 1_000_000),
        }
        if code:
            members["code"] = code
        if is_error:
            members["is_error"] = True
        payloads = () if body is None else (Payload(name="result", subject=principal.subject.id, body=body),)
        self._audit.enqueue(
            Record(kind="outcome", tenant=principal.tenant, members=members, payloads=payloads)
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
