"""When a message is sent again, for any attempt and any wish of a receiver."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.webhooks.schedule import ASKED_S_MAX, RETRIES_S, asked_s, rest_s, retry_after_s

NOW_S = 1_790_000_000


def test_retries_follow_the_schedule_of_standard_webhooks():
    found = [retry_after_s(attempt, lambda: 0.0) for attempt in range(1, 12)]
    minutes, hours = 60, 3600
    days_worth = [5, 5 * minutes, 30 * minutes, *(n * hours for n in (2, 5, 10, 14, 20, 24))]
    assert found == [*days_worth, 24 * hours, 24 * hours]


@settings(deadline=None)
@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_chance_only_puts_off_and_by_a_fifth_at_most(attempt, chance):
    planned = RETRIES_S[min(attempt, 9) - 1]
    assert planned <= retry_after_s(attempt, lambda: chance) <= planned * 1.2


def test_messages_that_failed_together_come_again_apart():
    assert len({retry_after_s(1, lambda part=part: part / 10) for part in range(10)}) == 10


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("99999999999999999999", ASKED_S_MAX),
        (email.utils.formatdate(NOW_S + 90, usegmt=True), 90),
        (email.utils.formatdate(NOW_S - 90, usegmt=True), 0),
        (email.utils.formatdate(NOW_S + 9_000_000, usegmt=True), ASKED_S_MAX),
        ("Fri, 31 Dec 9999 23:59:59 GMT", ASKED_S_MAX),
        ("", 0),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("٣", 0),
        ("Mon, 99 Foo 2026 00:00:00 GMT", 0),
    ],
)
def test_what_a_receiver_asks_for_is_bounded(header, seconds):
    assert asked_s(header, now_s=NOW_S) == seconds


@settings(deadline=None)
@given(st.text(max_size=80))
def test_no_header_is_an_error(header):
    assert 0 <= asked_s(header, now_s=NOW_S) <= ASKED_S_MAX


def test_a_failing_receiver_is_left_in_peace_longer_and_longer_up_to_five_minutes():
    rests = [rest_s(number) for number in range(20)]
    assert rests == sorted(rests)
    assert (rests[0], rests[-1]) == (5, 300)
