"""FastMCP's client, as it negotiates by itself; with the word "tasks", and its package of that name, it takes them."""

import contextlib
import sys

import mcp_types
from fastmcp import Client
from fastmcp.client.messages import MessageHandler
from fastmcp.client.transports import StreamableHttpTransport
from mcp.shared.exceptions import MCPError
from orders import RpcError, main

if "tasks" in sys.argv:
    import fastmcp_tasks  # noqa: F401  Every client that is made from here on declares the extension.


class Agent:
    def __init__(self, client, patience_s):
        self.client = client
        self.patience_s = patience_s
        self.version = client.protocol_version

    async def tools(self):
        return [
            tool.model_dump(mode="json", by_alias=True, exclude_none=True)
            for tool in await self.client.list_tools()
        ]

    async def call(self, name, arguments, meta, on_progress):
        try:
            result = await self.client.call_tool_mcp(
                name, arguments, progress_handler=on_progress, timeout=self.patience_s, meta=meta
            )
        except MCPError as error:
            raise RpcError(error.error.code, error.error.message, error.error.data) from error
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)


@contextlib.asynccontextmanager
async def connect(order, on_change):
    class Heard(MessageHandler):
        async def on_tool_list_changed(self, message: mcp_types.ToolListChangedNotification):
            on_change()

    headers = {"Authorization": f"Bearer {order['token']}", **order.get("headers", {})}
    transport = StreamableHttpTransport(order["url"], headers=headers)
    async with Client(transport, message_handler=Heard(), mode=order["mode"]) as client:
        yield Agent(client, order.get("patience_s"))


main(connect)
