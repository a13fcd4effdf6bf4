"""The tool server behind every candidate: one tool, ``echo``, both protocol eras, as little work as ASGI allows.

It must never be what is measured, so it answers from spliced bytes and knows no framework.
Run it: ``python echo_upstream.py``; it prints ``ready <port>``.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from ports import serve

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
SERVER = {"name": "bench-echo", "version": "1"}
TOOL = {
    "name": "echo",
    "description": "Give the text back.",
    "inputSchema": {
        "type": "object",
        "properties": {"text": {"type": "string", "maxLength": 4000}, "number": {"type": "integer"}},
        "required": ["text"],
        "additionalProperties": False,
    },
}
COMPLETE = {"resultType": "complete"}
CACHE = {"ttlMs": 3_600_000, "cacheScope": "public"}
JSON_HEADERS = [(b"content-type", b"application/json")]

_encode = msgspec.json.Encoder().encode


class _Params(msgspec.Struct):
    name: str = ""
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _Request(msgspec.Struct):
    method: str
    id: msgspec.Raw = msgspec.Raw()  # empty: a notification
    params: _Params = msgspec.field(default_factory=_Params)


class _Arguments(msgspec.Struct):
    text: msgspec.Raw = msgspec.Raw(b'""')


_read_request = msgspec.json.Decoder(_Request).decode
_read_arguments = msgspec.json.Decoder(_Arguments).decode


def answer_to(request: _Request, *, modern: bool) -> bytes | None:
    """The result of one request, or None if there is no such method in this era."""
    complete = COMPLETE if modern else {}
    if request.method == "tools/call" and request.params.name == TOOL["name"]:
        text = bytes(_read_arguments(request.params.arguments).text)
        head = b'{"resultType":"complete",' if modern else b"{"
        return head + b'"content":[{"type":"text","text":' + text + b"}]}"
    if request.method == "tools/list":
        return _encode({**complete, "tools": [TOOL], **(CACHE if modern else {})})
    if request.method == "server/discover" and modern:
        capabilities: dict[str, Any] = {"tools": {}}
        return _encode({**complete, "supportedVersions": [MODERN], "capabilities": capabilities, **CACHE,
                        "_meta": {"io.modelcontextprotocol/serverInfo": SERVER}})  # fmt: skip
    if request.method == "initialize" and not modern:
        return _encode({"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": SERVER})
    return None


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """One POST, one answer; nothing is kept."""
    if scope["type"] != "http":
        return
    if scope["method"] != "POST":
        await _send(send, 405, b"")
        return
    message = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    request = _read_request(body)
    if not bytes(request.id):
        await _send(send, 202, b"")
        return
    modern = dict(scope["headers"]).get(b"mcp-protocol-version") == MODERN.encode()
    head = b'{"jsonrpc":"2.0","id":' + bytes(request.id)
    result = answer_to(request, modern=modern)
    if result is not None:
        await _send(send, 200, head + b',"result":' + result + b"}")
        return
    error = json.dumps({"code": -32601, "message": "no such method"}).encode()
    await _send(send, 404 if modern else 200, head + b',"error":' + error + b"}")


async def _send(send: Any, status: int, body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*JSON_HEADERS, length]})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    serve(app)
