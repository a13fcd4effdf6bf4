"""Days of a zone: from midnight to midnight there, however long they are."""

from __future__ import annotations

import datetime
import itertools
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.days import days_until

HOUR_MS = 3_600_000
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def at_ms(text):
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1_000)


def test_today_is_the_last_of_them_and_ends_at_midnight():
    first, second = days_until(at_ms("2026-09-21T14:13:20+00:00"), 2, datetime.UTC)
    assert (first.date, second.date) == ("2026-09-20", "2026-09-21")
    assert second.start_ms == first.end_ms == at_ms("2026-09-21T00:00:00+00:00")
    assert second.end_ms == at_ms("2026-09-22T00:00:00+00:00")


def test_the_zone_says_which_day_it_is():
    late = at_ms("2026-09-21T22:30:00+00:00")
    (here,), (there,) = days_until(late, 1, datetime.UTC), days_until(late, 1, BERLIN)
    assert (here.date, there.date) == ("2026-09-21", "2026-09-22")
    assert there.start_ms == at_ms("2026-09-21T22:00:00+00:00")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_on_which_the_clocks_are_changed_is_as_long_as_it_is(day, hours):
    (found,) = days_until(at_ms(f"{day}T12:00:00+00:00"), 1, BERLIN)
    assert (found.date, found.end_ms - found.start_ms) == (day, hours * HOUR_MS)


@given(
    st.integers(0, 4_000_000_000_000),
    st.integers(1, 90),
    # Beirut and Santiago change their clocks at midnight; Apia left a day out.
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Beirut", "America/Santiago", "Pacific/Apia"]),
)
def test_days_follow_one_another_without_a_gap_and_hold_the_moment(now_ms, count, zone):
    found = days_until(now_ms, count, zoneinfo.ZoneInfo(zone))
    assert len(found) == count
    assert found[-1].start_ms <= now_ms < found[-1].end_ms
    for before, after in itertools.pairwise(found):
        assert before.end_ms == after.start_ms
        assert before.start_ms <= before.end_ms
