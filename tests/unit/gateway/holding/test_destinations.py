"""Where things go, and what is one character away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.holding.destinations import Known, destinations_of

LETTERS = st.text("abcdefgh.-@", min_size=8, max_size=24)


@given(LETTERS, st.integers(0, 23), st.sampled_from(["add", "leave out", "replace", "exchange"]))
def test_whatever_is_one_character_away_is_found(text, place, how):
    place %= len(text) - 1
    head, tail = text[:place], text[place:]
    changed = {
        "add": head + "z" + tail,
        "leave out": head + tail[1:],
        "replace": head + "z" + tail[1:],
        "exchange": head + tail[1] + tail[0] + tail[2:],
    }[how]
    found, _ = Known([text, "q" * 30]).near(changed)
    assert found == text, changed
    assert Known([text]).near(head + "zzz" + tail) == ("", ""), "control: three are too many"


@pytest.mark.parametrize("sure", ["to", "cc", "sendTo", "recipient_email", "customerIds", "TO", "reply-to"])
def test_names_are_read_as_words(sure):
    assert [one.kind for one in destinations_of(sure, "K-17")] == ["account"]
    assert destinations_of(sure + "_comment", "K-17") == ()
    assert destinations_of("stop", "K-17") == ()


def test_a_sentence_and_a_document_are_no_destinations():
    assert destinations_of("to", "everybody who was there at noon") == ()
    assert destinations_of("to", "x" * 3000) == ()
    assert destinations_of("to", "") == ()
    assert [one.kind for one in destinations_of("to", "Ana Maria Lopez")] == ["account"]


def test_a_link_without_a_host_that_can_be_read_is_still_a_destination():
    (one,) = destinations_of("url", "https://[::1")
    assert (one.kind, one.host) == ("link", "")
