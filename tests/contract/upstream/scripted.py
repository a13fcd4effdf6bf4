"""An HTTP server whose answers are a function of the test, and what such answers look like."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json


class Request:
    """One request as the scripted server read it."""

    def __init__(self, verb, path, headers, body):
        self.verb = verb
        self.path = path
        self.headers = headers
        self.body = body
        self.message = json.loads(body) if body else {}
        self.method = self.message.get("method")
        self.id = self.message.get("id")

    @property
    def params(self):
        return self.message.get("params", {})

    @property
    def session(self):
        return self.headers.get("mcp-session-id")


class ScriptedServer:
    """Answers by a function of the request; returns bytes, or a coroutine that writes by itself."""

    def __init__(self, respond, *, port=0):
        self.respond = respond
        self.port = port
        self.requests = []
        self.connections = 0
        self._writers = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        return self

    async def __aexit__(self, *exc):
        self._server.close()
        self.hang_up()

    def hang_up(self):
        """Cut every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def of(self, method):
        return [request for request in self.requests if request.method == method]

    def verbs(self, verb):
        return [request for request in self.requests if request.verb == verb]

    async def _serve(self, reader, writer):
        self.connections += 1
        self._writers.add(writer)
        writer.peer_left = reader.at_eof
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                verb, path, _ = head[0].split(" ", 2)
                headers = {}
                for line in filter(None, head[1:]):
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Request(verb, path, headers, body)
                self.requests.append(request)
                answer = self.respond(request)
                if asyncio.iscoroutine(answer):
                    answer = await answer
                if callable(answer):
                    await answer(writer)
                else:
                    writer.write(answer)
                await writer.drain()
        writer.close()


class Http:
    """HTTP answers as bytes."""

    @staticmethod
    def answer(body=b"", *, status="200 OK", kind="application/json", headers=()):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        if body:
            lines.append(f"Content-Type: {kind}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    @classmethod
    def result(cls, request, result, **rest):
        return cls.answer({"jsonrpc": "2.0", "id": request.id, "result": result}, **rest)

    @classmethod
    def error(cls, request, code, message="no", **rest):
        error = {"code": code, "message": message}
        return cls.answer({"jsonrpc": "2.0", "id": request.id, "error": error}, **rest)

    @classmethod
    def discover(cls, request, **capabilities):
        return cls.result(
            request,
            {
                "resultType": "complete",
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}} | capabilities,
                "ttlMs": 0,
                "cacheScope": "private",
            },
        )

    @classmethod
    def accepted(cls):
        return cls.answer(status="202 Accepted")

    @staticmethod
    def event(message):
        return b"data: " + json.dumps(message).encode() + b"\n\n"

    @staticmethod
    def stream(*events):
        return Http.answer(b"".join(map(Http.event, events)), kind="text/event-stream")


class OpenStream:
    """An event stream that stays open: answer with it, then say things on it."""

    HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    def __init__(self, request=None):
        self.request = request
        self.opened = asyncio.Event()
        self.ended = asyncio.Event()
        self._last = asyncio.Event()

    async def __call__(self, writer):
        self._writer = writer
        writer.write(self.HEAD)
        await writer.drain()
        self.opened.set()
        try:
            while not self._last.is_set() and not self._left():
                await asyncio.sleep(0.005)
        finally:
            self.ended.set()

    @property
    def lives(self):
        return self.opened.is_set() and not self.ended.is_set() and not self._left()

    def _left(self):
        return self._writer.peer_left() or self._writer.transport.is_closing()

    async def say(self, *messages):
        await self.opened.wait()
        body = b"".join(map(Http.event, messages))
        self._writer.write(b"%x\r\n%s\r\n" % (len(body), body))
        await self._writer.drain()

    async def answer(self, result):
        """Say the result of the request that opened it, and end."""
        await self.say({"jsonrpc": "2.0", "id": self.request.id, "result": result})
        await self.end()

    async def end(self):
        """End it as one says goodbye."""
        await self.opened.wait()
        self._writer.write(b"0\r\n\r\n")
        self._last.set()

    async def cut(self):
        """End it as a network does."""
        await self.opened.wait()
        self._writer.transport.abort()


class Legacy:
    """A scripted server of the session era whose sessions can be forgotten.

    ``on`` is what it does with each method; what is not there it accepts without an answer.
    """

    def __init__(self, *, stateful=True, listens=False, capabilities=None, version="2025-11-25", on=None):
        self.stateful = stateful
        self.capabilities = {"tools": {"listChanged": True} if listens else {}} | (capabilities or {})
        self.version = version
        self.names = itertools.count(1)
        self.sessions = {}
        """Session id -> the capabilities its client declared."""
        self.on_call = lambda request: Http.result(request, {"content": []})
        self.on_get = lambda request: Http.answer(status="405 Method Not Allowed")
        self.on = on or {}

    def __call__(self, request):
        if request.method == "server/discover":
            return Http.answer(b"Bad Request: no session", status="400 Bad Request", kind="text/plain")
        if request.method == "initialize":
            result = {"protocolVersion": self.version, "capabilities": self.capabilities}
            if not self.stateful:
                return Http.result(request, result)
            name = f"s{next(self.names)}"
            self.sessions[name] = request.params["capabilities"]
            return Http.result(request, result, headers=[f"Mcp-Session-Id: {name}"])
        if self.stateful and request.session not in self.sessions:
            return Http.answer(b'{"error":"Session not found"}', status="404 Not Found")
        if request.verb == "DELETE":
            del self.sessions[request.session]
            return Http.answer(status="204 No Content")
        if request.verb == "GET":
            return self.on_get(request)
        if request.method in self.on:
            return self.on[request.method](request)
        if request.method == "tools/call":
            return self.on_call(request)
        return Http.accepted()
