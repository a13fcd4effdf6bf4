"""What was hidden from a reviewer is put back into what they edited, and no marker ever reaches a tool."""

from __future__ import annotations

import pytest

from gateway.errors import InvalidParams
from gateway.holding.restoring import restored

STORED = {
    "to": "ana",
    "key": "ghp_secret",
    "list": ["ghp_secret", "b"],
    "deep": {"x": "a ghp_secret b", "n": 1},
}
MARK = "[REDACTED:github-token:3f9a]"
SHOWN = {"to": "ana", "key": MARK, "list": [MARK, "b"], "deep": {"x": f"a {MARK} b", "n": 1}}


def test_what_was_left_as_it_was_shown_is_what_was_stored():
    assert restored(SHOWN, SHOWN, STORED) == STORED
    assert restored({**SHOWN, "to": "bo"}, SHOWN, STORED) == {**STORED, "to": "bo"}
    assert restored({"deep": {**SHOWN["deep"], "n": 2}}, SHOWN, STORED) == {
        "deep": {**STORED["deep"], "n": 2}
    }


def test_an_element_that_was_taken_out_or_added_leaves_the_others_whole():
    assert restored({"list": [MARK]}, SHOWN, STORED) == {"list": ["ghp_secret"]}
    assert restored({"list": ["new", MARK, "b"]}, SHOWN, STORED) == {"list": ["new", "ghp_secret", "b"]}


@pytest.mark.abuse(77)
@pytest.mark.parametrize(
    "edited",
    [{"to": MARK}, {"key": MARK + "x"}, {"deep": {"x": MARK}}, {MARK: 1}, {"list": [[MARK]]}],
)
def test_a_marker_that_was_moved_or_changed_is_refused(edited):
    with pytest.raises(InvalidParams):
        restored({**SHOWN, **edited}, SHOWN, STORED)


def test_a_marker_that_the_agent_itself_had_sent_stays_what_it_is():
    stored = {"note": "the log says [REDACTED:x:0000]"}
    assert restored(stored, stored, stored) == stored
