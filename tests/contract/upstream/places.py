"""Where a server of the session era may speak in the middle of a call, and an agent that it speaks to."""

from __future__ import annotations

import asyncio
import contextlib

from tests.contract.upstream.puppets import Puppets
from tests.contract.upstream.scripted import Legacy, OpenStream, ScriptedServer


class Talk:
    """One call in the middle of which the server speaks, wherever it does that."""

    def __init__(self, call_id, say, heard, answer):
        self.call_id = call_id
        """The number under which the gateway asked for the call."""
        self._say = say
        self._heard = heard
        self._answer = answer
        self._asked = 0

    async def say(self, *messages):
        await self._say(*messages)

    async def ask(self, method, params=None, *, number=None):
        """Ask something; returns the id."""
        self._asked += 1
        number = f"{id(self)}-{self._asked}" if number is None else number
        await self.say({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
        return number

    async def cancel(self, number):
        await self.say(
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}
        )

    def told(self, number):
        """What the gateway answered to that question, as often as it did."""
        return [one for one in self._heard() if one.get("id") == number and "method" not in one]

    async def answer_of(self, number):
        async with asyncio.timeout(5):
            while not self.told(number):
                await asyncio.sleep(0.005)
        (answer,) = self.told(number)
        return answer

    async def finish(self):
        await self._answer({"content": []})


class Place:
    """Where a server may ask: on the stream of the call, on that of the caller's session, through a pipe."""

    def __init__(self, name):
        self.name = name
        self.talks = []

    @contextlib.asynccontextmanager
    async def open(self):
        if self.name == "stdio":
            async with Puppets(on={"tools/call": self._on_line}) as self._puppets:
                self.settings = {"command": self._puppets.command}
                yield self
            return
        self.streams = {}
        script = Legacy()
        script.on_get = lambda request: self.streams.setdefault(request.session, OpenStream(request))
        script.on_call = self._on_post
        async with ScriptedServer(script) as self.server:
            self.settings = {"url": self.server.url}
            yield self

    def _on_line(self, child, request):
        async def say(*messages):
            child.say(*messages)

        async def answer(result):
            child.answer(request, result)

        self.talks.append(Talk(request["id"], say, lambda: child.heard, answer))

    def _on_post(self, request):
        own = OpenStream(request)
        spoken_on = own if self.name == "call-stream" else self.streams[request.session]
        self.talks.append(Talk(request.id, spoken_on.say, self._heard, own.answer))
        return own

    def _heard(self):
        return [one.message for one in self.server.requests]

    async def talk(self, number=0):
        async with asyncio.timeout(5):
            while len(self.talks) <= number:
                await asyncio.sleep(0.005)
        return self.talks[number]


class Agent:
    """Answers questions, or leaves them open; keeps them, and which of them were withdrawn."""

    def __init__(self, answer=None):
        self.answer = answer
        self.asked = []
        self.withdrawn = []

    async def __call__(self, ask):
        self.asked.append(ask)
        if self.answer is not None:
            return self.answer
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.withdrawn.append(ask)
            raise
