"""What an upstream asks of the agent's side in the middle of a call: judged, put, answered.

The two eras ask differently, so there are four ways. An agent of the session era is asked while its call
runs; one of 2026-07-28 gets an ``input_required`` result and comes again with the answers. An upstream of
2026-07-28 answers ``input_required`` and forgets; one of the session era keeps the call open meanwhile,
so its call is parked here, in memory, until the agent comes back or has taken too long.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.bridge.inputs import (
    InputAnswer,
    answer_problem,
    as_result,
    input_requests,
    read_input_required,
)
from gateway.bridge.questions import task_questions, visit_questions, with_task_questions, with_visits
from gateway.core.record import Record
from gateway.core.seal import SealBroken
from gateway.errors import (
    AgentOverLimit,
    GatewayError,
    InputRefused,
    MalformedMessage,
    Overloaded,
    RequestStateRefused,
    UpstreamGarbled,
    UpstreamNeedsInput,
)
from gateway.inputs.judging import Judging
from gateway.inputs.parked import ParkedCall, declined
from gateway.inputs.values import AskedInput, Resumed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping

    from gateway.bridge.inputs import InputAsk
    from gateway.core.principal import Caller
    from gateway.core.seal import Seal
    from gateway.inputs.values import RoundSettings, Underway
    from gateway.ports import AskSink, AuditTrail, Policy, Reply, Screen

STATE = "request state"
STATE_CHARACTERS_MAX = 64 << 10
"""Of an upstream's own state: sealed and in the agent's hands it must still fit into a request."""
LATELY_MAX = 1000


class InputRounds:
    """Everything about asking that the enforcement flow leaves to it."""

    def __init__(
        self,
        *,
        policy: Policy,
        audit: AuditTrail,
        screen: Screen,
        seal: Seal,
        settings: RoundSettings,
        clock_us: Callable[[], int],
        new_id: Callable[[], str],
        start_task: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None] | None],
    ) -> None:
        """Take ports; ``new_id`` must be unguessable."""
        self._judging = Judging(
            policy=policy, audit=audit, screen=screen, settings=settings, clock_us=clock_us
        )
        self._audit = audit
        self._seal = seal
        self._settings = settings
        self._clock_us = clock_us
        self._new_id = new_id
        self._start_task = start_task
        self._run = new_id()
        """Which states were used is not known after a restart, so those of an earlier run are refused."""
        self._parked: dict[str, ParkedCall] = {}
        self._used: dict[str, int] = {}
        """Ids of states that were brought back, with when they expire: each is good once."""
        self._lately: OrderedDict[str, tuple[int, dict[str, str]]] = OrderedDict()
        """By call digest: what was asked, until when. For servers without a state of their own."""

    def grants(self, upstream: str) -> frozenset[str]:
        """What an upstream may ask at all."""
        return self._judging.grants(upstream)

    def inline(self, underway: Underway, ask_agent: AskSink) -> AskSink:
        """Answers questions by putting them to an agent of the session era while its call runs."""

        async def on_ask(ask: InputAsk) -> InputAnswer:
            try:
                shown = await self._judging.question(underway, ask)
            except GatewayError as error:
                return declined(error.reason)
            answer = await ask_agent(shown)
            try:
                await self._judging.answers(underway, {ask.method: answer.said})
            except GatewayError as error:
                return declined(error.reason)
            return answer

        return on_ask

    async def answer_inline(
        self, underway: Underway, reply: Reply, ask_agent: AskSink | None
    ) -> tuple[dict[str, bytes], str | None]:
        """Put all questions of an ``input_required`` result to an agent of the session era.

        Returns:
            The answers by key, and the upstream's state to send back.

        Raises:
            UpstreamNeedsInput: one may not be put, the agent answered with an error, or its answers may not
                go on.
        """
        upstream = underway.call.upstream
        asks, state = _read(upstream, reply)
        asks = await self._judge_all(underway, asks)
        if asks and ask_agent is None:
            reason = f"upstream {upstream!r} needs an answer that this client has not declared to give"
            raise UpstreamNeedsInput(reason, sent=True)
        answers = await asyncio.gather(
            *(self._answered(ask_agent, ask, upstream) for ask in asks.values() if ask_agent)
        )
        results: dict[str, bytes] = {}
        for (key, ask), answer in zip(asks.items(), answers, strict=True):
            result = as_result(ask.method, answer)
            if result is None:
                raise UpstreamNeedsInput(
                    f"upstream {upstream!r} asked for {ask.method}, and the agent did not answer it",
                    sent=True,
                )
            results[key] = result
        if results:
            with _needing():
                await self._judging.answers(underway, results)
        return results, state

    async def _answered(self, ask_agent: AskSink, ask: InputAsk, upstream: str) -> InputAnswer:
        try:
            async with asyncio.timeout(self._settings.input_timeout_s[upstream]):
                return await ask_agent(ask)
        except TimeoutError:
            return declined("the client did not answer in time")

    async def hand_out(self, underway: Underway, digest: str, reply: Reply) -> AskedInput:
        """Turn an ``input_required`` result of an upstream into one for an agent of the same era.

        Raises:
            UpstreamNeedsInput: a question may not be put.
        """
        upstream = underway.call.upstream
        asks, state = _read(upstream, reply)
        asks = await self._judge_all(underway, asks)
        return self._sealed(upstream, underway.caller, digest, asks, upstream_state=state, parked="")

    async def judged(self, underway: Underway, reply: Reply) -> dict[str, InputAsk]:
        """The questions of a reply that asks without being ``input_required``, as they may be put.

        A task that waits for input, or the error -32042 (see bridge/questions.py). Often there are none.

        Raises:
            UpstreamNeedsInput: a question may not be put.
            UpstreamGarbled: one that is not of its form.
        """
        upstream = underway.call.upstream
        try:
            if reply.result is not None:
                return await self._judge_all(underway, task_questions(reply.result))
            visits = visit_questions(reply.error or b"")
        except MalformedMessage as error:
            raise UpstreamGarbled(f"upstream {upstream!r} sent {error.reason}", sent=True) from error
        if visits is None:
            return {}
        if underway.caller.era == "modern":
            raise UpstreamNeedsInput(
                f"upstream {upstream!r} wants a person to visit an address first, and says so in a way "
                "that this protocol revision no longer has",
                sent=True,
            )
        return await self._judge_all(underway, {str(number): ask for number, ask in enumerate(visits)})

    async def _judge_all(self, underway: Underway, asks: Mapping[str, InputAsk]) -> dict[str, InputAsk]:
        with _needing():
            return {key: await self._judging.question(underway, ask) for key, ask in asks.items()}

    def park(self, underway: Underway, send: Callable[[AskSink], Awaitable[Reply]]) -> ParkedCall:
        """Begin a call that may stay open over several requests of the agent.

        Raises:
            AgentOverLimit, Overloaded: too many are parked.
        """
        owner = underway.caller.principal.key
        mine = sum(1 for one in self._parked.values() if one.owner == owner)
        if mine >= self._settings.parked_per_principal_max:
            raise AgentOverLimit(
                "too many calls of this agent wait for input; nothing was sent", next_step="answer one first"
            )
        if len(self._parked) >= self._settings.parked_max:
            raise Overloaded("too many calls wait for input; nothing was sent", next_step="try again later")
        parked = ParkedCall(self._new_id(), underway)

        async def on_ask(ask: InputAsk) -> InputAnswer:
            try:
                shown = await self._judging.question(parked.underway, ask)
            except GatewayError as error:
                return declined(error.reason)
            # What is answered comes with another request of the agent, and is decided about with that.
            return await parked.ask(shown)

        parked.begin(lambda: send(on_ask), self._start_task)
        return parked

    def keep(self, digest: str, parked: ParkedCall) -> AskedInput:
        """Leave a call parked with the questions it waits for; the agent gets them and a state."""
        upstream, caller = parked.underway.call.upstream, parked.underway.caller
        self._parked[parked.id] = parked
        parked.expire_after(self._settings.input_timeout_s[upstream], lambda: self._abandon(parked))
        return self._sealed(upstream, caller, digest, parked.open, upstream_state=None, parked=parked.id)

    def _abandon(self, parked: ParkedCall) -> None:
        """The agent did not come back: withdraw the call."""
        self._parked.pop(parked.id, None)
        parked.cancel()
        members = {"call": parked.underway.call_id, "code": "input_timeout", "status": "outcome_unknown"}
        tenant = parked.underway.caller.principal.tenant
        self._audit.enqueue(Record(kind="abandoned", tenant=tenant, members=members))

    def _sealed(
        self,
        upstream: str,
        caller: Caller,
        digest: str,
        asks: Mapping[str, InputAsk],
        *,
        upstream_state: str | None,
        parked: str,
    ) -> AskedInput:
        expires_s = self._clock_us() // 1_000_000 + int(self._settings.input_timeout_s[upstream])
        content: dict[str, Any] = {
            "id": self._new_id(),
            "run": self._run,
            "call": digest,
            "asked": {key: ask.method for key, ask in asks.items()},
            "state": upstream_state,
            "parked": parked,
            "expires": expires_s,
        }
        if upstream_state is None and not parked:
            self._lately[digest] = (expires_s, content["asked"])
            self._lately.move_to_end(digest)
            while len(self._lately) > LATELY_MAX:
                self._lately.popitem(last=False)
        state = self._seal.close(STATE, caller.principal.key, json.dumps(content).encode())
        return AskedInput(requests=input_requests(dict(asks)) if asks else None, state=state)

    def resume(self, caller: Caller, digest: str, state: str, responses: Mapping[str, Any]) -> Resumed:
        """Check what an agent brought back. What nobody asked for is dropped.

        Raises:
            RequestStateRefused: edited, expired, used before, another principal's, or of another call.
            InvalidParams: an answer that is not of its form.
        """
        try:
            content = json.loads(self._seal.open(STATE, caller.principal.key, state))
        except SealBroken as error:
            raise RequestStateRefused(error.reason, next_step="begin the call again") from error
        now_s = self._clock_us() // 1_000_000
        self._used = {key: until_s for key, until_s in self._used.items() if until_s >= now_s}
        if content["call"] != digest:
            raise RequestStateRefused("this request state belongs to another request")
        if content["run"] != self._run or content["expires"] < now_s or content["id"] in self._used:
            raise RequestStateRefused(
                "this request state has expired, was used before or is from before a restart",
                next_step="begin the call again",
            )
        answers = _fitting(content["asked"], responses)
        parked = self._parked.get(content["parked"]) if content["parked"] else None
        if content["parked"] and (parked is None or parked.owner != caller.principal.key):
            raise RequestStateRefused(
                "the call that this request state belongs to is no longer waiting",
                next_step="begin the call again",
            )
        self._used[content["id"]] = content["expires"]
        return Resumed(responses=answers, upstream_state=content["state"], parked=parked)

    def answered_lately(self, digest: str, responses: Mapping[str, Any]) -> Resumed | None:
        """Answers that come without a state, to what was asked of this very call not long ago.

        Servers need not have a state, and their clients need not bring ours back; what was not asked is
        dropped all the same.

        Raises:
            RequestStateRefused: an answer that is not of its form.
        """
        until_s, asked = self._lately.get(digest, (0, {}))
        if until_s < self._clock_us() // 1_000_000:
            return None
        return Resumed(responses=_fitting(asked, responses), upstream_state=None, parked=None)

    def take(self, parked: ParkedCall) -> None:
        """The agent came back for a parked call: it is no longer waiting for it."""
        self._parked.pop(parked.id, None)
        parked.stop_expiry()

    def close(self) -> None:
        """Withdraw everything that waits; at shutdown."""
        for parked in list(self._parked.values()):
            parked.cancel()
        self._parked.clear()


def with_questions(reply: Reply, asks: Mapping[str, InputAsk]) -> Reply:
    """A reply that asks without being ``input_required``, with these questions in place of its own."""
    if reply.result is not None:
        return replace(reply, result=with_task_questions(reply.result, asks))
    return replace(reply, error=with_visits(reply.error or b"", list(asks.values())))


@contextmanager
def _needing() -> Iterator[None]:
    """An upstream that cannot be told that it may not ask has failed."""
    try:
        yield
    except InputRefused as error:
        raise UpstreamNeedsInput(error.reason, sent=True, next_step=error.next_step) from error


def _fitting(asked: Mapping[str, str], responses: Mapping[str, Any]) -> dict[str, bytes]:
    """The answers to what was asked, encoded; others are dropped."""
    answers = {key: responses[key] for key in asked if key in responses}
    for key, answer in answers.items():
        problem = answer_problem(asked[key], answer)
        if problem:
            raise RequestStateRefused(f"inputResponses/{key} {problem}")
    return {key: msgspec.json.encode(answer) for key, answer in answers.items()}


def _read(upstream: str, reply: Reply) -> tuple[dict[str, InputAsk], str | None]:
    try:
        asks, state = read_input_required(reply.result or b"")
    except MalformedMessage as error:
        raise UpstreamGarbled(f"upstream {upstream!r} sent {error.reason}", sent=True) from error
    if state is not None and len(state) > STATE_CHARACTERS_MAX:
        raise UpstreamGarbled(
            f"upstream {upstream!r} sent a request state of over {STATE_CHARACTERS_MAX} characters", sent=True
        )
    return asks, state
