"""One keep-alive HTTP/1.1 connection that speaks MCP, either era; as cheap as a client can be, and checks every answer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools
import msgspec

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
CLIENT = {"name": "toolgate-bench", "version": "1"}
_META = "io.modelcontextprotocol/"
MODERN_META = {
    _META + "protocolVersion": MODERN,
    _META + "clientInfo": CLIENT,
    _META + "clientCapabilities": {},
}
ANSWER_S = 60.0

_encode = msgspec.json.Encoder().encode


class WrongAnswer(Exception):
    """A candidate answered something else than what it was asked for, or not at all."""


@dataclass
class Answer:
    """One HTTP response."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def message(self) -> dict[str, Any]:
        """The JSON-RPC message, whether sent as JSON or as the last event of a stream."""
        body = self.body
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            lines = [line[5:] for line in body.splitlines() if line.startswith(b"data:") and line[5:].strip()]
            body = lines[-1] if lines else b""
        try:
            decoded = msgspec.json.decode(body)
        except msgspec.DecodeError:
            raise WrongAnswer(f"HTTP {self.status}: {body[:200]!r}") from None
        if not isinstance(decoded, dict):
            raise WrongAnswer(f"HTTP {self.status}: {body[:200]!r}")
        return decoded


class _Connection(asyncio.Protocol):
    """Parses responses, one at a time."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[Answer] | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._answer = Answer()
        self._chunks: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionResetError("closed without an answer"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        answer, waiter = self._answer, self._waiter
        answer.status, answer.body = self._parser.get_status_code(), b"".join(self._chunks)
        self._begin()
        if waiter is not None and not waiter.done():
            waiter.set_result(answer)

    async def ask(self, request: bytes) -> Answer:
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._waiter


class Caller:
    """One MCP client on one connection.

    Args:
        url: the endpoint.
        era: ``modern`` or ``legacy``.
        token: bearer token, or empty.
    """

    def __init__(self, url: str, *, era: str, token: str = "") -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        version = MODERN if era == "modern" else LEGACY
        self._head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            "Accept: application/json, text/event-stream\r\n"
            + (f"Authorization: Bearer {token}\r\n" if token else "")
        )
        self._versioned = f"MCP-Protocol-Version: {version}\r\n"
        self._modern = era == "modern"
        self._session = ""
        self._number = 0
        self._connection: _Connection | None = None

    async def open(self) -> None:
        """Connect; a legacy client also opens a session."""
        loop = asyncio.get_running_loop()
        _, self._connection = await loop.create_connection(_Connection, *self._address)
        if not self._modern:
            await self.open_session()

    def close(self) -> None:
        """Cut the connection."""
        if self._connection is not None:
            self._connection.transport.close()

    async def open_session(self) -> None:
        """``initialize`` and confirm; a second time on the same connection opens another session."""
        self._session = ""
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT}
        answer = await self._post(self._request("initialize", params), "initialize", "", versioned=False)
        if "result" not in answer.message():
            raise WrongAnswer(f"initialize: {answer.body[:200]!r}")
        if session := answer.headers.get("mcp-session-id"):
            self._session = f"Mcp-Session-Id: {session}\r\n"
        told = await self._post(_encode({"jsonrpc": "2.0", "method": "notifications/initialized"}), "", "")
        if told.status != 202:
            raise WrongAnswer(f"notifications/initialized: HTTP {told.status}")

    async def echo(self, text: str) -> None:
        """Call ``echo`` and hold the answer against what was sent.

        Raises:
            WrongAnswer: anything but exactly this text, for exactly this request.
        """
        params = {"name": "echo", "arguments": {"text": text, "number": 7}}
        body = self._request("tools/call", params)
        message = (await self._post(body, "tools/call", "echo")).message()
        result = message.get("result")
        if (
            message.get("id") != self._number
            or not isinstance(result, dict)
            or result.get("isError")
            or result.get("content", [{}])[0].get("text") != text
        ):
            raise WrongAnswer(f"to echo {text!r}: {json.dumps(message)[:400]}")

    def _request(self, method: str, params: dict[str, Any]) -> bytes:
        self._number += 1
        if self._modern:
            params["_meta"] = MODERN_META
        return _encode({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})

    async def _post(self, body: bytes, method: str, name: str, *, versioned: bool = True) -> Answer:
        assert self._connection is not None
        head = self._head + (self._versioned if versioned else "") + self._session
        if self._modern:
            head += f"Mcp-Method: {method}\r\n" + (f"Mcp-Name: {name}\r\n" if name else "")
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        try:
            return await asyncio.wait_for(self._connection.ask(request), ANSWER_S)
        except (TimeoutError, ConnectionError) as error:
            raise WrongAnswer(f"{method}: no answer ({error!r})") from error
