"""A proxy from the official SDK's own parts, ``Server`` in front and one kept ``Client`` behind; governs nothing.

Given its best chance: JSON answers, uvloop, input schemas known ahead, and a connection pool as wide
as the load. Run it: ``python sdk_proxy.py UPSTREAM_URL [auto|legacy]``.
"""

from __future__ import annotations

import sys
from typing import Any

import httpx2
import uvloop
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel import Server
from ports import serve_in_loop

CONNECTIONS = 64


async def main(upstream_url: str, mode: str) -> None:
    limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with (
        httpx2.AsyncClient(limits=limits, timeout=30) as http,
        Client(streamable_http_client(upstream_url, http_client=http), mode=mode) as client,
    ):
        listing = await client.list_tools()
        schemas = {tool.name: tool.input_schema for tool in listing.tools}

        async def list_tools(context: Any, params: Any) -> Any:
            return await client.list_tools()

        async def call_tool(context: Any, params: Any) -> Any:
            return await client.call_tool(params.name, params.arguments)

        server = Server(
            "sdk-proxy",
            on_list_tools=list_tools,
            on_call_tool=call_tool,
            get_tool_input_schema=schemas.get,
        )
        await serve_in_loop(server.streamable_http_app(json_response=True))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "auto"))
