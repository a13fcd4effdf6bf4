"""The send of a governed request, and everything that may happen until its answer is there.

An upstream may ask before it answers. Which of the four ways that goes depends on the two eras; they are
told apart in ``answer_to`` and nowhere else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.core.call import call_digest
from gateway.core.capabilities import forwarded_capabilities
from gateway.core.definition import NO_PARAM_HEADERS
from gateway.core.methods import METHODS
from gateway.errors import UpstreamNeedsInput
from gateway.inputs.rounds import with_questions
from gateway.inputs.values import AskedInput
from gateway.passage.passage import NAMED
from gateway.ports import Reply, Send

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.inputs.parked import ParkedCall
    from gateway.inputs.rounds import InputRounds
    from gateway.inputs.values import Resumed
    from gateway.passage.passage import Passage
    from gateway.ports import AskSink, NoticeSink, Screen, Telemetry, Upstream

META_SEND_KEY = "dev.toolgate/idempotency-key"
INPUT_ROUNDS_MAX = 32
"""Rounds of questions of one call; an upstream that goes on asking has failed."""


class Forwarding:
    """Sends what the flow has decided and recorded."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        rounds: InputRounds,
        telemetry: Telemetry,
        *,
        screen: Screen,
        deadline_s: Mapping[str, float],
    ) -> None:
        """``deadline_s``: by upstream, for one request."""
        self._screen = screen
        self._upstreams = upstreams
        self._rounds = rounds
        self._telemetry = telemetry
        self._deadline_s = deadline_s

    async def answer_to(self, passage: Passage) -> Reply | AskedInput:
        """Send it, and see to what the upstream asks before it answers, and in its answer.

        Nothing that the upstream says goes on unseen: each question is looked at by itself, since policy
        is told what is in it; the rest of the answer is looked at here.
        """
        reply = await self._answer_to(passage)
        if isinstance(reply, AskedInput):
            return reply
        if reply.kind == "input_required":
            digest = call_digest(passage.call, passage.caller.principal, passage.digest)
            return await self._rounds.hand_out(passage, digest, reply)
        asks = await self._rounds.judged(passage, reply) if _may_ask(passage.call.method, reply) else {}
        screened = await self._screen.reply(
            passage.call,
            passage.caller,
            passage.definition,
            with_questions(reply, {}) if asks else reply,
            passage.treatment,
        )
        passage.observed, passage.kept_back = screened.observations, screened.kept_back
        return with_questions(screened.reply, asks) if asks and not screened.kept_back else screened.reply

    async def _answer_to(self, passage: Passage) -> Reply | AskedInput:
        """The reply as it came."""
        call, side = passage.call, passage.side
        upstream = self._upstreams[call.upstream]
        if call.method == "resources/subscribe":
            # Shared by all who subscribed: the connection keeps one subscription for each resource.
            await upstream.subscribe(call.name, deadline_s=self._deadline_s[call.upstream])
            return Reply(result=b"{}")
        send = await self._send(passage)
        if passage.resumed is not None and passage.resumed.parked is not None:
            return await self._carried_on(passage, passage.resumed)
        if passage.caller.era == "legacy":
            return await self._asked_inline(passage, upstream, send, side.ask_agent if send.asks else None)
        if send.asks and upstream.health().era == "legacy" and METHODS[call.method].rounds:

            async def sent(on_ask: AskSink | None) -> Reply:
                return await self._called(upstream, send, parked.notice, on_ask)

            parked = self._rounds.park(passage, sent)
            parked.on_notice = side.on_notice
            return await self._next_of(passage, parked)
        return await self._called(upstream, send, side.on_notice, None)

    async def _asked_inline(
        self, passage: Passage, upstream: Upstream, send: Send, ask_agent: AskSink | None
    ) -> Reply:
        """For an agent of the session era: it is asked while its request stays open, if it can be at all."""
        on_ask = self._rounds.inline(passage, ask_agent) if ask_agent else None
        params = send.params
        for _ in range(INPUT_ROUNDS_MAX):
            reply = await self._called(upstream, send, passage.side.on_notice, on_ask)
            if reply.kind != "input_required":
                return reply
            results, state = await self._rounds.answer_inline(passage, reply, ask_agent)
            send = replace(send, params={**params, **_brought(results, state)})
        raise UpstreamNeedsInput(f"upstream {passage.call.upstream!r} asks again and again", sent=True)

    async def _called(
        self, upstream: Upstream, send: Send, on_notice: NoticeSink | None, on_ask: AskSink | None
    ) -> Reply:
        return await upstream.call(
            send,
            deadline_s=self._deadline_s[upstream.id],
            on_notice=self._screen.notices(on_notice, whose=send.session_key),
            on_ask=on_ask,
        )

    async def _carried_on(self, passage: Passage, resumed: Resumed) -> Reply | AskedInput:
        parked = resumed.parked
        assert parked is not None
        self._rounds.take(parked)
        parked.underway = passage
        parked.on_notice = passage.side.on_notice
        parked.give(resumed.responses)
        return await self._next_of(passage, parked)

    async def _next_of(self, passage: Passage, parked: ParkedCall) -> Reply | AskedInput:
        reply = await parked.next()
        if reply is not None:
            return reply
        parked.on_notice = None
        digest = call_digest(passage.call, passage.caller.principal, passage.digest)
        return self._rounds.keep(digest, parked)

    async def _send(self, passage: Passage) -> Send:
        call, side, definition = passage.call, passage.side, passage.definition
        arguments, params = call.arguments, self._params(passage)
        if passage.restores:
            # The very last step: until here the placeholder is what was judged, approved and recorded.
            arguments = await self._screen.restored(call, passage.caller, passage.restores)
            params = {**params, "arguments": arguments} if call.method in NAMED else arguments
        if passage.resumed is not None:
            params = {**params, **_brought(passage.answers, passage.resumed.upstream_state)}
        return Send(
            method=call.method,
            name=str(call.arguments["taskId"]) if call.method.startswith("tasks/") else call.name,
            params=params,
            arguments=arguments,
            param_headers=definition.param_headers if definition is not None else NO_PARAM_HEADERS,
            session_key=passage.caller.principal.key,
            capabilities=forwarded_capabilities(
                passage.caller.capabilities, self._rounds.grants(call.upstream)
            ),
            log_level=passage.caller.log_level,
            meta=self._meta(passage),
            wants_progress=side.wants_progress,
        )

    def _meta(self, passage: Passage) -> Mapping[str, Any]:
        meta = self._telemetry.outgoing(passage.span, passage.caller)
        return {**meta, META_SEND_KEY: passage.send_key} if passage.send_key else meta

    @staticmethod
    def _params(passage: Passage) -> dict[str, Any]:
        call = passage.call
        if call.method not in NAMED:
            return call.arguments
        params: dict[str, Any] = {"name": call.name, "arguments": msgspec.Raw(call.arguments_json)}
        if passage.side.task is not None:
            params["task"] = passage.side.task
        return params


def _may_ask(method: str, reply: Reply) -> bool:
    """Whether an answer may hold questions, other than by being ``input_required``."""
    if reply.error is not None:
        return True
    return reply.modern and (reply.kind == "task" or method.startswith("tasks/"))


def _brought(responses: Mapping[str, bytes], state: str | None) -> dict[str, Any]:
    """The params with which a call is carried on at an upstream of 2026-07-28."""
    found: dict[str, Any] = (
        {"inputResponses": {key: msgspec.Raw(value) for key, value in responses.items()}} if responses else {}
    )
    return found if state is None else {**found, "requestState": state}
