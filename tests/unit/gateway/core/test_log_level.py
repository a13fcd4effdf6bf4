"""Log levels: from the lowest up."""

from __future__ import annotations

from gateway.core.log_level import LEVELS, is_level, lower, reaches


def test_a_message_is_wanted_from_its_level_up():
    assert [level for level in LEVELS if reaches(level, "warning")] == list(LEVELS[3:])
    assert not reaches("emergency", "")
    assert reaches("never heard of", "emergency"), "better one too many than an alarm lost"


def test_the_lower_of_two():
    assert lower("error", "info") == lower("info", "error") == "info"
    assert lower("", "info") == lower("info", "") == "info"


def test_what_is_a_level():
    assert all(map(is_level, LEVELS))
    assert not any(map(is_level, ("", "INFO", "warn", None, 5, [], {})))
