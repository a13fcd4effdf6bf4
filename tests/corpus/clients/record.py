"""Stand between a client and a gateway and write down what the client sends.

    record.py GATEWAY_URL PORT FILE CONVERSATION [METHOD_TO_REFUSE]

Ends with SIGTERM or SIGINT, and then puts the conversation into FILE. Tokens, session ids and what else differs from
run to run is replaced while it is written down; see README.md. METHOD_TO_REFUSE is answered here, unrecorded, as by
a server that never heard of it: that is how the fallback of a client that probes is taken.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

CONNECTION = {"host", "content-length", "connection", "transfer-encoding", "keep-alive"}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
CALLBACK = re.compile(r"http://(127\.0\.0\.1|localhost):\d+/callback(/\w+)?")


class Recorder:
    """One conversation, passed on and written down."""

    def __init__(self, gateway: str, refused: str) -> None:
        self.gateway = gateway
        self.refused = refused
        self.requests: list[dict[str, Any]] = []
        self._sessions: dict[str, str] = {}
        self._uuids: dict[str, str] = {}

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        message = json.loads(body) if body else None
        if self.refused and message and message.get("method") == self.refused:
            error = {"code": -32601, "message": "Method not found"}
            return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": error}, status=404)
        self._write_down(request, body, message)
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in CONNECTION]
        # The client library adds nothing of its own.
        added = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
        async with (
            aiohttp.ClientSession(
                auto_decompress=False, skip_auto_headers=added, timeout=aiohttp.ClientTimeout(total=None)
            ) as http,
            http.request(
                request.method, self.gateway + request.path_qs, data=body or None, headers=headers
            ) as answer,
        ):
            if session := answer.headers.get("mcp-session-id"):
                self._sessions.setdefault(session, f"{{session-{len(self._sessions) + 1}}}")
            kept = {n: v for n, v in answer.headers.items() if n.lower() not in CONNECTION}
            out = web.StreamResponse(status=answer.status, headers=kept)
            if answer.content_length is not None:
                out.content_length = answer.content_length
            await out.prepare(request)
            async for chunk in answer.content.iter_any():
                await out.write(chunk)
            await out.write_eof()
            return out

    def _write_down(self, request: web.Request, body: bytes, message: Any) -> None:
        if body:
            compact = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
            assert compact == body, "this client writes JSON in another way; keep its bytes"
        headers = {name: value for name, value in request.headers.items() if name.lower() not in CONNECTION}
        for name in headers:
            if name.lower() == "authorization":
                headers[name] = "Bearer {token}"
            elif name.lower() == "mcp-session-id":
                headers[name] = self._sessions[headers[name]]
        said = {"verb": request.method, "path": request.path_qs, "headers": headers, "body": message}
        self.requests.append(json.loads(self._same_each_time(json.dumps(said))))

    def _same_each_time(self, text: str) -> str:
        def numbered(found: re.Match[str]) -> str:
            number = len(self._uuids) + 1
            return self._uuids.setdefault(found[0], f"00000000-0000-4000-8000-{number:012}")

        return CALLBACK.sub(r"http://\1:1/callback", UUID.sub(numbered, text))


def put(file: Path, name: str, requests: list[dict[str, Any]]) -> None:
    """The conversation into the file, a request a line."""
    client, _, version = file.stem.rpartition("-")
    said = json.loads(file.read_text()) if file.exists() else {"conversations": {}}
    conversations = {**said["conversations"], name: requests}
    parts = []
    for title, lines in conversations.items():
        rows = ",\n".join(f"   {json.dumps(one, ensure_ascii=False)}" for one in lines)
        parts.append(f"  {json.dumps(title)}: [\n{rows}\n  ]")
    head = f' "client": {json.dumps(client)},\n "version": {json.dumps(version)},\n'
    file.write_text("{\n" + head + ' "conversations": {\n' + ",\n".join(parts) + "\n }\n}\n")


async def main() -> None:
    gateway, port, file, name, *rest = sys.argv[1:]
    recorder = Recorder(gateway, rest[0] if rest else "")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", recorder.pass_on)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(port)).start()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await runner.cleanup()
    put(Path(file), name, recorder.requests)


if __name__ == "__main__":
    asyncio.run(main())
