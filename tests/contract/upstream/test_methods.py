"""Every method that is carried reaches every kind of upstream as it was given, and so does its result."""

from __future__ import annotations

import contextlib
import json

import msgspec
import pytest

from gateway.core.methods import METHODS, Way
from gateway.ports import Send
from tests.contract.upstream.puppets import Puppets
from tests.contract.upstream.scripted import Http, Legacy, ScriptedServer

TRANSPORTS = ("http-modern", "http-legacy", "stdio-modern", "stdio-legacy")

# What no parser and no encoder of ours would write in this way.
ODD = b'{ "n":1.50, "big":1e400,"b":[ "\\u0041\xc3\xa9" ], "c":12345678901234567890}'

# Method -> its parameters, with an odd one where the protocol leaves room for it.
PARAMS = {
    "tools/call": {"name": "refund", "arguments": ODD, "task": b'{"ttl":60000.0}'},
    "prompts/get": {"name": "greet", "arguments": ODD},
    "resources/read": {"uri": "note://one", "inputResponses": ODD, "requestState": "s"},
    "completion/complete": {"ref": b'{ "type":"ref/prompt" }', "argument": ODD, "context": ODD},
    "tasks/get": {"taskId": "t-1"},
    "tasks/update": {"taskId": "t-1", "inputResponses": ODD},
    "tasks/result": {"taskId": "t-1"},
    "tasks/cancel": {"taskId": "t-1"},
}
NAMES = {"tools/call": "refund", "prompts/get": "greet", "resources/read": "note://one"} | dict.fromkeys(
    ("tasks/get", "tasks/update", "tasks/result", "tasks/cancel"), "t-1"
)
RESULT = b'{"resultType":"complete", "x":' + ODD + b" }"

# A subscription is no request that travels: test_subscriptions.py.
CARRIED = {
    (transport, row.name)
    for row in METHODS.values()
    for transport in TRANSPORTS
    if row.way is Way.CALL and row.name != "resources/subscribe" and getattr(row, transport.split("-")[1])
}


class Everywhere:
    """One scripted server of each transport and era, and the bodies of the requests that it got."""

    def __init__(self, transport):
        self.transport, self.era = transport.split("-")

    @contextlib.asynccontextmanager
    async def serving(self):
        if self.transport == "stdio":
            on = dict.fromkeys(PARAMS, RESULT)
            async with Puppets(era=self.era, on=on) as theirs:
                self.settings = {"command": theirs.command}
                self.bodies = lambda: theirs.all[-1].lines
                yield self
            return
        answers = dict.fromkeys(PARAMS, self._answer)
        legacy = Legacy(on=answers)

        def respond(request):
            if self.era == "legacy":
                return legacy(request)
            return Http.discover(request) if request.method == "server/discover" else self._answer(request)

        async with ScriptedServer(respond) as server:
            self.settings = {"url": server.url}
            self.bodies = lambda: [request.body for request in server.requests if request.body]
            self.requests = server.of
            yield self

    @staticmethod
    def _answer(request):
        return Http.answer(b'{"id":%d,"jsonrpc":"2.0","result":%s}' % (request.id, RESULT))


def send_of(method, **rest):
    params = {
        key: msgspec.Raw(value) if isinstance(value, bytes) else value
        for key, value in PARAMS[method].items()
    }
    return Send(method=method, name=NAMES.get(method, ""), params=params, **rest)


@pytest.mark.parametrize(("transport", "method"), sorted(CARRIED))
async def test_params_and_result_travel_byte_for_byte(workshop, transport, method):
    async with Everywhere(transport).serving() as there:
        upstream = await workshop.connect(**there.settings)
        reply = await upstream.call(send_of(method), deadline_s=5)
        assert reply.result == RESULT
        assert (reply.kind, reply.modern) == ("complete", there.era == "modern")
        (body,) = [body for body in there.bodies() if json.loads(body).get("method") == method]
        for key, value in PARAMS[method].items():
            raw = value if isinstance(value, bytes) else json.dumps(value).encode()
            assert b'"%s":%s' % (key.encode(), raw) in body
        params = json.loads(body)["params"]
        assert params.keys() - {"_meta"} == PARAMS[method].keys()
        assert ("_meta" in params) == (there.era == "modern")


@pytest.mark.parametrize("method", sorted({method for _, method in CARRIED}))
async def test_the_routing_headers_say_method_and_target_in_the_modern_era_alone(workshop, method):
    for transport in ("http-modern", "http-legacy"):
        if (transport, method) not in CARRIED:
            continue
        async with Everywhere(transport).serving() as there:
            upstream = await workshop.connect(**there.settings)
            await upstream.call(send_of(method), deadline_s=5)
            (request,) = there.requests(method)
            modern = there.era == "modern"
            assert request.headers.get("mcp-method") == (method if modern else None)
            assert request.headers.get("mcp-name") == (NAMES.get(method) if modern else None)


@pytest.mark.parametrize(
    ("uri", "header"),
    [
        ("note://one?x=1&y=%20#z", "note://one?x=1&y=%20#z"),
        ("file:///données", "=?base64?ZmlsZTovLy9kb25uw6llcw==?="),
        ("note://a\r\nX-Evil: 1", "=?base64?bm90ZTovL2ENClgtRXZpbDogMQ==?="),
    ],
)
async def test_a_uri_that_a_header_cannot_carry_is_encoded_and_never_becomes_another(workshop, uri, header):
    async with Everywhere("http-modern").serving() as there:
        upstream = await workshop.connect(**there.settings)
        await upstream.call(Send(method="resources/read", name=uri, params={"uri": uri}), deadline_s=5)
        (request,) = there.requests("resources/read")
        assert request.headers["mcp-name"] == header
        assert "x-evil" not in request.headers
        assert request.params["uri"] == uri


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_trace_context_and_progress_token_go_along_with_every_method(workshop, transport):
    async with Everywhere(transport).serving() as there:
        upstream = await workshop.connect(**there.settings)
        await upstream.call(
            send_of("prompts/get", meta={"traceparent": "00-1-2-03"}, wants_progress=True), deadline_s=5
        )
        await upstream.call(send_of("prompts/get"), deadline_s=5)
        with_both, with_none = [
            message for message in map(json.loads, there.bodies()) if message.get("method") == "prompts/get"
        ]
        meta = with_both["params"]["_meta"]
        assert meta["traceparent"] == "00-1-2-03"
        assert meta["progressToken"] == with_both["id"]
        assert not {"traceparent", "progressToken"} & with_none["params"].get("_meta", {}).keys()
