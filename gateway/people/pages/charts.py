"""Small charts as numbers that a template draws with: the same numbers stand in a table beside it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from durable.holds.reviewing import Day

WIDTH, HEIGHT = 640, 120
GAP = 2
LABELS_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a bar, from ``y`` downwards."""

    kind: str
    """Class of its colour: ``a`` approved, ``d`` denied, ``e`` expired, ``h`` all others."""
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day."""

    x: float
    width: float
    label: str
    """The day, where there is room to say it; else empty."""
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """All of it, in units of its own."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    most: int
    """What the height stands for."""


def chart_of(days: Sequence[Day]) -> Chart:
    """Held calls by day, what became of them one above the other."""
    most = max((day.counts.held for day in days), default=0)
    step = WIDTH / max(1, len(days))
    every = -(-len(days) // LABELS_MAX) or 1
    bars = tuple(
        Bar(
            x=round(index * step + GAP / 2, 1),
            width=round(step - GAP, 1),
            label=day.date[5:] if index % every == 0 else "",
            parts=_parts(day, most),
        )
        for index, day in enumerate(days)
    )
    return Chart(width=WIDTH, height=HEIGHT, bars=bars, most=most)


def _parts(day: Day, most: int) -> tuple[Part, ...]:
    counts = day.counts
    rest = counts.held - counts.approved - counts.denied - counts.expired
    found: list[Part] = []
    bottom = float(HEIGHT)
    for kind, count in (("a", counts.approved), ("d", counts.denied), ("e", counts.expired), ("h", rest)):
        if count > 0:
            height = HEIGHT * count / most
            bottom -= height
            found.append(Part(kind=kind, y=round(bottom, 1), height=round(height, 1)))
    return tuple(found)
