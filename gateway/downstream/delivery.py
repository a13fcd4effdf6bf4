"""How an agent waits for a held call, whatever its client can bear.

A task, held rounds, an open request with signs of life, and at last an answer that says "not executed" and
how to ask again. All of them read one row with one ``wait``. Nothing is kept here: a restart loses no caller,
because the state they bring back, and an identical call, lead to the row.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from gateway.bridge.inputs import input_requests
from gateway.core.capabilities import speaks_tasks
from gateway.core.methods import METHODS
from gateway.downstream import approval_wait, hold_tasks, self_confirm
from gateway.downstream.answers import Body, response
from gateway.downstream.errors import DENIED, error_body
from gateway.downstream.hold_rounds import HoldRounds
from gateway.downstream.hold_words import (
    ended_text,
    gone_text,
    state_of,
    tool_error,
    waiting_text,
)
from gateway.downstream.patience import patience_of, takes_rounds
from gateway.downstream.task_ids import Task
from gateway.errors import InvalidArguments, Overloaded, RequestStateRefused, UnknownTask
from gateway.holding.ending import usable, waits
from gateway.holding.facts import sentence_of
from gateway.ports import Notice

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from durable.holds.hold import Hold
    from gateway.bridge.inputs import InputAsk
    from gateway.core.call import Call
    from gateway.core.principal import Caller, Principal
    from gateway.core.seal import Seal
    from gateway.desk import Verdict
    from gateway.downstream.answers import Answers
    from gateway.downstream.message import RequestId
    from gateway.downstream.requests import Asked
    from gateway.downstream.task_ids import TaskIds
    from gateway.errors import DefinitionKeptBack
    from gateway.holding.ending import Ending
    from gateway.holding.settings import ApprovalSettings
    from gateway.ports import AskSink, NoticeSink

ROUNDS_MAX = 8
"""The Python and TypeScript SDKs give a call up after ten ``input_required`` answers."""
USE_AGAIN_S = 2.0
TASK_USE_S = 2.0
"""A look at a task waits so long for a call that it has begun."""
ASKED_S = 600.0
"""For a user to answer a question in their client, whose own patience is another matter."""

_encode = msgspec.json.Encoder().encode


class HeldCalls(Protocol):
    """What delivery needs of the approval flow."""

    draining: bool
    """The gateway is shutting down: nobody is kept waiting."""

    async def wait(self, hold: Hold, *, timeout_s: float) -> Hold:
        """The hold once it is over or its caller can run it, or as it is when the time is up."""
        ...

    async def use(self, hold: Hold) -> Hold:
        """Run a call that was approved for its caller; goes on if the caller goes away."""
        ...

    async def ending(self, hold: Hold, *, handed_over: bool = True) -> Ending:
        """What its caller gets; unless nobody receives it, an identical call from now on is another call."""
        ...

    async def of_owner(self, principal: Principal, hold_id: str) -> Hold | None:
        """A hold by its id, if it is this principal's."""
        ...

    async def withdraw(self, hold: Hold) -> Hold:
        """Its caller does not want it any more."""
        ...

    async def confirm(self, hold: Hold, principal: Principal, verdict: Verdict) -> Hold:
        """What the requester's own person says in their client."""
        ...


class Waiting(NamedTuple):
    """How one request waits."""

    on_notice: NoticeSink | None
    wants_progress: bool
    ask_agent: AskSink | None
    """Puts a question to the user of an agent of the session era."""
    aside: Callable[[], AbstractContextManager[None]]
    """While it waits it is a stream, not a call in flight; raises Overloaded where there are too many."""
    gone: Callable[[], bool] = lambda: False
    """Whether the client has hung up: then the outcome stays to be collected."""


