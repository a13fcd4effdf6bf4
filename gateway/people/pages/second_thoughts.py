"""A decision takes effect some seconds after it was given, and until then its giver can take it back.

What waits here has done nothing yet: it is in memory, a restart loses it, and the call is still held.
Everything that a decision is held against is looked at when it takes effect, not only when it was given.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable.errors import DurableError
from gateway.errors import GatewayError
from gateway.people.errors import PeopleRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from gateway.desk import Desk, Verdict
    from gateway.people.authentication import Authentication, Known
    from gateway.people.errors import Told
    from gateway.people.sessions import PersonKey

WAITING_MAX = 1_000
TOLD_MAX = 1_000
"""Failures that are kept for their givers to read; the oldest makes room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What somebody said about a held call."""

    verdict: Verdict
    seen: str
    reason: str


@dataclass(slots=True, kw_only=True)
class Waiting:
    """A word that has not taken effect yet."""

    by: str
    word: Word
    due_s: float
    taken_back: asyncio.Event


class SecondThoughts:
    """Every decision that waits to take effect, by person and held call."""

    def __init__(
        self,
        desk: Desk,
        authentication: Authentication,
        *,
        undo_s: float,
        clock_s: Callable[[], float],
        start_task: Callable[[Coroutine[Any, Any, None], str], object],
    ) -> None:
        """``start_task`` owns what waits; ``clock_s`` only goes on."""
        self._desk = desk
        self._authentication = authentication
        self.undo_s = undo_s
        self._clock_s = clock_s
        self._start_task = start_task
        self._waiting: dict[tuple[PersonKey, str], Waiting] = {}
        self._failed: dict[tuple[PersonKey, str], Told] = {}

    def __len__(self) -> int:
        """Decisions that wait."""
        return len(self._waiting)

    def give(self, known: Known, hold_id: str, word: Word) -> None:
        """Have a word take effect by and by; another word of the same person takes its place.

        Raises:
            PeopleRefusal: too many wait.
        """
        key = (known.key, hold_id)
        self.take_back(known, hold_id)
        self._failed.pop(key, None)
        if len(self._waiting) >= WAITING_MAX:
            raise PeopleRefusal("overloaded", "too many decisions wait to take effect")
        waiting = Waiting(
            by=known.person.id, word=word, due_s=self._clock_s() + self.undo_s, taken_back=asyncio.Event()
        )
        self._waiting[key] = waiting
        self._start_task(self._wait(known, hold_id, waiting), "a decision that can be taken back")

    def take_back(self, known: Known, hold_id: str) -> bool:
        """Whether there was a word of this person that had not taken effect; it never will."""
        waiting = self._waiting.pop((known.key, hold_id), None)
        if waiting is None:
            return False
        waiting.taken_back.set()
        return True

    def waiting(self, hold_id: str) -> tuple[tuple[Waiting, float], ...]:
        """What waits to take effect on a call, with the seconds that are left."""
        now_s = self._clock_s()
        return tuple(
            (one, max(0.0, one.due_s - now_s)) for (_, held), one in self._waiting.items() if held == hold_id
        )

    def failed(self, known: Known, hold_id: str) -> Told | None:
        """Why this person's latest word came to nothing, if it did."""
        return self._failed.get((known.key, hold_id))

    async def _wait(self, known: Known, hold_id: str, waiting: Waiting) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(waiting.due_s - self._clock_s()):
                await waiting.taken_back.wait()
        key = (known.key, hold_id)
        if self._waiting.get(key) is not waiting:
            return
        # From here on it cannot be taken back any more.
        del self._waiting[key]
        try:
            await self._take_effect(known, hold_id, waiting.word)
        except (PeopleRefusal, GatewayError, DurableError) as error:
            self._failed[key] = error
            while len(self._failed) > TOLD_MAX:
                del self._failed[next(iter(self._failed))]

    async def _take_effect(self, known: Known, hold_id: str, word: Word) -> None:
        person = self._authentication.still(known)
        if person is None:
            raise PeopleRefusal(
                "unauthenticated", "you were logged out before your decision took effect; it has done nothing"
            )
        await self._desk.decide(person, hold_id, word.verdict, seen=word.seen, reason=word.reason)
