"""A tool server on the MCP SDK, held to one era: ``fixture_server.py http|stdio modern|legacy [PORT]``.

Every run of a tool is a line in the file named by FIXTURE_LOG, so that a test can count what really ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.lowlevel import NotificationOptions
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.runner import serve_loop
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types import ToolAnnotations

TRANSPORT, ERA = sys.argv[1:3]
PORT = int(sys.argv[3]) if len(sys.argv) > 3 else 0
MODERN = b"2026-07-28"

server = MCPServer("fixture", version="1.0", log_level="CRITICAL")
sessions: dict[int, Any] = {}


def note(what: str, tag: str = "") -> None:
    """One line, one write: several processes may share the file."""
    with Path(os.environ["FIXTURE_LOG"]).open("a") as log:
        log.write(json.dumps({"ran": what, "tag": tag, "pid": os.getpid()}) + "\n")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def echo(text: str, number: float = 0, nested: dict[str, Any] | None = None) -> dict[str, object]:
    """Give the arguments back."""
    note("echo", text)
    return {"text": text, "number": number, "nested": nested}


@server.tool()
async def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    note("add")
    return a + b


@server.tool()
async def slow(seconds: float, tag: str, ctx: Context) -> str:
    """Take a while; says when it has begun and when it is done."""
    note("slow begins", tag)
    await ctx.report_progress(1, 2, f"{tag} begins")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        note("slow cancelled", tag)
        raise
    await ctx.report_progress(2, 2, f"{tag} done")
    note("slow done", tag)
    return f"slept {tag}"


@server.tool()
async def fail(reason: str) -> str:
    """Always a tool error."""
    note("fail")
    raise ToolError(reason)


@server.tool()
async def refuse() -> str:
    """Always a JSON-RPC error."""
    note("refuse")
    raise MCPError(code=-32042, message="the fixture refuses", data={"why": "it was told to"})


@server.tool()
async def crash() -> str:
    """End the whole server in the middle of the call."""
    note("crash")
    os._exit(1)


@server.tool()
async def big(size: int) -> str:
    """A text of that many characters."""
    return "x" * size


@server.tool()
async def forbidden(why: str = "") -> str:
    """Policy says no."""
    note("forbidden")
    return "this must not be seen"


@server.tool()
async def held() -> str:
    """Policy says: ask a person."""
    note("held")
    return "this must not be seen"


@server.tool()
async def grow(name: str, ctx: Context) -> str:
    """Add a tool and announce that the list changed."""

    async def fresh() -> str:
        return name

    server.add_tool(fresh, name=name)
    if ERA == "modern":
        await ctx.notify_tools_changed()
        return "grown"
    for session in sessions.values():
        # The list is everybody's, so everybody is told; some have gone.
        with contextlib.suppress(Exception):
            await session.send_tool_list_changed()
    return "grown"


async def remember_session(ctx: Any, call_next: Any) -> Any:
    """Middleware: whom to tell when the list changes."""
    if ERA == "legacy":
        sessions[id(ctx.session._connection)] = ctx.session
    return await call_next(ctx)


server._lowlevel_server.middleware.append(remember_session)


class OneEra:
    """Answers the other era as a server does that never heard of it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            modern = dict(scope["headers"]).get(b"mcp-protocol-version") == MODERN
            if modern != (ERA == "modern"):
                body = (
                    b'{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Bad Request"}}'
                )
                head = [(b"content-type", b"application/json")]
                await send({"type": "http.response.start", "status": 400, "headers": head})
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
    listening = socket.create_server(("127.0.0.1", PORT), backlog=512)
    config = uvicorn.Config(
        OneEra(server.streamable_http_app()), log_level="critical", timeout_graceful_shutdown=1
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    if TRANSPORT == "stdio":
        asyncio.run(serve_stdio())
    else:
        serve_http()
