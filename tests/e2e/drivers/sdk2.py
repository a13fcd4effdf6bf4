"""The MCP SDK 2.x ``Client``; mode "modern" or "legacy"."""

import contextlib
import os

import httpx2
import mcp_types
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError
from orders import RpcError, main


class Agent:
    def __init__(self, client):
        self.client = client
        self.version = client.protocol_version

    async def tools(self):
        listed = await self.client.list_tools(cache_mode="refresh")
        return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed.tools]

    async def call(self, name, arguments, meta, on_progress):
        try:
            result = await self.client.call_tool(name, arguments, progress_callback=on_progress, meta=meta)
        except MCPError as error:
            raise RpcError(error.error.code, error.error.message, error.error.data) from error
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)


@contextlib.asynccontextmanager
async def connect(order, on_change):
    async def heard(message):
        if isinstance(message, mcp_types.ToolListChangedNotification):
            on_change()

    mode = "legacy" if order["mode"] == "legacy" else "auto"
    async with contextlib.AsyncExitStack() as stack:
        if "command" in order:
            command, *args = order["command"]
            transport = StdioServerParameters(
                command=command, args=args, env={**os.environ, **order.get("environ", {})}
            )
        else:
            headers = {"Authorization": f"Bearer {order['token']}", **order.get("headers", {})}
            http = await stack.enter_async_context(
                create_mcp_http_client(headers)
                if order.get("plain")
                else httpx2.AsyncClient(
                    headers=headers, timeout=60, limits=httpx2.Limits(max_connections=None)
                )
            )
            transport = streamable_http_client(order["url"], http_client=http)
        client = await stack.enter_async_context(
            Client(transport, mode=mode, message_handler=heard, read_timeout_seconds=order.get("patience_s"))
        )
        agent = Agent(client)
        if mode != "legacy" and order.get("listen", True) and "command" not in order:
            subscription = await stack.enter_async_context(client.listen(tools_list_changed=True))

            async def listening():
                async for _ in subscription:
                    on_change()

            import asyncio

            task = asyncio.ensure_future(listening())
            stack.callback(task.cancel)
        yield agent


main(connect)
