"""An HTTP upstream that answers wrongly, endlessly or not at all harms that one call."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from gateway.core.definition import Kind
from gateway.errors import (
    UpstreamError,
    UpstreamGarbled,
    UpstreamGone,
    UpstreamRefused,
    UpstreamTimeout,
)

CAP = 10 << 20

WRONG = {
    "wrong_id": UpstreamGarbled,
    "text_id": UpstreamGarbled,
    "no_id": UpstreamGarbled,
    "duplicate_key": UpstreamGarbled,
    "duplicate_result": UpstreamGarbled,
    "both_halves": UpstreamGarbled,
    "neither_half": UpstreamGarbled,
    "version_one": UpstreamGarbled,
    "a_list": UpstreamGarbled,
    "result_is_text": UpstreamGarbled,
    "error_is_text": UpstreamGarbled,
    "unknown_type": UpstreamGarbled,
    "a_task": UpstreamGarbled,
    "type_is_a_number": UpstreamGarbled,
    "is_error_is_text": UpstreamGarbled,
    "web_page": UpstreamGarbled,
    "nan": UpstreamGarbled,
    "not_utf8": UpstreamGarbled,
    "lone_surrogate": UpstreamGarbled,
    "deep": UpstreamGarbled,
    "two_in_one_body": UpstreamGarbled,
    "two_events": UpstreamGarbled,
    "stream_without_answer": UpstreamGone,
    "stream_garbage": UpstreamGarbled,
    "accepted": UpstreamGarbled,
    "unauthorized": UpstreamRefused,
    "forbidden": UpstreamRefused,
    "missing": UpstreamRefused,
    "broken": UpstreamRefused,
    "truncated": UpstreamGone,
    "hang_up": UpstreamGone,
    "not_http": UpstreamGarbled,
    "long_header": UpstreamGarbled,
    "bad_chunk": UpstreamGarbled,
    "two_lengths": UpstreamGarbled,
    "switching": UpstreamGarbled,
}

# Tool -> error and the deadline given; those with long ones end by size.
ENDLESS = {
    "huge": (UpstreamGarbled, 20),
    "huge_unannounced": (UpstreamGarbled, 20),
    "huge_line": (UpstreamGarbled, 20),
    "endless_events": (UpstreamGarbled, 20),
    "bomb": (UpstreamGarbled, 20),
    "secret_bomb": (UpstreamGarbled, 20),
    "many_elements": (UpstreamGarbled, 20),
    "endless_trailers": (UpstreamError, 5),
    "endless_informational": (UpstreamGarbled, 20),
    "endless_comments": (UpstreamTimeout, 0.5),
    "drip": (UpstreamTimeout, 0.5),
    "silent": (UpstreamTimeout, 0.5),
    "no_terminator": (UpstreamTimeout, 0.5),
}


@pytest.fixture(scope="module")
def hostile_url(running):
    with running("hostile_server.py") as (_, url):
        yield url


@pytest.fixture
async def hostile(workshop, hostile_url):
    return await workshop.connect("evil", url=hostile_url)


async def works(call, upstream):
    reply = await call(upstream, "good", deadline_s=5)
    return json.loads(reply.result)["content"][0]["text"] == "good"


@pytest.mark.abuse(74)
@pytest.mark.parametrize(("tool", "error"), WRONG.items())
async def test_a_wrong_answer_is_a_typed_error_for_that_call_only(hostile, call, tool, error):
    good = asyncio.ensure_future(works(call, hostile))
    with pytest.raises(UpstreamError) as caught:
        await call(hostile, tool, deadline_s=5)
    assert type(caught.value) is error
    assert caught.value.sent
    assert "'evil'" in caught.value.reason
    assert await good
    assert await works(call, hostile)


@pytest.mark.abuse(74)
@pytest.mark.parametrize("tool", ["error_200", "error_400"])
async def test_a_json_rpc_error_is_a_reply_whatever_the_http_status(hostile, call, tool):
    reply = await call(hostile, tool)
    assert reply.result is None
    assert json.loads(reply.error)["message"] == "no"


@pytest.mark.abuse(74)
async def test_an_answer_that_asks_for_input_is_never_taken_for_a_complete_one(hostile, call, ask):
    assert (await call(hostile, "needs_input")).kind == "input_required"
    assert (await call(hostile, "good")).kind == "complete"
    # A method that has no rounds cannot be carried on.
    with pytest.raises(UpstreamGarbled, match="input_required"):
        await ask(hostile, "completion/complete", {"name": "needs_input"})


@pytest.mark.abuse(74)
async def test_a_task_in_place_of_a_result_is_an_answer_only_to_who_speaks_of_tasks(hostile, call):
    tasks = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    assert (await call(hostile, "a_task", capabilities=tasks)).kind == "task"
    with pytest.raises(UpstreamGarbled, match="task"):
        await call(hostile, "a_task")


@pytest.mark.abuse(74)
async def test_a_second_response_on_an_idle_connection_is_never_read(hostile, call):
    reply = await call(hostile, "two_responses")
    assert b"mine" in reply.result
    for _ in range(20):
        assert await works(call, hostile)


@pytest.mark.abuse(74)
async def test_a_second_response_under_a_waiting_call_is_an_error_and_not_its_answer(hostile, call):
    reply = await call(hostile, "late_second_response")
    assert b"mine" in reply.result
    with pytest.raises(UpstreamGarbled, match="wrong id"):
        await call(hostile, "good")
    assert await works(call, hostile)


def peak_rss_bytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


@pytest.mark.abuse(73)
@pytest.mark.parametrize("tool", ENDLESS)
async def test_an_answer_without_end_is_cut_at_its_bound_and_neighbours_work(hostile, call, tool):
    error, deadline_s = ENDLESS[tool]
    await works(call, hostile)
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_rss_bytes()
    started = time.monotonic()
    bad = asyncio.ensure_future(call(hostile, tool, deadline_s=deadline_s))
    assert await works(call, hostile)
    with pytest.raises(error):
        await bad
    assert time.monotonic() - started < deadline_s + 2
    assert peak_rss_bytes() - before <= 2 * CAP + (4 << 20)
    assert await works(call, hostile)


@pytest.mark.abuse(76)
async def test_a_redirect_is_refused_and_our_credential_goes_nowhere(
    workshop, hostile_url, call, scripted, http
):
    async with scripted(lambda request: http.answer(b"{}")) as thief:
        upstream = await workshop.connect("evil", url=hostile_url, headers={"Authorization": "Bearer s3cret"})
        with pytest.raises(UpstreamRefused, match="redirect") as caught:
            await call(upstream, "redirect", {"port": thief.port})
        assert caught.value.status == 307
        assert thief.connections == 0
        # The credential does reach its own upstream, and the thief does listen.
        assert await works(call, upstream)
        _, writer = await asyncio.open_connection("127.0.0.1", thief.port)
        await workshop.until(lambda: thief.connections == 1)
        writer.close()
        await writer.wait_closed()


@pytest.mark.abuse(76)
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_no_redirect_is_followed_whatever_is_asked_for(workshop, scripted, legacy, http, ask, era):
    async with scripted(lambda request: http.answer(b"{}")) as thief:
        away = http.answer(status="307 Temporary Redirect", headers=[f"Location: {thief.url}"])
        announced = {"prompts": {}, "resources": {"subscribe": True}}
        greeted = {"server/discover", "initialize", "notifications/initialized", "tools/list"}
        script = legacy(
            stateful=era == "legacy",
            capabilities=announced,
            on={"tools/list": lambda r: http.result(r, {"tools": []})},
        )

        def respond(request):
            if request.verb != "POST" or request.method not in greeted:
                return away
            if request.method == "server/discover" and era == "modern":
                return http.discover(request, **announced)
            return script(request)

        async with scripted(respond) as server:
            upstream = await workshop.ready(url=server.url, headers={"Authorization": "Bearer s3cret"})
            for method, params in (
                ("resources/read", {"uri": "note://one"}),
                ("prompts/get", {"name": "greet"}),
                ("completion/complete", {}),
                ("tasks/get", {"taskId": "t"}),
            ):
                with pytest.raises(UpstreamRefused, match="redirect"):
                    await ask(upstream, method, params)
            with pytest.raises(UpstreamRefused):
                await upstream.subscribe("note://one", deadline_s=5)
            listing = await upstream.list_definitions(deadline_s=5, kinds=frozenset(Kind))
            assert len(listing.failed) == 3
            assert all("redirect" in reason for reason in listing.failed.values())
            await upstream.aclose()
            assert {one.headers["authorization"] for one in server.requests} == {"Bearer s3cret"}
            assert thief.connections == 0


@pytest.mark.abuse(101)
async def test_each_upstream_gets_its_own_headers_and_no_other_s(workshop, call, scripted, http):
    def respond(request):
        if request.method == "server/discover":
            return http.discover(request)
        return http.result(request, {"resultType": "complete", "content": []})

    async with scripted(respond) as one, scripted(respond) as two, scripted(respond) as three:
        first = await workshop.connect(
            "one", url=one.url, headers={"Authorization": "Bearer one", "X-One": "1"}
        )
        second = await workshop.connect("two", url=two.url, headers={"Authorization": "Bearer two"})
        third = await workshop.connect("three", url=three.url)
        await asyncio.gather(*(call(each, "t") for each in (first, second, third) for _ in range(5)))
        assert {r.headers["authorization"] for r in one.requests} == {"Bearer one"}
        assert {r.headers["authorization"] for r in two.requests} == {"Bearer two"}
        assert all("x-one" not in r.headers for r in two.requests + three.requests)
        assert all("authorization" not in r.headers for r in three.requests)
