"""Workflow context: bounded claims, never verified."""

from __future__ import annotations

import pytest

from gateway.core.principal import NO_WORKFLOW, Workflow
from gateway.core.workflow import VALUE_CHARACTERS_MAX, read_workflow
from gateway.errors import InvalidParams


def test_nothing_said_is_no_workflow():
    assert read_workflow({}, {}) is NO_WORKFLOW
    assert read_workflow({b"x-workflow-id": b"1"}, {"workflow-id": "2"}) is NO_WORKFLOW


def test_headers_are_read():
    headers = {
        b"toolgate-workflow-id": b"w",
        b"toolgate-step": b"pay",
        b"toolgate-attempt": b"3",
        b"toolgate-idempotency-key": b"k",
        b"toolgate-model": b"m",
    }
    assert read_workflow(headers, {}) == Workflow(
        id="w", step="pay", attempt=3, idempotency_key="k", model="m"
    )


def test_members_of_the_request_win_over_headers():
    found = read_workflow({b"toolgate-step": b"old"}, {"dev.toolgate/step": "new", "dev.toolgate/attempt": 4})
    assert (found.step, found.attempt, found.verified) == ("new", 4, False)


@pytest.mark.abuse(33)
@pytest.mark.parametrize(
    "meta",
    [
        {"dev.toolgate/step": 5},
        {"dev.toolgate/step": ["x"]},
        {"dev.toolgate/step": "a\nb"},
        {"dev.toolgate/step": "a\u202eb"},
        {"dev.toolgate/step": "x" * (VALUE_CHARACTERS_MAX + 1)},
        {"dev.toolgate/attempt": True},
        {"dev.toolgate/attempt": 1.5},
        {"dev.toolgate/attempt": -1},
        {"dev.toolgate/attempt": 1_000_001},
        {"dev.toolgate/attempt": "²"},
        {"dev.toolgate/attempt": ""},
    ],
)
def test_a_value_of_another_shape_is_refused(meta):
    with pytest.raises(InvalidParams):
        read_workflow({}, meta)


@pytest.mark.abuse(33)
def test_nobody_can_claim_to_be_verified():
    assert (
        read_workflow({}, {"dev.toolgate/workflow-id": "w", "dev.toolgate/verified": True}).verified is False
    )
