"""How much of everything is done: a quick look, or figures to quote."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Counts of one run."""

    rounds: int
    calls_alone: int
    """Per round and candidate, one client."""
    calls_wide: int
    """The same at 32 clients. CPU clocks tick 100 times a second, so a thousand calls give about 3 %."""
    sessions: int
    starts: int
    decisions: int
    appends: int


QUICK = Sizes(
    rounds=1, calls_alone=150, calls_wide=1000, sessions=500, starts=1, decisions=2000, appends=4000
)
FULL = Sizes(
    rounds=5, calls_alone=500, calls_wide=3000, sessions=500, starts=5, decisions=10_000, appends=40_000
)
