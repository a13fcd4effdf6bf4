"""``tools/list`` and ``tools/call`` for both eras: names, the flow, and how its answer reads to an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gateway.bridge.results import legacy_result, modern_result
from gateway.core.decision import Effect
from gateway.core.naming import SEPARATOR, is_tool_name, join_name, split_name
from gateway.downstream.errors import error_body, error_object
from gateway.downstream.message import only_members
from gateway.errors import GatewayError, InvalidParams, UnknownTool, UpstreamError

if TYPE_CHECKING:
    from gateway.core.decision import Decision, Reason
    from gateway.core.definition import ToolDefinition
    from gateway.core.principal import Caller
    from gateway.downstream.message import Message, RequestId
    from gateway.enforcement import CallAnswer, Enforcement
    from gateway.ports import Catalogue, ProgressSink

META_DECISION = "dev.toolgate/decision"
META_FAILURE = "dev.toolgate/failure"
ID_SHOWN_CHARACTERS = 12
LIST_TTL_MS = 60_000

_encode = msgspec.json.Encoder().encode


class Body(NamedTuple):
    """A JSON-RPC response and, if it is an error, its number."""

    data: bytes
    error_code: int = 0


class AskedCall(NamedTuple):
    """What a ``tools/call`` asks for, names resolved."""

    upstream: str
    tool: str
    arguments: dict[str, Any]


class Tools:
    """The tools surface of the gateway."""

    def __init__(self, catalogue: Catalogue, enforcement: Enforcement) -> None:
        """Take the snapshot's reader and the flow."""
        self._catalogue = catalogue
        self._enforcement = enforcement
        self._lists: dict[tuple[str | None, bool], tuple[object, bytes]] = {}

    def list(self, message: Message, *, upstream: str | None, modern: bool) -> Body:
        """The catalogue as one page; encoded once per change and route.

        Raises:
            InvalidParams: a cursor, since no page ever hands one out.
        """
        if message.params.get("cursor") is not None:
            raise InvalidParams("unknown cursor", next_step="list again without a cursor")
        offered = self._catalogue.offered(upstream)
        key = (upstream, modern)
        cached = self._lists.get(key)
        if cached is None or cached[0] != offered:
            tools = [
                definition.members
                if upstream is not None
                else {**definition.members, "name": join_name(definition.upstream, definition.name)}
                for definition in offered
            ]
            result: dict[str, Any] = {"tools": tools}
            if modern:
                # Private: what is offered may depend on who asks.
                result = {"resultType": "complete", **result, "ttlMs": LIST_TTL_MS, "cacheScope": "private"}
            cached = (offered, _encode(result))
            self._lists[key] = cached
        return Body(response(message.id, cached[1]))

    def read(self, message: Message, upstream: str | None, members: frozenset[str]) -> AskedCall:
        """Which tool a call names on this route, and its arguments.

        Raises:
            InvalidParams: an unknown parameter, no name, or arguments that are not an object.
            UnknownTool: not a name that this route could have offered.
        """
        only_members(message.params, members, message.method)
        name = message.params.get("name")
        if not isinstance(name, str):
            raise InvalidParams("tools/call needs a name, a string")
        arguments = message.params.get("arguments", {})
        if not isinstance(arguments, dict):
            raise InvalidParams("arguments must be an object")
        if upstream is None:
            pair, form = split_name(name), f", of the form upstream{SEPARATOR}tool"
        else:
            pair, form = (upstream, name) if is_tool_name(name) else None, ""
        if pair is None:
            # Text that could not be a name goes no further: it would be recorded as the tool.
            raise UnknownTool(
                f"no tool {name[:128]!r} is offered here", next_step=f"use a name from tools/list{form}"
            )
        return AskedCall(*pair, arguments)

    def definition(self, asked: AskedCall) -> ToolDefinition | None:
        """The definition the agent was served for it, if any."""
        return self._catalogue.find(asked.upstream, asked.tool)

    async def call(
        self, message: Message, asked: AskedCall, caller: Caller, on_progress: ProgressSink | None
    ) -> Body:
        """Run the flow and put its answer into words. Only this method's errors are already recorded."""
        try:
            answer = await self._enforcement.handle(
                asked.upstream, asked.tool, asked.arguments, caller, on_progress
            )
        except GatewayError as error:
            reported = error_object(error)
            return Body(error_body(message.id, reported), reported["code"])
        return call_body(message.id, answer, modern=caller.era == "modern")


def response(request_id: RequestId | None, result: bytes) -> bytes:
    """A JSON-RPC result response around result bytes, which are not looked into."""
    return b'{"jsonrpc":"2.0","id":' + _encode(request_id) + b',"result":' + result + b"}"


def call_body(request_id: RequestId | None, answer: CallAnswer, *, modern: bool) -> Body:
    """How a finished call reads to the agent, in its own era."""
    if answer.reply is not None and answer.reply.error is not None:
        number = msgspec.json.decode(answer.reply.error, type=_Coded).code
        return Body(error_body(request_id, msgspec.Raw(answer.reply.error)), number)
    if answer.reply is not None and answer.reply.result is not None:
        result = answer.reply.result
        return Body(response(request_id, modern_result(result) if modern else legacy_result(result)))
    if answer.failure is not None:
        told = _failed(answer.call_id, answer.failure)
    else:
        told = _not_allowed(answer.call_id, answer.decision)
    if modern:
        told["resultType"] = "complete"
    return Body(response(request_id, _encode(told)))


class _Coded(msgspec.Struct):
    code: int


def _failed(call_id: str, failure: UpstreamError) -> dict[str, Any]:
    fate = (
        "The call was sent and may have run: find out before repeating it."
        if failure.sent
        else "The call was not sent; nothing has happened."
    )
    advice = f" Next: {failure.next_step}." if failure.next_step else ""
    text = f"FAILED: {failure.reason}. {fate}{advice} Call {call_id[:ID_SHOWN_CHARACTERS]}."
    return _tool_error(text, META_FAILURE, {"code": failure.code, "sent": failure.sent, "call": call_id})


def _not_allowed(call_id: str, decision: Decision) -> dict[str, Any]:
    reasons = [_reason(reason) for reason in decision.reasons]
    if decision.effect is Effect.HOLD:
        code = "approval_required"
        text = (
            "NOT EXECUTED: this call needs a person's approval, and this gateway has no way to ask one yet. "
        )
        ends = "Do not try to reach the same effect another way"
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
    return _tool_error(text, META_DECISION, stated)


def _reason(reason: Reason) -> str:
    rule = f" in {reason.rule}" if reason.rule else ""
    because = f": {reason.message}" if reason.message else ""
    passes = f" What would pass: {reason.would_pass}." if reason.would_pass else ""
    return f"Rule {reason.code}{rule}{because}.{passes}"


def _tool_error(text: str, key: str, stated: dict[str, Any]) -> dict[str, Any]:
    # A tool error, not a protocol error: clients show tool errors to the model, which must read why.
    return {"content": [{"type": "text", "text": text}], "isError": True, "_meta": {key: stated}}
