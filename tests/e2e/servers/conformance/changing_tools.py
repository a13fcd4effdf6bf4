"""Tools that change what the server offers, and say so."""

from __future__ import annotations

from conformance.audience import AUDIENCE
from conformance.catalogue import PROMPTS, TOOLS, FixturePrompt, FixtureTool, tool
from conformance.exchange import Exchange
from conformance.prompts import said
from conformance.resources import WATCHED, touch
from mcp.server.subscriptions import PromptsListChanged, ResourceUpdated, ToolsListChanged
from mcp_types import PromptMessage

COMES_AND_GOES = "test_comes_and_goes"


async def _temporary_tool(exchange: Exchange) -> str:
    return "here for now"


async def _temporary_prompt(exchange: Exchange) -> list[PromptMessage]:
    return [said("here for now")]


# Announced and real: whoever compares the lists before and after finds a difference.
@tool("test_trigger_tool_change", "Adds a tool to the list, or takes it away again.")
async def change_tools(exchange: Exchange) -> str:
    if TOOLS.pop(COMES_AND_GOES, None) is None:
        TOOLS[COMES_AND_GOES] = FixtureTool(COMES_AND_GOES, "Not always there.", _temporary_tool)
    await AUDIENCE.announce(ToolsListChanged())
    return f"there are {len(TOOLS)} tools now"


@tool("test_trigger_prompt_change", "Adds a prompt to the list, or takes it away again.")
async def change_prompts(exchange: Exchange) -> str:
    if PROMPTS.pop(COMES_AND_GOES, None) is None:
        PROMPTS[COMES_AND_GOES] = FixturePrompt(COMES_AND_GOES, "Not always there.", _temporary_prompt)
    await AUDIENCE.announce(PromptsListChanged())
    return f"there are {len(PROMPTS)} prompts now"


@tool("test_touch_watched_resource", f"Changes {WATCHED}, and tells those who watch it.")
async def change_resource(exchange: Exchange) -> str:
    text = touch()
    await AUDIENCE.announce(ResourceUpdated(WATCHED))
    return text
