"""Stores of sessions that can be started again, that stop answering, and that count what is asked of them."""

from __future__ import annotations

import asyncio

from durable.errors import StoreDiskFull
from durable.stores.memory import MemoryStore
from tests.fakes import NOON_US


class Clock:
    """One time for everything: what passes, passes for store and gateway alike."""

    def __init__(self):
        self.ms = NOON_US // 1_000

    def s(self):
        return self.ms / 1_000

    def forward(self, seconds):
        self.ms += int(seconds * 1_000)


class AskedStore:
    """A store in memory in front of which a test can stand."""

    def __init__(self, store):
        self.store = store
        self.full = False
        self.asked = []
        self.gate = None

    @classmethod
    async def open(cls, clock):
        return cls(await MemoryStore.open(clock_ms=lambda: clock.ms))

    async def run(self, script, /, *args, **kwargs):
        return await self._through(self.store.run, script, *args, **kwargs)

    async def read(self, script, /, *args, **kwargs):
        return await self._through(self.store.read, script, *args, **kwargs)

    async def _through(self, way, script, *args, **kwargs):
        self.asked.append(script.__name__)
        if self.full:
            raise StoreDiskFull("no room")
        result = await way(script, *args, **kwargs)
        if self.gate is not None:
            # Durable, and its caller has not heard of it.
            await self.gate.wait()
        return result

    def close_gate(self):
        self.gate = asyncio.Event()
        return self.gate
