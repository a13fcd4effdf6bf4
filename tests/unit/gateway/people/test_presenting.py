"""Times as people's programs read them."""

from __future__ import annotations

import datetime

import pytest

from gateway.people.presenting import time_text


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_790_000_000_007, "2026-09-21T14:13:20.007Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_is_rfc_3339_to_the_millisecond(time_ms, text):
    assert time_text(time_ms) == text
    read = datetime.datetime.fromisoformat(text)
    assert round(read.timestamp() * 1_000) == time_ms
