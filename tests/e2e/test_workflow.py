"""What a caller says about its workflow reaches policy and the log."""

from __future__ import annotations

import pytest
from e2e_kit import wire
from e2e_kit.agents import Agent
from e2e_kit.gateways import ANA

POLICY = """\
package toolgate.rules.steps

import rego.v1

allow if input.context.workflow.step == "pay"

deny contains {"code": "not_verified_either", "message": "claims to be verified"} if input.context.workflow.verified

deny contains {
	"code": "wrong_step",
	"message": sprintf("step %v of %v, attempt %v, model %v", [
		input.context.workflow.step,
		input.context.workflow.id,
		input.context.workflow.attempt,
		input.context.workflow.model,
	]),
	"would_pass": "step pay",
} if {
	input.context.workflow.step != "pay"
}
"""

HEADERS = {
    "Toolgate-Workflow-Id": "refund-7",
    "Toolgate-Step": "pay",
    "Toolgate-Attempt": "2",
    "Toolgate-Idempotency-Key": "k-1",
    "Toolgate-Model": "small-1",
}
SAID = {
    "id": "refund-7",
    "step": "pay",
    "attempt": 2,
    "idempotency_key": "k-1",
    "model": "small-1",
    "verified": False,
}


@pytest.fixture(scope="module")
def stepped(tmp_path_factory, http_servers):
    from e2e_kit.gateways import GatewayProcess

    upstreams = {"tools": {"url": http_servers["modern"].url}}
    with GatewayProcess(
        tmp_path_factory.mktemp("stepped"), upstreams=upstreams, policy={"steps.rego": POLICY}
    ) as process:
        process.offers("tools__echo")
        yield process


@pytest.mark.parametrize("kind", ["sdk2-modern", "sdk2-legacy", "fastmcp"])
def test_headers_decide_and_are_recorded(stepped, clients, kind):
    route = f"{stepped.url}/mcp"
    with Agent(clients(kind), url=route, token=ANA, headers=HEADERS) as agent:
        assert not agent.call("tools__echo", {"text": kind}).is_error
    assert stepped.entries("intent")[-1]["workflow"] == SAID
    with Agent(clients(kind), url=route, token=ANA, headers={**HEADERS, "Toolgate-Step": "look"}) as agent:
        assert (
            "step look of refund-7, attempt 2, model small-1"
            in agent.call("tools__echo", {"text": kind}).text
        )
    intent = stepped.entries("intent")[-1]
    assert (intent["effect"], intent["workflow"]["step"]) == ("deny", "look")


@pytest.mark.parametrize("kind", ["sdk2-modern", "sdk2-legacy"])
def test_members_of_the_request_win_over_headers(stepped, clients, kind):
    with Agent(
        clients(kind), url=f"{stepped.url}/mcp", token=ANA, headers={"Toolgate-Step": "look"}
    ) as agent:
        assert agent.call("tools__echo", {"text": "x"}).is_error
        meta = {"dev.toolgate/step": "pay", "dev.toolgate/workflow-id": "w-9", "dev.toolgate/attempt": 3}
        assert not agent.call("tools__echo", {"text": "x"}, meta=meta).is_error
    workflow = stepped.entries("intent")[-1]["workflow"]
    assert (workflow["id"], workflow["step"], workflow["attempt"]) == ("w-9", "pay", 3)


def test_nobody_can_call_a_workflow_verified(stepped):
    meta = {"dev.toolgate/step": "pay", "dev.toolgate/verified": True}
    assert (
        not wire.call(
            f"{stepped.url}/mcp",
            "tools__echo",
            {"text": "x"},
            token=ANA,
            meta=meta,
            headers={"Toolgate-Verified": "true"},
        )
        .json["result"]
        .get("isError")
    )
    assert stepped.entries("intent")[-1]["workflow"]["verified"] is False


@pytest.mark.parametrize("headers", [{"Toolgate-Attempt": "many"}, {"Toolgate-Step": "x" * 300}])
def test_a_workflow_that_is_not_well_formed_is_invalid_params(stepped, headers):
    reply = wire.call(f"{stepped.url}/mcp", "tools__echo", {"text": "x"}, token=ANA, headers=headers)
    assert reply.json["error"]["code"] == -32602


def test_without_any_word_of_a_workflow_the_record_has_none(stepped):
    assert "wrong_step" in wire.text_of(
        wire.call(f"{stepped.url}/mcp", "tools__echo", {"text": "x"}, token=ANA)
    )
    assert "workflow" not in stepped.entries("intent")[-1]
