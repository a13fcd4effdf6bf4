"""What a server of the session era says in the middle: to whom it belongs, and what is done with it.

On the stream of a call it belongs to that call. Elsewhere only progress names its call; anything else
belongs to the calls under way if they are all of one caller, and to nobody if they are not: what one
principal's call provoked must never reach another's. A call that was given up counts as under way: the
server may not know yet, or not care.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from gateway.bridge.inputs import InputAnswer, read_ask
from gateway.core.methods import Way, upstream_method
from gateway.errors import MalformedMessage, UpstreamTimeout
from gateway.upstream import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from gateway.ports import AskSink, NoticeSink
    from gateway.upstream.link import LinkEvents
    from gateway.upstream.messages import Message

    Start = Callable[[Coroutine[None, None, None], str], asyncio.Task[None] | None]

ASKS_PER_CALL_MAX = 64
"""Requests of the server that are put to the agent during one call; further ones are declined."""

SERVED_MAX = 10_000
"""Requests of the server that are answered at all, between two calls that end."""


class Underway:
    """One call that waits for its answer."""

    __slots__ = ("asked", "asking", "number", "on_ask", "on_notice", "owner")

    def __init__(
        self, number: int, owner: tuple[str, ...], on_notice: NoticeSink | None, on_ask: AskSink | None
    ) -> None:
        self.number = number
        self.owner = owner
        self.on_notice = on_notice
        self.on_ask = on_ask
        self.asked = 0
        self.asking: dict[int | str, asyncio.Task[None]] = {}


class Incoming:
    """Everything one session hears beside answers."""

    def __init__(self, party: str, start: Start, tell: Callable[[bytes], None]) -> None:
        """Work for one session; ``tell`` sends a message back, best effort."""
        self._party = party
        self._start = start
        self._tell = tell
        self._calls: dict[int, Underway] = {}
        self._given_up: set[tuple[str, ...]] = set()
        """Whose calls ended here without an answer, and may go on there."""
        self._served = 0
        self.events: LinkEvents | None = None

    @contextlib.contextmanager
    def calling(
        self, number: int, owner: tuple[str, ...], on_notice: NoticeSink | None, on_ask: AskSink | None
    ) -> Iterator[None]:
        """While inside, what belongs to request ``number`` has somewhere to go."""
        underway = self._calls[number] = Underway(number, owner, on_notice, on_ask)
        try:
            yield
        except (asyncio.CancelledError, UpstreamTimeout):
            self._given_up.add(owner)
            raise
        finally:
            del self._calls[number]
            self._served = 0
            for task in underway.asking.values():
                task.cancel()

    def forget(self) -> None:
        """Another child speaks from now on, which knows of no earlier call."""
        self._given_up.clear()

    def listens_to_logs(self) -> int | None:
        """The call that a log message belongs to which comes now and names none."""
        underway = next((one for one in self._possible(None) if one.on_notice is not None), None)
        return underway.number if underway is not None else None

    async def take(self, message: Message, number: int | None = None) -> None:
        """Act on one message; ``number``: the call on whose own stream it came."""
        if message.method in messages.LIST_CHANGES:
            if self.events is not None:
                self.events.list_changed(messages.LIST_CHANGES[message.method or ""])
        elif message.method == messages.RESOURCE_UPDATED:
            uri = messages.updated_uri(message)
            if uri is not None and self.events is not None:
                self.events.resource_updated(uri)
        elif message.id is not None:
            self._request(message, number)
        elif message.method == "notifications/cancelled":
            self._withdrawn(message)
        else:
            await self._notice(message, number)

    def _possible(self, number: int | None) -> list[Underway]:
        """The calls that what comes now may belong to, the latest first."""
        if number is not None:
            return [self._calls[number]] if number in self._calls else []
        owners = self._given_up.union(underway.owner for underway in self._calls.values())
        return list(reversed(self._calls.values())) if len(owners) == 1 else []

    async def _notice(self, message: Message, number: int | None) -> None:
        found = messages.notice_of(message)
        if found is None:
            return
        token, notice = found
        if token is not None and number is not None and token != number:
            return
        for underway in self._possible(number if token is None else token):
            if underway.on_notice is not None:
                await underway.on_notice(notice)
                return

    def _request(self, message: Message, number: int | None) -> None:
        self._served += 1
        if self._served > SERVED_MAX:
            return
        row = upstream_method(message.method or "")
        possible = self._possible(number) if row is not None and row.way is Way.ASK else []
        underway = next((one for one in possible if one.on_ask is not None), None)
        if underway is None or underway.on_ask is None or underway.asked >= ASKS_PER_CALL_MAX:
            self._tell(messages.reply_to(message))
            return
        underway.asked += 1
        task = self._start(self._ask(message, underway.on_ask), f"{self._party}: {message.method}")
        if task is not None and message.id is not None:
            asked, asking = message.id, underway.asking
            asking[asked] = task
            task.add_done_callback(lambda _: asking.pop(asked, None))

    async def _ask(self, message: Message, on_ask: AskSink) -> None:
        try:
            answer = await on_ask(read_ask(message.method or "", message.params))
        except MalformedMessage as error:
            refused = {"code": messages.INVALID_PARAMS, "message": error.reason}
            answer = InputAnswer(error=msgspec.json.encode(refused))
        self._tell(messages.answer_ask(message, answer))

    def _withdrawn(self, message: Message) -> None:
        """The server no longer wants an answer to one of its own requests, whoever was asked."""
        try:
            asked = msgspec.json.decode(message.params, type=_Cancelled).requestId
        except msgspec.DecodeError:
            return
        for underway in self._calls.values():
            if (task := underway.asking.get(asked)) is not None:
                task.cancel()


class _Cancelled(msgspec.Struct):
    requestId: int | str  # noqa: N815 - the protocol's name
