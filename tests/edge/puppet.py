"""A tool server of either era that does what a test tells it to: odd answers, questions, changes."""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.edge.upstream_server import QuietServer

OBJECT = {"type": "object"}
EVERYTHING = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
    "completions": {},
    "logging": {},
}
LISTS = {
    "tools/list": {"tools": [{"name": "get", "inputSchema": OBJECT}, {"name": "put", "inputSchema": OBJECT}]},
    "prompts/list": {"prompts": [{"name": "greet", "arguments": [{"name": "who"}]}]},
    "resources/list": {"resources": [{"uri": "note://one", "name": "one"}]},
    "resources/templates/list": {"resourceTemplates": [{"uriTemplate": "note://by/{id}", "name": "by"}]},
}
RESULTS = {
    "prompts/get": {"messages": [{"role": "user", "content": {"type": "text", "text": "hello"}}]},
    "resources/read": {"contents": [{"uri": "note://one", "text": "a note"}]},
    "completion/complete": {"completion": {"values": ["a"]}},
}
PRIVATE = {"ttlMs": 0, "cacheScope": "private"}
UNGOVERNED = {"server/discover", "initialize", "ping", "subscriptions/listen", *LISTS}


@dataclass
class Raw:
    """An HTTP answer as it stands."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None
    """Announced instead of the real one."""


@dataclass
class Wire:
    """What goes over the line instead of an HTTP answer, piece by piece; then the connection is closed."""

    pieces: object


@dataclass
class RpcError:
    code: int
    message: str
    data: object = None


@dataclass
class Heard:
    """One request of the gateway."""

    path: str
    headers: dict[str, str]
    body: bytes
    handler: object = field(repr=False)
    streaming: bool = False

    def __post_init__(self):
        self.message = json.loads(self.body)
        self.method = self.message.get("method")
        self.id = self.message.get("id")
        self.params = self.message.get("params") or {}

    @property
    def is_call(self):
        method = self.method
        return method is not None and method not in UNGOVERNED and not method.startswith("notifications/")

    def say(self, message):
        """Send something before the answer, on the stream of this request."""
        if not self.streaming:
            self.streaming = True
            self.handler.head(200, "text/event-stream", None)
        self.handler.wfile.write(b"data: " + json.dumps(message).encode() + b"\n\n")
        self.handler.wfile.flush()

    def ask(self, method, params=None, *, wait_s=10):
        """Ask the agent's side in the middle, as servers did before 2026-07-28; None without an answer."""
        puppet = self.handler.puppet
        number = f"q{next(puppet.numbers)}"
        puppet.answers[number] = waiting = queue.Queue()
        self.say({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
        with contextlib.suppress(queue.Empty):
            return waiting.get(timeout=wait_s)
        return None


class Puppet:
    """``on`` maps a method to a result or to what makes one of a ``Heard``; the rest is well-behaved."""

    def __init__(self, *, modern=True, capabilities=None, **lists):
        self.modern = modern
        self.capabilities = EVERYTHING if capabilities is None else capabilities
        self.lists = LISTS | {f"{name.replace('_', '/')}/list": value for name, value in lists.items()}
        self.on = {}
        self.requests = []
        self.calls = []
        """Of the requests, what it was asked on behalf of agents."""
        self.answers = {}
        self.numbers = itertools.count(1)
        self.streams = []
        """One queue for each open ``subscriptions/listen``."""
        self.ended = threading.Event()
        puppet = self

        class Handler(_Handler):
            pass

        Handler.puppet = puppet
        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for stream in self.streams:
            stream.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextlib.contextmanager
    def doing(self, **on):
        """For a while: ``tools_call=...`` and so on."""
        before = self.on
        self.on = before | {name.replace("_", "/", 1): answer for name, answer in on.items()}
        try:
            yield self
        finally:
            self.on = before

    def of(self, method):
        return [one for one in list(self.requests) if one.method == method]

    def changed(self, capability):
        for stream in self.streams:
            stream.put({"jsonrpc": "2.0", "method": f"notifications/{capability}/list_changed"})

    def result(self, heard):
        """The answer to a request: members of a result, or one of the forms above."""
        found = self.on.get(heard.method)
        if callable(found):
            found = found(heard)
        if found is None and heard.method in self.lists:
            found = self.lists[heard.method]
            found = found(heard) if callable(found) else found
        if found is None:
            found = self._usual(heard)
        return found

    def _usual(self, heard):
        method = heard.method
        if method == "server/discover" and self.modern:
            return {"supportedVersions": ["2026-07-28"], "capabilities": self.capabilities}
        if method == "initialize" and not self.modern:
            info = {"name": "puppet", "version": "1"}
            return {"protocolVersion": "2025-11-25", "capabilities": self.capabilities, "serverInfo": info}
        if method == "tools/call":
            text = json.dumps(heard.params.get("arguments", {}), sort_keys=True)
            return {"content": [{"type": "text", "text": text}]}
        if method in RESULTS:
            return RESULTS[method]
        if method in {"ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"}:
            return {}
        return RpcError(-32601, f"no {method} here")

    def body(self, heard, found):
        if isinstance(found, RpcError):
            error = {"code": found.code, "message": found.message}
            error |= {} if found.data is None else {"data": found.data}
            return {"jsonrpc": "2.0", "id": heard.id, "error": error}
        if self.modern:
            cached = PRIVATE if heard.method in UNGOVERNED or heard.method == "resources/read" else {}
            found = {"resultType": "complete", **cached, **found}
        return {"jsonrpc": "2.0", "id": heard.id, "result": found}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    puppet: Puppet

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        heard = Heard(self.path, {k.lower(): v for k, v in self.headers.items()}, body, self)
        puppet = self.puppet
        puppet.requests.append(heard)
        if heard.is_call:
            puppet.calls.append(heard)
        if heard.method is None:
            puppet.answers[heard.id].put(heard.message)
        if heard.id is None or heard.method is None:
            self.head(202, None, 0)
            return
        with contextlib.suppress(OSError):
            if heard.method == "subscriptions/listen" and heard.method not in puppet.on:
                self._listen(heard)
            else:
                self._answer(heard, puppet.result(heard))

    def do_GET(self):
        self.head(405, None, 0)

    def do_DELETE(self):
        self.head(200, None, 0)

    def head(self, status, kind, length, headers=()):
        self.send_response(status)
        if kind:
            self.send_header("content-type", kind)
        if length is None:
            self.send_header("connection", "close")
            self.close_connection = True
        else:
            self.send_header("content-length", str(length))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def _answer(self, heard, found):
        if found is None:
            self.close_connection = True
        elif isinstance(found, Raw):
            length = len(found.body) if found.length is None else found.length
            self.head(found.status, found.content_type, length, found.headers)
            self.wfile.write(found.body)
            self.close_connection = length != len(found.body)
        elif isinstance(found, Wire):
            self.close_connection = True
            for piece in found.pieces:
                self.wfile.write(piece)
        elif heard.streaming:
            heard.say(self.puppet.body(heard, found))
        else:
            answer = json.dumps(self.puppet.body(heard, found)).encode()
            session = () if self.puppet.modern else (("Mcp-Session-Id", f"s-{next(self.puppet.numbers)}"),)
            self.head(200, "application/json", len(answer), session if heard.method == "initialize" else ())
            self.wfile.write(answer)

    def _listen(self, heard):
        meta = {"io.modelcontextprotocol/subscriptionId": heard.id}
        params = {"_meta": meta, "notifications": heard.params["notifications"]}
        heard.say({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params})
        stream = queue.Queue()
        self.puppet.streams.append(stream)
        try:
            while (message := stream.get()) is not None:
                heard.say(message)
        finally:
            self.puppet.streams.remove(stream)

    def log_message(self, *_):
        pass
