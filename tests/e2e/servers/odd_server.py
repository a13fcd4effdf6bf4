"""A modern HTTP tool server written by hand, to say what no library says: ``odd_server.py PORT``.

``odd`` answers with members and numbers of its own; ``garbled`` with bytes that are no JSON; ``silent`` never; ``wrong``
with another request's id; ``hang_up`` closes the connection without an answer.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ODD_RESULT = (
    b'{"resultType":"complete","content":[{"type":"hologram","depth":1.50,"text":"\\u0041"},{"type":"text","text":"odd"}],'
    b'"structuredContent":{"exact":1.10,"large":1e2,"order":{"b":1,"a":2}},"isError":false,"unheardOf":{"kept":[1,2.0]}}'
)
NAMES = ("odd", "garbled", "silent", "wrong", "hang_up", "fine")
HEAD = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


class Odd(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number, method = json.dumps(message.get("id")).encode(), message.get("method")
        if method == "server/discover":
            told = {**HEAD, "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            self._result(number, json.dumps(told).encode())
        elif method == "tools/list":
            schema = {"type": "object"}
            tools = [{"name": name, "inputSchema": schema, "x-unheard-of": {"kept": True}} for name in NAMES]
            self._result(number, json.dumps({**HEAD, "tools": tools}).encode())
        else:
            self._call(number, message["params"]["name"])

    def do_GET(self) -> None:
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _call(self, number: bytes, name: str) -> None:
        if name == "odd":
            self._result(number, ODD_RESULT)
        elif name == "fine":
            self._result(number, b'{"resultType":"complete","content":[{"type":"text","text":"fine"}]}')
        elif name == "garbled":
            self._body(b'{"jsonrpc":"2.0","id":' + number + b',"result":{"content":[')
        elif name == "wrong":
            self._result(b'"another"', b'{"resultType":"complete","content":[]}')
        elif name == "silent":
            time.sleep(30)
            self.close_connection = True
        else:
            self.close_connection = True

    def _result(self, number: bytes, result: bytes) -> None:
        self._body(b'{"jsonrpc":"2.0","id":' + number + b',"result":' + result + b"}")

    def _body(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Odd).serve_forever()
