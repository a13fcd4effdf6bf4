"""The protocol as far as a mirror speaks it, in either era; what it answers is a test's.

An answer is a list of steps, each an object with one member:

    say: TEXT            a message on the call's own stream; $token $id $arguments $asked are filled in
    tell: MESSAGE        a notification to everybody who listens for it
    ask: {method, params}  a request to the client (session era), and wait for its response
    ask_aside: {method, params}  the same, not on the call's stream but on the one of the session
    put: {method, params}  the same on the call's stream, without waiting; its id is $asked from now on
    gate: NAME           wait for the test
    pause: SECONDS       be slow
    stream: true         answer as an event stream
    rounds: {STATE: TEXT}  the result that belongs to the request state that came; "answered" without one
    filled: TEXT         a result, filled in
    result: TEXT         a result, byte for byte
    error: TEXT          an error object, byte for byte
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from mirror.folder import Folder

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
ANSWER_S = 60.0
Message = dict[str, Any]
Say = Callable[[bytes], Awaitable[None]]

_CACHED = {"ttlMs": 0, "cacheScope": "private"}
_LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
_WANTS = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
}
_UPDATED = "notifications/resources/updated"


class Channel(Protocol):
    """Where one request's answer goes."""

    stream: bool

    async def say(self, message: bytes) -> None:
        """Something before the answer."""
        ...


