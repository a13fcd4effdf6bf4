"""What every upstream does, whatever its transport and era: one suite, real SDK servers."""

from __future__ import annotations

import asyncio
import json

import pytest
import pytest_asyncio

from gateway.core.definition import Kind
from gateway.errors import UpstreamTimeout
from tests.contract.upstream.variants import all_but

ALL = frozenset(Kind)

# A JSON answer carries no progress; the SDK's server notices a closed request only while it streams,
# and a stateless legacy server has no stream to announce on and no memory to cancel from.
STREAMS = all_but("json")
CANCELS = all_but("http-modern-json", "stateless")
ANNOUNCES = all_but("stateless")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(workshop_class):
    async with workshop_class() as built:
        yield built
        assert built.failures == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream(shop, reached):
    connection = await shop.connect(**reached)
    await connection.list_definitions(deadline_s=30, kinds=ALL)
    return connection


def named(listing, kind):
    return {one.value[kind.name_member]: one.value for one in listing.elements[kind]}


async def test_the_tools_are_listed_as_the_server_wrote_them(upstream, variant):
    listing = await upstream.list_definitions(deadline_s=10, kinds=ALL)
    tools = named(listing, Kind.TOOL)
    assert {"echo", "fail", "steps", "sleep"} <= set(tools)
    assert tools["echo"]["inputSchema"]["required"] == ["text"]
    assert listing.era == variant.split("-")[1]


async def test_a_call_is_answered_with_the_result_of_that_call(upstream, call):
    reply = await call(upstream, "echo", {"text": "hé", "number": 1.5})
    assert reply.error is None
    assert not reply.is_error
    assert json.loads(reply.result)["structuredContent"] == {"text": "hé", "number": 1.5}


@pytest.mark.abuse(24)
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

    async def keep(kept, notice):
        kept.append(notice)

    await asyncio.gather(
        call(upstream, "steps", on_notice=lambda notice: keep(first, notice)),
        call(upstream, "echo", {"text": "x"}, on_notice=lambda notice: keep(second, notice)),
    )
    assert {notice.method for notice in first} == {"notifications/progress"}
    assert [json.loads(bytes(notice.params["progress"])) for notice in first] == [1, 2, 3]
    assert all("progressToken" not in notice.params for notice in first)
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
    await shop.until(lambda: ("orders", "tools") in shop.changed)
    assert set(shop.changed) == {("orders", "tools")}
    listing = await upstream.list_definitions(deadline_s=10, kinds=ALL)
    assert "grown" in named(listing, Kind.TOOL)


async def test_health_says_who_answers_and_in_which_protocol(upstream, variant):
    health = upstream.health()
    assert health.state == "ready"
    assert health.era == variant.split("-")[1]
    assert health.server == "fixture 1.0"
    assert health.in_flight == 0
