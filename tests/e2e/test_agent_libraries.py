"""Agents built with LangChain, the OpenAI Agents SDK and Pydantic AI: what their model reads through the gateway.

They pass on neither progress nor JSON-RPC errors as such, so they have tests of their own beside test_clients.py.
"""

from __future__ import annotations

import json

import pytest
from e2e_kit.agents import LIBRARIES
from e2e_kit.wire import MODERN

pytestmark = pytest.mark.needs("agent-libraries")

UPSTREAMS = ("http_modern", "http_legacy", "stdio_modern", "stdio_legacy")


@pytest.fixture(params=LIBRARIES)
def library(request):
    return request.param


@pytest.fixture(params=UPSTREAMS)
def upstream(request):
    return request.param


def test_the_tools_of_every_upstream_are_listed_with_their_schemas(agent, library):
    tools = agent(library).tools()
    for upstream in UPSTREAMS:
        assert {f"{upstream}__echo", f"{upstream}__add", f"{upstream}__slow"} <= set(tools)
    assert tools["http_modern__add"]["inputSchema"]["required"] == ["a", "b"]


@pytest.mark.parametrize("library", ["openai-agents", "pydantic-ai"])
def test_a_library_on_the_newest_sdk_speaks_the_newest_revision(agent, library):
    assert agent(library).version == MODERN


def test_the_model_reads_what_the_tool_returned(agent, library, upstream):
    read = agent(library).call(f"{upstream}__echo", {"text": "grün 🌱", "number": 1.5})
    assert json.loads(read.text) == {"text": "grün 🌱", "number": 1.5, "nested": None}


def test_an_upstreams_own_route_works_with_the_tools_own_names(agent, library):
    assert "slept own" in agent(library, "/s/http_legacy/mcp").call("slow", {"seconds": 0, "tag": "own"}).text


def test_the_model_reads_which_rule_denied_the_call_and_the_run_goes_on(agent, library, upstream, run_log):
    read = agent(library).call(f"{upstream}__echo", {"text": "the forbidden words"})
    assert read.text.startswith(
        "DENIED by policy, not executed. Rule never_these_words in toolgate.rules.e2e"
    )
    assert "What would pass: other words" in read.text
    assert run_log.count("echo", "the forbidden words") == 0
    assert "still there" in agent(library).call(f"{upstream}__echo", {"text": "still there"}).text


def test_the_model_reads_that_a_held_call_was_not_executed(agent, library, run_log):
    read = agent(library).call("http_modern__held")
    assert read.text.startswith("NOT EXECUTED: this call waits for a person's approval")
    assert run_log.count("held") == 0


def test_the_model_reads_the_error_of_the_tool(agent, library, upstream):
    read = agent(library).call(f"{upstream}__fail", {"reason": "the machine is on fire"})
    assert "the machine is on fire" in read.text
    if library != "openai-agents":  # It gives its model the text alone.
        assert read.is_error


def test_arguments_that_do_not_fit_do_not_reach_the_tool(agent, library, run_log):
    caller, before = agent(library), run_log.count("add")
    read = caller.call("http_modern__add", {"a": "one", "b": 2})
    assert "do not match its input schema" in read.text, "the model reads what to mend"
    assert run_log.count("add") == before
    assert "42" in caller.call("http_modern__add", {"a": 40, "b": 2}).text
    assert run_log.count("add") == before + 1


def test_another_token_gets_no_tools(agent, library):
    with pytest.raises(AssertionError, match=r"no valid access token|401 Unauthorized"):
        agent(library, token="somebody-elses").tools()
