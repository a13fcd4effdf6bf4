"""One agent asks a person for everything: it has its share, and nobody else notices."""

from __future__ import annotations

import json
import threading

import pytest

from tests.edge.held import EVE, at_once
from tests.edge.raw import modern_message

FLOOD = 1_000
SHARE = 100
"""Of one agent, by default."""
LINES = 20


@pytest.mark.abuse(89)
def test_a_thousand_calls_of_one_agent_leave_the_others_their_reviewers(held):
    def call(n):
        arguments = {"ask": True, "n": n, "text": "x" * 1_000}
        return held.post(modern_message(params={"name": "tools__echo", "arguments": arguments}), who="ben")

    answers, flooding = [], threading.Event()
    before = len(held.queue())
    share = SHARE - len(held.queue(token=EVE))  # other tests may have left something of it
    assert share > SHARE / 2

    def flood():
        for start in range(0, FLOOD, LINES):
            answers.extend(
                at_once(held.port, [call(n) for n in range(90_000 + start, 90_000 + start + LINES)])
            )
            flooding.set()

    with held.grows_at_most_mib(60):
        thread = threading.Thread(target=flood)
        thread.start()
        flooding.wait(30)
        while thread.is_alive():
            assert "isError" not in held.call(arguments={"n": 1}).result
            thread.join(0.2)
    waiting = [answer for answer in answers if answer.result.get("resultType") == "input_required"]
    denied = [answer for answer in answers if answer.result.get("isError")]
    assert (len(waiting), len(denied)) == (share, FLOOD - share)
    for answer in denied:
        decision = answer.result["_meta"]["dev.toolgate/decision"]
        assert [reason["code"] for reason in decision["reasons"]] == ["hold_limit"]
    assert len(held.queue()) == before, "it is another tenant's"
    assert len(held.queue(token=EVE)) >= SHARE
    row = held.hold(91_000)
    held.approve(row)
    held.becomes(row["id"], "succeeded")
    assert json.loads(held.collect(row["id"]).text)["n"] == 91_000, (
        "control: the next agent has its own share"
    )


@pytest.mark.abuse(89)
def test_calls_that_look_alike_are_shown_together_and_the_odd_one_by_its_risk(held):
    rows = held.hold_all(dict.fromkeys(range(92_000, 92_020), True))
    odd = held.hold(92_100, "two")
    (hold, *_) = rows.values()
    sheet = held.person(f"/holds/{hold['id']}").json
    assert {row["id"] for row in sheet["group"]} >= {row["id"] for row in rows.values()}
    assert odd["group"] != hold["group"] or odd["id"] in {row["id"] for row in sheet["group"]}
    queue = held.queue()
    risks = [row["risk"] for row in queue]
    order = ["high", "medium", "low"]
    assert risks == sorted(risks, key=order.index), "the dangerous one is never behind the harmless ones"
    assert {row["group_size"] for row in queue if row["id"] in {one["id"] for one in rows.values()}} != {1}
