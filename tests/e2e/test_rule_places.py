"""A reviewer reads the rule behind a held call: of the policy in force, also while its files change."""

from __future__ import annotations

import pytest
from e2e_kit import wire
from e2e_kit.gateways import toolgate
from e2e_kit.people import LEA, People, reviewer
from e2e_kit.waiting import until

from policies.library import STARTER_FOLDER

STARTER = (STARTER_FOLDER / "starter.rego").read_text()
WHY = ("toolgate.rules.starter", "not_read_only")
CLIENT = {"io.modelcontextprotocol/clientInfo": {"name": "mcp", "version": "1"}}


@pytest.fixture
def served(gateway, http_servers):
    made = gateway(
        upstreams={"tools": {"url": http_servers["modern"].url}},
        policy={"starter.rego": STARTER},
        reviewers=[reviewer("lea", LEA, "reviewer")],
        approvals={"unknown_client_s": 0.2},
    )
    made.start()
    made.offers("tools__echo")
    return made


def held(gateway, text):
    """The id of a call that the starter policy holds."""
    gateway.call("tools__echo", {"text": text}, meta=CLIENT)
    return People(gateway).waits(text=text)["id"]


def place_of(gateway, hold):
    sheet = People(gateway).show(hold)
    (place,) = sheet["places"]
    assert (place["rule"], place["code"]) == WHY
    return place["file"], place["row"], sheet["policy_moved"]


def test_the_rule_of_the_starter_policy_is_read_where_it_stands(served):
    hold = held(served, "a")
    sheet = People(served).show(hold)
    rule = STARTER[
        STARTER.index("hold contains") : STARTER.index("let_through if lib.calls_read_only")
    ].strip()
    assert sheet["places"] == [
        {
            "rule": WHY[0],
            "code": WHY[1],
            "file": "starter.rego",
            "row": STARTER[: STARTER.index("hold contains")].count("\n") + 1,
            "text": rule,
            "certain": True,
        }
    ]
    assert (sheet["places_left_out"], sheet["policy_moved"]) == (0, False)


def test_a_file_that_is_broken_or_moved_changes_nothing_before_it_is_in_force(served):
    file = served.policy / "starter.rego"
    hold = held(served, "b")
    before = place_of(served, hold)
    assert before == ("starter.rego", 18, False)

    file.write_text("# One row more.\n" + STARTER.replace("hold contains {", "hold contains {{"))
    served.entry("policy_rejected")
    assert place_of(served, hold) == before, "the last good policy stays in force, and so do its places"

    file.write_text("# One row more.\n" + STARTER)
    until(lambda: place_of(served, hold) == ("starter.rego", 19, True), lambda: place_of(served, hold))
    assert place_of(served, held(served, "c")) == ("starter.rego", 19, False), "held by the new one"

    environ = {"TOOLGATE_REVIEWER_TOKEN": LEA}
    shown = toolgate("approvals", "show", hold, "--full", "-c", served.config, environ=environ)
    told = [line.strip() for line in shown.stdout.splitlines()]
    start = told.index("starter.rego:19")
    assert told[start + 1 : start + 3] == ["│ hold contains {", '│   "code": "not_read_only",']
    assert "the policy has changed since this call was held" in " ".join(shown.stdout.split())


def test_a_rule_that_is_gone_has_no_place_any_more(served):
    hold = held(served, "d")
    allows = "package toolgate.rules.starter\n\nallow if input.never\n"
    (served.policy / "starter.rego").write_text(allows)
    people = People(served)
    until(lambda: people.show(hold)["policy_moved"], lambda: people.show(hold))
    assert people.show(hold)["places"] == []
    assert wire.request(f"{served.people_url}/readyz").status == 200
