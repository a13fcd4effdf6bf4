"""An upstream that goes away comes back by itself; one that stays away is not asked again and again."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.core.definition import Kind
from gateway.errors import UpstreamGone, UpstreamRefused, UpstreamUnreachable


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_server_restarted_on_its_port_is_used_again(workshop, running, call, free_port, era):
    with running("sdk_server.py", "http", era, f"port={free_port}") as (_, url):
        upstream = await workshop.connect(url=url)
        first = json.loads((await call(upstream, "pid", session_key=("a",))).result)
    with pytest.raises(UpstreamUnreachable) as caught:
        await call(upstream, "pid", session_key=("a",), deadline_s=2)
    assert not caught.value.sent
    assert "upstreams.orders" in caught.value.next_step
    with running("sdk_server.py", "http", era, f"port={free_port}"):
        await workshop.until(lambda: upstream.health().state == "ready", within_s=15)
        second = json.loads((await call(upstream, "pid", session_key=("a",))).result)
    assert first["structuredContent"] != second["structuredContent"]


async def test_a_server_that_comes_back_in_the_other_era_is_understood(workshop, running, call, free_port):
    with running("sdk_server.py", "http", "legacy", f"port={free_port}") as (_, url):
        upstream = await workshop.connect(url=url)
        assert (await call(upstream, "pid")).result
    # It is back before anybody notices that it was away.
    with running("sdk_server.py", "http", "modern", f"port={free_port}"):
        for _ in range(5):
            try:
                assert (await call(upstream, "pid")).result
                break
            except (UpstreamRefused, UpstreamGone, UpstreamUnreachable):
                continue
        await workshop.until(lambda: upstream.health().era == "modern")
        assert (await call(upstream, "pid")).result


async def test_an_upstream_that_stays_away_is_refused_at_once_with_the_time_of_the_next_try(
    workshop, call, free_port
):
    upstream = await workshop.connect(url=f"http://127.0.0.1:{free_port}/mcp")
    await workshop.until(
        lambda: "next try in" in upstream.health().reason and upstream._breaker.failures >= 5
    )
    with pytest.raises(UpstreamUnreachable, match=r"refused.*next try in \d") as caught:
        await call(upstream, "pid")
    assert not caught.value.sent
    assert upstream.health().state == "down"


async def test_five_calls_lost_in_a_row_open_the_circuit_and_one_good_probe_closes_it(
    workshop, scripted, http, call
):
    broken = True

    def respond(request):
        if request.method == "server/discover":
            return http.discover(request)
        if broken:
            raise ConnectionResetError
        return http.result(request, {"resultType": "complete", "content": []})

    async with scripted(respond) as server:
        upstream = await workshop.connect(url=server.url)
        for _ in range(5):
            with pytest.raises(UpstreamGone):
                await call(upstream, "pid")
        with pytest.raises(UpstreamUnreachable, match="next try in"):
            await call(upstream, "pid")
        assert len(server.of("tools/call")) == 5
        broken = False
        await workshop.until(lambda: upstream.health().state == "ready")
        assert (await call(upstream, "pid")).result


async def test_a_call_begun_before_the_first_connection_waits_for_it(workshop, running, call, free_port):
    upstream = await workshop.connect(url=f"http://127.0.0.1:{free_port}/mcp", era="modern")
    with running("sdk_server.py", "http", "modern", f"port={free_port}"):
        await workshop.until(lambda: upstream.health().state == "ready", within_s=15)
        assert (await call(upstream, "pid")).result
    assert workshop.changed[0] == ("orders", "")


async def test_a_closed_connection_refuses_calls(workshop, scripted, http, call):
    async with scripted(http.discover) as server:
        upstream = await workshop.connect(url=server.url)
        await workshop.until(lambda: upstream.health().state == "ready")
        await upstream.aclose()
        assert upstream.health().state == "closed"
        with pytest.raises(UpstreamUnreachable, match="stopping"):
            await call(upstream, "pid")


async def test_a_web_page_at_the_address_is_said_to_be_one(workshop, scripted, http, call):
    async with scripted(lambda request: http.answer(b"<html>", kind="text/html")) as server:
        upstream = await workshop.connect(url=server.url)
        with pytest.raises(UpstreamUnreachable, match="web page") as caught:
            await call(upstream, "pid")
        assert "path in `url`" in caught.value.next_step


async def test_wrong_credentials_are_said_to_be_wrong(workshop, scripted, http, call):
    async with scripted(
        lambda request: http.answer(b"no", status="401 Unauthorized", kind="text/plain")
    ) as server:
        upstream = await workshop.connect(url=server.url)
        with pytest.raises(UpstreamUnreachable, match="401") as caught:
            await call(upstream, "pid")
        assert "headers" in caught.value.next_step
        assert server.of("initialize") == []


async def test_a_listing_is_repeated_once_when_an_idle_connection_closed_under_it(workshop, scripted, http):
    lost = []

    def respond(request):
        if request.method == "server/discover":
            return http.discover(request)
        if not lost:
            lost.append(request)
            raise ConnectionResetError
        return http.result(request, {"resultType": "complete", "tools": [{"name": "a"}]})

    async with scripted(respond) as server:
        upstream = await workshop.connect(url=server.url)
        listing = await upstream.list_definitions(deadline_s=5, kinds=frozenset({Kind.TOOL}))
        assert [one.value for one in listing.elements[Kind.TOOL]] == [{"name": "a"}]
        assert len(server.of("tools/list")) == 2


async def test_a_call_whose_connection_closed_is_not_repeated(workshop, scripted, http, call):
    def respond(request):
        if request.method == "server/discover":
            return http.discover(request)
        raise ConnectionResetError

    async with scripted(respond) as server:
        upstream = await workshop.connect(url=server.url)
        with pytest.raises(UpstreamGone) as caught:
            await call(upstream, "pid")
        assert caught.value.sent
        await asyncio.sleep(0)
        assert len(server.of("tools/call")) == 1


async def test_a_storm_of_announced_changes_is_reported_once_a_moment(workshop, scripted, http, call):
    def respond(request):
        if request.method == "server/discover":
            return http.discover(request, tools={"listChanged": True})
        if request.method != "subscriptions/listen":
            return http.result(request, {"resultType": "complete"})
        change = b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'
        return http.answer(change * 10_000, kind="text/event-stream")

    async with scripted(respond) as server:
        upstream = await workshop.connect(url=server.url)
        await workshop.until(lambda: server.of("subscriptions/listen"))
        assert (await call(upstream, "get")).result
        await workshop.until(lambda: len(workshop.changed) >= 2)
        assert len(workshop.changed) <= 3
