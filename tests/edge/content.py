"""A gateway that looks at texts, servers that say anything in every way there is, and what an agent got of it."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import re
from dataclasses import dataclass

import pytest

from tests.edge.gateways import Gateway, settings_of
from tests.edge.puppet import OBJECT, Puppet, RpcError
from tests.edge.raw import PREFIX, legacy_message, modern_message, talk

TOKEN = "ghp_" + "a1B2c3D4e5" * 3 + "F6g7H8"
OWN = "K7zQm2-Vt9_LxR4wYp8NcS6dHf3J"
"""The gateway's own credential at each server here."""
MAIL = "maria.schmidt@example.com"
LINES = (
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
    "MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu",
    "NMoSfm76oqFvAp8Gy0iz5sxjZmSnXyCdPEovGhLa0VzMaQ8s+CLOyS56YyCFGeJZ",
)
FRAMED = ("-----BEGIN PRIVATE" + " KEY-----", *LINES, "-----END PRIVATE" + " KEY-----")
CANARIES = (TOKEN, OWN, MAIL, *LINES)
ASKABLE = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
ERAS = [(agent, server) for agent in ("modern", "legacy") for server in ("new", "old")]


def everywhere(test):
    """In both eras of agent and server."""
    return pytest.mark.parametrize(("agent", "server"), ERAS)(test)


PIECE_CHARACTERS = 8
"""A run of a secret from this long on has leaked."""

POLICY = """\
package toolgate.rules.content

import rego.v1

allow if true

on_result contains {"code": "no_mail", "do": "redact", "kind": "email"} if input.arguments.ask == "redact"

on_result contains {"code": "stand_ins", "do": "tokenise", "kind": "email"} if input.arguments.ask == "tokenise"

on_result contains {"code": "no_hiding", "do": "block", "kind": "hidden-text"} if input.arguments.ask == "block"

on_call contains {"code": "trusted", "do": "restore", "kind": "email"} if input.tool.name == "put"
"""
TYPED = {
    "name": "typed",
    "inputSchema": OBJECT,
    "outputSchema": {
        "type": "object",
        "properties": {
            "note": {"type": "string"},
            "code": {"type": "string", "maxLength": 40},
            "n": {"type": "number"},
        },
        "required": ["note"],
        "additionalProperties": False,
    },
}
TOOLS = {"tools": [{"name": "get", "inputSchema": OBJECT}, {"name": "put", "inputSchema": OBJECT}, TYPED]}


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from strings(member)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def text(*words, **members):
    return {"content": [{"type": "text", "text": one} for one in words], **members}


@dataclass
class Told:
    """Everything that one request brought its agent."""

    status: int
    body: bytes
    messages: list

    @property
    def last(self):
        return self.messages[-1]

    @property
    def result(self):
        assert "result" in self.last, self.last
        return self.last["result"]

    @property
    def words(self):
        """Every string and every name of a member, as an agent reads them."""
        return [word for message in self.messages for word in strings(message)]

    @property
    def joined(self):
        """The same, put together as somebody would who looks for pieces."""
        return "".join("".join(self.words).split())

    @property
    def text(self):
        return self.result["content"][0]["text"]

    @property
    def kept_back(self):
        """The code with which an answer is kept back, or nothing."""
        if "error" in self.last:
            return (self.last["error"].get("data") or {}).get("code", "")
        found = re.search(r"the answer is kept back \((\w+)\)", json.dumps(self.last))
        return found[1] if found else ""


def leaked(told, secret):
    """The runs of a secret that arrived, in one piece or put together."""
    seen = (told.joined, "\0".join(told.words), told.body.decode("utf-8", "replace"))
    runs = {secret[at : at + PIECE_CHARACTERS] for at in range(len(secret) - PIECE_CHARACTERS + 1)}
    return sorted(run for run in runs if any(run in one for one in seen))


def messages_of(answer):
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        return [json.loads(answer.body)] if answer.body else []
    events = [block.split(b"\n") for block in answer.body.split(b"\n\n")]
    data = [b"".join(line[5:] for line in lines if line.startswith(b"data:")) for lines in events]
    return [json.loads(one) for one in data if one.strip()]


