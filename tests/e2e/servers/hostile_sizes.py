"""A modern HTTP tool server whose answers are far too large, or never end: ``hostile_sizes.py PORT``.

``sized`` answers with as many characters as asked. ``packed``: 665 KiB of gzip that unpack to 680 MiB; ``packed_events``
the same as an event stream. ``announced`` and ``chunked``: 100 MB of JSON, with and without its length. ``events``
(notifications), ``one_event``, ``comments``, ``trailers`` and ``informational`` (HTTP 102) go on for ever, as fast as
they are read; ``drip`` and ``drip_events`` slowly.
"""

from __future__ import annotations

import contextlib
import json
import struct
import sys
import time
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat

MIB = 1 << 20
HUGE_BYTES = 100_000_000
DRIP_S = 0.02
HEAD = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
EVENT = (
    b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"%b"}}\n\n'
    % (b"x" * 2_000)
)
BEGIN = b'{"jsonrpc":"2.0","id":%b,"result":{"resultType":"complete","content":[{"type":"text","text":"'
END = b'"}]}}'


@cache
def bomb(begin: bytes = b"", end: bytes = b"", mib: int = 680) -> bytes:
    """gzip of ``begin``, so many MiB of one letter, and ``end``; made in a moment, because its blocks are copies."""
    block = b"A" * MIB
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = pack.compress(begin + block) + pack.flush(zlib.Z_FULL_FLUSH)
    copied = pack.compress(block) + pack.flush(zlib.Z_FULL_FLUSH)
    last = pack.compress(end) + pack.flush()
    total, length = zlib.crc32(block, zlib.crc32(begin)), len(begin) + mib * MIB + len(end)
    for _ in range(mib - 1):
        total = zlib.crc32(block, total)
    tail = struct.pack("<LL", zlib.crc32(end, total), length & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + first + copied * (mib - 1) + last + tail


class Hostile(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number, method = json.dumps(message.get("id")).encode(), message.get("method")
        if method == "server/discover":
            told = {**HEAD, "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            self._answer(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (number, json.dumps(told).encode()))
        elif method == "tools/list":
            tools = [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]
            listed = json.dumps({**HEAD, "tools": tools}).encode()
            self._answer(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (number, listed))
        else:
            # Whoever is sent too much hangs up.
            with contextlib.suppress(ConnectionError):
                TOOLS[message["params"]["name"]](self, BEGIN % number, message["params"]["arguments"])
            self.close_connection = not message["params"]["name"].startswith("sized")

    def do_GET(self) -> None:
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def sized(self, begin: bytes, arguments: dict[str, int]) -> None:
        self._answer(begin + b"x" * arguments["chars"] + END)

    def packed(self, begin: bytes, arguments: dict[str, int]) -> None:
        self._answer(bomb(begin, END), encoding="gzip")

    def packed_events(self, begin: bytes, arguments: dict[str, int]) -> None:
        self._answer(bomb(b"data: " + begin, END + b"\n\n"), kind="text/event-stream", encoding="gzip")

    def announced(self, begin: bytes, arguments: dict[str, int]) -> None:
        self._head("application/json", length=len(begin) + HUGE_BYTES + len(END))
        self._write((begin, *repeat(b"x" * (HUGE_BYTES // 1_000), 1_000), END))

    def chunked(self, begin: bytes, arguments: dict[str, int]) -> None:
        self._head("application/json")
        self._write(map(_chunk, (begin, *repeat(b"x" * (HUGE_BYTES // 1_000), 1_000), END)))
        self.wfile.write(b"0\r\n\r\n")

    def events(self, begin: bytes, arguments: dict[str, int]) -> None:
        self._head("text/event-stream")
        self._write(map(_chunk, repeat(EVENT * 20)))

    def one_event(self, begin: bytes, arguments: dict[str, int]) -> None:
        self._head("text/event-stream")
        self._write(map(_chunk, _first_then(b"data: " + begin, b"x" * 50_000)))

    def comments(self, begin: bytes, arguments: dict[str, int]) -> None:
        self._head("text/event-stream")
        self._write(map(_chunk, repeat(b": still there\n\n" * 2_000)))

    def informational(self, begin: bytes, arguments: dict[str, int]) -> None:
        self._write(repeat(b"HTTP/1.1 102 Processing\r\nX-More: and more\r\n\r\n" * 1_000))

    def trailers(self, begin: bytes, arguments: dict[str, int]) -> None:
        self._head("application/json")
        self._write(_first_then(_chunk(begin + END) + b"0\r\n", b"X-More: and more\r\n" * 2_000))

    def drip(self, begin: bytes, arguments: dict[str, int]) -> None:
        self._head("application/json")
        self._write(map(_chunk, _slowly(begin, b"x")))

    def drip_events(self, begin: bytes, arguments: dict[str, int]) -> None:
        self._head("text/event-stream")
        self._write(map(_chunk, _slowly(EVENT, EVENT)))

    def _answer(self, body: bytes, kind: str = "application/json", encoding: str = "") -> None:
        self._head(kind, length=len(body), encoding=encoding)
        self.wfile.write(body)

    def _head(self, kind: str, *, length: int | None = None, encoding: str = "") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.send_header(
            *(("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length)))
        )
        self.end_headers()

    def _write(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.wfile.write(piece)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _first_then(first: bytes, ever: bytes) -> Iterator[bytes]:
    yield first
    yield from repeat(ever)


def _slowly(first: bytes, ever: bytes) -> Iterator[bytes]:
    for piece in _first_then(first, ever):
        yield piece
        time.sleep(DRIP_S)


TOOLS = {
    name: getattr(Hostile, name)
    for name in (
        *("sized", "packed", "packed_events", "announced", "chunked", "events", "one_event", "comments"),
        *("informational", "trailers", "drip", "drip_events"),
    )
}

if __name__ == "__main__":
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Hostile).serve_forever()
