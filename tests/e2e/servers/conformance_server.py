"""The tool server that MCP's conformance suite asks for, in both protocol eras: ``conformance_server.py PORT``.

Names, texts and URIs are the suite's; how they come about is in ``conformance/``.
"""

from __future__ import annotations

import socket
import sys
import warnings
from typing import Any

import jsonschema
import mcp_types as types
import uvicorn
from conformance import asking_tools, changing_tools, plain_tools, prompts, resources
from conformance.audience import AUDIENCE
from conformance.catalogue import PROMPTS, TOOLS
from conformance.exchange import Exchange, Failed, InputNeeded
from conformance.resumption import SentEvents
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

DEFINED_IN = (plain_tools, asking_tools, changing_tools, prompts)
"""Importing these has filled the tables."""

NAME = "conformance-fixture"
FIRST = "test_simple_text"
RETRY_MS = 100


class FixtureServer(Server[Any]):
    """Says in the older era too that its lists change; in the newer one that follows from the methods."""

    def create_initialization_options(self, *_: Any, **rest: Any) -> Any:
        return super().create_initialization_options(
            NotificationOptions(prompts_changed=True, tools_changed=True), **rest
        )


async def list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
    # The suite calls whichever comes first, without arguments, to see how headers are read.
    tools = sorted(TOOLS.values(), key=lambda one: one.name != FIRST)
    return types.ListToolsResult(tools=[one.definition for one in tools])


async def call_tool(ctx: Any, params: types.CallToolRequestParams) -> Any:
    if params.name not in TOOLS:
        raise MCPError(types.INVALID_PARAMS, f"no tool is called {params.name}")
    tool = TOOLS[params.name]
    exchange = Exchange.of(ctx, params)
    try:
        jsonschema.validate(dict(exchange.arguments), tool.schema)
        done = await tool.run(exchange)
    except InputNeeded as needed:
        return needed.result
    except (Failed, jsonschema.ValidationError) as error:
        text = error.message if isinstance(error, jsonschema.ValidationError) else str(error)
        return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)
    return types.CallToolResult(content=[types.TextContent(text=done)] if isinstance(done, str) else done)


async def list_prompts(ctx: Any, params: Any) -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=[one.definition for one in PROMPTS.values()])


async def get_prompt(ctx: Any, params: types.GetPromptRequestParams) -> Any:
    if params.name not in PROMPTS:
        raise MCPError(types.INVALID_PARAMS, f"no prompt is called {params.name}")
    prompt = PROMPTS[params.name]
    if missing := [name for name in prompt.arguments if name not in (params.arguments or {})]:
        raise MCPError(types.INVALID_PARAMS, f"needs {', '.join(missing)}")
    try:
        return types.GetPromptResult(messages=await prompt.run(Exchange.of(ctx, params)))
    except InputNeeded as needed:
        return needed.result


async def complete(ctx: Any, params: types.CompleteRequestParams) -> types.CompleteResult:
    words = prompts.completions(params.argument.value)
    return types.CompleteResult(completion=types.Completion(values=words, total=len(words), has_more=False))


async def list_resources(ctx: Any, params: Any) -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=resources.RESOURCES)


async def list_templates(ctx: Any, params: Any) -> types.ListResourceTemplatesResult:
    return types.ListResourceTemplatesResult(resource_templates=resources.TEMPLATES)


async def read_resource(ctx: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    return resources.read(str(params.uri), modern=ctx.protocol_version in MODERN_PROTOCOL_VERSIONS)


async def subscribe(ctx: Any, params: types.SubscribeRequestParams) -> types.EmptyResult:
    if session := AUDIENCE.session(ctx):
        session.uris.add(str(params.uri))
    return types.EmptyResult()


async def unsubscribe(ctx: Any, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
    if session := AUDIENCE.session(ctx):
        session.uris.discard(str(params.uri))
    return types.EmptyResult()


async def set_level(ctx: Any, params: types.SetLevelRequestParams) -> types.EmptyResult:
    if session := AUDIENCE.session(ctx):
        session.level = params.level
    return types.EmptyResult()


async def remember_session(ctx: Any, call_next: Any) -> Any:
    """Middleware: whom to tell when a list changes."""
    AUDIENCE.session(ctx)
    return await call_next(ctx)


def build() -> FixtureServer:
    """The server with everything it offers."""
    server = FixtureServer(
        NAME,
        version="1.0",
        get_tool_input_schema=lambda name: TOOLS[name].schema if name in TOOLS else None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=complete,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=subscribe,
        on_unsubscribe_resource=unsubscribe,
        on_set_logging_level=set_level,
        on_subscriptions_listen=ListenHandler(AUDIENCE.bus),
    )
    server.middleware.append(remember_session)
    server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=NAME))
    return server


def main(port: int) -> None:
    """Serve until told to end."""
    # Logging, sampling and roots are on their way out; that they still work is the point here.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    app = build().streamable_http_app(event_store=SentEvents(), retry_interval=RETRY_MS)
    listening = socket.create_server(("127.0.0.1", port), backlog=512)
    # h11, because httptools leaves the blanks after a header's value in it.
    config = uvicorn.Config(
        app, http="h11", log_level="critical", access_log=False, timeout_graceful_shutdown=1
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(int(sys.argv[1]))
