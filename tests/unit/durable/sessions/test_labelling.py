"""Labels only grow while a session lasts, are nobody else's, and go with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from durable.sessions.labelling import current, end, label, lasts, told
from durable.sessions.pruning import prune
from durable.sessions.session import SessionKey

HOUR_MS = 3_600_000
ANA = SessionKey(tenant="acme", subject_type="user", subject_id="ana@example.com", agent="desk")


def labelled(bench, *labels, key=ANA):
    return bench.run(label, key, labels, idle_ms=HOUR_MS)


def test_labels_are_added_and_never_taken_away(bench):
    assert labelled(bench, "b") == {"b"}
    assert labelled(bench, "a", "b") == {"a", "b"}
    assert labelled(bench) == {"a", "b"}
    assert bench.run(current, ANA) == {"a", "b"}


def test_a_label_may_have_spaces(bench):
    labelled(bench, "from a customer", "x")
    assert labelled(bench) == {"from a customer", "x"}


def test_a_session_without_labels_has_no_row(bench):
    assert labelled(bench) == frozenset()
    assert bench.rows("SELECT * FROM agent_session") == []
    assert bench.run(current, ANA) is None


@pytest.mark.abuse(63)
@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "other"},
        {"subject_type": "service"},
        {"subject_id": "ben@example.com"},
        {"agent": "clerk"},
        {"workflow": "w1"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_labels_are_those_of_one_principal_in_one_workflow(bench, other):
    labelled(bench, "a")
    assert labelled(bench, key=replace(ANA, **other)) == frozenset()
    assert labelled(bench) == {"a"}


def test_a_session_goes_on_for_an_hour_after_each_use(bench):
    labelled(bench, "a")
    for _ in range(5):
        bench.now_ms += HOUR_MS - 1
        assert bench.read(lasts, ANA)
        assert labelled(bench) == {"a"}
    bench.now_ms += HOUR_MS
    assert not bench.read(lasts, ANA)
    assert labelled(bench) == frozenset()
    assert bench.rows("SELECT * FROM agent_session") == []


def test_a_label_after_the_hour_is_the_first_of_another_session(bench):
    labelled(bench, "a")
    bench.now_ms += HOUR_MS
    assert labelled(bench, "b") == {"b"}
    assert bench.rows("SELECT labels, until_ms FROM agent_session") == [
        {"labels": "b", "until_ms": bench.now_ms + HOUR_MS}
    ]


def test_labels_are_told_without_a_use_of_the_session(bench):
    assert bench.read(told, ANA) == frozenset()
    labelled(bench, "a", "b")
    rows = bench.rows("SELECT * FROM agent_session")
    bench.now_ms += HOUR_MS - 1
    assert bench.read(told, ANA) == {"a", "b"}
    assert bench.read(told, replace(ANA, workflow="w1")) == frozenset()
    assert bench.rows("SELECT * FROM agent_session") == rows
    bench.now_ms += 1
    assert bench.read(told, ANA) == frozenset()


def test_a_session_can_be_ended(bench):
    labelled(bench, "a")
    labelled(bench, "b", key=replace(ANA, workflow="w1"))
    bench.run(end, ANA)
    assert labelled(bench) == frozenset()
    assert labelled(bench, key=replace(ANA, workflow="w1")) == {"b"}


def test_sessions_that_are_over_leave_the_database_a_few_at_a_time(bench):
    for number in range(5):
        labelled(bench, "a", key=replace(ANA, workflow=f"w{number}"))
    bench.now_ms += HOUR_MS // 2
    labelled(bench, "a")
    bench.now_ms += HOUR_MS // 2
    assert [bench.run(prune, limit=3) for _ in range(3)] == [3, 2, 0]
    assert [row["workflow"] for row in bench.rows("SELECT workflow FROM agent_session")] == [""]
