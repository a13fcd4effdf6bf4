"""Real servers in subprocesses, scripted ones in the test's own hands, and connections to them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.background import Background
from gateway.egress import Egress, EgressSettings
from gateway.ports import Send
from gateway.upstream import http as http_link
from gateway.upstream import http_legacy, listening, pool
from gateway.upstream.pool import upstream_for
from gateway.upstream.settings import UpstreamSettings
from tests.contract.upstream.puppets import Puppets
from tests.contract.upstream.scripted import Http, Legacy, ScriptedServer
from tests.contract.upstream.variants import VARIANTS

SERVERS = Path(__file__).parent / "servers"


class Workshop:
    """Builds connections, hears what they say, and takes everything down again."""

    def __init__(self):
        self.failures = []
        self.changed = []
        """Upstream and capability of each reported change."""
        self.updated = []
        """URI of each resource that was reported to have changed."""
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

    def list_changed(self, upstream, capability):
        self.changed.append((upstream, capability))

    def resource_updated(self, upstream, uri):
        self.updated.append(uri)

    async def connect(self, upstream="orders", **settings):
        connection = upstream_for(
            upstream,
            UpstreamSettings(**settings),
            self.egress,
            self.background,
            clock=time.monotonic,
            random=random.random,
            redacted=str,
        )
        self._stack.push_async_callback(connection.aclose)
        await connection.start(self)
        return connection

    async def ready(self, upstream="orders", **settings):
        """Connect, and return once it is."""
        connection = await self.connect(upstream, **settings)
        await self.until(lambda: connection.health().state == "ready")
        return connection

    async def until(self, holds, *, within_s=10):
        async with asyncio.timeout(within_s):
            while not holds():
                await asyncio.sleep(0.005)


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


@pytest.fixture
def quick(monkeypatch):
    """Pauses before something is tried again, a tenth of what they are."""
    for module, names in (
        (listening, ("PAUSE_S",)),
        (http_link, ("LISTEN_PAUSE_S",)),
        (http_legacy, ("STREAM_PAUSE_S",)),
        (pool, ("CHILD_FIRST_PAUSE_S", "HTTP_FIRST_PAUSE_S")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name) / 10)


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.fixture(scope="session", params=VARIANTS)
def variant(request):
    return request.param


@pytest.fixture(scope="session")
def cancellations(tmp_path_factory, variant):
    return tmp_path_factory.mktemp(variant) / "cancelled"


@pytest.fixture(scope="session")
def reached(variant, running, servers, cancellations):
    """The settings that lead to a real server of this variant."""
    transport, *words = VARIANTS[variant]
    env = {"FIXTURE_LOG": str(cancellations), "PATH": "/usr/bin:/bin"}
    if transport == "stdio":
        yield {"command": (sys.executable, str(servers / "sdk_server.py"), "stdio", *words), "env": env}
    else:
        with running("sdk_server.py", "http", *words, env=env) as (_, url):
            yield {"url": url}


@pytest.fixture(scope="session")
def ask():
    """Sends any request with params as a value, as the flow would; ``name`` is what it is about."""

    async def send(upstream, method, params=None, *, deadline_s=10, on_notice=None, on_ask=None, **rest):
        params = params or {}
        name = str(params.get("name") or params.get("uri") or params.get("taskId") or "")
        wanted = {"name": name, "wants_progress": on_notice is not None}
        request = Send(method=method, params=params, **wanted | rest)
        return await upstream.call(request, deadline_s=deadline_s, on_notice=on_notice, on_ask=on_ask)

    return send


@pytest.fixture(scope="session")
def call(ask):
    """Calls a tool with arguments as a value."""

    async def call_tool(upstream, tool, arguments=None, **rest):
        arguments = arguments or {}
        params = {"name": tool, "arguments": arguments}
        return await ask(upstream, "tools/call", params, arguments=arguments, **rest)

    return call_tool


@pytest.fixture(scope="session")
def said():
    """What a tool of the SDK's server answered with, as a value."""

    def structured(reply):
        content = json.loads(reply.result)["structuredContent"]
        return content["result"] if set(content) == {"result"} else content

    return structured


@pytest.fixture
def scripted():
    """``async with scripted(respond) as server``."""
    return ScriptedServer


@pytest.fixture
def legacy():
    """``script = legacy(...)``: a server of the session era, for ``scripted``."""
    return Legacy


@pytest.fixture
def puppets():
    """``async with puppets(era=..., on=...) as theirs``: children, for ``command=theirs.command``."""
    return Puppets


@pytest.fixture
def http():
    return Http
