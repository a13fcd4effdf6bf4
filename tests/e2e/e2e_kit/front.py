"""One agent spoken by hand: what both eras and both transports have in common."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from e2e_kit.gateways import ANA, GatewayProcess
from e2e_kit.mirrors import SOON_S, members

MODERN, LEGACY = "2026-07-28", "2025-11-25"
META = "io.modelcontextprotocol/"
EVERYTHING = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
TASKS = {"extensions": {f"{META}tasks": {}}}

Message = dict[str, Any]
Answering = Callable[[Message], Message | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to one request, and what came before it."""

    raw: bytes
    status: int = 200
    before: list[Message] = field(default_factory=list)

    @property
    def result(self) -> bytes:
        """The result byte for byte."""
        found = members(self.raw)
        assert "result" in found, self.raw[:600]
        return found["result"]

    @property
    def error(self) -> bytes:
        """The error byte for byte."""
        found = members(self.raw)
        assert "error" in found, self.raw[:600]
        return found["error"]

    @property
    def value(self) -> Any:
        """The result."""
        return json.loads(self.result)

    @property
    def text(self) -> str:
        """The first text block of a tool result."""
        text: str = self.value["content"][0]["text"]
        return text

    @property
    def failure(self) -> tuple[int, str]:
        """The error's number and ``data.code``."""
        error = json.loads(self.error)
        return error["code"], error.get("data", {}).get("code", "")


class Events:
    """Messages in the order of their coming."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self.granted: list[str] = []
        """URIs whose changes are told here."""
        self.task: asyncio.Future[None] | None = None
        """Reads the stream, where it has one of its own."""

    def put(self, message: Message) -> None:
        """One more."""
        self._queue.put_nowait(message)

    async def until(self, fits: Callable[[Message], bool], *, within_s: float = SOON_S) -> list[Message]:
        """All up to the first that fits, which is the last."""
        found = []
        async with asyncio.timeout(within_s):
            while not found or not fits(found[-1]):
                found.append(await self._queue.get())
        return found

    async def acknowledged(self) -> None:
        """Until a ``subscriptions/listen`` is; keep what was granted."""
        method = "notifications/subscriptions/acknowledged"
        told = (await self.until(lambda one: one["method"] == method))[-1]["params"]["notifications"]
        self.granted = told.get("resourceSubscriptions", [])


class Front:
    """One agent. ``answering`` gets what it is asked, and returns members of the response, or None for silence."""

    era = ""

    def __init__(
        self,
        gateway: GatewayProcess,
        route: str = "/mcp",
        *,
        token: str = ANA,
        capabilities: Message | None = None,
        version: str = LEGACY,
    ) -> None:
        self.gateway, self.route, self.token, self.version = gateway, route, token, version
        self.capabilities = capabilities or {}
        self.answering: Answering = lambda _: None
        self.asked: list[Message] = []
        self._numbers = itertools.count(1)

    def request(self, method: str, params: Message | str | None, meta: Message | None, number: Any) -> bytes:
        """One request; params given as text are sent as they are."""
        text = params if isinstance(params, str) else json.dumps(params or {})
        whole = dict(meta or {})
        if self.era == "modern":
            whole |= {
                f"{META}protocolVersion": MODERN,
                f"{META}clientInfo": {"name": "front", "version": "1"},
                f"{META}clientCapabilities": self.capabilities,
            }
        if whole:
            inside = text.strip()[:-1].rstrip()
            text = inside + ("" if inside == "{" else ",") + f'"_meta":{json.dumps(whole)}}}'
        head = f'{{"jsonrpc":"2.0","id":{json.dumps(number)},"method":{json.dumps(method)},"params":'
        return (head + text + "}").encode()

    async def ask(
        self,
        method: str,
        params: Message | str | None = None,
        *,
        meta: Message | None = None,
        number: Any = None,
    ) -> Answer:
        """Send a request, answer what is asked meanwhile, return the response."""
        number = next(self._numbers) if number is None else number
        return await self._exchange(self.request(method, params, meta, number), number)

    async def _exchange(self, body: bytes, number: Any) -> Answer:
        raise NotImplementedError

    async def call(self, name: str, arguments: Message | None = None, **rest: Any) -> Answer:
        """One tool call, with all its rounds of input."""
        return await self.through("tools/call", {"name": name, "arguments": arguments or {}}, **rest)

    async def through(self, method: str, params: Message, **rest: Any) -> Answer:
        """A request; as long as it is answered ``input_required``, again with the answers."""
        whole = params
        while True:
            answer = await self.ask(method, whole, **rest)
            found = members(answer.raw).get("result", b"{}")
            if self.era == "legacy" or members(found).get("resultType") != b'"input_required"':
                return answer
            whole = {**params, **self.brought(answer)}

    def brought(self, answer: Answer) -> Message:
        """What to come back with after an ``input_required`` result."""
        asked = answer.value
        responses = {}
        for key, question in asked.get("inputRequests", {}).items():
            self.asked.append(question)
            if (told := self.answering(question)) is not None:
                responses[key] = told["result"]
        state = {"requestState": asked["requestState"]} if "requestState" in asked else {}
        return {"inputResponses": responses, **state}

    async def subscribed(self, *uris: str) -> list[str]:
        """Subscribe, in the session era; those that were."""
        answers = {uri: await self.ask("resources/subscribe", {"uri": uri}) for uri in uris}
        return [uri for uri, answer in answers.items() if "result" in members(answer.raw)]

    def take(self, message: Message) -> bytes | None:
        """A question of the server in the session era: the response, if this agent gives one."""
        self.asked.append(message)
        told = self.answering(message)
        if told is None:
            return None
        return json.dumps({"jsonrpc": "2.0", "id": message["id"], **told}).encode()
