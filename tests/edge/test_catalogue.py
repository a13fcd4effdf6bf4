"""What is offered, to whom, under which names (abuse cases 42 to 46)."""

from __future__ import annotations

import json

import pytest

from tests.edge.raw import legacy_message, modern_message, sentinel


@pytest.mark.abuse(42)
@pytest.mark.parametrize(
    "tool", ["none", "Twin", "twin", "remote", "split", "no name\u200b", "x" * 200, "", "../echo", "echo\n"]
)
def test_a_tool_that_is_not_offered_cannot_be_called(gateway, tool):
    assert gateway.tool_names() == {"tools__echo", "tools__region", "tools__slow"}, (
        "what policy denies is not shown"
    )
    with gateway.unharmed("unknown_tool"):
        for path, name in (("/mcp", f"tools__{tool}"), ("/s/tools/mcp", tool)):
            encoded = sentinel(name)
            answer = gateway.ask(
                modern_message(params={"name": name, "arguments": {}}),
                path=path,
                headers=(("Mcp-Name", encoded),),
            )
            assert (answer.status, answer.error, answer.code) == (400, -32602, "unknown_tool")


@pytest.mark.abuse(42)
def test_text_that_could_not_be_a_name_is_not_recorded_as_one(gateway):
    entries = len(gateway.records())
    params = {"name": "n" * 100_000, "arguments": {}}
    with gateway.unharmed("unknown_tool"):
        answer = gateway.ask(modern_message(params=params), path="/s/tools/mcp", headers=(("Mcp-Name", "x"),))
        assert answer.status == 400
        session, _ = gateway.initialize(path="/s/tools/mcp")
        legacy = legacy_message(params=params)
        assert gateway.legacy(legacy, session, path="/s/tools/mcp").error == -32602
    written = gateway.records()[entries:]
    assert all(len(json.dumps(record)) < 4000 for record in written)
    assert not any("nnnn" in str(record.get("tool")) for record in written)


@pytest.mark.abuse(42)
@pytest.mark.abuse(114)
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("resources/read", {"uri": "note://canary-secret"}),
        ("resources/subscribe", {"uri": "note://canary-secret"}),
        ("completion/complete", {"ref": {"type": "ref/resource", "uri": "note:canary-secret"}}),
    ],
    ids=lambda one: str(one)[:50],
)
def test_what_only_the_agent_wrote_stays_out_of_the_log(world, method, params):
    session, _ = world.gateway.initialize(path="/s/new/mcp")
    if method == "completion/complete":
        params = params | {"argument": {"name": "canary-secret", "value": "canary-secret"}}
    entries = len(world.gateway.records())
    with world.gateway.unharmed_calls():
        world.gateway.legacy(legacy_message(method, params), session, path="/s/new/mcp")
    kinds = {record["kind"] for record in world.gateway.records()[entries:]}
    assert kinds & {"intent", "refusal"}
    assert "canary-secret" not in json.dumps(world.gateway.records()[entries:])
    assert "canary-secret" not in world.gateway.log.read_text()


@pytest.mark.abuse(42)
def test_a_denied_tool_says_why_and_is_not_forwarded(gateway):
    with gateway.unharmed("never"):
        result = gateway.call("denied").json["result"]
        assert result["isError"]
        assert "never" in result["content"][0]["text"]


@pytest.mark.abuse(45)
@pytest.mark.parametrize(
    "name",
    [
        "echo",
        "tools/echo",
        "tools_echo",
        "tools___echo",
        "__echo",
        "tools__",
        "TOOLS__echo",
        "tools__tools__echo",
    ],
)
def test_another_spelling_of_a_name_is_another_tool(gateway, name):
    with gateway.unharmed("unknown_tool"):
        assert gateway.ask(modern_message(params={"name": name, "arguments": {}})).code == "unknown_tool"


@pytest.mark.abuse(46)
def test_names_that_can_be_mixed_up_are_refused_and_recorded(gateway):
    refused = {
        item["name"]: item["code"]
        for record in gateway.records()
        if record["kind"] == "catalogue"
        for item in record["refused"]
    }
    assert refused["Twin"] == refused["twin"] == "definition_look_alike"
    assert refused["no name\u200b"] == "definition_name"
    assert refused["remote"] == "definition_schema"
    assert refused["split"] == "definition_header"
