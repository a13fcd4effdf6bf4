"""When to try an upstream again that could not be reached. Pure; the clock and the dice are arguments."""

from __future__ import annotations

OPEN_AFTER = 5
"""Consecutive failures after which calls are refused without trying."""

PAUSE_MAX_S = 30.0


class Breaker:
    """Counts consecutive failures and spaces the attempts.

    The pause doubles from ``first_pause_s``. From the fifth failure on the circuit is open: until
    ``retry_at_s`` nothing is tried, then one attempt decides.
    """

    def __init__(self, *, first_pause_s: float, open_after: int = OPEN_AFTER) -> None:
        self._first_pause_s = first_pause_s
        self._open_after = open_after
        self.failures = 0
        self.retry_at_s = 0.0

    def failed(self, *, now_s: float, roll: float) -> None:
        """One more failure; ``roll`` in [0, 1) spreads the next attempt over half of its pause."""
        self.failures += 1
        pause_s = min(self._first_pause_s * 2 ** min(self.failures - 1, 16), PAUSE_MAX_S)
        self.retry_at_s = now_s + pause_s * (0.5 + roll / 2)

    def succeeded(self) -> None:
        """The upstream answered: all is forgotten."""
        self.failures = 0
        self.retry_at_s = 0.0

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next attempt may be made."""
        return max(self.retry_at_s - now_s, 0.0)

    def is_open(self, now_s: float) -> bool:
        """Whether a call is refused without trying."""
        return self.failures >= self._open_after and now_s < self.retry_at_s
