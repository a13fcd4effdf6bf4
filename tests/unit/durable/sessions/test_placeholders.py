"""Values behind placeholders: one for each value of a session, found by that session only, gone with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from durable.sessions.labelling import end, label
from durable.sessions.placeholders import Sealed, erase_values, find, keep, place
from durable.sessions.pruning import prune
from durable.sessions.session import SessionKey

HOUR_MS = 3_600_000
ANA = SessionKey(tenant="acme", subject_type="user", subject_id="ana@example.com", agent="desk")
OTHERS = {
    "tenant": replace(ANA, tenant="other"),
    "type": replace(ANA, subject_type="service"),
    "subject": replace(ANA, subject_id="ben@example.com"),
    "agent": replace(ANA, agent="clerk"),
    "workflow": replace(ANA, workflow="w1"),
}


def sealed(number, value=None):
    value = number if value is None else value
    return Sealed(placeholder=f"[EMAIL:{number}]", lookup=f"digest {value}", sealed=f"sealed {value}")


def placed(bench, *values, key=ANA, values_max=100):
    return bench.run(place, key, values, idle_ms=HOUR_MS, values_max=values_max)


def found(bench, *placeholders, key=ANA):
    return bench.read(find, key, placeholders)


def test_a_value_has_one_placeholder_in_a_session(bench):
    assert placed(bench, sealed(1), sealed(2)) == ("[EMAIL:1]", "[EMAIL:2]")
    assert placed(bench, sealed(3, 2), sealed(4), sealed(5, 4)) == ("[EMAIL:2]", "[EMAIL:4]", "[EMAIL:4]")
    assert found(bench, "[EMAIL:1]", "[EMAIL:2]", "[EMAIL:3]") == {
        "[EMAIL:1]": "sealed 1",
        "[EMAIL:2]": "sealed 2",
    }


@pytest.mark.abuse(77)
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_it_stands_for_something_in_its_session_only(bench, other):
    placed(bench, sealed(1))
    placed(bench, sealed(2), key=other)
    assert found(bench, "[EMAIL:1]", "[EMAIL:2]") == {"[EMAIL:1]": "sealed 1"}
    assert found(bench, "[EMAIL:1]", "[EMAIL:2]", key=other) == {"[EMAIL:2]": "sealed 2"}
    # And the same value there has another one.
    assert placed(bench, sealed(3, 1), key=other) == ("[EMAIL:3]",)


def test_past_the_bound_nothing_is_kept_and_what_is_kept_is_still_found(bench):
    values = [sealed(number) for number in range(5)]
    assert placed(bench, *values, values_max=3) == ("[EMAIL:0]", "[EMAIL:1]", "[EMAIL:2]", None, None)
    assert placed(bench, sealed(9), sealed(8, 2), values_max=3) == (None, "[EMAIL:2]")
    assert len(bench.rows("SELECT * FROM agent_placeholder")) == 3


def test_values_last_as_long_as_their_session_is_used(bench):
    placed(bench, sealed(1))
    for _ in range(3):
        bench.now_ms += HOUR_MS - 1
        assert found(bench, "[EMAIL:1]")
        bench.run(label, ANA, ["a"], idle_ms=HOUR_MS)
    bench.now_ms += HOUR_MS
    assert found(bench, "[EMAIL:1]") == {}
    assert placed(bench, sealed(2, 1)) == ("[EMAIL:2]",), "another session has another placeholder"
    assert [row["placeholder"] for row in bench.rows("SELECT placeholder FROM agent_placeholder")] == [
        "[EMAIL:2]"
    ]


def test_what_a_waiting_call_needs_outlasts_the_session(bench):
    placed(bench, sealed(1), sealed(2))
    until_ms = bench.now_ms + 10 * HOUR_MS
    assert bench.run(keep, ANA, ["[EMAIL:1]", "[EMAIL:7]"], until_ms=until_ms) == 1
    bench.now_ms += HOUR_MS
    assert bench.run(prune, limit=10) == 1
    assert found(bench, "[EMAIL:1]", "[EMAIL:2]") == {"[EMAIL:1]": "sealed 1"}
    # A later session does not get it for the same value.
    assert placed(bench, sealed(3, 1)) == ("[EMAIL:3]",)
    bench.run(end, ANA)
    bench.now_ms = until_ms
    assert found(bench, "[EMAIL:1]") == {}
    bench.run(prune, limit=10)
    assert bench.rows("SELECT * FROM agent_placeholder") == []


def test_it_is_kept_until_the_last_call_that_needs_it_and_not_for_a_session_that_is_over(bench):
    placed(bench, sealed(1), sealed(2))
    first_ms, last_ms = bench.now_ms + 2 * HOUR_MS, bench.now_ms + 4 * HOUR_MS
    bench.run(keep, ANA, ["[EMAIL:1]"], until_ms=last_ms)
    bench.run(keep, ANA, ["[EMAIL:1]"], until_ms=first_ms)
    bench.now_ms = first_ms
    assert bench.run(keep, ANA, ["[EMAIL:2]"], until_ms=last_ms) == 0
    assert found(bench, "[EMAIL:1]", "[EMAIL:2]") == {"[EMAIL:1]": "sealed 1"}


def test_values_of_a_session_that_goes_on_are_not_pruned(bench):
    placed(bench, sealed(1), sealed(2))
    bench.run(keep, ANA, ["[EMAIL:1]"], until_ms=bench.now_ms + 1)
    bench.now_ms += HOUR_MS // 2
    assert bench.run(prune, limit=10) == 0
    assert len(found(bench, "[EMAIL:1]", "[EMAIL:2]")) == 2


def test_an_erased_subject_has_no_values_left_and_keeps_its_labels(bench):
    workflow, stranger, foreigner = OTHERS["workflow"], OTHERS["subject"], OTHERS["tenant"]
    for number, key in enumerate((ANA, workflow, stranger, foreigner)):
        placed(bench, sealed(number), key=key)
        bench.run(label, key, ["a"], idle_ms=HOUR_MS)
    bench.run(keep, ANA, ["[EMAIL:0]"], until_ms=bench.now_ms + 9 * HOUR_MS)
    assert bench.run(erase_values, "acme", "ana@example.com") == 2
    assert found(bench, "[EMAIL:0]") == found(bench, "[EMAIL:1]", key=workflow) == {}
    assert found(bench, "[EMAIL:2]", key=stranger)
    assert found(bench, "[EMAIL:3]", key=foreigner)
    assert bench.run(label, ANA, [], idle_ms=HOUR_MS) == {"a"}
