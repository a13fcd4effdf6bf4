"""The activity desk over the log and its index. Reads block: they happen in threads, a few at a time."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from durable.audit.calls import entries_at, find_call
from durable.audit.entry import INTENT
from durable.errors import (
    AmbiguousCall,
    DurableError,
    IndexUnavailable,
    PayloadErased,
    PayloadMissing,
    UnknownCall,
    audit_error,
)
from durable.holds.refusals import AmbiguousHold, UnknownHold
from gateway.activity.facts import call_row, call_story, intent_of
from gateway.core.activity import CallPage, LinkedHold

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from durable.audit.index import AuditIndex
    from durable.audit.reading import Entry, Shown
    from durable.holds.hold import Hold, Person
    from gateway.activity.news import IndexNews
    from gateway.core.activity import CallStory, View
    from gateway.ports import Redaction

PAGE_CALLS_MAX = 200
READS_AT_ONCE = 4
"""People who look around must not take every thread of the process."""
LOOK_S = 0.5
"""Between two looks for news of one who waits for it."""

T = TypeVar("T")


class LoggedActivity:
    """Satisfies ``ActivityDesk``."""

    def __init__(
        self,
        data: Path,
        index: AuditIndex,
        news: IndexNews,
        *,
        redaction: Redaction,
        hold_of: Callable[[str, str], Awaitable[Hold | None]],
        find_payload: Callable[..., None],
        look_s: float = LOOK_S,
    ) -> None:
        """Take the parts.

        Args:
            data: the data directory, whose segments are read.
            index: follows the same log.
            news: told whenever the index knows more.
            redaction: makes what is shown fit for it.
            hold_of: ``(tenant, id)``; None: there is none, or nobody can say.
            find_payload: ``(tenant=, subject=, commitment=)``; blocks; raises what says that it is gone.
            look_s: between two looks for news.
        """
        self._data = data
        self._index = index
        self._news = news
        self._redaction = redaction
        self._hold_of = hold_of
        self._find_payload = find_payload
        self._look_s = look_s
        self._reads = asyncio.Semaphore(READS_AT_ONCE)

    async def calls(
        self,
        person: Person,
        *,
        tool: str = "",
        subject: str = "",
        effect: str = "",
        before: int | None = None,
        limit: int = 50,
    ) -> CallPage:
        """Newest first."""
        limit = min(limit, PAGE_CALLS_MAX)

        def page() -> CallPage:
            rows = self._index.find(
                person.tenant,
                kind=INTENT,
                tool=tool,
                subject=subject,
                effect=effect,
                before_seq=before,
                limit=limit + 1,
            )
            more, rows = len(rows) > limit, rows[:limit]
            ends = self._index.ends_of_calls(person.tenant, [row.call for row in rows]) if rows else []
            entries: dict[str, list[Entry]] = {row.call: [] for row in rows}
            for row, entry in zip([*rows, *ends], entries_at(self._data, [*rows, *ends]), strict=True):
                entries[row.call].append(entry)
            return CallPage(
                calls=tuple(call_row(entries[row.call], self._redaction) for row in rows),
                before=rows[-1].seq if more else None,
                behind_entries=self._index.behind_entries,
                behind_reason=self._index.reason,
            )

        return await self._read(page)

    async def call(self, person: Person, prefix: str) -> CallStory:
        """Everything about the one call whose id begins like this."""

        def shown() -> Shown:
            return find_call(self._data, self._index, prefix, tenant=person.tenant)

        try:
            entries = (await self._read(shown)).entries
        except UnknownCall as error:
            raise UnknownHold("no such call", next_step="toolgate audit tail") from error
        except AmbiguousCall as error:
            raise AmbiguousHold(
                error.reason, candidates=error.candidates, next_step="give more of the id"
            ) from error
        intent = intent_of(entries)
        hold = await self._linked(person.tenant, intent.members.get("hold"))

        def story() -> CallStory:
            return call_story(entries, hold=hold, view=self._view(intent), redaction=self._redaction)

        return await self._read(story)

    @contextmanager
    def live(self, person: Person) -> Iterator[AsyncIterator[None]]:
        """Something whenever there is more of the person's tenant to read."""
        with self._news.listening() as more:
            yield self._more(person.tenant, more, self._index.known_seq)

    async def _more(self, tenant: str, more: asyncio.Event, since_seq: int) -> AsyncIterator[None]:
        while True:
            await more.wait()
            more.clear()
            known_seq = self._index.known_seq
            try:
                # What other tenants do is no news: it would tell how much that is.
                newest = await self._read(partial(self._index.newest_since, tenant, since_seq))
            except IndexUnavailable:
                more.set()
            else:
                since_seq = max(since_seq, known_seq) if newest is None else newest + 1
                if newest is not None:
                    yield
            await asyncio.sleep(self._look_s)

    async def _linked(self, tenant: str, hold_id: object) -> LinkedHold | None:
        if not isinstance(hold_id, str) or not hold_id:
            return None
        hold = await self._hold_of(tenant, hold_id)
        if hold is None:
            return LinkedHold(id=hold_id, status="", requested_by="", ran_as="")
        ran_as = "" if hold.outcome is None else hold.outcome.call_id
        return LinkedHold(id=hold_id, status=hold.status.value, requested_by=hold.call_id, ran_as=ran_as)

    def _view(self, intent: Entry) -> View:
        commitment = intent.payloads.get("arguments")
        if commitment is None:
            return "none"
        subject = str(intent.members.get("subject", ""))
        try:
            self._find_payload(tenant=intent.tenant, subject=subject, commitment=commitment)
        except PayloadErased:
            return "erased"
        except PayloadMissing:
            return "missing"
        except (DurableError, OSError):
            return "unreadable"
        return "sealed"

    async def _read(self, work: Callable[[], T]) -> T:
        """Do what blocks in a thread.

        Raises:
            DurableError: as it comes, and for whatever the storage says.
        """
        async with self._reads:
            try:
                return await asyncio.to_thread(work)
            except IndexUnavailable as error:
                raise IndexUnavailable(
                    error.reason, next_step="it is made again by itself; meanwhile: toolgate audit tail"
                ) from error
            except OSError as error:
                raise audit_error(error) from error
