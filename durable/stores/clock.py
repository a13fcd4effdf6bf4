"""The store's clock: the wall clock, never allowed to go back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class StoreClock:
    """Milliseconds since the Unix epoch, from any thread.

    A wall clock that is set back is ignored until it has caught up; meanwhile time goes on with the
    monotonic clock, so nothing that is due waits for it. One that jumps ahead is believed.
    """

    def __init__(self, wall_ms: Callable[[], int], monotonic_ms: Callable[[], int]) -> None:
        """Begin at the wall clock."""
        self._wall_ms = wall_ms
        self._monotonic_ms = monotonic_ms
        self._lock = threading.Lock()
        self._last_ms = wall_ms()
        self._seen_monotonic_ms = monotonic_ms()

    def now_ms(self) -> int:
        """One reading, no lower than any before it."""
        with self._lock:
            monotonic_ms = self._monotonic_ms()
            passed_ms = max(0, monotonic_ms - self._seen_monotonic_ms)
            self._seen_monotonic_ms = monotonic_ms
            self._last_ms = max(self._wall_ms(), self._last_ms + passed_ms)
            return self._last_ms

    def raise_to(self, floor_ms: int) -> None:
        """A time that is known to have been given out."""
        with self._lock:
            self._last_ms = max(self._last_ms, floor_ms)

    def ahead_ms(self) -> int:
        """How far it is ahead of the wall clock."""
        return max(0, self.now_ms() - self._wall_ms())
