"""The table of methods: every row says who, when and what; what has no row does not exist."""

from __future__ import annotations

import pytest

from gateway.core.capabilities import NEEDED
from gateway.core.definition import Kind
from gateway.core.methods import METHODS, By, Way, agent_method, upstream_method

ROWS = list(METHODS.values())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_whole(row):
    assert row.legacy or row.modern
    assert row.scanned or row.way not in {Way.CALL, Way.ASK} or row.name == "tasks/cancel"
    assert bool(row.action) == (row.way in {Way.CALL, Way.ASK})
    assert bool(row.recorded) == bool(row.action)
    assert not (row.notification and row.action)
    if row.way is Way.ASK:
        assert row.by is By.UPSTREAM
        assert row.name in NEEDED
    if row.way is Way.LIST:
        assert row.name in {kind.method for kind in Kind}


def test_policy_is_asked_about_everything_that_reaches_the_other_side():
    asked = {row.name for row in ROWS if row.action}
    assert asked == {
        "tools/call",
        "prompts/get",
        "resources/read",
        "resources/subscribe",
        "completion/complete",
        "tasks/get",
        "tasks/update",
        "tasks/result",
        "tasks/cancel",
        "sampling/createMessage",
        "elicitation/create",
        "roots/list",
    }


@pytest.mark.abuse(25)
def test_a_method_counts_in_its_own_direction_only():
    assert agent_method("tools/call").name == "tools/call"
    assert upstream_method("tools/call") is None
    assert upstream_method("elicitation/create").name == "elicitation/create"
    assert agent_method("elicitation/create") is None
    assert agent_method("ping") is upstream_method("ping") is METHODS["ping"]
    for name in ("x/y", "tools/call ", "TOOLS/CALL", ""):
        assert agent_method(name) is upstream_method(name) is None


def test_only_three_methods_can_be_answered_with_a_question():
    """MCP 2026-07-28, multi round-trip requests, supported requests."""
    assert {row.name for row in ROWS if row.rounds} == {"tools/call", "prompts/get", "resources/read"}
