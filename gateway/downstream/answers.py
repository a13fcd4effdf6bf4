"""How what became of a request reads to the agent, in its own era."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gateway.bridge.errors import agent_error
from gateway.bridge.results import agent_result
from gateway.core.decision import Effect
from gateway.core.methods import METHODS
from gateway.downstream.errors import (
    DENIED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    error_body,
    error_object,
)
from gateway.errors import DefinitionKeptBack, InvalidArguments

if TYPE_CHECKING:
    from gateway.core.decision import Decision, Reason
    from gateway.core.principal import Principal
    from gateway.downstream.message import RequestId
    from gateway.downstream.requests import Asked
    from gateway.downstream.task_ids import TaskIds
    from gateway.errors import GatewayError, UpstreamError
    from gateway.inputs.values import AskedInput
    from gateway.passage.answer import CallAnswer
    from gateway.ports import Reply

META_DECISION = "dev.toolgate/decision"
META_FAILURE = "dev.toolgate/failure"
ID_SHOWN_CHARACTERS = 12

_encode = msgspec.json.Encoder().encode


class Body(NamedTuple):
    """A JSON-RPC response and, if it is an error, its number."""

    data: bytes
    error_code: int = 0


def response(request_id: RequestId | None, result: bytes) -> bytes:
    """A JSON-RPC result response around result bytes, which are not looked into."""
    return b'{"jsonrpc":"2.0","id":' + _encode(request_id) + b',"result":' + result + b"}"


class Answers:
    """Puts answers into words."""

    def __init__(self, task_ids: TaskIds) -> None:
        """Take what names tasks towards agents."""
        self._task_ids = task_ids

    def body(
        self,
        request_id: RequestId | None,
        asked: Asked,
        principal: Principal,
        answer: CallAnswer,
        *,
        modern: bool,
    ) -> Body:
        """The response to one governed request."""
        call = asked.call
        if answer.reply is not None:
            return self.replied(request_id, asked, principal, answer.reply, modern=modern)
        if answer.asked is not None:
            return Body(response(request_id, _input_required(answer.asked)))
        if answer.failure is not None:
            told = _failure(answer.call_id, answer.failure)
        else:
            told = _denial(answer.call_id, answer.decision)
        if call.method == "tools/call":
            return Body(response(request_id, told.as_tool_error(modern=modern)))
        return Body(error_body(request_id, told.as_error()), told.number)

    def refused(
        self, request_id: RequestId | None, asked: Asked, error: GatewayError, *, modern: bool
    ) -> Body:
        """The response to a request that the flow refused with an error.

        Arguments that do not fit are a tool error, so that the model reads what to mend (MCP 2025-11-25
        and later, tools, error handling), and so is a tool that is kept back; everything else is a JSON-RPC
        error.
        """
        reported = error_object(error)
        told_to_model = isinstance(error, InvalidArguments | DefinitionKeptBack)
        if told_to_model and asked.call.method == "tools/call":
            told = _Told(f"NOT EXECUTED: {reported['message']}", META_FAILURE, reported["data"], 0)
            return Body(response(request_id, told.as_tool_error(modern=modern)))
        return Body(error_body(request_id, reported), reported["code"])

    def replied(
        self, request_id: RequestId | None, asked: Asked, principal: Principal, reply: Reply, *, modern: bool
    ) -> Body:
        """The response around an upstream's answer."""
        call = asked.call
        if reply.error is not None:
            error = agent_error(call.method, reply.error, from_modern=reply.modern, to_modern=modern)
            number = msgspec.json.decode(error, type=_Coded).code
            # Any other number is between the upstream and us: an HTTP status would speak of this connection.
            told = number if number in _ABOUT_THE_REQUEST else 0
            return Body(error_body(request_id, msgspec.Raw(error)), told)
        result = agent_result(
            METHODS[call.method], reply.result or b"{}", from_modern=reply.modern, to_modern=modern
        )
        if reply.kind == "task":
            result = self._task_ids.issued(principal, call.upstream, call.name, result)
        elif asked.about is not None:
            result = self._task_ids.renamed(principal, asked.about, result)
        return Body(response(request_id, result))

    @staticmethod
    def in_era(method: str, reply: Reply, *, modern: bool) -> tuple[bytes | None, bytes | None]:
        """An upstream's answer in the agent's era, as a result or an error object."""
        if reply.error is not None:
            return None, agent_error(method, reply.error, from_modern=reply.modern, to_modern=modern)
        result = reply.result or b"{}"
        told = agent_result(METHODS[method], result, from_modern=reply.modern, to_modern=modern)
        return told, None


_ABOUT_THE_REQUEST = frozenset({METHOD_NOT_FOUND, INVALID_PARAMS, MISSING_CAPABILITY})


class _Coded(msgspec.Struct):
    code: int


def _input_required(asked: AskedInput) -> bytes:
    result: dict[str, Any] = {"resultType": "input_required"}
    if asked.requests is not None:
        result["inputRequests"] = msgspec.Raw(asked.requests)
    return _encode(result | {"requestState": asked.state})


class _Told(NamedTuple):
    """A refusal or failure in words; how it travels depends on the method."""

    text: str
    key: str
    stated: dict[str, Any]
    number: int

    def as_tool_error(self, *, modern: bool) -> bytes:
        # Not a protocol error: clients show tool errors to the model, which must read why.
        told: dict[str, Any] = {
            "content": [{"type": "text", "text": self.text}],
            "isError": True,
            "_meta": {self.key: self.stated},
        }
        return _encode(told | {"resultType": "complete"} if modern else told)

    def as_error(self) -> dict[str, Any]:
        # Only a tool's result can say that it is an error.
        return {"code": self.number, "message": self.text, "data": self.stated}


def _failure(call_id: str, failure: UpstreamError) -> _Told:
    fate = (
        "The call was sent and may have run: find out before repeating it."
        if failure.sent
        else "The call was not sent; nothing has happened."
    )
    advice = f" Next: {failure.next_step}." if failure.next_step else ""
    text = f"FAILED: {failure.reason}. {fate}{advice} Call {call_id[:ID_SHOWN_CHARACTERS]}."
    stated = {"code": failure.code, "sent": failure.sent, "call": call_id}
    return _Told(text, META_FAILURE, stated, INTERNAL_ERROR)


def _denial(call_id: str, decision: Decision) -> _Told:
    reasons = [_reason(reason) for reason in decision.reasons]
    if decision.effect is Effect.HOLD:
        # It was held before, or could be; in the middle of it nobody can be asked any more.
        code = "approval_required"
        text = "NOT EXECUTED: this call needs a person's approval, and cannot be carried on without one. "
        ends = "Begin the call again"
    else:
        code = "denied"
        text = "DENIED by policy, not executed. "
        ends = "Do not try to work around this"
    text += " ".join(reasons) + f" {ends}. Call {call_id[:ID_SHOWN_CHARACTERS]}."
    stated = {
        "effect": decision.effect.value,
        "code": code,
        "reasons": [
            {"code": one.code, "rule": one.rule, "message": one.message, "would_pass": one.would_pass}
            for one in decision.reasons
        ],
        "call": call_id,
    }
    return _Told(text, META_DECISION, stated, DENIED)


def _reason(reason: Reason) -> str:
    rule = f" in {reason.rule}" if reason.rule else ""
    because = f": {reason.message}" if reason.message else ""
    passes = f" What would pass: {reason.would_pass}." if reason.would_pass else ""
    return f"Rule {reason.code}{rule}{because}.{passes}"
