"""``resources/subscribe`` of the session era as a client: made again whenever its session was."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from gateway.errors import UpstreamError, UpstreamRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.upstream.incoming import Start
    from gateway.upstream.messages import Answer
    from gateway.upstream.party import Party

    Ask = Callable[[str, dict[str, Any], float], Awaitable[Answer]]

COURTESY_S = 5.0


class Subscribing:
    """The subscriptions of one session."""

    def __init__(self, party: Party, ask: Ask, start: Start, updated: Callable[[str], None]) -> None:
        """``ask(method, params, deadline_s)`` asks in the session; ``updated(uri)``: it may have changed."""
        self._party = party
        self._ask = ask
        self._start = start
        self._updated = updated
        self._wanted: set[str] = set()
        self._locks: dict[str, asyncio.Lock] = {}
        self._made: set[str] = set()
        """Those that the session knows of."""

    async def subscribe(self, uri: str, *, deadline_s: float) -> None:
        """Subscribe, unless that is done.

        Raises:
            UpstreamError: the server does not, or not in time.
        """
        self._wanted.add(uri)
        # One after the other: a wish must not cross with the end of the last one.
        async with self._locks.setdefault(uri, asyncio.Lock()):
            if uri in self._made:
                return
            try:
                await self._make(uri, deadline_s)
            except BaseException:
                self._wanted.discard(uri)
                raise

    async def _make(self, uri: str, deadline_s: float) -> None:
        answer = await self._ask("resources/subscribe", {"uri": uri}, deadline_s)
        if (error := answer.error_object) is not None:
            raise UpstreamRefused(
                f"{self._party} does not subscribe to this resource: "
                f"{self._party.says(error.message)} ({error.code})",
                sent=True,
            )
        self._made.add(uri)

    def unsubscribe(self, uri: str) -> None:
        """End a subscription, best effort."""
        if uri in self._wanted:
            self._wanted.discard(uri)
            self._start(self._end(uri), f"{self._party}: unsubscribe")

    async def _end(self, uri: str) -> None:
        async with self._locks.setdefault(uri, asyncio.Lock()):
            if uri in self._wanted or uri not in self._made:
                return
            self._made.discard(uri)
            with contextlib.suppress(UpstreamError):
                await self._ask("resources/unsubscribe", {"uri": uri}, COURTESY_S)
        if uri not in self._wanted:
            self._locks.pop(uri, None)

    def again(self) -> None:
        """The server forgot the session, and with it the subscriptions: make them anew."""
        self._made.clear()
        for uri in sorted(self._wanted):
            self._start(self._once_more(uri), f"{self._party}: subscribe again")

    async def _once_more(self, uri: str) -> None:
        try:
            await self._make(uri, COURTESY_S)
        except UpstreamError:
            return  # It stays wanted: the next session, or whoever subscribes next, tries again.
        if uri in self._wanted:
            # Only now will the next change be heard of; there may have been one before.
            self._updated(uri)
        else:
            await self._end(uri)

    def repeat(self) -> None:
        """Say of every resource that it may have changed while nobody listened."""
        for uri in sorted(self._wanted):
            self._updated(uri)
