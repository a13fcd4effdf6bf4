"""What an agent can do here, in both eras: one object for each of them over the same parts.

``endpoint.py`` has found out who asks, on which route and in which era; here the message is answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.core.methods import Way
from gateway.core.naming import RESERVED_UPSTREAM
from gateway.core.principal import Caller
from gateway.core.statement import read_statement
from gateway.core.workflow import read_workflow
from gateway.downstream.delivery import Waiting
from gateway.downstream.message import only_members
from gateway.errors import (
    GatewayError,
    InvalidArguments,
    Overloaded,
    RequestStateRefused,
    UnknownMethod,
    UnknownTask,
    UnsupportedMethod,
)
from gateway.passage.passage import AgentSide

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractContextManager

    from gateway.core.call import Call
    from gateway.core.methods import Method
    from gateway.core.principal import Principal
    from gateway.downstream.announcements import Announcements
    from gateway.downstream.answers import Answers, Body
    from gateway.downstream.delivery import Delivery
    from gateway.downstream.lists import Lists
    from gateway.downstream.message import Message
    from gateway.downstream.refusals import Refusals
    from gateway.downstream.requests import Asked, Requests
    from gateway.downstream.subscriptions import Subscriptions
    from gateway.downstream.wire import HttpRequest, Receive, Send
    from gateway.enforcement import Enforcement
    from gateway.ports import AskSink, NoticeSink


class Post(NamedTuple):
    """One message and where its answer goes."""

    message: Message
    request: HttpRequest
    upstream: str | None
    """The upstream whose own route it came on; None on the aggregate."""
    principal: Principal
    receive: Receive
    send: Send

    def caller(
        self,
        *,
        era: str,
        protocol_version: str,
        client: str,
        capabilities: Mapping[str, Any],
        log_level: str,
        session_id: str = "",
    ) -> Caller:
        """The request's origin, as the flow wants to know it."""
        return Caller(
            principal=self.principal,
            workflow=read_workflow(self.request.headers, self.message.meta),
            session_id=session_id,
            era=era,
            protocol_version=protocol_version,
            client=client,
            ip=self.request.ip,
            capabilities=capabilities,
            log_level=log_level,
            trace=_trace(self.message.meta),
            statement=read_statement(self.message.meta),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """The parts that both eras share."""

    requests: Requests
    answers: Answers
    lists: Lists
    announcements: Announcements
    subscriptions: Subscriptions
    enforcement: Enforcement
    delivery: Delivery
    refusals: Refusals
    first_listing: Callable[[str | None], Awaitable[None]]
    server_info: dict[str, str]

    def row(self, message: Message, *, modern: bool) -> Method:
        """The method's row, if an agent of this era may send it.

        Raises:
            UnknownMethod, UnsupportedMethod.
        """
        row = message.row
        if row is None or not (row.modern if modern else row.legacy):
            raise UnknownMethod(f"no method {message.method!r} in this protocol revision")
        if row.way is Way.NEVER:
            raise UnsupportedMethod(f"{message.method} is not carried")
        return row

    async def asked(self, post: Post, caller: Caller, *, modern: bool) -> Asked:
        """What a message of a forwarded method asks for, once it can be known."""
        row = post.message.row
        if row is not None and row.target != "name":
            # Whose a URI is shows only in the lists.
            await self.first_listing(post.upstream)
        asked = self.requests.read(
            post.message, post.upstream, post.principal, caller.capabilities, modern=modern
        )
        await self.first_listing(asked.call.upstream)
        return asked

    async def page(self, post: Post, caller: Caller, *, modern: bool) -> bytes:
        """The result of a list."""
        row = post.message.row
        assert row is not None
        only_members(post.message.params, row.parameters | {"_meta"}, row.name)
        await self.first_listing(post.upstream)
        return await self.lists.page(post.message, post.upstream, caller, modern=modern)

    async def done(
        self,
        post: Post,
        asked: Asked,
        caller: Caller,
        *,
        on_notice: NoticeSink | None,
        wants_progress: bool,
        aside: Callable[[], AbstractContextManager[None]],
        ask_agent: AskSink | None = None,
        gone: Callable[[], bool] = lambda: False,
    ) -> Body:
        """Run the flow and put its answer into words. Only this method's errors are already recorded."""
        modern = caller.era == "modern"
        side = AgentSide(
            on_notice=on_notice,
            wants_progress=wants_progress,
            ask_agent=ask_agent,
            request_state=asked.state,
            input_responses=asked.responses,
            task=asked.task,
        )
        request_id = post.message.id
        waiting = Waiting(on_notice, wants_progress, ask_agent, aside, gone)
        try:
            found = await self._already_held(post, asked, caller, waiting)
            if found is not None:
                return found
            answer = await self.enforcement.handle(asked.call, caller, side)
            if answer.hold is not None:
                return await self.delivery.answer(request_id, asked, caller, answer.hold, waiting)
        except Overloaded:
            # Of the exchange, not of this call: the client is to wait and send it again.
            raise
        except GatewayError as error:
            return self.answers.refused(request_id, asked, error, modern=modern)
        return self.answers.body(request_id, asked, post.principal, answer, modern=modern)

    async def _already_held(self, post: Post, asked: Asked, caller: Caller, waiting: Waiting) -> Body | None:
        """The answer of a request that names a held call: as a task, by the tool that waits, by a state.

        One that names none of this principal's is recorded here: it never becomes a call.
        """
        request_id = post.message.id
        try:
            if asked.call.upstream == RESERVED_UPSTREAM:
                if asked.about is not None:
                    return await self.delivery.task(request_id, asked, caller)
                return await self.delivery.waited_for(request_id, asked, caller, waiting)
            resumed = await self.delivery.resumed(asked, caller)
        except (InvalidArguments, RequestStateRefused, UnknownTask) as error:
            self.refusals.record(post.principal, error.code, error.reason, asked.call.method)
            raise
        if resumed is None:
            return None
        hold, rounds = resumed
        return await self.delivery.answer(request_id, asked, caller, hold, waiting, rounds=rounds)

    async def may_subscribe(self, call: Call, caller: Caller) -> bool:
        """Decide and, if allowed, carry out one subscription of a ``subscriptions/listen``."""
        try:
            answer = await self.enforcement.handle(call, caller)
        except GatewayError:
            return False
        return answer.reply is not None and answer.reply.error is None


def _trace(meta: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    # W3C trace context travels; baggage does not: it is the agent's to fill and the upstream's to believe.
    return tuple(
        (name, value)
        for name in ("traceparent", "tracestate")
        if isinstance(value := meta.get(name), str) and len(value) <= 512 and value.isprintable()
    )