class Content:
    """The gateway, its two servers, and how to have them say something."""

    def __init__(self, gateway, new, old):
        self.gateway, self.new, self.old = gateway, new, old
        self._sessions = {}
        self._numbers = itertools.count(1)

    def server(self, name):
        return getattr(self, name)

    def session(self, who, capabilities):
        key = (who, json.dumps(capabilities))
        if key not in self._sessions:
            self._sessions[key], _ = self.gateway.initialize(who=who, capabilities=capabilities)
        return self._sessions[key]

    def raw(self, agent, method, params, *, who="ana", capabilities=None, **rest):
        """The bytes of one request of an agent of either era, which wants to hear of everything."""
        capabilities, number = capabilities or {}, next(self._numbers)
        meta = {"progressToken": "p"}
        if agent == "modern":
            meta |= {PREFIX + "clientCapabilities": capabilities, PREFIX + "logLevel": "debug"}
            message = modern_message(method, params, meta=meta, request_id=number)
            return self.gateway.post(message, who=who, **rest)
        message = legacy_message(method, {**params, "_meta": meta}, request_id=number)
        return self.gateway.legacy_post(message, self.session(who, capabilities), who=who, **rest)

    def ask(self, agent, method, params, *, wait_s=30, **rest):
        answer = talk(self.gateway.port, self.raw(agent, method, params, **rest), wait_s=wait_s).only
        return Told(answer.status, answer.body, messages_of(answer))

    def call(self, agent, server, result, *, tool="get", arguments=None, **rest):
        """Call a tool whose answer is this, or is made by this."""
        with self.server(server).doing(tools_call=result if callable(result) else lambda _: result):
            params = {"name": f"{server}__{tool}", "arguments": arguments or {}}
            return self.ask(agent, "tools/call", params, **rest)

    def put_to_agent(self, agent, server, method, params):
        """What the server asks in the middle of a call, as the agent is asked it; it declines."""

        def asks(heard):
            if not self.server(server).modern:
                heard.ask(method, params, wait_s=3)
            elif "inputResponses" not in heard.params:
                asked = {"a": {"method": method, "params": params}}
                return {"resultType": "input_required", "inputRequests": asked, "requestState": "s"}
            return text("done")

        if agent == "modern":
            return self.call(agent, server, asks, capabilities=ASKABLE)
        session = self.session("ana", ASKABLE)
        with self.server(server).doing(tools_call=asks):
            call = {"name": f"{server}__get", "arguments": {}}
            message = legacy_message(params=call, request_id=next(self._numbers))
            with self.gateway.legacy_stream(message, session) as stream:
                asked = stream.answer_or_event()
                answer = {"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "decline"}}
                if "method" in asked:
                    self.gateway.legacy(answer, session)
                return Told(200, b"", [asked, stream.message()])

    def files(self):
        """Everything that the gateway wrote, sealed values and its configuration aside."""
        for file in sorted(self.gateway.folder.rglob("*")):
            if file.is_file() and file.suffix not in {".yaml", ".rego"}:
                yield file


def notified(method, **params):
    return {"jsonrpc": "2.0", "method": f"notifications/{method}", "params": params}


def before(*notices):
    """A tool that says this before it answers; ``{}`` in a progress token's place."""

    def says(heard):
        for method, params in notices:
            token = {"progressToken": heard.params["_meta"]["progressToken"]} if method == "progress" else {}
            heard.say(notified(method, **token, **params))
        return text("rest")

    return says


def _prompt(content, agent, server, word):
    said = {
        "description": word,
        "messages": [{"role": "user", "content": {"type": "text", "text": f"{word} rest"}}],
    }
    with content.server(server).doing(prompts_get=lambda _: said):
        return content.ask(agent, "prompts/get", {"name": f"{server}__greet", "arguments": {}})


def _resource(content, agent, server, word):
    uri = f"{server}://one"
    said = {"contents": [{"uri": uri, "text": f"{word} rest", "mimeType": "text/plain"}]}
    with content.server(server).doing(resources_read=lambda _: said):
        return content.ask(agent, "resources/read", {"uri": uri})


def _completion(content, agent, server, word):
    said = {"completion": {"values": [word, "rest"], "hasMore": False}}
    ref = {"type": "ref/prompt", "name": f"{server}__greet"}
    with content.server(server).doing(completion_complete=lambda _: said):
        return content.ask(
            agent, "completion/complete", {"ref": ref, "argument": {"name": "who", "value": "x"}}
        )


def _answer(made):
    """A channel that is the answer to a tool's call."""
    return lambda content, agent, server, word: content.call(agent, server, made(word, server))


def _asked(method, made):
    return lambda content, agent, server, word: content.put_to_agent(agent, server, method, made(word))


FORM = {"type": "object", "properties": {"colour": {"type": "string"}}}
CHANNELS = {
    "a result": _answer(lambda word, _: text(word, "rest")),
    "a result that is an error": _answer(lambda word, _: text(word, "rest", isError=True)),
    "structured content": _answer(
        lambda word, _: text("x", structuredContent={"a": [word, {"b": word}], "c": "rest"})
    ),
    "names of members": _answer(
        lambda word, _: text("x", structuredContent={word: 1, "a": {f"b {word}": "rest"}})
    ),
    "annotations and _meta": _answer(
        lambda word, _: {
            "content": [{"type": "text", "text": "rest", "annotations": {"audience": [word]}}],
            "_meta": {"x/y": {word: word}},
        }
    ),
    "a link": _answer(
        lambda word, server: {
            "content": [
                {
                    "type": "resource_link",
                    "uri": f"{server}://one",
                    "name": word,
                    "title": word,
                    "description": f"{word} rest",
                }
            ]
        }
    ),
    "an embedded resource": _answer(
        lambda word, server: {
            "content": [
                {"type": "resource", "resource": {"uri": f"{server}://one", "text": word, "title": "rest"}}
            ]
        }
    ),
    "a block that nobody knows": _answer(
        lambda word, _: {"content": [{"type": "hologram", "x": word, "y": "rest"}]}
    ),
    "an error": _answer(lambda word, _: RpcError(-32000, f"{word} rest", {"at": [word], word: 1})),
    "progress": _answer(lambda word, _: before(("progress", {"progress": 1, "message": f"{word} rest"}))),
    "a log message": _answer(
        lambda word, _: before(("message", {"level": "info", "logger": word, "data": {"x": word, word: 1}}))
    ),
    "a log message of no level": _answer(
        lambda word, _: before(("message", {"level": word, "data": [word, "x"]}))
    ),
    "a prompt": _prompt,
    "a resource": _resource,
    "a completion": _completion,
    "a form": _asked(
        "elicitation/create",
        lambda word: {"mode": "form", "message": f"{word} rest", "requestedSchema": FORM},
    ),
    "an address to visit": _asked(
        "elicitation/create",
        lambda word: {
            "mode": "url",
            "elicitationId": "1",
            "message": f"{word} rest",
            "url": "https://login.example/x",
        },
    ),
    "a question to the model": _asked(
        "sampling/createMessage",
        lambda word: {
            "systemPrompt": word,
            "messages": [{"role": "user", "content": {"type": "text", "text": f"{word} rest"}}],
            "maxTokens": 5,
        },
    ),
}
"""Every way in which words of a server reach an agent. Each also says ``rest``, which nobody may miss."""


def encoded(words):
    return base64.b64encode(words.encode() if isinstance(words, str) else words).decode()


@contextlib.contextmanager
def content_gateway(folder, upstream, **changed):
    """``upstream`` is the plain tool server, for others' calls."""
    with contextlib.ExitStack() as open_servers:
        puppets = {}
        for name, modern in (("new", True), ("old", False)):
            resources = {"resources": [{"uri": f"{name}://one", "name": "one"}]}
            puppets[name] = open_servers.enter_context(
                Puppet(modern=modern, tools=TOOLS, resources=resources)
            )
        keyed = {"headers": {"X-Api-Key": OWN}, "grants": ["sampling", "elicitation", "roots"]}
        servers = {name: {"url": puppet.url, **keyed} for name, puppet in puppets.items()}
        servers["tools"] = {"url": f"http://127.0.0.1:{upstream.port}/mcp"}
        limits = {"calls_per_principal_max": 32, "streams_per_principal_max": 32, "streams_max": 99}
        settings = settings_of(servers, limits=limits, **changed)
        gateway = Gateway(folder, settings, POLICY, upstream, *puppets.values())
        try:
            yield Content(gateway.start(tools=9), **puppets)
        finally:
            gateway.stop()
