"""The MCP SDK 1.x client; run by an interpreter that has it."""

import asyncio
import contextlib
import datetime
import os

import mcp.types as types
from mcp import ClientSession, McpError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from orders import RpcError, main


class Agent:
    def __init__(self, session, version):
        self.session = session
        self.version = version

    async def tools(self):
        listed = await self.session.list_tools()
        return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed.tools]

    async def call(self, name, arguments, meta, on_progress):
        # 1.x does not say that it stopped waiting; its users send the notification themselves.
        request_id = self.session._request_id
        try:
            result = await self.session.call_tool(name, arguments, progress_callback=on_progress, meta=meta)
        except McpError as error:
            raise RpcError(error.error.code, error.error.message, error.error.data) from error
        except asyncio.CancelledError:
            params = types.CancelledNotificationParams(requestId=request_id, reason="asked to")
            notification = types.CancelledNotification(method="notifications/cancelled", params=params)
            await self.session.send_notification(types.ClientNotification(notification))
            raise
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)


@contextlib.asynccontextmanager
async def connect(order, on_change):
    async def heard(message):
        if isinstance(message, types.ServerNotification) and isinstance(
            message.root, types.ToolListChangedNotification
        ):
            on_change()

    async with contextlib.AsyncExitStack() as stack:
        if "command" in order:
            command, *args = order["command"]
            parameters = StdioServerParameters(
                command=command, args=args, env={**os.environ, **order.get("environ", {})}
            )
            streams = await stack.enter_async_context(stdio_client(parameters))
        else:
            headers = {"Authorization": f"Bearer {order['token']}", **order.get("headers", {})}
            streams = await stack.enter_async_context(streamablehttp_client(order["url"], headers=headers))
        timeout = None if order.get("plain") else datetime.timedelta(seconds=order.get("patience_s", 60))
        session = ClientSession(*streams[:2], read_timeout_seconds=timeout, message_handler=heard)
        session = await stack.enter_async_context(session)
        initialized = await session.initialize()
        yield Agent(session, initialized.protocolVersion)


main(connect)
