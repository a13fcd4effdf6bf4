"""Real servers in subprocesses, a scripted raw HTTP server, and connections to them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.background import Background
from gateway.egress import Egress, EgressSettings
from gateway.ports import ToolSend
from gateway.upstream.pool import upstream_for
from gateway.upstream.settings import UpstreamSettings

SERVERS = Path(__file__).parent / "servers"


class Workshop:
    """Builds connections, and takes everything down again."""

    def __init__(self):
        self.failures = []
        self.changed = []
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self):
        self.background = await self._stack.enter_async_context(
            Background(on_failure=lambda name, error: self.failures.append((name, error)))
        )
        self.egress = await self._stack.enter_async_context(
            Egress(EgressSettings(), clock=time.monotonic, start_task=self.background.start)
        )
        return self

    async def __aexit__(self, *exc):
        await self._stack.aclose()

    async def connect(self, upstream="orders", **settings):
        connection = upstream_for(
            upstream,
            UpstreamSettings(**settings),
            self.egress,
            self.background,
            clock=time.monotonic,
            random=random.random,
        )
        self._stack.push_async_callback(connection.aclose)
        await connection.start(self.changed.append)
        return connection

    async def until(self, holds, *, within_s=10):
        async with asyncio.timeout(within_s):
            while not holds():
                await asyncio.sleep(0.01)


@pytest.fixture
async def workshop():
    async with Workshop() as built:
        yield built
        assert built.failures == []


@pytest.fixture(scope="session")
def workshop_class():
    return Workshop


@pytest.fixture(scope="session")
def servers():
    return SERVERS


def start_server(*words, **options):
    """A server in a subprocess; returns it and the port it names on its first line."""
    process = subprocess.Popen([sys.executable, *map(str, words)], stdout=subprocess.PIPE, **options)
    first = process.stdout.readline().split()
    assert first[:1] == [b"ready"], first
    return process, int(first[1])


def stop_server(process):
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
    process.stdout.close()


@pytest.fixture(scope="session")
def running():
    """``with running("sdk_server.py", ...) as (process, url)``."""

    @contextlib.contextmanager
    def run(script, *words, **options):
        process, port = start_server(SERVERS / script, *words, **options)
        try:
            yield process, f"http://127.0.0.1:{port}/mcp"
        finally:
            stop_server(process)

    return run


@pytest.fixture(scope="session")
def call():
    """Calls a tool with arguments as a value, as the flow would."""

    async def call_tool(upstream, tool, arguments=None, *, deadline_s=10, on_progress=None, **rest):
        arguments = arguments or {}
        send = ToolSend(
            tool=tool,
            arguments_json=json.dumps(arguments, separators=(",", ":")).encode(),
            arguments=arguments,
            wants_progress=on_progress is not None,
            **rest,
        )
        return await upstream.call_tool(send, deadline_s=deadline_s, on_progress=on_progress)

    return call_tool


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


class ScriptedServer:
    """Answers by a function of the request; returns bytes, or a coroutine that writes by itself."""

    def __init__(self, respond):
        self.respond = respond
        self.requests = []
        self.connections = 0
        self._writers = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        return self

    async def __aexit__(self, *exc):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    def of(self, method):
        return [request for request in self.requests if request.method == method]

    async def _serve(self, reader, writer):
        self.connections += 1
        self._writers.add(writer)
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


@pytest.fixture
def scripted():
    """``async with scripted(respond) as server``."""
    return ScriptedServer


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

    @staticmethod
    def stream(*events):
        body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
        return Http.answer(body, kind="text/event-stream")


@pytest.fixture
def http():
    return Http
