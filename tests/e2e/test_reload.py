"""Editing policy while the gateway serves."""

from __future__ import annotations

import time

import pytest
from e2e_kit import wire
from e2e_kit.gateways import ALLOW_ALL
from e2e_kit.waiting import until

DECIDED_S = 2.0
"""From saving the file to the new decision, as promised; the test allows slower machines five times that."""

DENY = """\
package toolgate.rules.all

import rego.v1

allow if true

deny contains {"code": "closed", "message": "closed for the day"} if input.tool.name == "echo"
"""

BROKEN = """\
package toolgate.rules.all

import rego.v1

allow if { input.tool.name = = "echo" }

deny contains "later" if false
"""

UNSAFE = """\
package toolgate.rules.all

import rego.v1

allow if {
	http.send({"method": "get", "url": "http://127.0.0.1/"}).status_code == 200
}
"""


@pytest.fixture
def served(gateway, http_servers):
    made = gateway(upstreams={"tools": {"url": http_servers["modern"].url}})
    made.start()
    made.offers("tools__echo")
    return made


def is_denied(gateway):
    return gateway.call("tools__echo", {"text": "x"}).json["result"].get("isError", False)


def test_a_saved_rule_decides_without_restart_and_back_again(served, record_property):
    file = served.policy / "all.rego"
    assert not is_denied(served)
    pid, before = served.process.pid, time.monotonic()
    file.write_text(DENY)
    until(lambda: is_denied(served), lambda: f"still allowed: {served.stderr}", within_s=5 * DECIDED_S)
    record_property("reload_s", round(time.monotonic() - before, 2))
    print(f"reload took {time.monotonic() - before:.2f} s")
    assert "closed for the day" in wire.text_of(served.call("tools__echo", {"text": "x"}))
    file.write_text(ALLOW_ALL)
    until(lambda: not is_denied(served), "still denied", within_s=5 * DECIDED_S)
    assert served.process.pid == pid
    loaded = served.entries("policy_loaded")
    assert len(loaded) == 2
    assert loaded[0]["revision"] == loaded[1]["before"]
    assert loaded[0]["revision"] != loaded[0]["before"]
    intents = served.entries("intent")
    assert {intent["revision"] for intent in intents if intent["effect"] == "deny"} == {loaded[0]["revision"]}


@pytest.mark.parametrize("compiler", [pytest.param("opa", marks=pytest.mark.needs("opa")), "regopy"])
@pytest.mark.parametrize(
    ("text", "row", "why"), [(BROKEN, 5, "syntax"), (UNSAFE, 6, "http.send")], ids=["syntax", "banned"]
)
def test_a_broken_rule_leaves_the_last_good_policy_and_says_file_row_and_why(
    gateway, http_servers, compiler, text, row, why
):
    policy = {"path": "./policies", "compiler": compiler}
    served = gateway(upstreams={"tools": {"url": http_servers["modern"].url}}, policy_settings=policy)
    served.start()
    served.offers("tools__echo")
    (served.policy / "all.rego").write_text(text)
    problem = served.entry("policy_rejected")["problems"][0]
    assert f"all.rego:{row}:" in problem
    assert why in problem
    line = next(line for line in served.stderr.splitlines() if "policy rejected" in line)
    assert f"all.rego:{row}:" in line
    assert "Traceback" not in served.stderr
    assert not is_denied(served)
    ready = wire.request(f"{served.people_url}/readyz")
    assert ready.status == 200
    assert "stays in force" in ready.json["attention"]["policy"]
    (served.policy / "all.rego").write_text(DENY)
    until(lambda: is_denied(served), "a good policy after a broken one is not loaded", within_s=5 * DECIDED_S)
    assert "policy" not in wire.request(f"{served.people_url}/readyz").json["attention"]


def test_a_new_file_with_a_package_of_its_own_takes_part(served):
    (served.policy / "team.rego").write_text(DENY.replace("rules.all", "rules.team"))
    until(lambda: is_denied(served), "the new package does not decide", within_s=5 * DECIDED_S)
    (served.policy / "team.rego").unlink()
    until(lambda: not is_denied(served), "the removed package still decides", within_s=5 * DECIDED_S)


def test_an_editor_that_renames_over_the_file_is_noticed(served):
    beside = served.policy / ".all.rego.tmp"
    beside.write_text(DENY)
    beside.rename(served.policy / "all.rego")
    until(lambda: is_denied(served), "the renamed file is not loaded", within_s=5 * DECIDED_S)


def test_calls_under_way_while_policy_changes_all_get_an_answer(served):
    file = served.policy / "all.rego"
    answers = []
    for number in range(40):
        if number % 10 == 0:
            file.write_text(DENY if number % 20 else ALLOW_ALL)
        answers.append(served.call("tools__echo", {"text": str(number)}))
    assert {answer.status for answer in answers} == {200}
    assert all("result" in answer.json for answer in answers)
