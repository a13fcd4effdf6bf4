"""What an upstream is told that it may ask: each caller's own, and never in the company of another's."""

from __future__ import annotations

import pytest

from gateway.bridge.inputs import InputAnswer
from tests.contract.upstream.scripted import OpenStream

pytestmark = pytest.mark.usefixtures("quick")

META = "io.modelcontextprotocol/clientCapabilities"
FORMS = {"elicitation": {"form": {}}}
LINKS = {"elicitation": {"form": {}, "url": {}}}
ROOTS = {"roots": {}}
TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


async def no_answer(ask):
    return InputAnswer(error=b'{"code":-1,"message":"no"}')


# ----------------------------------------------------------------------------------------------- 2026-07-28


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_a_modern_upstream_is_told_with_each_request_what_that_caller_can_be_asked(
    workshop, scripted, puppets, http, call, transport
):
    def respond(request):
        if request.method == "server/discover":
            return http.discover(request)
        return http.result(request, {"resultType": "complete"})

    async with scripted(respond) as server, puppets(era="modern") as theirs:
        there = {"url": server.url} if transport == "http" else {"command": theirs.command}
        upstream = await workshop.connect(**there)
        for who, capabilities in (("ana", LINKS), ("ben", ROOTS), ("ana", {}), ("cy", TASKS)):
            await call(upstream, "get", session_key=(who,), capabilities=capabilities, on_ask=no_answer)
        heard = [one.message for one in server.requests] if transport == "http" else theirs.all[0].heard
        told = [one["params"]["_meta"][META] for one in heard if one["method"] == "tools/call"]
        assert told == [LINKS, ROOTS, {}, TASKS]
        # Nothing is asked in a session here, so nobody needs one of their own.
        assert len(theirs.all) == (1 if transport == "stdio" else 0)


# --------------------------------------------------------------------------------------- sessions over HTTP


async def declared(script, server):
    """Whose call came in a session of which capabilities."""
    return {
        (request.params["arguments"]["who"], request.session, str(script.sessions[request.session]))
        for request in server.of("tools/call")
    }


async def test_each_principal_and_set_of_capabilities_has_a_session_that_was_told_of_them(
    workshop, scripted, legacy, call
):
    script = legacy()
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        callers = [("ana", FORMS), ("ana", ROOTS), ("ana", {}), ("ben", FORMS), ("ben", {})]
        for _ in range(2):
            for who, capabilities in callers:
                await call(
                    upstream,
                    "get",
                    {"who": who},
                    session_key=(who,),
                    capabilities=capabilities,
                    on_ask=no_answer,
                )
        used = await declared(script, server)
        assert {(who, told) for who, _, told in used} == {(who, str(told)) for who, told in callers}
        assert len({session for _, session, _ in used}) == len(callers)
        # The connection's own session is told of none.
        assert [request.params["capabilities"] for request in server.of("initialize")] == [
            {},
            *(told for _, told in callers),
        ]


@pytest.mark.parametrize(("one", "other"), [(FORMS, LINKS), ({"elicitation": {}}, FORMS)])
async def test_two_clients_of_one_principal_that_can_do_different_things_do_not_share_a_session(
    workshop, scripted, legacy, puppets, call, one, other
):
    script = legacy()
    async with scripted(script) as server, puppets() as theirs:
        for there in ({"url": server.url}, {"command": theirs.command}):
            upstream = await workshop.connect(**there)
            for capabilities in (one, other, one):
                await call(
                    upstream,
                    "get",
                    {"who": "ana"},
                    session_key=("ana",),
                    capabilities=capabilities,
                    on_ask=no_answer,
                )
        assert [request.params["capabilities"] for request in server.of("initialize")] == [{}, one, other]
        assert [child.of("initialize")[0]["params"]["capabilities"] for child in theirs.all] == [
            {},
            one,
            other,
        ]


async def test_what_is_not_a_capability_to_be_asked_needs_no_session_of_its_own(
    workshop, scripted, legacy, puppets, call
):
    script = legacy()
    async with scripted(script) as server, puppets() as theirs:
        for there in ({"url": server.url}, {"command": theirs.command}):
            upstream = await workshop.connect(**there)
            for capabilities in ({}, TASKS):
                await call(upstream, "get", session_key=("ana",), capabilities=capabilities)
        assert [request.params["capabilities"] for request in server.of("initialize")] == [{}, {}]
        assert len(theirs.all) == 1


@pytest.mark.abuse(75)
async def test_a_server_without_sessions_is_told_of_nothing_and_asks_nobody(
    workshop, scripted, legacy, http, call
):
    script = legacy(stateful=False)
    script.on_call = lambda request: http.stream(
        {"jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": {}},
        {"jsonrpc": "2.0", "id": request.id, "result": {"content": []}},
    )
    asked = []

    async def on_ask(ask):
        asked.append(ask)
        return InputAnswer(result=b"{}")

    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        await call(upstream, "get", session_key=("ana",), capabilities=FORMS, on_ask=on_ask)
        await workshop.until(lambda: any(one.id == "q" for one in server.requests))
        (answer,) = [one.message for one in server.requests if one.id == "q"]
        assert answer["error"]["code"] == -32601
        assert asked == []
        assert [one.params["capabilities"] for one in server.of("initialize")] == [{}]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "get", "arguments": {}}),
        ("resources/read", {"uri": "note://one"}),
        ("prompts/get", {"name": "greet"}),
    ],
)
async def test_a_forgotten_session_is_opened_anew_with_the_same_capabilities_and_nobody_notices(
    workshop, scripted, legacy, http, ask, method, params
):
    script = legacy(on={method: lambda request: http.result(request, {"n": 1})})
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        who = {"session_key": ("ana",), "capabilities": FORMS, "on_ask": no_answer}
        assert (await ask(upstream, method, params, **who)).result
        script.sessions.clear()
        assert (await ask(upstream, method, params, **who)).result
        assert [request.session for request in server.of(method)] == ["s2", "s2", "s3"]
        assert script.sessions["s3"] == FORMS
        assert upstream.health().state == "ready"


async def test_the_streams_of_callers_end_with_their_sessions(workshop, scripted, legacy, call):
    streams = []

    def on_get(request):
        streams.append(OpenStream(request))
        return streams[-1]

    script = legacy()
    script.on_get = on_get
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url, sessions_max=1)
        for who in ("ana", "ben"):
            await call(upstream, "get", session_key=(who,), capabilities=FORMS, on_ask=no_answer)
        first, second = streams
        await workshop.until(lambda: not first.lives)
        assert second.lives
        await upstream.aclose()
        await workshop.until(lambda: not second.lives)
