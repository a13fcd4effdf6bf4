"""How much an upstream logs, and whom its log messages reach."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.errors import UpstreamTimeout
from tests.contract.upstream.scripted import OpenStream

LOG_LEVEL = "io.modelcontextprotocol/logLevel"
LOGS = {"logging": {}}


def log(text, level="info"):
    params = {"level": level, "data": text}
    return {"jsonrpc": "2.0", "method": "notifications/message", "params": params}


def progress(token, done):
    params = {"progressToken": token, "progress": done}
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}


def hear(kept, *, slowly=False):
    async def sink(notice):
        if slowly:
            await asyncio.sleep(0.02)
        member = "data" if notice.method == "notifications/message" else "progress"
        kept.append(json.loads(bytes(notice.params[member])))

    return sink


def levels(messages):
    return [message["params"]["level"] for message in messages]


# ------------------------------------------------------------------------------------------ what is asked for


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_a_modern_upstream_is_told_the_level_with_each_request(
    workshop, scripted, puppets, http, call, transport
):
    def respond(request):
        if request.method == "server/discover":
            return http.discover(request, **LOGS)
        return http.result(request, {"resultType": "complete"})

    async with scripted(respond) as server, puppets(era="modern", capabilities=LOGS) as theirs:
        there = {"url": server.url} if transport == "http" else {"command": theirs.command}
        upstream = await workshop.connect(**there)
        for level in ("warning", "debug", ""):
            await call(upstream, "get", log_level=level)
        if transport == "http":
            asked = [request.message for request in server.requests]
        else:
            asked = theirs.all[0].heard
        metas = [one["params"]["_meta"] for one in asked if one["method"] == "tools/call"]
        assert [meta.get(LOG_LEVEL) for meta in metas] == ["warning", "debug", None]
        assert "logging/setLevel" not in {one["method"] for one in asked}


async def test_a_legacy_session_is_told_each_lower_level_once(workshop, scripted, legacy, http, call):
    script = legacy(capabilities=LOGS, on={"logging/setLevel": lambda request: http.result(request, {})})
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        for level in ("", "warning", "error", "warning", "debug", "info", ""):
            await call(upstream, "get", session_key=("ana",), log_level=level)
        told = server.of("logging/setLevel")
        assert levels(request.message for request in told) == ["warning", "debug"]
        assert len(server.of("tools/call")) == 7
        # Another principal has a session of its own, and with it a level of its own.
        await call(upstream, "get", session_key=("ben",), log_level="error")
        (_, _, bens) = server.of("logging/setLevel")
        assert bens.params == {"level": "error"}
        assert bens.session != told[0].session


async def test_a_legacy_child_is_told_the_lowest_level_that_anybody_asked_for_once(workshop, puppets, call):
    async with puppets(capabilities=LOGS, on={"logging/setLevel": {}}) as theirs:
        upstream = await workshop.connect(command=theirs.command)
        for who, level in (
            ("ana", "warning"),
            ("ben", "error"),
            ("ben", "debug"),
            ("ana", "info"),
            ("ana", ""),
        ):
            await call(upstream, "get", session_key=(who,), log_level=level)
        (child,) = theirs.all
        assert levels(child.of("logging/setLevel")) == ["warning", "debug"]


@pytest.mark.parametrize("order", [("debug", "error"), ("error", "debug")])
@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_calls_that_begin_together_end_up_at_the_lowest_level(
    workshop, scripted, puppets, legacy, http, call, transport, order
):
    def slowly(request):
        async def answer():
            # The one that is told first is answered last.
            await asyncio.sleep(0.05 if request.params["level"] == order[0] else 0)
            return http.result(request, {})

        return answer()

    def much_slower(child, request):
        delay_s = 0.05 if request["params"]["level"] == order[0] else 0
        asyncio.get_running_loop().call_later(delay_s, child.answer, request, {})

    script = legacy(capabilities=LOGS, on={"logging/setLevel": slowly})
    async with (
        scripted(script) as server,
        puppets(capabilities=LOGS, on={"logging/setLevel": much_slower}) as theirs,
    ):
        there = {"url": server.url} if transport == "http" else {"command": theirs.command}
        upstream = await workshop.connect(**there)
        who = {"session_key": ("ana",)}
        await call(upstream, "get", **who)
        await asyncio.gather(*(call(upstream, "get", log_level=level, **who) for level in order))
        # Nor is it raised again by whoever comes next.
        await call(upstream, "get", log_level="error", **who)
        if transport == "http":
            told = levels(request.message for request in server.of("logging/setLevel"))
        else:
            told = levels(theirs.all[0].of("logging/setLevel"))
        assert told == (["debug"] if order[0] == "debug" else ["error", "debug"])


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_an_upstream_that_does_not_log_is_not_told_a_level(
    workshop, scripted, puppets, legacy, call, transport
):
    async with scripted(legacy()) as server, puppets() as theirs:
        there = {"url": server.url} if transport == "http" else {"command": theirs.command}
        upstream = await workshop.connect(**there)
        assert (await call(upstream, "get", log_level="debug")).result
        assert server.of("logging/setLevel") == []
        assert all(child.of("logging/setLevel") == [] for child in theirs.all)


async def test_a_session_that_was_forgotten_is_told_its_level_again_before_the_call(
    workshop, scripted, legacy, http, call
):
    script = legacy(capabilities=LOGS, on={"logging/setLevel": lambda request: http.result(request, {})})
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        who = {"session_key": ("ana",), "log_level": "debug"}
        await call(upstream, "get", **who)
        script.sessions.clear()
        assert (await call(upstream, "get", **who)).result
        last = [request for request in server.requests if request.session == "s3"]
        assert [request.method for request in last if request.verb == "POST"] == [
            "notifications/initialized",
            "logging/setLevel",
            "tools/call",
        ]


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_a_level_that_is_not_taken_in_time_has_sent_nothing_of_the_call(
    workshop, scripted, puppets, legacy, http, call, transport
):
    async def never(request):
        await asyncio.Event().wait()

    script = legacy(capabilities=LOGS, on={"logging/setLevel": never})
    async with (
        scripted(script) as server,
        puppets(capabilities=LOGS, on={"logging/setLevel": lambda child, request: None}) as theirs,
    ):
        there = {"url": server.url} if transport == "http" else {"command": theirs.command}
        upstream = await workshop.ready(**there)
        started_s = asyncio.get_running_loop().time()
        with pytest.raises(UpstreamTimeout) as caught:
            await call(upstream, "get", log_level="debug", deadline_s=0.3)
        # It is the deadline of the call that counts, and not one of its own.
        assert asyncio.get_running_loop().time() - started_s < 2
        assert not caught.value.sent
        assert server.of("tools/call") == []
        assert all(child.of("tools/call") == [] for child in theirs.all)
        assert (await call(upstream, "get")).result


async def test_a_level_that_is_refused_does_not_cost_the_call(workshop, scripted, legacy, http, call):
    script = legacy(capabilities=LOGS, on={"logging/setLevel": lambda request: http.error(request, -32603)})
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        assert (await call(upstream, "get", log_level="debug")).result


# ------------------------------------------------------------------------------------------- whom it reaches


@pytest.mark.parametrize("slowly", [False, True])
@pytest.mark.parametrize("transport", ["http-modern", "http-legacy", "stdio-modern", "stdio-legacy"])
async def test_what_is_logged_before_the_answer_is_heard_before_it_and_in_order(
    workshop, scripted, puppets, legacy, http, call, transport, slowly
):
    done = {"resultType": "complete", "content": []}

    def stream(request):
        answer = {"jsonrpc": "2.0", "id": request.id, "result": done}
        return http.stream(log("a"), progress(request.id, 1), log("b"), progress(request.id, 2), answer)

    def lines(child, request):
        answer = {"jsonrpc": "2.0", "id": request["id"], "result": done}
        child.say(log("a"), progress(request["id"], 1), log("b"), progress(request["id"], 2), answer)

    script = legacy(capabilities=LOGS)
    script.on_call = stream

    def respond(request):
        if transport == "http-legacy":
            return script(request)
        return http.discover(request) if request.method == "server/discover" else stream(request)

    era = transport.split("-")[1]
    async with scripted(respond) as server, puppets(era=era, on={"tools/call": lines}) as theirs:
        there = {"url": server.url} if transport.startswith("http") else {"command": theirs.command}
        upstream = await workshop.connect(**there)
        heard = []
        await call(upstream, "get", on_notice=hear(heard, slowly=slowly), session_key=("ana",))
        assert heard == ["a", 1, "b", 2]


async def test_a_log_message_on_the_stream_of_a_caller_s_session_reaches_its_call(
    workshop, scripted, legacy, call
):
    script = legacy(capabilities=LOGS)
    streams, calls = {}, {}

    def on_get(request):
        return streams.setdefault(request.session, OpenStream(request))

    def on_call(request):
        return calls.setdefault(request.session, OpenStream(request))

    script.on_get, script.on_call = on_get, on_call
    can = {"capabilities": {"roots": {}}}
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        anas, bens = [], []
        waiting = [
            asyncio.ensure_future(call(upstream, "get", on_notice=hear(kept), session_key=(who,), **can))
            for who, kept in (("ana", anas), ("ben", bens))
        ]
        await workshop.until(lambda: len(calls) == 2)
        ana = next(r.session for r in server.of("tools/call") if r.session == min(calls))
        await streams[ana].say(log("for one of them"))
        await workshop.until(lambda: anas or bens)
        assert [anas, bens] in ([["for one of them"], []], [[], ["for one of them"]])
        for one in calls.values():
            await one.answer({"content": []})
        await asyncio.gather(*waiting)


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_on_a_shared_child_a_log_message_reaches_nobody_while_two_principals_are_served(
    workshop, puppets, call, era
):
    open_calls = []
    on = {"tools/call": lambda child, request: open_calls.append(request)}
    async with puppets(era=era, capabilities=LOGS, on=on) as theirs:
        upstream = await workshop.connect(command=theirs.command)
        anas, bens = [], []

        def begin(who, kept):
            return asyncio.ensure_future(
                call(upstream, "get", {"who": who}, on_notice=hear(kept), session_key=(who,))
            )

        ana = [begin("ana", anas), begin("ana", anas)]
        await workshop.until(lambda: len(open_calls) == 2)
        (child,) = theirs.all
        child.say(log("while ana is alone"))
        await workshop.until(lambda: anas)
        ben = begin("ben", bens)
        await workshop.until(lambda: len(open_calls) == 3)
        # Progress says whose it is; it also proves that the line before it was read.
        bens_number = next(one["id"] for one in open_calls if one["params"]["arguments"]["who"] == "ben")
        child.say(log("whose?"), progress(bens_number, 1))
        await workshop.until(lambda: bens)
        for request in open_calls:
            child.answer(request, {"resultType": "complete"})
        await asyncio.gather(*ana, ben)
        assert anas == ["while ana is alone"]
        assert bens == [1]
