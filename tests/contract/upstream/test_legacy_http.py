"""Sessions, streams and courtesies of the handshake revisions, against a scripted server."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.core.definition import Kind
from gateway.errors import UpstreamRefused, UpstreamTimeout

DONE = {"content": []}


async def test_the_handshake_comes_first_and_names_the_session_afterwards(workshop, scripted, legacy, call):
    async with scripted(legacy()) as server:
        upstream = await workshop.connect(url=server.url)
        await call(upstream, "get")
        asked = [(request.verb, request.method) for request in server.requests]
        assert asked == [
            ("POST", "server/discover"),
            ("POST", "initialize"),
            ("POST", "notifications/initialized"),
            ("POST", "tools/call"),
        ]
        initialize, initialized, called = server.requests[1:]
        assert "mcp-protocol-version" not in initialize.headers
        assert "mcp-session-id" not in initialize.headers
        assert initialize.message["params"]["capabilities"] == {}
        assert initialized.headers["mcp-session-id"] == called.headers["mcp-session-id"] == "s1"
        assert called.headers["mcp-protocol-version"] == "2025-11-25"
        assert "_meta" not in called.message["params"]
        assert "mcp-method" not in called.headers


async def test_calls_with_different_keys_never_share_a_session(workshop, scripted, legacy, call):
    async with scripted(legacy()) as server:
        upstream = await workshop.connect(url=server.url)
        keys = [("ana",), ("bob",), ("ana",), ("bob",), ()]
        await asyncio.gather(
            *(call(upstream, "get", {"key": "".join(key)}, session_key=key) for key in keys * 3)
        )
        used = {}
        for request in server.of("tools/call"):
            key = request.message["params"]["arguments"]["key"]
            used.setdefault(key, set()).add(request.headers["mcp-session-id"])
        assert {key: len(names) for key, names in used.items()} == {"ana": 1, "bob": 1, "": 1}
        assert len(set.union(*used.values())) == 3


async def test_sessions_beyond_the_bound_are_ended_on_the_server_oldest_first(
    workshop, scripted, legacy, call
):
    script = legacy()
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url, sessions_max=2)
        for key in "abc":
            await call(upstream, "get", session_key=(key,))
        await workshop.until(lambda: any(request.verb == "DELETE" for request in server.requests))
        assert set(script.sessions) == {"s1", "s3", "s4"}
        await call(upstream, "get", session_key=("c",))
        assert len(server.of("initialize")) == 4


async def test_a_stateless_server_is_initialised_once_for_everybody(workshop, scripted, legacy, call):
    async with scripted(legacy(stateful=False)) as server:
        upstream = await workshop.connect(url=server.url)
        for key in "abc":
            await call(upstream, "get", session_key=(key,))
        assert len(server.of("initialize")) == 1


async def test_closing_ends_every_session_on_the_server(workshop, scripted, legacy, call):
    script = legacy()
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        for key in "ab":
            await call(upstream, "get", session_key=(key,))
        assert len(script.sessions) == 3
        await upstream.aclose()
        assert script.sessions == {}


async def test_a_forgotten_session_is_opened_anew_and_the_call_sent_once_more(
    workshop, scripted, legacy, call
):
    script = legacy()
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        await call(upstream, "get", session_key=("a",))
        script.sessions.clear()
        assert (await call(upstream, "get", session_key=("a",))).result
        sent = [request.headers["mcp-session-id"] for request in server.of("tools/call")]
        assert sent == ["s2", "s2", "s3"]
        assert len({request.id for request in server.of("tools/call")}) == 3


async def test_a_listing_in_a_forgotten_session_is_made_in_a_new_one(workshop, scripted, legacy, http):
    script = legacy(on={"tools/list": lambda request: http.result(request, {"tools": [{"name": "a"}]})})
    async with scripted(script) as server:
        upstream = await workshop.ready(url=server.url)
        script.sessions.clear()
        listing = await upstream.list_definitions(deadline_s=5, kinds=frozenset({Kind.TOOL}))
        assert [one.value for one in listing.elements[Kind.TOOL]] == [{"name": "a"}]
        assert [request.session for request in server.of("tools/list")] == ["s1", "s2"]


async def test_a_call_that_is_answered_404_twice_is_refused_and_not_sent_a_third_time(
    workshop, scripted, legacy, http, call
):
    script = legacy()
    script.on_call = lambda request: http.answer(b"gone", status="404 Not Found", kind="text/plain")
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        with pytest.raises(UpstreamRefused, match="404"):
            await call(upstream, "get")
        assert len(server.of("tools/call")) == 2


async def test_without_a_session_a_404_is_not_a_reason_to_send_again(workshop, scripted, legacy, http, call):
    script = legacy(stateful=False)
    script.on_call = lambda request: http.answer(b"gone", status="404 Not Found", kind="text/plain")
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        with pytest.raises(UpstreamRefused, match="404"):
            await call(upstream, "get")
        assert len(server.of("tools/call")) == 1


async def test_a_404_that_answers_the_call_itself_is_its_answer(workshop, scripted, legacy, http, call):
    script = legacy()
    script.on_call = lambda request: http.error(request, -32601, "no such tool", status="404 Not Found")
    async with scripted(script) as server:
        reply = await call(await workshop.connect(url=server.url), "get")
        assert json.loads(reply.error)["message"] == "no such tool"
        assert len(server.of("tools/call")) == 1


async def test_a_late_call_is_cancelled_in_its_own_session(workshop, scripted, legacy, call):
    script = legacy()

    async def never(request):
        await asyncio.Event().wait()

    script.on_call = never
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        with pytest.raises(UpstreamTimeout):
            await call(upstream, "get", deadline_s=0.3)
        await workshop.until(lambda: server.of("notifications/cancelled"))
        (cancelled,) = server.of("notifications/cancelled")
        (called,) = server.of("tools/call")
        assert cancelled.message["params"]["requestId"] == called.id
        assert cancelled.headers["mcp-session-id"] == called.headers["mcp-session-id"]


async def test_requests_of_the_server_on_a_call_s_stream_are_answered_or_declined(
    workshop, scripted, legacy, http, call
):
    script = legacy()
    script.on_call = lambda request: http.stream(
        {"jsonrpc": "2.0", "id": "p1", "method": "ping"},
        {"jsonrpc": "2.0", "id": 7, "method": "elicitation/create", "params": {}},
        {"jsonrpc": "2.0", "id": request.id, "result": DONE},
    )
    async with scripted(script) as server:
        assert (await call(await workshop.connect(url=server.url), "get")).result
        await workshop.until(lambda: {"p1", 7} <= {request.id for request in server.requests})
        ours = {request.id: request.message for request in server.requests if request.id in {"p1", 7}}
        assert ours["p1"]["result"] == {}
        assert ours[7]["error"]["code"] == -32601


async def test_a_stream_that_pauses_is_resumed_after_its_last_event(workshop, scripted, legacy, http, call):
    script = legacy()
    asked = []

    def pause(request):
        asked.append(request.id)
        return http.answer(b"id: e1\nretry: 10\ndata:\n\n", kind="text/event-stream")

    def resume(request):
        if request.headers.get("last-event-id") != "e1":
            return http.answer(status="405 Method Not Allowed")
        answer = {"jsonrpc": "2.0", "id": asked[-1], "result": DONE}
        return http.stream(answer)

    script.on_call, script.on_get = pause, resume
    async with scripted(script) as server:
        assert (await call(await workshop.connect(url=server.url), "get")).result
        assert len(server.of("tools/call")) == 1


async def test_changes_are_heard_on_one_stream_which_is_opened_again_when_it_ends(
    workshop, scripted, legacy, http, call
):
    script = legacy(listens=True)
    script.on_get = lambda request: http.answer(
        b'retry: 10\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n',
        kind="text/event-stream",
    )
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        await call(upstream, "get", session_key=("a",))
        # One for the connection, one announced, one because the stream had ended.
        await workshop.until(lambda: len(workshop.changed) >= 3)
        await workshop.until(lambda: sum(r.verb == "GET" for r in server.requests) >= 2)
        assert {r.headers["mcp-session-id"] for r in server.requests if r.verb == "GET"} == {"s1"}


async def test_a_server_without_a_stream_is_not_asked_for_it_again(workshop, scripted, legacy, call):
    async with scripted(legacy(listens=True)) as server:
        upstream = await workshop.connect(url=server.url)
        for _ in range(3):
            await call(upstream, "get")
        assert sum(request.verb == "GET" for request in server.requests) == 1
        assert upstream.health().state == "ready"


@pytest.mark.parametrize("version", ["2026-07-28", "1999-01-01", 7, None])
async def test_a_version_we_do_not_know_is_refused(workshop, scripted, http, call, version):
    def respond(request):
        if request.method == "initialize":
            return http.result(request, {"protocolVersion": version, "capabilities": {}})
        return http.answer(b"no", status="400 Bad Request", kind="text/plain")

    async with scripted(respond) as server:
        upstream = await workshop.connect(url=server.url)
        with pytest.raises(Exception, match="protocol version"):
            await call(upstream, "get")
