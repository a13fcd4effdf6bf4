"""Every store that there is, opened the same way, with clocks that stand still until a test moves them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from durable.stores.base import HoldStore
from durable.stores.limits import StoreLimits
from durable.stores.memory import MemoryStore
from durable.stores.sqlite import SqliteStore
from tests.contract.stores.rows import NOON_MS


@dataclass
class Clocks:
    """A wall clock and a monotonic one."""

    wall_ms: int = NOON_MS
    monotonic_ms: int = 1_000

    def forward(self, by_ms: int) -> None:
        """Time goes on."""
        self.wall_ms += by_ms
        self.monotonic_ms += by_ms


@dataclass
class Cellar:
    """A folder in which SQLite stores are opened, and closed at the end."""

    folder: Path
    stack: AsyncExitStack
    clocks: Clocks = field(default_factory=Clocks)
    limits: StoreLimits = field(
        default_factory=lambda: StoreLimits(
            retry_first_s=0.001, retry_last_s=0.001, busy_ms=10, deadline_s=60
        )
    )

    @property
    def path(self) -> Path:
        return self.folder / "holds.sqlite3"

    async def open(self, **members: Any) -> SqliteStore:
        store = await SqliteStore.open(
            self.path,
            **{
                "clock_ms": lambda: self.clocks.wall_ms,
                "monotonic_ms": lambda: self.clocks.monotonic_ms,
                "limits": self.limits,
                **members,
            },
        )
        self.stack.push_async_callback(store.aclose)
        return store


@pytest.fixture
async def cellar(tmp_path: Path) -> AsyncIterator[Cellar]:
    async with AsyncExitStack() as stack:
        yield Cellar(tmp_path / "holds", stack)


@pytest.fixture
def clocks(cellar: Cellar) -> Clocks:
    return cellar.clocks


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, cellar: Cellar) -> HoldStore:
    if request.param == "sqlite":
        return await cellar.open()
    memory = await MemoryStore.open(
        clock_ms=lambda: cellar.clocks.wall_ms, monotonic_ms=lambda: cellar.clocks.monotonic_ms
    )
    cellar.stack.push_async_callback(memory.aclose)
    return memory
