"""Bytes in, bytes out: requests as an attacker writes them, answers as they came."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import time
from dataclasses import dataclass, field

PREFIX = "io.modelcontextprotocol/"
MODERN = "2026-07-28"
WAIT_S = 8.0


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        """The message; of an event stream the last one."""
        if not self.headers.get("content-type", "").startswith("text/event-stream"):
            return json.loads(self.body)
        data = [line[5:] for line in self.body.splitlines() if line.startswith(b"data:")]
        return json.loads(data[-1])

    @property
    def error(self):
        """The JSON-RPC number, or None."""
        return self.json.get("error", {}).get("code")

    @property
    def code(self):
        return self.json["error"]["data"]["code"]

    @property
    def result(self):
        assert "result" in self.json, self.json
        return self.json["result"]

    @property
    def text(self):
        """The first block of a tool's result."""
        return self.result["content"][0]["text"]


@dataclass
class Heard:
    """Everything one connection said until it closed or fell silent."""

    data: bytes = b""
    closed: bool = False
    seconds: float = 0.0
    responses: list[Response] = field(default_factory=list)

    @property
    def statuses(self):
        return [one.status for one in self.responses]

    @property
    def only(self):
        assert len(self.responses) == 1, self.data[:500]
        return self.responses[0]


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def split(data):
    """Complete responses at the beginning of the bytes."""
    found = []
    while (end := data.find(b"\r\n\r\n")) >= 0:
        lines = data[:end].decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        rest = data[end + 4 :]
        if "content-length" in headers:
            length = int(headers["content-length"])
            if len(rest) < length:
                break
            body, data = rest[:length], rest[length:]
        elif headers.get("transfer-encoding") == "chunked":
            body, whole, data = unchunked(rest)
            if not whole:
                break
        else:
            body, data = rest, b""
        found.append(Response(int(lines[0].split()[1]), headers, body))
    return found


def unchunked(data):
    """What has arrived of a chunked body, whether that is all of it, and what follows."""
    body = b""
    while (end := data.find(b"\r\n")) >= 0:
        size = int(data[:end], 16)
        if len(data) < end + size + 4:
            break
        body += data[end + 2 : end + 2 + size]
        data = data[end + size + 4 :]
        if not size:
            return body, True, data
    return body, False, b""


def hear(sock, *, expect=1, until_closed=False, wait_s=WAIT_S):
    """Read until ``expect`` answers are complete, or until the other side closes."""
    started = time.monotonic()
    heard = Heard()
    sock.settimeout(0.05)
    while time.monotonic() - started < wait_s:
        try:
            data = sock.recv(1 << 16)
        except TimeoutError:
            continue
        except OSError:
            data = b""
        if not data:
            heard.closed = True
            break
        heard.data += data
        heard.responses = split(heard.data)
        if not until_closed and len(heard.responses) >= expect:
            break
    heard.seconds = time.monotonic() - started
    heard.responses = split(heard.data)
    return heard


def talk(port, *parts, **listening):
    """Send the parts on a new connection and hear what comes."""
    with contextlib.closing(connect(port)) as sock:
        for part in parts:
            # The other side may have closed already; what it said is still there to be read.
            with contextlib.suppress(OSError):
                sock.sendall(part)
        return hear(sock, **listening)


def request(body=b"", *, verb="POST", path="/mcp", port=0, headers=(), leave_out=(), length=True):
    """One request with the usual headers, unless ``headers`` names them too or ``leave_out`` drops them."""
    usual = {
        "Host": f"127.0.0.1:{port}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
    }
    if verb != "POST":
        del usual["Content-Type"]
    given = [(name, value) for name, value in headers if value is not None]
    named = {name.lower() for name, _ in headers} | {name.lower() for name in leave_out}
    fields = [(name, value) for name, value in usual.items() if name.lower() not in named] + given
    if length and "content-length" not in named and (body or verb == "POST"):
        fields.append(("Content-Length", str(len(body))))
    lines = [f"{verb} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def modern_message(method="tools/call", params=None, *, request_id=1, meta=None, **members):
    params = {"name": "tools__echo", "arguments": {"text": "hi"}} if params is None else params
    envelope = {PREFIX + "protocolVersion": MODERN, PREFIX + "clientCapabilities": {}}
    if isinstance(params, dict):
        params = {**params, "_meta": {**envelope, **(meta or {})}}
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params, **members}


def modern_headers(message):
    found = {"MCP-Protocol-Version": MODERN, "Mcp-Method": str(message.get("method", ""))}
    params = message.get("params")
    target = TARGETS.get(message.get("method"))
    named = params.get(target) if isinstance(params, dict) else None
    if isinstance(named, str):
        found["Mcp-Name"] = named if PLAIN.fullmatch(named) else sentinel(named)
    return found


TARGETS = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"} | dict.fromkeys(
    ("tasks/get", "tasks/update", "tasks/cancel"), "taskId"
)
PLAIN = re.compile(r"[!-~]+")


def sentinel(text, label="base64"):
    """A header value that is not plain, as 2026-07-28 writes it."""
    return f"=?{label}?{base64.b64encode(text.encode()).decode()}?="


def legacy_message(method="tools/call", params=None, *, request_id=1):
    params = {"name": "tools__echo", "arguments": {"text": "hi"}} if params is None else params
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


class Stream:
    """An open connection whose answer is read event by event."""

    def __init__(self, port, raw):
        self.sock = connect(port)
        self.sock.sendall(raw)
        self.data = b""
        self.read_bytes = 0
        """Of the body, as events."""

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _more(self, ends_s):
        self.sock.settimeout(max(ends_s - time.monotonic(), 0.001))
        try:
            data = self.sock.recv(1 << 16)
        except (TimeoutError, OSError):
            data = b""
        self.data += data
        return bool(data)

    def status(self, *, wait_s=WAIT_S):
        ends_s = time.monotonic() + wait_s
        while b"\r\n\r\n" not in self.data and self._more(ends_s):
            pass
        return int(self.data.split()[1]) if self.data else 0

    def answer(self, *, wait_s=WAIT_S):
        """The whole answer, if it was no stream after all."""
        ends_s = time.monotonic() + wait_s
        while not (found := split(self.data)) and self._more(ends_s):
            pass
        return found[0]

    def answer_or_event(self, *, wait_s=WAIT_S):
        """The answer's message, whichever of the two forms it took."""
        self.status(wait_s=wait_s)
        return self.message(wait_s=wait_s) if b"text/event-stream" in self.data else self.answer().json

    def event(self, *, wait_s=WAIT_S):
        """The next event as ``(id, message)``; None if the stream ended or stayed silent."""
        ends_s = time.monotonic() + wait_s
        while True:
            _, _, rest = self.data.partition(b"\r\n\r\n")
            body, whole, _ = unchunked(rest)
            fresh = body[self.read_bytes :]
            found, end, _ = fresh.partition(b"\n\n")
            if end:
                self.read_bytes += len(found) + 2
                if (read := _event(found)) is not None:
                    return read
            elif whole or not self._more(ends_s):
                return None

    def message(self, *, wait_s=WAIT_S):
        """The next message, empty events passed over."""
        while (found := self.event(wait_s=wait_s)) is not None:
            if found[1] is not None:
                return found[1]
        return None


def _event(block):
    fields = [line.partition(b":") for line in block.split(b"\n")]
    values = {name.decode(): value.strip().decode() for name, _, value in fields if name}
    if "id" not in values and "data" not in values:
        return None
    return values.get("id"), json.loads(values["data"]) if values.get("data") else None
