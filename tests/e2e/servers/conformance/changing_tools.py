"""Tools that change what the server offers, and say so."""

from __future__ import annotations

import itertools

from conformance.audience import AUDIENCE
from conformance.catalogue import PROMPTS, TOOLS, FixturePrompt, FixtureTool, tool
from conformance.exchange import Exchange
from conformance.prompts import said
from conformance.resources import WATCHED, touch
from mcp.server.subscriptions import PromptsListChanged, ResourceUpdated, ToolsListChanged
from mcp_types import PromptMessage

CHANGING = "test_changing"

_changes = itertools.count(1)


async def _changing_tool(exchange: Exchange) -> str:
    return "never the same"


async def _changing_prompt(exchange: Exchange) -> list[PromptMessage]:
    return [said("never the same")]


# Each time is a difference from every list before, so that it can be missed neither by whoever compares two
# lists nor by whoever hears of several changes as one.
@tool("test_trigger_tool_change", "Changes one tool of the list.")
async def change_tools(exchange: Exchange) -> str:
    TOOLS[CHANGING] = FixtureTool(CHANGING, f"After change {next(_changes)}.", _changing_tool)
    await AUDIENCE.announce(ToolsListChanged())
    return TOOLS[CHANGING].about


@tool("test_trigger_prompt_change", "Changes one prompt of the list.")
async def change_prompts(exchange: Exchange) -> str:
    PROMPTS[CHANGING] = FixturePrompt(CHANGING, f"After change {next(_changes)}.", _changing_prompt)
    await AUDIENCE.announce(PromptsListChanged())
    return PROMPTS[CHANGING].about


@tool("test_touch_watched_resource", f"Changes {WATCHED}, and tells those who watch it.")
async def change_resource(exchange: Exchange) -> str:
    text = touch()
    await AUDIENCE.announce(ResourceUpdated(WATCHED))
    return text
