"""LangChain's MCP adapter; what a call gives is the tool message that the model would read."""

import contextlib
import datetime

from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp import McpError
from orders import RpcError, main


class Agent:
    version = ""  # The adapter opens a session for each call, and keeps what it negotiated to itself.

    def __init__(self, client):
        self.client = client

    async def tools(self):
        return [
            {"name": tool.name, "inputSchema": tool.args_schema} for tool in await self.client.get_tools()
        ]

    async def call(self, name, arguments, meta, on_progress):
        tools = {tool.name: tool for tool in await self.client.get_tools()}
        order = {"type": "tool_call", "id": "1", "name": name, "args": arguments}
        try:
            message = await tools[name].ainvoke(order)
        except McpError as error:
            raise RpcError(error.error.code, error.error.message, error.error.data) from error
        return {"content": [{"type": "text", "text": message.text}], "isError": message.status == "error"}


@contextlib.asynccontextmanager
async def connect(order, on_change):
    headers = {"Authorization": f"Bearer {order['token']}"}
    connection = {"transport": "streamable_http", "url": order["url"], "headers": headers}
    if "patience_s" in order:
        read = datetime.timedelta(seconds=order["patience_s"])
        connection["session_kwargs"] = {"read_timeout_seconds": read}
    yield Agent(MultiServerMCPClient({"toolgate": connection}))


main(connect)
