"""A tool server that counts: every request it gets, with headers and body. Speaks 2026-07-28 over HTTP."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OBJECT = {"type": "object"}
TOOLS = [
    {
        "name": "echo",
        "inputSchema": {"type": "object", "properties": {"text": {}, "amount": {"type": "number"}}},
    },
    {
        "name": "region",
        "inputSchema": {
            "type": "object",
            "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
        },
    },
    {"name": "denied", "inputSchema": OBJECT},
    {"name": "slow", "inputSchema": OBJECT},
    {"name": "Twin", "inputSchema": OBJECT},
    {"name": "twin", "inputSchema": OBJECT},
    {"name": "remote", "inputSchema": {"type": "object", "$ref": "http://127.0.0.1:1/x"}},
    {
        "name": "split",
        "inputSchema": {"type": "object", "properties": {"a": {"type": "string", "x-mcp-header": "A\r\nB"}}},
    },
    {"name": "no name\u200b", "inputSchema": OBJECT},
]


class QuietServer(ThreadingHTTPServer):
    """A client that has hung up is no news here."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class ToolServer:
    """Runs in a thread; ``calls`` holds every ``tools/call`` it received, ``requests`` everything."""

    def __init__(self):
        self.requests = []
        self.calls = []
        self.release = threading.Event()
        self.release.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers, message = dict(self.headers.items()), json.loads(body)
                outer.requests.append((self.path, headers, body))
                if message.get("method") == "tools/call":
                    outer.calls.append((headers, message))
                answer = json.dumps(outer.answer(message)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_GET(self):
                self.send_response(405)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextlib.contextmanager
    def holding(self):
        """Inside, ``slow`` answers only once the event that this yields is set."""
        self.release.clear()
        try:
            yield self.release
        finally:
            self.release.set()

    def answer(self, message):
        method, params = message.get("method"), message.get("params", {})
        if method == "server/discover":
            result = {
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}},
                "ttlMs": 0,
                "cacheScope": "private",
            }
        elif method == "tools/list":
            result = {"tools": TOOLS, "ttlMs": 0, "cacheScope": "private"}
        elif method == "tools/call":
            if params["name"] == "slow":
                self.release.wait(20)
            text = json.dumps(params.get("arguments", {}), sort_keys=True)
            result = {"content": [{"type": "text", "text": text}]}
        else:
            return {"jsonrpc": "2.0", "id": message.get("id"), "error": {"code": -32601, "message": "no"}}
        return {"jsonrpc": "2.0", "id": message["id"], "result": {"resultType": "complete", **result}}
