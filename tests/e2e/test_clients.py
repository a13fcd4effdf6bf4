"""Every client library before every kind of tool server: what an agent sees through the gateway."""

from __future__ import annotations

import pytest
from e2e_kit.agents import client_kinds

UPSTREAMS = ("http_modern", "http_legacy", "stdio_modern", "stdio_legacy")


@pytest.fixture(params=client_kinds())
def kind(request):
    return request.param


@pytest.fixture(params=UPSTREAMS)
def upstream(request):
    return request.param


def test_the_aggregate_route_lists_every_upstream_under_its_prefix(agent, kind):
    names = set(agent(kind).tools())
    for upstream in UPSTREAMS:
        assert {f"{upstream}__echo", f"{upstream}__add", f"{upstream}__slow"} <= names


def test_an_upstreams_own_route_lists_its_tools_by_their_own_names(agent, kind, upstream):
    tools = agent(kind, f"/s/{upstream}/mcp").tools()
    assert {"echo", "add", "slow", "fail", "held"} <= set(tools)
    assert "forbidden" not in tools, "what policy denies whatever it is called with is not shown"
    assert [name for name in tools if "__" in name] == ["toolgate__approval_wait"], "the gateway's own"
    assert tools["add"]["inputSchema"]["required"] == ["a", "b"]


def test_an_allowed_call_returns_what_the_tool_returned(agent, kind, upstream):
    arguments = {"text": "grün 🌱", "number": 1.5, "nested": {"deep": [1, {"er": None}]}}
    called = agent(kind).call(f"{upstream}__echo", arguments)
    assert not called.is_error
    assert called.result["structuredContent"] == arguments
    own_name = agent(kind, f"/s/{upstream}/mcp").call("add", {"a": 40, "b": 2})
    assert own_name.result["structuredContent"] == {"result": 42}


def test_a_denied_call_names_the_rule_and_what_would_pass(agent, kind, upstream, run_log):
    before = run_log.count("forbidden")
    called = agent(kind).call(f"{upstream}__forbidden", {"why": "no reason"})
    assert called.is_error
    assert "DENIED by policy, not executed" in called.text
    assert "never_this_one" in called.text
    assert "toolgate.rules.e2e" in called.text
    assert "What would pass: the tool echo" in called.text
    assert run_log.count("forbidden") == before


def test_a_held_call_says_that_it_was_not_executed(agent, kind, run_log):
    called = agent(kind).call("http_modern__held")
    assert called.is_error
    assert "NOT EXECUTED: this call waits for a person's approval" in called.text
    assert "a_person_decides" in called.text
    assert run_log.count("held") == 0


def test_arguments_that_do_not_fit_the_schema_are_a_tool_error_that_the_model_reads(
    agent, kind, upstream, run_log
):
    before = run_log.count("add")
    called = agent(kind).call(f"{upstream}__add", {"a": "one", "b": 2})
    assert called.is_error
    assert "NOT EXECUTED" in called.text
    assert "/a:" in called.text
    assert run_log.count("add") == before


def test_an_unknown_tool_is_invalid_params(agent, kind):
    for name in ("http_modern__no_such_tool", "no_such_upstream__echo", "echo"):
        called = agent(kind).call(name)
        assert called.error["code"] == -32602
        assert called.error["data"]["code"] == "unknown_tool"


def test_progress_of_the_tool_arrives_before_its_answer(agent, kind, upstream):
    tag = f"progress-{kind}-{upstream}"
    called = agent(kind).call(f"{upstream}__slow", {"seconds": 0.05, "tag": tag})
    assert called.text == f"slept {tag}"
    assert called.progress[0] == [1, 2, f"{tag} begins"]


def test_a_cancelled_call_is_cancelled_at_the_tool(agent, kind, upstream, run_log):
    tag = f"cancel-{kind}-{upstream}"
    caller = agent(kind)
    running = caller.start(f"{upstream}__slow", {"seconds": 20, "tag": tag}, key=tag)
    run_log.wait("slow begins", tag)
    caller.cancel(tag)
    assert running.result(15).cancelled
    run_log.wait("slow cancelled", tag)
    assert run_log.count("slow done", tag) == 0


def test_a_tool_error_of_the_upstream_is_passed_on(agent, kind, upstream):
    called = agent(kind).call(f"{upstream}__fail", {"reason": "the machine is on fire"})
    assert called.is_error
    assert "the machine is on fire" in called.text


def test_a_json_rpc_error_of_the_upstream_is_passed_on(agent, kind, upstream):
    called = agent(kind).call(f"{upstream}__refuse")
    assert called.error["code"] == -32042
    assert "the fixture refuses" in called.error["message"]
    assert called.error["data"] == {"why": "it was told to"}
