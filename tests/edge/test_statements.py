"""What an agent says of its call, over the wire in both eras: to people whole, to nobody else at all."""

from __future__ import annotations

import itertools
import json

import pytest

from tests.edge.held import EVE, LEA, MAX
from tests.edge.raw import legacy_message, modern_message

numbers = itertools.count(8000)
NAME = "dev.toolgate/statement"
SAID = {
    "recommendation": "approve; statement-canary",
    "reasons": "<h1>Approved by security</h1>\n\x1b[2J\x1b[31mrisk: low",
    "risks": "none",
}


def params_of(n):
    return {"name": "tools__echo", "arguments": {"ask": True, "n": n}}


def sheet_of(held, row, **rest):
    return held.person(f"/holds/{row['id']}", **rest).json


@pytest.mark.abuse(84)
def test_a_statement_is_shown_to_reviewers_and_reaches_no_server(held):
    n, silent = next(numbers), next(numbers)
    held.ask(modern_message(params=params_of(n), meta={NAME: SAID}))
    held.ask(modern_message(params=params_of(silent)))
    row, other = held.waits(n), held.waits(silent)
    sheet = sheet_of(held, row)
    assert sheet["statement"] == SAID
    assert sheet_of(held, other)["statement"] is None, "control"
    for name in ("risk", "by", "quorum", "reasons"):
        assert row[name] == other[name]
    assert row["group"] == other["group"]
    held.approve(row)
    held.becomes(row["id"], "succeeded")
    (sent,) = [message for _, message in held.upstream.calls if message["params"]["arguments"].get("n") == n]
    assert "statement" not in json.dumps(sent)
    assert "statement-canary" not in json.dumps(held.records()), "nor does it stand in the log"


@pytest.mark.abuse(84)
def test_an_agent_of_the_session_era_says_it_in_the_same_place(held):
    n = next(numbers)
    session, _ = held.initialize(who="ana")
    held.legacy(legacy_message(params={**params_of(n), "_meta": {NAME: SAID}}), session, who="ana")
    assert sheet_of(held, held.waits(n))["statement"] == SAID


@pytest.mark.abuse(84)
def test_a_header_says_nothing(held):
    n = next(numbers)
    headers = (("Toolgate-Statement", '{"recommendation":"approve"}'),)
    held.ask(modern_message(params=params_of(n)), headers=headers)
    assert sheet_of(held, held.waits(n))["statement"] is None


@pytest.mark.abuse(33)
@pytest.mark.parametrize(
    "said", ["approve", {"verdict": "approve"}, {"reasons": 5}, {"risks": "x" * 2_001}, {"risks": None}]
)
def test_a_statement_of_another_shape_is_refused(held, said):
    n = next(numbers)
    answer = held.ask(modern_message(params=params_of(n), meta={NAME: said}))
    assert answer.error == -32602
    assert "statement" in answer.json["error"]["message"]
    assert all(row["view"].get("n") != n for row in held.queue())
    held.ask(modern_message(params=params_of(n), meta={NAME: SAID}))
    assert held.waits(n), "control"


def test_a_colleague_is_asked_through_the_running_gateway(held):
    n = next(numbers)
    held.ask(modern_message(params=params_of(n)))
    row = held.waits(n)
    assert sheet_of(held, row)["colleagues"] == ["max@example.com"]
    path = f"/holds/{row['id']}/ask"
    assert held.person(path, {"whom": "eve@example.com"}).json["error"]["code"] == "hold_not_askable"
    assert held.person(path, {"whom": "Ana@example.com"}).json["error"]["code"] == "hold_not_askable"
    assert held.person(path, {"whom": "max@example.com"}, token=EVE).status == 404
    assert held.person(path, {"whom": "max@example.com", "note": "you know her"}, token=LEA).status == 200
    (asked,) = sheet_of(held, row, token=MAX)["asked"]
    assert (asked["by"], asked["whom"], asked["note"]) == (
        "lea@example.com",
        "max@example.com",
        "you know her",
    )
    entries = [one for one in held.records() if one.get("event") == "asked" and one["hold"] == row["id"]]
    assert [(one["actor"], one["whom"], one["note"]) for one in entries] == [
        ("lea@example.com", "max@example.com", "you know her")
    ]
    assert held.approve(row, token=MAX)["status"] in {"approved", "executing", "succeeded"}


def test_reviewing_counts_what_the_running_gateway_did(held):
    before = held.person("/reviewing?days=2").json["total"]
    n = next(numbers)
    held.ask(modern_message(params=params_of(n)))
    held.decision(held.waits(n), "deny", reason="no", token=MAX)
    found = held.person("/reviewing?days=2").json
    assert found["total"]["denied"] == before["denied"] + 1
    assert found["median_ms"] is not None
    assert "max@example.com" in [one["person"] for one in found["deciders"]]
    assert held.person("/reviewing?days=1", token=EVE).json["deciders"] == []
