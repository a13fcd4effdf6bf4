"""From the index's thread to whoever waits on the loop: it knows more now. Costs the index nothing."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class IndexNews:
    """However much the index learns: one wake-up at most is on its way, and each who waits has one bit."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """``loop`` is where people are served."""
        self._loop = loop
        self._listening: set[asyncio.Event] = set()
        self._on_its_way = False

    def tell(self) -> None:
        """The index knows more. From any thread, never blocks, raises nothing."""
        if self._on_its_way:
            return
        self._on_its_way = True
        with suppress(RuntimeError):  # the loop has ended, and with it everybody who waited
            self._loop.call_soon_threadsafe(self._arrive)

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever the index knows more, from now on."""
        more = asyncio.Event()
        self._listening.add(more)
        try:
            yield more
        finally:
            self._listening.discard(more)

    def _arrive(self) -> None:
        # First this: what the index learns from here on sends another one.
        self._on_its_way = False
        for more in self._listening:
            more.set()
