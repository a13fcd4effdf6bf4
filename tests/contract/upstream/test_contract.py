"""What every upstream does, whatever its transport and era: one suite, real SDK servers."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
import pytest_asyncio

from gateway.errors import UpstreamTimeout

VARIANTS = {
    "http-modern-json": ("http", "modern", "json"),
    "http-modern-stream": ("http", "modern"),
    "http-legacy-json": ("http", "legacy", "json"),
    "http-legacy-stream": ("http", "legacy"),
    "http-legacy-stateless": ("http", "legacy", "stateless"),
    "stdio-modern": ("stdio", "modern"),
    "stdio-legacy": ("stdio", "legacy"),
}

# A JSON answer carries no progress; the SDK's server notices a closed request only while it streams,
# and a stateless legacy server has no stream to announce on and no memory to cancel from.
STREAMS = [name for name in VARIANTS if not name.endswith("json")]
CANCELS = [name for name in VARIANTS if name not in {"http-modern-json", "http-legacy-stateless"}]
ANNOUNCES = [name for name in VARIANTS if name != "http-legacy-stateless"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request):
    return request.param


@pytest.fixture(scope="module")
def cancellations(tmp_path_factory, variant):
    return tmp_path_factory.mktemp(variant) / "cancelled"


@pytest.fixture(scope="module")
def reached(variant, running, servers, cancellations):
    transport, *words = VARIANTS[variant]
    env = {"FIXTURE_LOG": str(cancellations), "PATH": "/usr/bin:/bin"}
    if transport == "stdio":
        yield {"command": (sys.executable, str(servers / "sdk_server.py"), "stdio", *words), "env": env}
    else:
        with running("sdk_server.py", "http", *words, env=env) as (_, url):
            yield {"url": url}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(workshop_class):
    async with workshop_class() as built:
        yield built
        assert built.failures == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream(shop, reached):
    connection = await shop.connect(**reached)
    await connection.list_tools(deadline_s=30)
    return connection


async def test_the_tools_are_listed_as_the_server_wrote_them(upstream, variant):
    listing = await upstream.list_tools(deadline_s=10)
    tools = {tool["name"]: tool for tool in listing.tools}
    assert {"echo", "fail", "steps", "sleep"} <= set(tools)
    assert tools["echo"]["inputSchema"]["required"] == ["text"]
    assert listing.era == variant.split("-")[1]


async def test_a_call_is_answered_with_the_result_of_that_call(upstream, call):
    reply = await call(upstream, "echo", {"text": "hé", "number": 1.5})
    assert reply.error is None
    assert not reply.is_error
    assert json.loads(reply.result)["structuredContent"] == {"text": "hé", "number": 1.5}


async def test_many_calls_at_once_never_swap_their_answers(upstream, call):
    replies = await asyncio.gather(*(call(upstream, "echo", {"text": str(n)}) for n in range(40)))
    assert [json.loads(reply.result)["structuredContent"]["text"] for reply in replies] == [
        str(n) for n in range(40)
    ]


async def test_a_tool_that_fails_is_a_reply_and_not_an_error_of_the_connection(upstream, call):
    reply = await call(upstream, "fail")
    assert reply.is_error
    assert not (await call(upstream, "echo", {"text": "x"})).is_error


@pytest.mark.parametrize("variant", STREAMS, indirect=True)
async def test_progress_reaches_its_own_call_and_no_other(upstream, call):
    first, second = [], []

    async def keep(kept, params):
        kept.append(params)

    await asyncio.gather(
        call(upstream, "steps", on_progress=lambda params: keep(first, params)),
        call(upstream, "echo", {"text": "x"}, on_progress=lambda params: keep(second, params)),
    )
    assert [params["progress"] for params in first] == [1, 2, 3]
    assert all("progressToken" not in params for params in first)
    assert second == []


async def test_a_slow_call_ends_at_its_deadline_and_the_next_one_works(upstream, call):
    with pytest.raises(UpstreamTimeout) as caught:
        await call(upstream, "sleep", {"seconds": 30}, deadline_s=0.3)
    assert caught.value.sent
    assert not (await call(upstream, "echo", {"text": "x"})).is_error


@pytest.mark.parametrize("variant", CANCELS, indirect=True)
async def test_cancelling_the_caller_cancels_the_call_upstream(upstream, call, shop, cancellations):
    before = cancellations.read_text().count("\n") if cancellations.exists() else 0
    started = upstream.health().in_flight
    waiting = asyncio.ensure_future(call(upstream, "sleep", {"seconds": 30}))
    await shop.until(lambda: upstream.health().in_flight > started)
    # A second call proves that the first one is being served.
    await call(upstream, "echo", {"text": "x"})
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await shop.until(lambda: cancellations.exists() and cancellations.read_text().count("\n") > before)


@pytest.mark.parametrize("variant", ANNOUNCES, indirect=True)
async def test_a_change_of_the_tools_is_reported_with_the_upstream_s_id(upstream, call, shop):
    await asyncio.sleep(0)
    shop.changed.clear()
    await call(upstream, "grow")
    await shop.until(lambda: shop.changed == ["orders"])
    listing = await upstream.list_tools(deadline_s=10)
    assert "grown" in {tool["name"] for tool in listing.tools}


async def test_health_says_who_answers_and_in_which_protocol(upstream, variant):
    health = upstream.health()
    assert health.state == "ready"
    assert health.era == variant.split("-")[1]
    assert health.server == "fixture 1.0"
    assert health.in_flight == 0