class Dialogue:
    """Answers messages; shared by all connections."""

    def __init__(self, folder: Folder, era: str) -> None:
        self.folder = folder
        self.modern = era == "modern"
        self.streams: dict[str, Say] = {}
        """Where what nobody asked for goes, by session (session era)."""
        self._numbers = itertools.count(1)
        self._asked: dict[tuple[str, str], asyncio.Future[Message]] = {}
        self._running: dict[tuple[str, Any], asyncio.Task[Any]] = {}
        self._subscribed: dict[str, set[str]] = {}
        self._listening: dict[tuple[str, Any], tuple[Message, Say]] = {}

    def hear(self, raw: bytes, session: str, headers: dict[str, str] | None = None) -> Message:
        """Write a message down; act on it unless it is a request."""
        message: Message = json.loads(raw)
        self.folder.note(
            raw=raw.decode(), method=message.get("method", ""), session=session, headers=headers or {}
        )
        if "method" not in message:
            waiting = self._asked.get((session, message.get("id", "")))
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
        elif message["method"] == "notifications/cancelled":
            task = self._running.get((session, message["params"].get("requestId")))
            if task is not None:
                task.cancel()
        return message

    async def answer(self, message: Message, session: str, channel: Channel) -> bytes:
        """The response to a request."""
        key = (session, message["id"])
        task = asyncio.current_task()
        assert task is not None
        self._running[key] = task
        try:
            what, text = await self._answered(message, session, channel)
        except asyncio.CancelledError:
            self.folder.note(cancelled=message["id"], method=message["method"], session=session)
            raise
        finally:
            self._running.pop(key, None)
            self._listening.pop(key, None)
        return b'{"jsonrpc":"2.0","id":%b,"' % json.dumps(message["id"]).encode() + b'%b":%b}' % (
            what.encode(),
            text.encode(),
        )

    async def _answered(self, message: Message, session: str, channel: Channel) -> tuple[str, str]:
        method, params = message["method"], message.get("params", {})
        if method == ("server/discover" if self.modern else "initialize"):
            return self._introduced()
        if method in _LISTS:
            return self._listed(_LISTS[method], params.get("cursor"))
        if method == "subscriptions/listen" and self.modern:
            return await self._listened(message, session, channel)
        told = await self._act(self.folder.script(_key(method, params)), message, session, channel)
        if told is not None:
            return told
        if method in {"resources/subscribe", "resources/unsubscribe"} and not self.modern:
            subscribed = self._subscribed.setdefault(session, set())
            (subscribed.add if method == "resources/subscribe" else subscribed.discard)(params["uri"])
        return self._plain(method, params)

    def _introduced(self) -> tuple[str, str]:
        offer = self.folder.offer()
        told: Message = {"capabilities": offer["capabilities"], "instructions": offer["instructions"]}
        name = {"name": "mirror", "version": "0"}
        if self.modern:
            told |= {"supportedVersions": [MODERN], **_CACHED, "resultType": "complete"}
            told["_meta"] = {"io.modelcontextprotocol/serverInfo": name}
        else:
            told |= {"protocolVersion": LEGACY, "serverInfo": name}
        return "result", json.dumps(told)

    def _listed(self, member: str, cursor: str | None) -> tuple[str, str]:
        offer = self.folder.offer()
        if offer.get(member) is None:
            return "error", '{"code":-32601,"message":"no such list"}'
        start, size = int(cursor or 0), offer["page"] or len(offer[member]) or 1
        text = f'{{"{member}":[{",".join(offer[member][start : start + size])}]'
        if start + size < len(offer[member]):
            text += f',"nextCursor":"{start + size}"'
        return "result", text + (
            ',"resultType":"complete","ttlMs":0,"cacheScope":"private"}' if self.modern else "}"
        )

    async def _listened(self, message: Message, session: str, channel: Channel) -> tuple[str, str]:
        asked = message["params"]["notifications"]
        refused = set(self.folder.offer()["unsubscribable"])
        honoured = {name: value for name, value in asked.items() if name != "resourceSubscriptions"}
        if uris := [uri for uri in asked.get("resourceSubscriptions", []) if uri not in refused]:
            honoured["resourceSubscriptions"] = uris
        channel.stream = True
        self._listening[(session, message["id"])] = (honoured, channel.say)
        params = {"notifications": honoured, "_meta": _subscription(message["id"])}
        await channel.say(_notice("notifications/subscriptions/acknowledged", params))
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def _act(
        self, steps: list[Message], message: Message, session: str, channel: Channel
    ) -> tuple[str, str] | None:
        asked = ""
        for step in steps:
            [(do, what)] = step.items()
            if do in {"result", "error"}:
                return do, what
            if do == "filled":
                return "result", _filled(what, message, asked)
            if do == "rounds":
                params = message["params"]
                without = "answered" if "inputResponses" in params else ""
                return "result", what[params.get("requestState", without)]
            if do == "say":
                if "$token" not in what or _token(message) is not None:
                    await channel.say(_filled(what, message, asked).encode())
            elif do == "tell":
                await self._tell(what)
            elif do in {"ask", "put", "ask_aside"}:
                say = self.streams[session] if do == "ask_aside" else channel.say
                asked = await self._ask(what, session, say, wait=do != "put")
            elif do == "gate":
                await self.folder.gate(what)
            elif do == "pause":
                await asyncio.sleep(what)
            else:
                channel.stream = what
        return None

    async def _ask(self, question: Message, session: str, say: Say, *, wait: bool) -> str:
        asked = f"mirror-{next(self._numbers)}"
        waiting: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._asked[(session, asked)] = waiting
        await say(json.dumps({"jsonrpc": "2.0", "id": asked, **question}).encode())
        if wait:
            async with asyncio.timeout(ANSWER_S):
                await waiting
        return asked

    async def _tell(self, message: Message) -> None:
        method, params = message["method"], message.get("params", {})
        for (_, number), (asked, say) in list(self._listening.items()):
            if asked.get(_WANTS.get(method, "")) or params.get("uri") in asked.get(
                "resourceSubscriptions", []
            ):
                await say(_notice(method, {**params, "_meta": _subscription(number)}))
        for session, say in list(self.streams.items()):
            if method != _UPDATED or params["uri"] in self._subscribed.get(session, set()):
                await say(_notice(method, params))

    def _plain(self, method: str, params: Message) -> tuple[str, str]:
        """What it says where a test wrote nothing down."""
        told: Message = {}
        if method == "tools/call":
            told = {"content": [{"type": "text", "text": json.dumps(params.get("arguments"))}]}
        elif method == "prompts/get":
            told = {"messages": [{"role": "user", "content": {"type": "text", "text": params["name"]}}]}
        elif method == "resources/read":
            told = {"contents": [{"uri": params["uri"], "text": f"what {params['uri']} holds"}]}
            told |= _CACHED if self.modern else {}
        elif method == "completion/complete":
            told = {"completion": {"values": [params["argument"]["value"] + "-completed"]}}
        elif method not in {"ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"}:
            return "error", '{"code":-32601,"message":"not a method of the mirror"}'
        return "result", json.dumps(told | ({"resultType": "complete"} if self.modern else {}))


def _key(method: str, params: Message) -> str:
    if method.startswith("tasks/"):
        return f"{method}/{params['taskId']}"
    named: str = params.get("name") or params.get("uri") or ""
    return named if method in {"tools/call", "prompts/get", "resources/read"} else f"{method} {named}".strip()


def _token(message: Message) -> Any:
    return message.get("params", {}).get("_meta", {}).get("progressToken")


def _filled(text: str, message: Message, asked: str) -> str:
    arguments = json.dumps(message["params"].get("arguments"))
    values = {"$token": _token(message), "$id": message["id"], "$arguments": arguments, "$asked": asked}
    for name, value in values.items():
        text = text.replace(name, json.dumps(value))
    return text


def _notice(method: str, params: Message) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()


def _subscription(number: Any) -> Message:
    return {"io.modelcontextprotocol/subscriptionId": number}