class Delivery:
    """Answers requests whose call is held."""

    def __init__(
        self,
        held: HeldCalls,
        answers: Answers,
        *,
        seal: Seal,
        task_ids: TaskIds,
        settings: ApprovalSettings,
        link_of: Callable[[Hold], str],
        has_output_schema: Callable[[Hold], bool],
        kept_back_of: Callable[[Hold], DefinitionKeptBack | None],
    ) -> None:
        """Take the flow, the words, and what is sealed."""
        self._held = held
        self._answers = answers
        self._rounds = HoldRounds(seal)
        self._task_ids = task_ids
        self._settings = settings
        self._link_of = link_of
        self._has_output_schema = has_output_schema
        self._kept_back_of = kept_back_of

    async def answer(
        self,
        request_id: RequestId | None,
        asked: Asked,
        caller: Caller,
        hold: Hold,
        waiting: Waiting,
        *,
        rounds: int = 0,
    ) -> Body:
        """The response to a request whose call is held; comes when it is over or the client's patience is."""
        if self._as_task(asked, caller) and waits(hold):
            task_id = self._task_ids.sealed(caller.principal, _task(hold))
            return Body(response(request_id, hold_tasks.begun(hold, task_id)))
        in_rounds = _in_rounds(asked.call, caller, rounds)
        ask = self._question(hold, caller)
        shown = self._shown(asked, caller)
        if ask is not None and in_rounds and (rounds == 0 or shown not in {"", hold.seen}):
            requests = input_requests({self_confirm.KEY: ask})
            return Body(response(request_id, self._round(asked.call, caller, hold, rounds + 1, requests)))
        if in_rounds and shown == hold.seen and self_confirm.KEY in asked.responses:
            hold = await self._confirmed(hold, caller, asked.responses[self_confirm.KEY])
        if ask is not None and waiting.ask_agent is not None:
            hold = await self._asked_inline(hold, caller, ask, waiting, waiting.ask_agent)
        hold = await self._waited(hold, waiting, self._budget_s(caller, waiting, in_rounds=in_rounds))
        if not waits(hold):
            return await self._ended(request_id, asked, caller, hold, handed_over=not waiting.gone())
        if in_rounds and rounds + 1 < ROUNDS_MAX:
            return Body(response(request_id, self._round(asked.call, caller, hold, rounds + 1)))
        return self._still_waiting(request_id, asked, caller, hold)

    async def resumed(self, asked: Asked, caller: Caller) -> tuple[Hold, int] | None:
        """The hold and the round that a request state belongs to; None if the state is not of this kind.

        Raises:
            RequestStateRefused: it is of this kind, and of another call, or its hold is not there.
        """
        found = self._rounds.of(caller.principal.key, asked.call, asked.state)
        if found is None:
            return None
        hold = await self._held.of_owner(caller.principal, found.hold)
        if hold is None:
            raise RequestStateRefused("there is no such held call", next_step="begin the call again")
        return hold, found.number

    def _shown(self, asked: Asked, caller: Caller) -> str:
        """What the user was asked about in the round before; empty if they were not asked.

        An answer that nobody asked for, or that is about what the call was before, decides nothing.
        """
        found = self._rounds.of(caller.principal.key, asked.call, asked.state)
        return "" if found is None else found.shown

    async def waited_for(
        self, request_id: RequestId | None, asked: Asked, caller: Caller, waiting: Waiting
    ) -> Body:
        """A call of ``toolgate__approval_wait``: the outcome of the held call as its own.

        Raises:
            InvalidArguments: they do not name a held call of this principal.
        """
        resumed = await self.resumed(asked, caller)
        hold, rounds = resumed or (
            await self._held.of_owner(caller.principal, approval_wait.hold_id_of(asked.call)),
            0,
        )
        if hold is None:
            raise InvalidArguments("no held call of yours has this id", next_step="repeat the call itself")
        if not approval_wait.meant(hold, asked.call):
            raise InvalidArguments(
                f"this held call is a {hold.method}", next_step="repeat the request itself to collect it"
            )
        return await self.answer(request_id, asked, caller, hold, waiting, rounds=rounds)

    async def task(self, request_id: RequestId | None, asked: Asked, caller: Caller) -> Body:
        """A ``tasks/*`` request about a held call.

        Raises:
            UnknownTask: there is none of this principal.
        """
        assert asked.about is not None
        hold = await self._held.of_owner(caller.principal, asked.about.tool)
        if hold is None or caller.era != "modern":
            raise UnknownTask("no such task")
        if asked.call.method == "tasks/cancel":
            await self._held.withdraw(hold)
        if asked.call.method != "tasks/get":
            return Body(response(request_id, b'{"resultType":"complete"}'))
        if usable(hold):
            hold = await self._used(hold, TASK_USE_S)
        answer = error = None
        if not waits(hold):
            answer, error = await self._task_ending(asked, caller, hold)
        task_id = self._task_ids.sealed(caller.principal, _task(hold))
        told = hold_tasks.looked_at(hold, task_id, answer, error, self._kept_back_of(hold))
        return Body(response(request_id, told))

    async def _task_ending(
        self, asked: Asked, caller: Caller, hold: Hold
    ) -> tuple[bytes | None, bytes | None]:
        ending = await self._held.ending(hold)
        if ending.reply is None:
            return self._told(hold, _end_text(ending), caller), None
        return self._answers.in_era(hold.method, ending.reply, modern=True)

    def _question(self, hold: Hold, caller: Caller) -> InputAsk | None:
        sentence = sentence_of(hold)
        return self_confirm.question(hold, caller.capabilities, sentence=sentence, link=self._link_of(hold))

    async def _asked_inline(
        self, hold: Hold, caller: Caller, ask: InputAsk, waiting: Waiting, ask_agent: AskSink
    ) -> Hold:
        """Ask the user while the request stays open, unless somebody decides meanwhile."""
        try:
            with waiting.aside():
                return await self._asked(hold, caller, ask, ask_agent)
        except Overloaded:
            # Too many wait already: their user is not asked, and can still confirm on the page.
            return hold

    async def _asked(self, hold: Hold, caller: Caller, ask: InputAsk, ask_agent: AskSink) -> Hold:
        asking = asyncio.ensure_future(ask_agent(ask))
        deciding = asyncio.ensure_future(self._held.wait(hold, timeout_s=ASKED_S))
        try:
            await asyncio.wait({asking, deciding}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done() and asking.result().result is not None:
                return await self._confirmed(hold, caller, json.loads(asking.result().result or b"{}"))
            return await deciding if deciding.done() else hold
        finally:
            asking.cancel()
            deciding.cancel()

    async def _confirmed(self, hold: Hold, caller: Caller, answer: Any) -> Hold:
        verdict = self_confirm.verdict_of(answer)
        if verdict is None:
            return hold
        return await self._held.confirm(hold, caller.principal, verdict)

    async def _waited(self, hold: Hold, waiting: Waiting, budget_s: float) -> Hold:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            with waiting.aside():
                while waits(hold) and (left_s := began_s + budget_s - loop.time()) > 0:
                    if self._held.draining:
                        return hold
                    if usable(hold):
                        hold = await self._used(hold, left_s)
                        if usable(hold):
                            # Its upstream is down, or the client's patience is over.
                            await asyncio.sleep(min(USE_AGAIN_S, max(0.0, began_s + budget_s - loop.time())))
                        continue
                    before = hold.version
                    hold = await self._held.wait(hold, timeout_s=min(self._settings.progress_s, left_s))
                    if hold.version == before and not self._held.draining:
                        await self._sign_of_life(waiting, hold, loop.time() - began_s)
        except Overloaded:
            # Too many wait already: this one is answered at once, and finds its hold again later.
            return hold
        return hold

    async def _sign_of_life(self, waiting: Waiting, hold: Hold, waited_s: float) -> None:
        if waiting.on_notice is None or not waiting.wants_progress:
            return
        told, kept_back = f"waiting for a person's approval, hold {hold.id[:12]}", self._kept_back_of(hold)
        if kept_back is not None:
            told += f"; kept back: {kept_back.why}"
        params = {"progress": msgspec.Raw(_encode(round(waited_s))), "message": msgspec.Raw(_encode(told))}
        await waiting.on_notice(Notice(method="notifications/progress", params=params))

    async def _used(self, hold: Hold, left_s: float) -> Hold:
        """Run it for its caller; what takes longer than the caller's patience goes on without."""
        try:
            async with asyncio.timeout(left_s):
                return await self._held.use(hold)
        except TimeoutError:
            return hold

    def _budget_s(self, caller: Caller, waiting: Waiting, *, in_rounds: bool) -> float:
        settings = self._settings
        patience = patience_of(caller.client, settings.client_budget_s, unknown_s=settings.unknown_client_s)
        if in_rounds:
            return min(settings.round_s, patience.silence_s)
        return patience.with_progress_s if waiting.wants_progress else patience.silence_s

    def _as_task(self, asked: Asked, caller: Caller) -> bool:
        return (
            caller.era == "modern"
            and asked.call.method == "tools/call"
            and asked.call.upstream != hold_tasks.UPSTREAM
            and speaks_tasks(caller.capabilities)
        )

    def _round(
        self, call: Call, caller: Caller, hold: Hold, rounds: int, requests: bytes | None = None
    ) -> bytes:
        shown = "" if requests is None else hold.seen
        state = self._rounds.state(caller.principal.key, call, hold, rounds, shown=shown)
        asks = {} if requests is None else {"inputRequests": msgspec.Raw(requests)}
        return _encode({"resultType": "input_required", **asks, "requestState": state})

    def _still_waiting(self, request_id: RequestId | None, asked: Asked, caller: Caller, hold: Hold) -> Body:
        link = self._link_of(hold)
        text = waiting_text(hold, link, self._kept_back_of(hold))
        return self._refusal(request_id, asked, caller, hold, text, link)

    async def _ended(
        self, request_id: RequestId | None, asked: Asked, caller: Caller, hold: Hold, *, handed_over: bool
    ) -> Body:
        ending = await self._held.ending(hold, handed_over=handed_over)
        if ending.reply is None:
            return self._refusal(request_id, asked, caller, hold, _end_text(ending), "")
        return self._answers.replied(
            request_id, asked, caller.principal, ending.reply, modern=caller.era == "modern"
        )

    def _refusal(
        self,
        request_id: RequestId | None,
        asked: Asked,
        caller: Caller,
        hold: Hold,
        text: str,
        link: str,
    ) -> Body:
        if asked.call.method != "tools/call":
            # Only a tool's result can say that it is an error.
            state = state_of(hold, link, self._kept_back_of(hold))
            error = {"code": DENIED, "message": text, "data": {"code": "held", **state}}
            return Body(error_body(request_id, error), DENIED)
        return Body(response(request_id, self._told(hold, text, caller, link)))

    def _told(self, hold: Hold, text: str, caller: Caller, link: str = "") -> bytes:
        return tool_error(
            text,
            state_of(hold, link, self._kept_back_of(hold)),
            modern=caller.era == "modern",
            structured=not self._has_output_schema(hold),
        )


def _in_rounds(call: Call, caller: Caller, rounds: int) -> bool:
    """Who has come back from one round takes another."""
    if caller.era != "modern" or not METHODS[call.method].rounds:
        return False
    return rounds > 0 or takes_rounds(caller.client, caller.capabilities)


def _end_text(ending: Ending) -> str:
    return gone_text(ending.hold, ending.gone) if ending.gone else ended_text(ending.hold)


def _task(hold: Hold) -> Task:
    return Task(hold_tasks.UPSTREAM, hold.id, hold.id)
