"""The demo's agent: a real MCP client, scripted instead of a model."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcp import MCPError
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What came back to the agent, in its own terms."""

    ok: bool
    text: str
    code: str = ""
    """The decision's or failure's code, or the JSON-RPC number as text."""


class Agent:
    """One connected client."""

    def __init__(self, client: Client) -> None:
        """Use an entered client."""
        self._client = client

    async def tools(self) -> list[str]:
        """Names as the agent sees them."""
        return [tool.name for tool in (await self._client.list_tools(cache_mode="refresh")).tools]

    def begin(self, tool: str, **arguments: Any) -> asyncio.Future[Said]:
        """The same, without waiting for it."""
        return asyncio.ensure_future(self.call(tool, **arguments))

    async def call(self, tool: str, **arguments: Any) -> Said:
        """One tool call, whatever becomes of it."""
        try:
            result = await self._client.call_tool(tool, arguments)
        except MCPError as error:
            return Said(ok=False, text=error.message, code=str(error.code))
        text = " ".join(getattr(block, "text", "") for block in result.content)
        stated = {
            **(result.meta or {}).get("dev.toolgate/decision", {}),
            **(result.meta or {}).get("dev.toolgate/failure", {}),
        }
        return Said(ok=not result.is_error, text=text, code=str(stated.get("code", "")))


@contextlib.asynccontextmanager
async def connected(url: str, token: str, *, mode: str = "auto") -> AsyncIterator[Agent]:
    """An agent at an endpoint of the gateway; ``mode="legacy"`` makes it speak the session era."""
    async with (
        create_mcp_http_client(headers={"Authorization": f"Bearer {token}"}) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield Agent(client)
