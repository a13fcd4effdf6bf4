"""Agents over HTTP, in either era."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Self

import aiohttp
from e2e_kit.front import MODERN, Answer, Events, Front, Message
from mcp.shared.inbound import encode_header_value

_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_NAMED |= dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId")


class HttpFront(Front):
    """Over HTTP. A context manager."""

    async def __aenter__(self) -> Self:
        """Open; a session of the older era is initialized."""
        connector = aiohttp.TCPConnector(limit=0)
        self.http = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60))
        self.url = self.gateway.url + self.route
        self.headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {self.token}",
        }
        self._open = contextlib.AsyncExitStack()
        await self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()
        await self.http.close()

    async def _begin(self) -> None:
        """What the era needs first."""

    def heads(self, body: bytes) -> dict[str, str]:
        """The headers of a request."""
        return self.headers

    async def _exchange(self, body: bytes, number: Any) -> Answer:
        before: list[Message] = []
        async with self.http.post(self.url, data=body, headers=self.heads(body)) as reply:
            if reply.content_type != "text/event-stream":
                return Answer(await reply.read(), reply.status)
            async for _, data in events(reply):
                message = json.loads(data) if data else {}
                if "method" not in message and message:
                    return Answer(data, reply.status, before)
                if "id" in message and (told := self.take(message)) is not None:
                    assert (await self.post(told)) == 202
                elif message:
                    before.append(message)
        raise AssertionError(f"the stream of {number} ended without an answer, after {before}")

    async def post(self, body: bytes, **headers: str) -> int:
        """Anything; the status."""
        async with self.http.post(self.url, data=body, headers={**self.headers, **headers}) as reply:
            await reply.read()
            return reply.status

    async def _follow(self, verb: str, body: bytes, heads: dict[str, str]) -> Events:
        """Read a stream that stays open, in a task."""
        reply = await self.http.request(verb, self.url, data=body or None, headers=heads)
        assert reply.content_type == "text/event-stream", (reply.status, await reply.read())
        heard = Events()

        async def read() -> None:
            with contextlib.closing(reply):
                async for _, data in events(reply):
                    if data:
                        heard.put(json.loads(data))

        task = heard.task = asyncio.ensure_future(read())

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._open.push_async_callback(end)
        return heard


class ModernHttp(HttpFront):
    """2026-07-28 over HTTP."""

    era = "modern"

    def heads(self, body: bytes) -> dict[str, str]:
        message = json.loads(body)
        named = message["params"].get(_NAMED.get(message["method"], ""))
        routing = {"Mcp-Name": encode_header_value(named)} if isinstance(named, str) else {}
        return {
            **self.headers, "MCP-Protocol-Version": MODERN, "Mcp-Method": message["method"], **routing
        }  # fmt: skip

    async def watch(self, *uris: str, **lists: bool) -> Events:
        """Listen until ``unwatch``."""
        asked = {**({"resourceSubscriptions": list(uris)} if uris else {}), **lists}
        body = self.request("subscriptions/listen", {"notifications": asked}, None, next(self._numbers))
        heard = await self._follow("POST", body, self.heads(body))
        await heard.acknowledged()
        return heard

    async def unwatch(self, heard: Events, *_: str) -> None:
        """Hang up."""
        assert heard.task is not None
        heard.task.cancel()


class LegacyHttp(HttpFront):
    """2025-11-25 or an older revision over HTTP."""

    era = "legacy"
    _heard: Events | None = None

    async def _begin(self) -> None:
        params = {
            "protocolVersion": self.version,
            "capabilities": self.capabilities,
            "clientInfo": {"name": "front", "version": "1"},
        }
        body = self.request("initialize", params, None, 0)
        async with self.http.post(self.url, data=body, headers=self.headers) as reply:
            self.introduced = json.loads(await reply.read())["result"]
            self.headers["Mcp-Session-Id"] = reply.headers["Mcp-Session-Id"]
        self.headers["MCP-Protocol-Version"] = self.introduced["protocolVersion"]
        assert await self.post(b'{"jsonrpc":"2.0","method":"notifications/initialized"}') == 202

    @property
    def session(self) -> str:
        """Its id."""
        return self.headers["Mcp-Session-Id"]

    async def watch(self, *uris: str, **_: bool) -> Events:
        """Open the session's stream, and subscribe."""
        if self._heard is None:
            self._heard = await self._follow("GET", b"", self.headers)
        self._heard.granted = await self.subscribed(*uris)
        return self._heard

    async def unwatch(self, heard: Events, *uris: str) -> None:
        """Unsubscribe."""
        for uri in uris:
            assert (await self.ask("resources/unsubscribe", {"uri": uri})).value == {}

    async def end(self) -> int:
        """End the session."""
        async with self.http.delete(self.url, headers=self.headers) as reply:
            return reply.status


async def events(reply: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, bytes]]:
    """Server-sent events as id and data, those without data included if they have an id."""
    number, data, seen = "", [], False
    async for raw in reply.content:
        line = raw.rstrip(b"\r\n")
        if not line:
            if seen:
                yield number, b"\n".join(data)
            number, data, seen = "", [], False
        elif line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
            seen = True
        elif line.startswith(b"id:"):
            number, seen = line[3:].strip().decode(), True
