"""A real MCP server, restricted to one era: ``sdk_server.py http|stdio modern|legacy [json] [stateless] [port=N]``.

Over HTTP it prints ``ready PORT`` once it accepts connections.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import warnings
from pathlib import Path

import mcp_types as types
import uvicorn
from mcp.server.lowlevel import NotificationOptions
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.runner import serve_loop
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPDeprecationWarning
from pydantic import BaseModel

# Logging is on its way out; that it still works is the point here.
warnings.simplefilter("ignore", MCPDeprecationWarning)

TRANSPORT, ERA = sys.argv[1:3]
FLAGS = set(sys.argv[3:])
PORT = next((int(flag.removeprefix("port=")) for flag in FLAGS if flag.startswith("port=")), 0)

server = MCPServer("fixture", version="1.0", log_level="CRITICAL")
counts: dict[int, int] = {}
levels: dict[int, str] = {}
subscribers: dict[str, list[object]] = {}
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")


def connection(session) -> int:
    return id(session._connection) if hasattr(session, "_connection") else id(session)


@server.tool()
async def echo(text: str, number: float = 0) -> dict[str, object]:
    return {"text": text, "number": number}


@server.tool()
async def count(ctx: Context) -> int:
    """How often this session has called."""
    key = connection(ctx.session)
    counts[key] = counts.get(key, 0) + 1
    return counts[key]


@server.tool()
async def steps(ctx: Context) -> str:
    for step in (1, 2, 3):
        await ctx.report_progress(step, 3, f"step {step}")
    return "done"


@server.tool()
async def fail() -> str:
    raise ValueError("it does not work")


@server.tool()
async def sleep(seconds: float) -> str:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        with Path(os.environ["FIXTURE_LOG"]).open("a") as log:
            log.write("cancelled\n")
        raise
    return "slept"


@server.tool()
async def pid() -> int:
    return os.getpid()


@server.tool()
async def grow(ctx: Context) -> str:
    """Adds a tool and announces it."""
    server.add_tool(pid, name="grown")
    if ERA == "modern":
        await ctx.notify_tools_changed()
    else:
        await ctx.session.send_tool_list_changed()
    return "grown"


@server.tool()
async def say(ctx: Context, words: list[str]) -> str:
    """Logs one word after the other, at rising levels."""
    # In the session era it is the server that keeps to the level that was set.
    least = levels.get(connection(ctx.session), "emergency") if ERA == "legacy" else "debug"
    for level, word in zip(LEVELS, words, strict=False):
        if LEVELS.index(level) >= LEVELS.index(least):
            await ctx.log(level, word)
    return "said"


@server.tool()
async def touch(ctx: Context, uri: str) -> str:
    """Announces that a resource changed."""
    if ERA == "modern":
        await ctx.notify_resource_updated(uri)
    for session in subscribers.get(uri, ()):
        await session.send_resource_updated(uri)
    return "touched"


class Name(BaseModel):
    name: str


@server.tool()
async def ask_name(ctx: Context) -> str:
    answer = await ctx.elicit("Who are you?", Name)
    return answer.data.name if answer.action == "accept" else answer.action


@server.prompt()
async def greet(name: str) -> str:
    return f"Say hello to {name}"


@server.resource("note://one", mime_type="text/plain")
async def note() -> str:
    return "the first note"


@server.resource("note://named/{name}", mime_type="text/plain")
async def named_note(name: str) -> str:
    return f"the note {name}"


@server.completion()
async def complete(ref, argument, context) -> types.Completion:
    return types.Completion(values=[argument.value + "na", argument.value + "ton"])


async def subscribe(ctx, params: types.SubscribeRequestParams) -> types.EmptyResult:
    subscribers.setdefault(str(params.uri), []).append(ctx.session)
    return types.EmptyResult()


async def unsubscribe(ctx, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
    subscribers.pop(str(params.uri), None)
    return types.EmptyResult()


async def set_level(ctx, params: types.SetLevelRequestParams) -> types.EmptyResult:
    levels[connection(ctx.session)] = params.level
    return types.EmptyResult()


if ERA == "legacy":
    low = server._lowlevel_server
    low.add_request_handler("resources/subscribe", types.SubscribeRequestParams, subscribe)
    low.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, unsubscribe)
    low.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_level)


class OneEra:
    """Answers the other era as a server does that never heard of it."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            modern = headers.get(b"mcp-protocol-version") == b"2026-07-28"
            if modern != (ERA == "modern"):
                body = (
                    b'{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Bad Request"}}'
                )
                await send(
                    {
                        "type": "http.response.start",
                        "status": 400,
                        "headers": [(b"content-type", b"application/json")],
                    }
                )
                await send({"type": "http.response.body", "body": body})
                return
        await self.app(scope, receive, send)


async def serve_stdio() -> None:
    low = server._lowlevel_server
    options = low.create_initialization_options(NotificationOptions(tools_changed=True))
    async with stdio_server() as (reader, writer):
        if ERA == "modern":
            await low.run(reader, writer, options)
            return
        async with low.lifespan(low) as state:
            await serve_loop(low, reader, writer, lifespan_state=state, init_options=options)


def serve_http() -> None:
    low = server._lowlevel_server
    create = low.create_initialization_options
    low.create_initialization_options = lambda *a, **k: create(NotificationOptions(tools_changed=True))
    app = OneEra(
        server.streamable_http_app(json_response="json" in FLAGS, stateless_http="stateless" in FLAGS)
    )
    listening = socket.create_server(("127.0.0.1", PORT))
    print("ready", listening.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listening])


if TRANSPORT == "stdio":
    asyncio.run(serve_stdio())
else:
    serve_http()
