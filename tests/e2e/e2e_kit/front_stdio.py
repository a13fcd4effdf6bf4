"""Agents on standard streams, through ``toolgate stdio``, which joins the running gateway."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

from e2e_kit.front import Answer, Events, Front, Message
from e2e_kit.gateways import TOOLGATE


class StdioFront(Front):
    """Through ``toolgate stdio``, which joins the running gateway. A context manager."""

    async def __aenter__(self) -> Self:
        self.blank_lines = 0
        self.news = Events()
        self._waiting: dict[Any, asyncio.Future[bytes]] = {}
        self._notices: list[Message] = []
        upstream = ["--upstream", self.route.split("/")[2]] if self.route != "/mcp" else []
        words = ["stdio", "--config", str(self.gateway.config), "--token", self.token, *upstream]
        self._process = await asyncio.create_subprocess_exec(
            TOOLGATE,
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=64 << 20,
        )
        self._reader = asyncio.ensure_future(self._read())
        if self.era == "legacy":
            params = {"protocolVersion": self.version, "capabilities": self.capabilities}
            answer = await self.ask("initialize", {**params, "clientInfo": {"name": "front", "version": "1"}})
            self.introduced = answer.value
            self.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        return self

    def hang_up(self) -> None:
        """Close its input."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def __aexit__(self, *_: object) -> None:
        self.hang_up()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await asyncio.gather(self._reader, return_exceptions=True)

    def write(self, message: bytes) -> None:
        """One line."""
        assert self._process.stdin is not None
        self._process.stdin.write(message.replace(b"\n", b" ") + b"\n")

    async def _exchange(self, body: bytes, number: Any) -> Answer:
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        seen = len(self._notices)
        self.write(body)
        async with asyncio.timeout(60):
            return Answer(await waiting, 200, self._notices[seen:])

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if not line.strip():
                self.blank_lines += 1
                continue
            message = json.loads(line)
            if "method" not in message:
                if (waiting := self._waiting.pop(message.get("id"), None)) is not None:
                    waiting.set_result(line.rstrip(b"\n"))
            elif "id" in message:
                if (told := self.take(message)) is not None:
                    self.write(told)
            else:
                self._notices.append(message)
                self.news.put(message)


class ModernStdio(StdioFront):
    """2026-07-28 on standard streams."""

    era = "modern"
    _watching = 0

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        if self._watching and not self._process.stdin.is_closing():
            self._unwatch()
        await super().__aexit__()

    async def watch(self, *uris: str, **lists: bool) -> Events:
        """Listen until ``unwatch``."""
        self._watching = number = next(self._numbers)
        asked = {**({"resourceSubscriptions": list(uris)} if uris else {}), **lists}
        self.write(self.request("subscriptions/listen", {"notifications": asked}, None, number))
        await self.news.acknowledged()
        return self.news

    async def unwatch(self, _: Events, *uris: str) -> None:
        """Stop."""
        self._unwatch()

    def _unwatch(self) -> None:
        cancelled = {"method": "notifications/cancelled", "params": {"requestId": self._watching}}
        self.write(json.dumps({"jsonrpc": "2.0", **cancelled}).encode())


class LegacyStdio(StdioFront):
    """2025-11-25 on standard streams."""

    era = "legacy"

    async def watch(self, *uris: str, **_: bool) -> Events:
        """Subscribe; the relay opens the session's stream by itself."""
        self.news.granted = await self.subscribed(*uris)
        return self.news

    async def unwatch(self, _: Events, *uris: str) -> None:
        """Unsubscribe."""
        for uri in uris:
            assert (await self.ask("resources/unsubscribe", {"uri": uri})).value == {}
