"""Lines of JSON-RPC to HTTP requests and back, for ``toolgate stdio``.

Knows no method but three: ``initialize`` (its answer carries the session), ``notifications/initialized``
(after it the session's stream can be opened) and ``notifications/cancelled`` (in the stateless era,
hanging up is how to cancel).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from gateway.background import Background
from gateway.core.methods import METHODS
from gateway.core.versions import META_VERSION
from gateway.egress import Egress, EgressSettings
from gateway.errors import UpstreamError
from gateway.upstream.sse import SseParser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gateway.egress import Destination, HttpAnswer

ANSWER_BYTES_MAX = 64 << 20
REOPEN_S = 2.0
_ACCEPT = "application/json, text/event-stream"
_NAMED = {row.name: row.target for row in METHODS.values() if row.target and row.modern}


class Relay:
    """One client on stdio, one conversation with the gateway."""

    def __init__(self, destination: Destination, write: Callable[[bytes], None]) -> None:
        """Send to ``destination``; hand finished lines to ``write``."""
        self._destination = destination
        self._write = write
        self._session = ""
        self._version = ""
        self._running: dict[str | int, asyncio.Task[None]] = {}
        self._listens: dict[str | int, asyncio.Task[None]] = {}
        """Of those, the ones that end only when somebody ends them."""
        self._background = Background(on_failure=self._failed)
        self._egress = Egress(EgressSettings(), clock=time.monotonic, start_task=self._background.start)

    async def __aenter__(self) -> Self:
        """Open the HTTP client."""
        await self._egress.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the session and everything that runs."""
        await self._background.aclose(1.0)
        if self._session:
            try:
                async with self._request("DELETE", {"Mcp-Session-Id": self._session}, b"", 2.0):
                    pass
            except UpstreamError:
                pass  # The gateway forgets idle sessions by itself.
        await self._egress.aclose()

    async def run(self, lines: AsyncIterator[bytes]) -> None:
        """Relay until the client closes its side; then wait for what is still running."""
        async for line in lines:
            if line.strip():
                await self._take(line.strip())
        for task in self._listens.values():
            task.cancel()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=5.0)

    async def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            message = {}
        if not isinstance(message, dict):
            message = {}
        request_id, method = message.get("id"), message.get("method")
        if method == "initialize" or request_id is None or isinstance(request_id, bool):
            if method == "notifications/cancelled" and not self._session:
                self._cancel(message)
                return
            # In order: nothing may overtake the handshake, and nobody waits for a notification.
            await self._send(line, message)
            if method == "notifications/initialized":
                self._background.start(self._listen(), "session stream")
            return
        task = self._background.start(self._send(line, message), "request")
        if task is not None and isinstance(request_id, str | int):
            self._running[request_id] = task
            task.add_done_callback(lambda _: self._running.pop(request_id, None))
            if method == "subscriptions/listen":
                self._listens[request_id] = task
                task.add_done_callback(lambda _: self._listens.pop(request_id, None))

    def _cancel(self, message: dict[str, Any]) -> None:
        params = message.get("params")
        running = self._running.get(params.get("requestId", "")) if isinstance(params, dict) else None
        if running is not None:
            running.cancel()

    async def _send(self, line: bytes, message: dict[str, Any]) -> None:
        request_id = message.get("id")
        try:
            async with self._request("POST", self._headers(message), line, None) as answer:
                if message.get("method") == "initialize":
                    self._session = answer.headers.get("Mcp-Session-Id", "")
                await self._pass_on(answer, request_id)
        except UpstreamError as error:
            if request_id is not None:
                text = f"{error.reason}. Next: {error.next_step}" if error.next_step else error.reason
                self._line({"jsonrpc": "2.0", "id": request_id, "error": {"code": -32603, "message": text}})

    def _headers(self, message: dict[str, Any]) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": _ACCEPT}
        params = message.get("params")
        meta = params.get("_meta") if isinstance(params, dict) else None
        method = message.get("method")
        if isinstance(meta, dict) and isinstance(meta.get(META_VERSION), str) and isinstance(method, str):
            headers |= {"MCP-Protocol-Version": meta[META_VERSION], "Mcp-Method": _header(method)}
            name = params.get(_NAMED.get(method, "")) if isinstance(params, dict) else None
            if isinstance(name, str):
                headers["Mcp-Name"] = _header(name)
        elif self._session:
            headers["Mcp-Session-Id"] = self._session
            if self._version:
                headers["MCP-Protocol-Version"] = self._version
        return headers

    async def _pass_on(self, answer: HttpAnswer, request_id: object) -> None:
        if answer.media_type == "text/event-stream":
            reader = SseParser(event_bytes_max=ANSWER_BYTES_MAX)
            async for chunk in answer.chunks():
                for event in reader.feed(chunk):
                    if event.data:
                        # The first event of a stream that can be resumed has none.
                        self._write(event.data + b"\n")
            return
        body = await answer.read()
        if not body:
            return
        try:
            reply = json.loads(body)
        except ValueError:
            reply = {
                "jsonrpc": "2.0",
                "error": {"code": -32603, "message": f"the gateway answered {answer.status}"},
            }
        if request_id is not None and reply.get("id") is None:
            # Refused before the id was read; on stdio the client still needs to know which one.
            reply["id"] = request_id
            self._line(reply)
        elif request_id is not None:
            self._remember(reply)
            self._write(body.replace(b"\n", b" ") + b"\n")

    def _remember(self, reply: dict[str, Any]) -> None:
        result = reply.get("result")
        if self._session and not self._version and isinstance(result, dict):
            self._version = str(result.get("protocolVersion", ""))

    async def _listen(self) -> None:
        while self._session:
            headers = {"Accept": "text/event-stream", "Mcp-Session-Id": self._session}
            try:
                async with self._request("GET", headers, b"", None, bounded=False) as answer:
                    if answer.status != 200:
                        return
                    reader = SseParser(event_bytes_max=1 << 20)
                    async for chunk in answer.chunks():
                        for event in reader.feed(chunk):
                            self._write(event.data + b"\n")
            except UpstreamError:
                pass
            await asyncio.sleep(REOPEN_S)

    def _request(
        self,
        method: str,
        headers: dict[str, str],
        body: bytes,
        deadline_s: float | None,
        *,
        bounded: bool = True,
    ) -> Any:
        return self._egress.exchange(
            self._destination,
            method,
            headers=headers,
            deadline_s=deadline_s,
            body=body,
            body_bytes_max=ANSWER_BYTES_MAX if bounded else None,
        )

    def _line(self, message: dict[str, Any]) -> None:
        self._write(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def _failed(self, name: str, error: BaseException) -> None:
        sys.stderr.write(f"toolgate stdio: {name}: {error}\n")


def _header(value: str) -> str:
    """A routing header's value; anything but plain visible ASCII goes through the SDK's codec."""
    if value.isascii() and value.isprintable() and value == value.strip():
        return value
    from mcp.shared.inbound import encode_header_value

    return encode_header_value(value)


async def standard_streams(line_bytes_max: int) -> tuple[AsyncIterator[bytes], Callable[[bytes], None]]:
    """Lines of stdin, and a writer to stdout that flushes each."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=line_bytes_max)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)

    async def lines() -> AsyncIterator[bytes]:
        while line := await reader.readline():
            yield line

    def write(line: bytes) -> None:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()

    return lines(), write
