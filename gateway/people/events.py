"""Changes as server-sent events. Bounded; whoever may have missed some is told to read all again."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Protocol, TypeVar

from durable.errors import DurableError
from durable.holds.refusals import UnknownHold
from gateway.errors import GatewayError
from gateway.people.errors import PeopleRefusal
from gateway.people.table import EVENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractContextManager

    from durable.holds.hold import Person
    from gateway.desk import ActivityDesk, Desk
    from gateway.people.authentication import Authentication, Known
    from gateway.people.guards import Asgi, Receive, Scope, Send
    from gateway.people.presenting import Presenter
    from gateway.people.sessions import PersonKey
    from gateway.people.settings import PeopleSettings

OPENING = b"retry: 2000\n: open\n\n"
PING = b": ping\n\n"
RELOAD = b"event: reload\ndata: {}\n\n"

T = TypeVar("T")


class Watched(Protocol[T]):
    """What a stream tells of."""

    def watch(self, person: Person) -> AbstractContextManager[AsyncIterator[T]]:
        """What changes, from now on."""
        ...

    async def event(self, person: Person, change: T) -> bytes:
        """How one change is told; empty: not at all."""
        ...


class HoldChanges:
    """Held calls of the person's tenant, as they change."""

    def __init__(self, desk: Desk, presenter: Presenter) -> None:
        """Take whom to ask and how to say it."""
        self._desk = desk
        self._presenter = presenter

    def watch(self, person: Person) -> AbstractContextManager[AsyncIterator[str]]:
        """Ids; an empty one means: read all again."""
        return self._desk.watch(person)

    async def event(self, person: Person, change: str) -> bytes:
        """The hold as in lists."""
        if not change:
            return RELOAD
        try:
            hold = await self._desk.find(person, change)
        except UnknownHold:
            return b""
        # One line: JSON escapes line breaks.
        return b"event: hold\ndata: %b\n\n" % self._presenter.row(hold, person).model_dump_json().encode()


class CallNews:
    """That there is more to read about calls of the person's tenant."""

    def __init__(self, desk: ActivityDesk) -> None:
        """Take whom to ask."""
        self._desk = desk

    def watch(self, person: Person) -> AbstractContextManager[AsyncIterator[None]]:
        """Whenever there is more."""
        return self._desk.live(person)

    async def event(self, person: Person, change: None) -> bytes:
        """Not what: to read again."""
        return RELOAD


class EventStreams:
    """Every open stream of the people port, whatever it tells of."""

    def __init__(self, settings: PeopleSettings, authentication: Authentication) -> None:
        """Start with none."""
        self._settings = settings
        self._authentication = authentication
        self._closing = asyncio.Event()
        self._counts: Counter[PersonKey] = Counter()

    def __len__(self) -> int:
        """Streams open now."""
        return self._counts.total()

    def close(self) -> None:
        """End every stream, and open none any more: the gateway shuts down."""
        self._closing.set()

    def open(self, known: Known, watched: Watched[T]) -> Asgi:
        """A stream for this person, as the answer to their request.

        Raises:
            PeopleRefusal: too many are open, or the gateway shuts down.
        """
        if self._closing.is_set():
            raise PeopleRefusal("draining", "the gateway is shutting down")
        settings = self._settings
        if len(self) >= settings.streams_max or self._counts[known.key] >= settings.streams_per_person_max:
            raise PeopleRefusal("overloaded", "too many event streams are open", next_step="close one")
        self._counts[known.key] += 1
        return self._stream(known, watched)

    def _stream(self, known: Known, watched: Watched[T]) -> Asgi:
        async def respond(_: Scope, receive: Receive, send: Send) -> None:
            try:
                with watched.watch(known.person) as changes:
                    await send(
                        {
                            "type": "http.response.start",
                            "status": 200,
                            "headers": [
                                (b"content-type", EVENTS.encode()),
                                (b"cache-control", b"no-store, no-transform"),
                                (b"x-accel-buffering", b"no"),
                            ],
                        }
                    )
                    # Whoever lists after this line sees everything: from here on nothing is missed.
                    await _write(send, OPENING)
                    await self._tell(known, watched, changes, receive, send)
            finally:
                self._counts[known.key] -= 1
                self._counts += Counter()

        return respond

    async def _tell(
        self, known: Known, watched: Watched[T], changes: AsyncIterator[T], receive: Receive, send: Send
    ) -> None:
        ends = {
            asyncio.ensure_future(_hung_up(receive)),
            asyncio.ensure_future(_set(self._closing)),
        }
        # Kept over the pings: a watch that is cancelled in the middle may lose what it was about to give.
        coming = asyncio.ensure_future(_next(changes))
        try:
            while True:
                await asyncio.wait(
                    {coming, *ends},
                    timeout=self._settings.stream_ping_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                # Whoever has lost the right to look is told nothing more.
                person = self._authentication.still(known)
                if person is None or any(end.done() for end in ends):
                    break
                if not coming.done():
                    await _write(send, PING)
                    continue
                if not coming.result():
                    break
                (change,) = coming.result()
                coming = asyncio.ensure_future(_next(changes))
                await _write(send, await watched.event(person, change))
        except (DurableError, GatewayError):
            # It cannot be read now. The stream ends, and whoever opens it again reads all.
            pass
        finally:
            for task in (coming, *ends):
                task.cancel()
            await asyncio.gather(coming, *ends, return_exceptions=True)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _next(changes: AsyncIterator[T]) -> tuple[T, ...]:
    """One change; none at the end."""
    async for change in changes:
        return (change,)
    return ()


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _hung_up(receive: Receive) -> None:
    # A GET's empty body is a message of its own, and comes first.
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, data: bytes) -> None:
    if data:
        await send({"type": "http.response.body", "body": data, "more_body": True})
