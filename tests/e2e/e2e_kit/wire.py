"""Plain HTTP towards the gateway: what a client library would hide."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

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
            return [json.loads(line[6:]) for line in self.body.split(b"\n") if line.startswith(b"data: ")][-1]
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
