"""A tool server's list changes: agents of both eras are told, and find the new tool."""

from __future__ import annotations

import pytest
from e2e_kit.agents import client_kinds

# One notice may wait for the pause that keeps a storm of changes from becoming a storm of listings.
TOLD_S = 20


# Each with an upstream of its own turn, so that no test waits for the pause after another's change.
# FastMCP's client opens no subscription in the modern era, so there it cannot hear of a change.
PAIRS = {
    "sdk2-modern": "http_modern",
    "sdk2-legacy": "http_legacy",
    "fastmcp-legacy": "stdio_modern",
    "sdk1": "stdio_legacy",
    "typescript-v2": "http_modern",
    "typescript-v1": "http_legacy",
}


@pytest.mark.parametrize("kind", [kind for kind in client_kinds() if kind.values[0] in PAIRS])
def test_an_agent_hears_that_the_list_changed_and_can_call_the_new_tool(agent, shared, kind):
    upstream = PAIRS[kind]
    name = f"grown_for_{kind}".replace("-", "_")
    whole, own = agent(kind), agent(kind, f"/s/{upstream}/mcp")
    assert name not in own.tools()
    told = [one.change() for one in (whole, own)]
    assert whole.call(f"{upstream}__grow", {"name": name}).text == "grown"
    for notice in told:
        assert notice.result(TOLD_S) is True
    assert f"{upstream}__{name}" in whole.tools()
    assert own.call(name).text == name
    assert any(
        name in entry["added"] for entry in shared.entries("catalogue") if entry["upstream"] == upstream
    )


def test_an_agent_on_another_upstreams_route_hears_nothing(agent):
    kind = "sdk2-legacy"
    other, own = agent(kind, "/s/http_legacy/mcp"), agent(kind, "/s/stdio_modern/mcp")
    not_told, told = other.change(), own.change()
    own.call("grow", {"name": "grown_apart"})
    assert told.result(TOLD_S) is True
    assert not not_told.done()
