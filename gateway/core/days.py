"""The days of a time zone: where they begin and end is not the same everywhere, nor 24 hours apart. Pure."""

from __future__ import annotations

import datetime

from durable.holds.reviewing import Span


def days_until(now_ms: int, count: int, zone: datetime.tzinfo) -> tuple[Span, ...]:
    """The latest days, in order: the last one is that of ``now_ms``.

    Args:
        now_ms: milliseconds since the Unix epoch.
        count: how many, at least one.
        zone: whose midnight counts.
    """
    today = datetime.datetime.fromtimestamp(now_ms / 1_000, tz=zone).date()
    dates = [today + datetime.timedelta(days=ago) for ago in range(1 - count, 2)]
    midnights_ms = [_midnight_ms(date, zone) for date in dates]
    return tuple(
        Span(date=date.isoformat(), start_ms=start_ms, end_ms=end_ms)
        for date, start_ms, end_ms in zip(dates, midnights_ms, midnights_ms[1:], strict=False)
    )


def _midnight_ms(date: datetime.date, zone: datetime.tzinfo) -> int:
    return int(datetime.datetime.combine(date, datetime.time(), tzinfo=zone).timestamp()) * 1_000
