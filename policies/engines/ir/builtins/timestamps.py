"""time.*: nanoseconds since 1970. The current time is what the caller of the evaluation says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import re2

from policies.engines.ir.builtins.go_time import DAYS, LAYOUTS, Instant, format_instant, parse_instant
from policies.engines.ir.builtins.operands import integer, number, string, wrong
from policies.engines.ir.builtins.registry import builtin
from policies.engines.ir.errors import BuiltinError
from policies.engines.ir.numbers import as_integer

if TYPE_CHECKING:
    from policies.engines.ir.evaluation import Evaluation
    from policies.engines.ir.values import Value

_NS: Final = 1_000_000_000
_RANGE: Final = range(-(2**63), 2**63)


def _by_layout(*operands: Value) -> int:
    return 32 + 2 * sum(len(x) for x in operands if type(x) is str)


@builtin("time.now_ns", evaluation=True)
def now_ns(run: Evaluation) -> Value:
    """The time of the evaluation."""
    return run.now_ns


@builtin("time.parse_ns", cost=_by_layout)
def parse_ns(layout: Value, text: Value) -> Value:
    """A text read by a Go layout or the name of one."""
    name = string(layout, 1)
    return _in_range(parse_instant(string(text, 2), LAYOUTS.get(name, name)).unix_ns)


@builtin("time.parse_rfc3339_ns", cost=_by_layout)
def parse_rfc3339_ns(text: Value) -> Value:
    """A text by RFC 3339."""
    return _in_range(parse_instant(string(text, 1), LAYOUTS["RFC3339"]).unix_ns)


def _in_range(ns: int) -> int:
    if ns not in _RANGE:
        raise BuiltinError("time outside of valid range")
    return ns


@builtin("time.format", cost=lambda value: _by_layout(*(value if type(value) is list else ())))
def format_(value: Value) -> Value:
    """A time as text, in RFC 3339 unless a layout is given."""
    instant, layout = _instant(value)
    return format_instant(instant, LAYOUTS.get(layout, layout) or LAYOUTS["RFC3339Nano"])


@builtin("time.date", cost=lambda *_: 12)
def date(value: Value) -> Value:
    """Year, month, day."""
    second = _instant(value)[0].second
    return [second.year, second.month, second.day]


@builtin("time.clock", cost=lambda *_: 12)
def clock(value: Value) -> Value:
    """Hour, minute, second."""
    second = _instant(value)[0].second
    return [second.hour, second.minute, second.second]


@builtin("time.weekday", cost=lambda *_: 12)
def weekday(value: Value) -> Value:
    """The English name of the day."""
    return DAYS[_instant(value)[0].second.weekday()]


@builtin("time.add_date", cost=lambda *_: 12)
def add_date(value: Value, years: Value, months: Value, days: Value) -> Value:
    """Later by calendar years, months and days; a day past the end of its month runs into the next."""
    instant = _instant(value)[0]
    at = instant.second
    count = at.month - 1 + integer(months, 3) + 12 * (at.year + integer(years, 2))
    year, month = divmod(count, 12)
    days_on = at.day - 1 + integer(days, 4)
    try:
        first = datetime(year, month + 1, 1, at.hour, at.minute, at.second, tzinfo=at.tzinfo)
        return _in_range(Instant(first + timedelta(days=days_on), instant.nanosecond).unix_ns)
    except (ValueError, OverflowError) as exc:
        raise BuiltinError("time outside of valid range") from exc


@builtin("time.diff", cost=lambda *_: 12)
def diff(a: Value, b: Value) -> Value:
    """Years, months, days, hours, minutes and seconds between two times, in the first one's zone."""
    x, y = _instant(a)[0], _instant(b)[0]
    first, second = x.second, y.second.astimezone(x.second.tzinfo)
    if (first, x.nanosecond) > (second, y.nanosecond):
        first, second = second, first
    parts = [
        getattr(second, name) - getattr(first, name)
        for name in ("year", "month", "day", "hour", "minute", "second")
    ]
    following = datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC)
    month_days = (following - timedelta(days=1)).day
    for i, size in ((5, 60), (4, 60), (3, 24), (2, month_days), (1, 12)):
        if parts[i] < 0:
            parts[i] += size
            parts[i - 1] -= 1
    return parts


_UNITS: Final = {
    "ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": _NS, "m": 60 * _NS, "h": 3600 * _NS,
    "d": 24 * 3600 * _NS, "w": 7 * 24 * 3600 * _NS, "y": 365 * 24 * 3600 * _NS,
}  # fmt: skip
_DURATION: Final = re2.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h|d|w|y))+")
_SEGMENT: Final = re2.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w|y)")


@builtin("time.parse_duration_ns", cost=_by_layout)
def parse_duration_ns(text: Value) -> Value:
    """A duration such as ``1h30m``; also in days, weeks and years of 365 days."""
    value = string(text, 1)
    if value.lstrip("+-") == "0" and len(value) <= 2:
        return 0
    if len(value) > 200 or not _DURATION.fullmatch(value):
        raise BuiltinError(f"time: invalid duration {value[:80]!r}")
    size = sum(int(Fraction(found[1]) * _UNITS[found[2]]) for found in _SEGMENT.finditer(value))
    return _in_range(-size if value.startswith("-") else size)


def _instant(value: Value) -> tuple[Instant, str]:
    """A time given as nanoseconds or as an array of nanoseconds, zone and layout; and that layout."""
    zone, layout = "", ""
    if type(value) is list:
        if not value:
            raise wrong(1, value, "either number (ns) or [number (ns), string (tz)]")
        ns = value[0]
        zone = string(value[1], 1) if len(value) > 1 else ""
        layout = string(value[2], 1) if len(value) > 2 else ""
    else:
        ns = value
    whole = as_integer(number(ns, 1))
    if whole is None or whole not in _RANGE:
        raise BuiltinError("timestamp too big")
    seconds, nanosecond = divmod(whole, _NS)
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return Instant(utc.astimezone(_zone(zone)), nanosecond), layout


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    if name in {"", "UTC"}:
        return UTC
    if name == "Local":
        raise BuiltinError("the zone of the machine is not part of the input")
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as exc:
        raise BuiltinError(f"unknown time zone {name[:80]}") from exc
