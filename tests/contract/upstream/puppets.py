"""Children whose lines a function of the test answers: a stdio server that the test can hold by the hand."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from pathlib import Path

RELAY = Path(__file__).parent / "servers" / "relay_child.py"
MODERN = {"supportedVersions": ["2026-07-28"], "resultType": "complete", "ttlMs": 0}


class Puppet:
    """One child process, from the test's side."""

    def __init__(self, writer):
        self._writer = writer
        self._numbers = itertools.count(1)
        self.heard = []
        """Every message of the gateway, in order."""
        self.lines = []
        """The same as bytes."""
        self.gone = False

    def of(self, method):
        return [message for message in self.heard if message.get("method") == method]

    def answers(self, asked):
        """The gateway's answers to a request of ours."""
        return [message for message in self.heard if message.get("id") == asked and "method" not in message]

    def say(self, *messages):
        """Write lines, all in one piece."""
        lines = (one if isinstance(one, bytes) else json.dumps(one).encode() for one in messages)
        self._writer.write(b"".join(line + b"\n" for line in lines))

    def answer(self, request, result):
        """``result``: a value, or the bytes of one."""
        body = result if isinstance(result, bytes) else json.dumps(result).encode()
        self.say(b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (request["id"], body))

    def ask(self, method, params=None):
        """Ask the gateway something; returns the id."""
        number = f"q{next(self._numbers)}"
        self.say({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
        return number

    def tell(self, method, params=None):
        self.say({"jsonrpc": "2.0", "method": method, "params": params or {}})

    def die(self):
        """Exit at once."""
        self._writer.transport.abort()


class Puppets:
    """All children of one upstream. ``on``: method -> result, or a function of puppet and request.

    A function that returns None has answered by itself, or leaves the question open.
    """

    def __init__(self, *, era="legacy", capabilities=None, on=None):
        self.era = era
        self.capabilities = {"tools": {}} | (capabilities or {})
        self.on = {"tools/call": {"content": []}} | (on or {})
        self.all = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=64 << 20)
        port = self._server.sockets[0].getsockname()[1]
        self.command = (sys.executable, "-S", "-E", str(RELAY), str(port))
        return self

    async def __aexit__(self, *exc):
        self._server.close()
        for puppet in self.all:
            puppet.die()

    @property
    def living(self):
        return [puppet for puppet in self.all if not puppet.gone]

    async def _serve(self, reader, writer):
        puppet = Puppet(writer)
        self.all.append(puppet)
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                message = json.loads(line)
                puppet.lines.append(line)
                puppet.heard.append(message)
                self._respond(puppet, message)
        puppet.gone = True
        writer.close()

    def _respond(self, puppet, message):
        method = message.get("method")
        if method is None or (method not in self.on and "id" not in message):
            return
        if method in self.on:
            on = self.on[method]
            result = on(puppet, message) if callable(on) else on
        elif method == "server/discover" and self.era == "modern":
            result = MODERN | {"capabilities": self.capabilities}
        elif method == "initialize" and self.era == "legacy":
            result = {"protocolVersion": "2025-11-25", "capabilities": self.capabilities}
        else:
            error = {"code": -32601, "message": f"no {method} here"}
            puppet.say({"jsonrpc": "2.0", "id": message["id"], "error": error})
            return
        if result is not None:
            puppet.answer(message, result)
