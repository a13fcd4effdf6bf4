"""Plain HTTP towards the gateway: what a client library would hide."""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

MODERN = "2026-07-28"
_META = "io.modelcontextprotocol/"


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The JSON body, or the last event of an event stream."""
        if self.headers.get("content-type") == "text/event-stream":
            return [json.loads(line[6:]) for line in self.body.split(b"\n") if line.startswith(b"data: {")][
                -1
            ]
        return json.loads(self.body)


def request(
    url: str,
    verb: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    *,
    timeout_s: float = 30,
) -> Reply:
    """One request on a connection of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=timeout_s)
    try:
        connection.request(verb, parts.path, body, headers or {})
        answer = connection.getresponse()
        lowered = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, lowered, answer.read())
    finally:
        connection.close()


def modern(
    url: str,
    method: str,
    params: dict[str, Any] | None = None,
    *,
    token: str = "",
    headers: dict[str, str] | None = None,
    meta: dict[str, Any] | None = None,
    timeout_s: float = 30,
) -> Reply:
    """One request of MCP 2026-07-28."""
    envelope = {
        f"{_META}protocolVersion": MODERN,
        f"{_META}clientInfo": {"name": "e2e", "version": "1"},
        f"{_META}clientCapabilities": {},
        **(meta or {}),
    }
    whole = {**(params or {}), "_meta": envelope}
    sent = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": method,
        **({"Mcp-Name": whole["name"]} if "name" in whole else {}),
        **({"Authorization": f"Bearer {token}"} if token else {}),
        **(headers or {}),
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": whole}).encode()
    return request(url, "POST", body, sent, timeout_s=timeout_s)


def call(url: str, name: str, arguments: dict[str, Any] | None = None, **rest: Any) -> Reply:
    """One modern ``tools/call``."""
    return modern(url, "tools/call", {"name": name, "arguments": arguments or {}}, **rest)


def text_of(reply: Reply) -> str:
    """The first text block of a tool result."""
    text: str = reply.json["result"]["content"][0]["text"]
    return text


class _Response(msgspec.Struct):
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: Any = None


def _result(message: bytes) -> bytes:
    """The result of a JSON-RPC response exactly as its sender wrote it."""
    response = msgspec.json.decode(message, type=_Response)
    assert response.error is None, response.error
    return bytes(response.result)


_HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "e2e", "version": "1"}}


class LegacySession:
    """A session of the era before 2026-07-28, spoken by hand, so that results can be compared byte for byte."""

    def __init__(self, url: str, *, token: str = "") -> None:
        self._url = url
        self._ids = itertools.count(1)
        self._headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self.initialized = json.loads(self.ask("initialize", _HELLO))
        self._post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def ask(self, method: str, params: dict[str, Any] | None = None) -> bytes:
        """One request; the bytes of its result."""
        reply = self._post(
            {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params or {}}
        )
        if session := reply.headers.get("mcp-session-id"):
            self._headers["Mcp-Session-Id"] = session
        if reply.headers["content-type"].startswith("text/event-stream"):
            return _result([line[6:] for line in reply.body.split(b"\n") if line.startswith(b"data: {")][-1])
        return _result(reply.body)

    def _post(self, message: dict[str, Any]) -> Reply:
        return request(self._url, "POST", json.dumps(message).encode(), self._headers)


class LegacyChild:
    """The same, with a child process over its standard streams."""

    def __init__(self, command: list[str], *, cwd: Path | None = None) -> None:
        self._ids = itertools.count(1)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=cwd
        )

    def __enter__(self) -> Self:
        self.ask("initialize", _HELLO)
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait(5)
        self._process.stdout.close()

    def ask(self, method: str, params: dict[str, Any] | None = None) -> bytes:
        """One request; the bytes of its result. What comes before the answer is passed over."""
        number = next(self._ids)
        self._write({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if msgspec.json.decode(line, type=_Response).id == number and b'"method"' not in line[:60]:
                return _result(line)
        raise AssertionError("the child ended")

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()
