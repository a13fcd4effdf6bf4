"""Bars add up to what the table beside them says."""

from __future__ import annotations

import pytest

from durable.holds.reviewing import Counts, Day
from gateway.people.pages.charts import HEIGHT, LABELS_MAX, WIDTH, chart_of


def days(*counts):
    return [Day(date=f"2026-11-{n:02}", start_ms=n, counts=one) for n, one in enumerate(counts, 1)]


def test_parts_stand_on_one_another_and_fill_the_day_with_most():
    chart = chart_of(
        days(Counts(held=10, approved=4, denied=3, expired=1, other=1), Counts(held=5, approved=5), Counts())
    )
    first, second, third = chart.bars
    assert [part.kind for part in first.parts] == ["a", "d", "e", "h"]
    assert sum(part.height for part in first.parts) == pytest.approx(HEIGHT)
    assert first.parts[-1].y == 0
    for below, above in zip(first.parts, first.parts[1:], strict=False):
        assert above.y + above.height == pytest.approx(below.y)
    assert [part.height for part in second.parts] == [HEIGHT / 2]
    assert third.parts == ()
    assert chart.most == 10


@pytest.mark.parametrize("count", [1, 7, 30, 90])
def test_every_day_has_its_place_and_some_are_named(count):
    chart = chart_of(days(*[Counts(held=1)] * count))
    assert len(chart.bars) == count
    assert 1 <= sum(bool(bar.label) for bar in chart.bars) <= LABELS_MAX
    assert chart.bars[-1].x + chart.bars[-1].width <= WIDTH
    for left, right in zip(chart.bars, chart.bars[1:], strict=False):
        assert left.x + left.width < right.x + 0.2


def test_nothing_held_is_no_chart():
    assert chart_of(days(Counts(), Counts())).most == 0
    assert chart_of([]).bars == ()
