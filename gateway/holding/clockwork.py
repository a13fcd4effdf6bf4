"""What moves held calls without anybody asking: the sweeper and the executor, on the store's clock."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from durable.errors import StoreUnavailable
from durable.holds.executing import postpone
from durable.holds.finding import due, next_due_ms
from durable.holds.pruning import prunable, prune
from durable.holds.sweeping import sweep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from durable.holds.hold import Hold
    from durable.stores.base import HoldStore

    StartTask = Callable[[Coroutine[object, object, None], str], asyncio.Task[None] | None]

LOOK_MAX_S = 5.0
"""It looks at least so often, whatever it was told."""
PAUSE_S = 0.01
"""What changes within this time is looked at together."""
RETRY_S = 1.0
DAY_MS = 24 * 60 * 60 * 1000
PRUNED_MAX = 100
"""Holds that one transaction deletes."""
FAULT_MS = 60_000
RETRY_MAX_S = 60.0
"""A fault of ours is tried again with pauses that double up to here."""


async def keep_pruned(store: HoldStore, *, days: int, now_ms: Callable[[], int]) -> None:
    """Once a day, for ever, let holds go that are long over."""
    while True:
        with suppress(StoreUnavailable):
            before_ms = now_ms() - days * DAY_MS
            while over := await store.read(prunable, before_ms=before_ms, limit=PRUNED_MAX):
                if not await store.run(prune, over):
                    break
        await asyncio.sleep(DAY_MS / 1000)


class Clockwork:
    """Sweeps what time has overtaken, and runs what is approved."""

    def __init__(
        self,
        store: HoldStore,
        execute: Callable[[Hold], Awaitable[Hold]],
        start_task: StartTask,
        *,
        executions_max: int,
    ) -> None:
        """``execute`` runs one approved hold; at most ``executions_max`` of them at a time."""
        self._store = store
        self._execute = execute
        self._start_task = start_task
        self._executions_max = executions_max
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stopped = False

    async def keep(self) -> None:
        """Go on for ever."""
        faults = 0
        with self._store.watch() as changes:
            while True:
                try:
                    left_s = await self._turn()
                    faults = 0
                except StoreUnavailable:
                    left_s = RETRY_S
                except Exception as error:  # noqa: BLE001 - without it no held call would ever go on
                    self._start_task(_failed(error), "held calls")
                    await asyncio.sleep(min(RETRY_S * 2**faults, RETRY_MAX_S))
                    faults = min(faults + 1, 10)
                    left_s = 0.0
                await self._something(changes, left_s)
                await asyncio.sleep(PAUSE_S)

    async def drain(self, deadline_s: float) -> None:
        """Begin nothing more, and let what runs end."""
        self._stopped = True
        if self._running:
            await asyncio.wait(set(self._running.values()), timeout=deadline_s)

    async def _turn(self) -> float:
        """Do what is due; seconds until something will be."""
        soonest_ms = await self._store.read(next_due_ms)
        if soonest_ms is not None and soonest_ms <= 0:
            swept = await self._store.run(sweep)
            if swept.more:
                return 0.0
            await self._begin()
            soonest_ms = await self._store.read(next_due_ms)
        if soonest_ms is None:
            return LOOK_MAX_S
        # What is due and not taken is under way, or there is no room for it: wait for a change.
        return min(LOOK_MAX_S, soonest_ms / 1000) if soonest_ms > 0 else RETRY_S

    async def _begin(self) -> None:
        room = self._executions_max - len(self._running)
        if self._stopped or room <= 0:
            return
        for hold in await self._store.read(due, limit=self._executions_max):
            if hold.id in self._running or len(self._running) >= self._executions_max:
                continue
            task = self._start_task(self._run(hold), f"approved call {hold.id[:8]}")
            if task is not None:
                self._running[hold.id] = task

    async def _run(self, hold: Hold) -> None:
        try:
            await self._execute(hold)
        except StoreUnavailable:
            # Nothing was begun; it is still approved.
            return
        except Exception:
            # A fault of ours must not run it again and again.
            with suppress(StoreUnavailable):
                await self._store.run(postpone, hold.id, hold.version, again_ms=FAULT_MS)
            raise
        finally:
            self._running.pop(hold.id, None)

    @staticmethod
    async def _something(changes: AsyncIterator[str], left_s: float) -> None:
        """Wait for a change, or until the time is up."""
        try:
            async with asyncio.timeout(left_s):
                await anext(changes)
        except TimeoutError:
            return


async def _failed(error: Exception) -> None:
    """Ends as what went wrong: the owner of tasks is the one who tells."""
    raise error
