"""The client that the conformance suite tests: an agent with a gateway in between, which is what is really tested.

``conformance_agent.py URL`` starts a gateway with the suite's server as its upstream and does through it what the
scenario named by MCP_CONFORMANCE_SCENARIO wants to see. It ends by itself in time: the suite would only end the
shell around it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mcp_types as types
from e2e_kit import wire
from e2e_kit.gateways import GatewayProcess
from mcp import Client
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError

warnings.simplefilter("ignore", MCPDeprecationWarning)

WORK_S = 25.0
ROUTE = "/s/suite/mcp"
GRANTS = ["sampling", "elicitation", "roots"]


async def fill_in(context, params):
    """The person accepts the form as it is: every field has its default, or the answer yes."""
    fields = params.requested_schema["properties"]
    content = {name: field.get("default", True) for name, field in fields.items()}
    return types.ElicitResult(action="accept", content=content)


async def think(context, params):
    """The model."""
    return types.CreateMessageResult(role="assistant", content=types.TextContent(text="well"), model="none")


async def roots(context):
    """The folders."""
    return types.ListRootsResult(roots=[types.Root(uri="file:///nowhere")])


def connected(url, *, legacy, elicit=fill_in):
    """An agent that can do whatever an upstream may ask for."""
    return Client(
        url,
        mode="legacy" if legacy else "2026-07-28",
        elicitation_callback=elicit,
        sampling_callback=think,
        list_roots_callback=roots,
    )


async def look(url, legacy, context):
    """List the tools."""
    async with connected(url, legacy=legacy) as agent:
        await agent.list_tools()


async def add(url, legacy, context):
    async with connected(url, legacy=legacy) as agent:
        await agent.list_tools()
        await agent.call_tool("add_numbers", {"a": 5, "b": 3})


async def use_everything(url, legacy, context):
    """Each list, and everything on it."""
    async with connected(url, legacy=legacy) as agent:
        for tool in (await agent.list_tools()).tools:
            await agent.call_tool(tool.name, {})
        for resource in (await agent.list_resources()).resources:
            await agent.read_resource(resource.uri)
        for prompt in (await agent.list_prompts()).prompts:
            await agent.get_prompt(prompt.name)


async def call_as_told(url, legacy, context):
    """The calls that the scenario names."""
    async with connected(url, legacy=legacy) as agent:
        await agent.list_tools()
        for call in context["toolCalls"]:
            # Null where the schema says boolean does not pass the gateway. Leaving the argument out is the other
            # half of what the scenario is about.
            given = {name: value for name, value in call["arguments"].items() if value is not None}
            await agent.call_tool(call["name"], given)


async def call_whatever_is_offered(url, legacy, context):
    """Every tool that the gateway lists, without a library in between that would leave some out by itself."""
    for tool in wire.modern(url, "tools/list").json["result"]["tools"]:
        fields = tool["inputSchema"]["properties"]
        headers = {f"Mcp-Param-{field['x-mcp-header']}": "some" for field in fields.values()}
        wire.call(url, tool["name"], dict.fromkeys(fields, "some"), headers=headers)


async def look_up(url, legacy, context):
    """A call too, so that the schema is not only listed but used; the suite's server cannot answer it."""
    async with connected(url, legacy=legacy) as agent:
        await agent.list_tools()
        with contextlib.suppress(MCPError):
            await agent.call_tool("lookup_user", {"id": "ana", "profile": {}})


async def echo_schema(url, legacy, context):
    """Send the schema that arrived here back as an argument."""
    async with connected(url, legacy=legacy) as agent:
        tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
        arrived = tools["json_schema_2020_12_tool"].input_schema
        await agent.call_tool("json_schema_echo", {"schema": arrived})


async def come_back(url, legacy, context):
    async with connected(url, legacy=legacy) as agent:
        await agent.list_tools()
        await agent.call_tool("test_reconnection", {})


async def answer_questions(url, legacy, context):
    """Calls that need a second round, with another call in the middle of it."""

    async def elicit(context, params):
        await agent.call_tool("test_mrtr_unrelated", {})
        return await fill_in(context, params)

    async with connected(url, legacy=legacy, elicit=elicit) as agent:
        await agent.list_tools()
        for name in ("test_mrtr_echo_state", "test_mrtr_no_state", "test_mrtr_no_result_type"):
            await agent.call_tool(name, {})


async def accept_defaults(url, legacy, context):
    async with connected(url, legacy=legacy) as agent:
        await agent.list_tools()
        await agent.call_tool("test_client_elicitation_defaults", {})


SCENARIOS = {
    "initialize": look,
    "tools_call": add,
    "sse-retry": come_back,
    "elicitation-sep1034-client-defaults": accept_defaults,
    "http-standard-headers": use_everything,
    "http-custom-headers": call_as_told,
    "http-invalid-tool-headers": call_whatever_is_offered,
    "request-metadata": look,
    "json-schema-ref-no-deref": look_up,
    "json-schema-2020-12-preservation": echo_schema,
    "sep-2322-client-request-state": answer_questions,
}


async def main(url):
    work = SCENARIOS[os.environ["MCP_CONFORMANCE_SCENARIO"]]
    legacy = os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"] != wire.MODERN
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    upstreams = {"suite": {"url": url, "grants": GRANTS}}
    with tempfile.TemporaryDirectory() as folder:
        gateway = GatewayProcess(Path(folder), upstreams=upstreams, anonymous="allow")
        try:
            gateway.start()
            await asyncio.wait_for(work(gateway.url + ROUTE, legacy, context), WORK_S)
        except BaseException:
            print(gateway.stderr[-4000:], file=sys.stderr)
            raise
        finally:
            # Also one that never became ready: nobody else would end it.
            gateway.__exit__()


asyncio.run(main(sys.argv[-1]))
