"""The durable outbox as the sender sees it: one channel of the held calls' store for each receiver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from durable.errors import StoreUnavailable
from durable.holds.hold import RISK_NAMES
from durable.holds.mover import WEBHOOKS
from durable.holds.outbox import due_in_ms, forget_others, later, spread, take, told
from gateway.webhooks.message import HoldNews, message_id
from gateway.webhooks.sender import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from durable.holds.outbox import Untold
    from durable.stores.base import HoldStore

HOOK = "hook:"
"""What the channels of receivers begin with."""
SPREAD_MAX = 200
PAUSE_S = 0.05
DROP_S = 60.0
"""Between two times of dropping what nobody is told of."""
RETRY_S = 1.0
REASON_CHARACTERS_MAX = 500


class HoldOutbox:
    """Satisfies ``sender.Outbox``."""

    def __init__(
        self,
        store: HoldStore,
        hooks: Collection[str],
        *,
        link_of: Callable[[str], str],
        text: Callable[[str], str],
    ) -> None:
        """Take the store.

        Args:
            store: of the held calls.
            hooks: names of the receivers there are; without any, what waits is dropped.
            link_of: the page of a hold, by its id.
            text: redacts what people and servers wrote.
        """
        self._store = store
        self._channels = {name: f"{HOOK}{name}" for name in hooks}
        self._link_of = link_of
        self._text = text

    async def keep(self) -> None:
        """Hand every event to each receiver's channel, for ever."""
        with self._store.watch() as changes:
            forgotten = False
            while True:
                try:
                    if not forgotten:
                        # Of receivers that are configured no more.
                        await self._store.run(forget_others, HOOK, list(self._channels.values()))
                        forgotten = True
                    while await self._store.run(
                        spread, WEBHOOKS, list(self._channels.values()), limit=SPREAD_MAX
                    ):
                        continue
                    if self._channels:
                        await anext(changes)
                    await asyncio.sleep(PAUSE_S if self._channels else DROP_S)
                except StoreUnavailable:
                    await asyncio.sleep(RETRY_S)

    async def take(self, hook: str, *, limit: int, lease_ms: int) -> Sequence[Waiting]:
        """Those due, the longest waiting first."""
        if await self._store.read(due_in_ms, self._channels[hook]) != 0:
            return ()
        found = await self._store.run(take, self._channels[hook], limit=limit, lease_ms=lease_ms)
        return [Waiting(hook=hook, attempts=one.attempts, news=self._news(one)) for one in found]

    async def done(self, waiting: Waiting) -> None:
        """It was told."""
        await self._store.run(told, self._channels[waiting.hook], [(waiting.news.hold, waiting.news.seq)])

    async def later(self, waiting: Waiting, *, after_ms: int, reason: str) -> None:
        """It failed once more."""
        await self._store.run(
            later,
            self._channels[waiting.hook],
            waiting.news.hold,
            waiting.news.seq,
            after_ms=after_ms,
        )

    async def given_up(self, waiting: Waiting, *, reason: str) -> None:
        """It is not told any more."""
        await self.done(waiting)

    async def changed(self, hook: str, *, timeout_s: float) -> None:
        """Return when there may be something to take for this receiver, or when the time is up."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        with self._store.watch() as changes:
            while (left_s := end_s - loop.time()) > 0:
                due_ms = await self._store.read(due_in_ms, self._channels[hook])
                if due_ms == 0:
                    return
                if due_ms is not None:
                    left_s = min(left_s, due_ms / 1000)
                try:
                    async with asyncio.timeout(left_s):
                        if await anext(changes, None) is None:
                            # The store is closed: its next answer says so.
                            return
                        # The event itself; its row for this receiver is written a moment later.
                        await asyncio.sleep(PAUSE_S)
                except TimeoutError:
                    continue

    def _news(self, one: Untold) -> HoldNews:
        event, hold = one.event, one.hold
        requirement = hold.requirement
        # Only what belongs to the event: the row may be further on, and a repetition must say the same.
        said = (event.details.get(name) for name in ("reason", "because", "note"))
        words = next(filter(None, said), "")
        asked = [name for group in requirement.groups for name in group]
        if event.kind == "escalated":
            asked += event.details["to"]
        return HoldNews(
            id=message_id(event.hold, event.seq),
            event=event.kind,
            at_ms=event.at_ms,
            hold=event.hold,
            seq=event.seq,
            tenant=event.tenant,
            status=str(event.details.get("status", "")),
            round=event.round,
            target=hold.target,
            subject=hold.requester.subject_id,
            agent=hold.requester.agent,
            risk=RISK_NAMES[requirement.risk],
            reasons=tuple((why.code, self._text(why.why)) for why in requirement.reasons),
            by=tuple(dict.fromkeys(asked)),
            expires_ms=hold.expires_ms,
            actor=event.actor,
            reason=self._text(str(words))[:REASON_CHARACTERS_MAX],
            whom=str(event.details.get("whom", "")),
            link=self._link_of(event.hold),
            show=requirement.show,
        )
