"""The one owner of tasks that outlive a request.

A task nobody owns hides its failure until the garbage collector finds it. Here each one has a name,
its failure is reported and contained, and none survives ``aclose``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

CLOSE_S = 10.0


class Background:
    """A set of running tasks; use as an async context manager around the life of the gateway."""

    def __init__(self, *, on_failure: Callable[[str, BaseException], None]) -> None:
        """``on_failure`` gets the task's name and its exception, on the loop; it must not raise."""
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose(CLOSE_S)

    def start(self, coro: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None] | None:
        """Run it from the next turn of the loop on; None, and nothing runs, once closed."""
        if self._closed:
            coro.close()
            return None
        task = asyncio.create_task(coro, name=name)  # noqa: TID251 - the one place that owns tasks
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(task.get_name(), error)

    async def aclose(self, deadline_s: float) -> tuple[str, ...]:
        """Cancel all and wait for their clean-up.

        Returns:
            The names of those that had not ended within ``deadline_s`` seconds; they stay cancelled.
        """
        self._closed = True
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if not tasks:
            return ()
        _, unfinished = await asyncio.wait(tasks, timeout=deadline_s)
        return tuple(sorted(task.get_name() for task in unfinished))
