"""What is certain to be denied whatever the unknown members are: never more than that."""

from __future__ import annotations

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.engines.embedded import EmbeddedEngine
from policies.engines.release import TRIAL_REQUEST, build_release
from policies.errors import PolicyAnswerMalformed

BOTH = [pytest.param("opa", marks=pytest.mark.needs("opa")), pytest.param("regopy")]
UNKNOWN = ("/arguments", "/context/workflow", "/context/time")

POLICY = """package toolgate.rules.certain

import rego.v1

allow if input.tool.name in {"open", "small", "late", "stepped", "walked", "kept", "passed"}

deny contains "never" if input.tool.name == "closed"

deny contains "large" if {
	input.tool.name == "small"
	input.arguments.amount > 100
}

deny contains "amount" if {
	input.tool.name == "strict"
	not small
}

small if input.arguments.amount <= 100

allow if {
	input.tool.name == "strict"
	small
}

deny contains "night" if {
	input.tool.name == "late"
	not day
}

day if input.context.time.hour > 6

day if time.clock(time.now_ns())[0] > 6

deny contains "step" if {
	input.tool.name == "stepped"
	input.context.workflow.step != "pay"
}

deny contains "secret" if {
	input.tool.name == "walked"
	not clean
}

clean if {
	walk(input, [_, "magic"])
}

deny contains "whole" if {
	input.tool.name == "passed"
	not holds_magic(input)
}

holds_magic(document) if document.arguments.word == "magic"

hold contains {"code": "ask", "by": "lead"} if input.tool.name == "held"
"""

AFTERWARDS = """
on_result contains {"code": "mask", "do": "redact", "kind": "email"} if input.arguments.word == "magic"

on_call contains {"code": "crm", "do": "restore", "kind": "email"} if {
	walk(input, [_, "magic"])
	input.context.workflow.step == "pay"
	time.clock(time.now_ns())[0] < 6
}

on_call contains {"code": "always", "do": "restore", "kind": "phone"}

on_call contains {"code": "misspelt", "do": "restore", "knid": "phone"} if input.tool.name == "misspelt"
"""

CERTAIN = {"closed", "unheard_of"}
POSSIBLE = {"open", "small", "strict", "late", "stepped", "walked", "passed", "held"}


def document(name, **changes):
    made = copy.deepcopy(dict(TRIAL_REQUEST))
    made["tool"] = {"id": f"up/{name}", "server": "up", "name": name}
    made["resource"] |= {"id": f"up/{name}", "server": "up", "name": name}
    return made | changes


@pytest.fixture(scope="module", params=BOTH)
def release(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("certain")
    (folder / "certain.rego").write_text(POLICY)
    return build_release(folder, compiler=request.param)


@pytest.fixture(scope="module", params=BOTH)
def afterwards(request, tmp_path_factory):
    """The same policy with more to do about the result and the arguments."""
    folder = tmp_path_factory.mktemp("afterwards")
    (folder / "certain.rego").write_text(POLICY + AFTERWARDS)
    return build_release(folder, compiler=request.param)


def rules_out(release, name):
    return release.rules_out(document(name), unknown=UNKNOWN, steps_max=20_000)


def test_what_no_circumstance_can_open_is_ruled_out(release):
    assert {name for name in CERTAIN | POSSIBLE if rules_out(release, name)} == CERTAIN


def test_what_is_done_to_results_and_arguments_changes_no_list(afterwards):
    names = CERTAIN | POSSIBLE | {"misspelt"}
    assert {name for name in names if rules_out(afterwards, name)} == CERTAIN | {"misspelt"}
    # The control: it is said, and what is malformed is no verdict, so a call is denied.
    assert [one.code for one in afterwards.evaluate(document("open"), steps_max=100_000).restores] == [
        "always"
    ]
    with pytest.raises(PolicyAnswerMalformed):
        afterwards.evaluate(document("misspelt"), steps_max=100_000)


def test_what_cannot_be_evaluated_is_not_ruled_out(release):
    assert rules_out(release, "closed")
    broken = document("closed")
    del broken["context"]
    assert not release.rules_out(broken, unknown=UNKNOWN, steps_max=20_000)
    assert not release.rules_out(document("closed"), unknown=UNKNOWN, steps_max=1)


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_ruled_out_can_be_allowed_or_held(release, data):
    name = data.draw(st.sampled_from(sorted(CERTAIN | POSSIBLE)))
    made = document(name)
    made["arguments"] = data.draw(
        st.fixed_dictionaries(
            {}, optional={"amount": st.integers(0, 200), "word": st.sampled_from(["magic", "x"])}
        )
    )
    made["context"]["workflow"]["step"] = data.draw(st.sampled_from(["pay", "look"]))
    made["context"]["time"] |= {
        "hour": data.draw(st.integers(0, 23)),
        "unix": data.draw(st.integers(0, 10**9)),
    }
    verdict = release.evaluate(made, steps_max=100_000)
    possible = not verdict.denials and (verdict.allow or bool(verdict.holds))
    assert not (possible and rules_out(release, name))


async def test_an_engine_without_a_policy_rules_nothing_out():
    engine = EmbeddedEngine(workers=0)
    try:
        assert not engine.rules_out(document("closed"), unknown=UNKNOWN)
    finally:
        await engine.aclose()
