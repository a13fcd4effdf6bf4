"""One stream of changes after the other, and never none while something is listened for."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.errors import UpstreamGone, UpstreamRefused, UpstreamUnreachable
from gateway.upstream import listening
from gateway.upstream.link import Peer
from gateway.upstream.listening import Listening
from gateway.upstream.messages import Answer, Message

A, B = "note://a", "note://b"
SILENT = Peer(era="modern", protocol_version="2026-07-28")
ANNOUNCES = Peer(era="modern", protocol_version="2026-07-28", capabilities={"tools": {"listChanged": True}})


class Stream:
    """One listen request, from the server's side."""

    def __init__(self, params, on_message):
        self.about = params["notifications"]
        self._on_message = on_message
        self.end = asyncio.get_running_loop().create_future()
        self.ended = False

    async def acknowledge(self, **instead):
        await self.say("subscriptions/acknowledged", {"notifications": self.about | instead})

    async def say(self, what, params):
        body = json.dumps(params).encode()
        await self._on_message(Message(id=None, method=f"notifications/{what}", params=body))


class Server:
    """Opens streams; hears what is reported."""

    def __init__(self):
        self.streams = []
        self.lists = 0
        self.updated = []
        self.now_s = 0.0
        self.listening = Listening(self._open, "upstream 'x'", clock=lambda: self.now_s, random=lambda: 0.5)

    async def _open(self, params, on_message):
        stream = Stream(params, on_message)
        self.streams.append(stream)
        try:
            return await stream.end
        finally:
            stream.ended = True

    def list_changed(self, capability=""):
        self.lists += 1

    def resource_updated(self, uri):
        self.updated.append(uri)

    async def stream(self, number):
        async with asyncio.timeout(5):
            while len(self.streams) <= number:
                await asyncio.sleep(0.001)
        return self.streams[number]

    async def ended(self, stream):
        async with asyncio.timeout(5):
            while not stream.ended:
                await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(listening, "PAUSE_S", 0.01)
    monkeypatch.setattr(listening, "OVERLAP_S", 0.01)


@pytest.fixture
async def server():
    return Server()


@pytest.fixture
async def run(server):
    running = []

    def start(peer):
        running.append(asyncio.ensure_future(server.listening.run(peer, server)))
        return running[-1]

    yield start
    for one in running:
        one.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert all(stream.ended for stream in server.streams)


async def subscribe(server, uri):
    return await server.listening.subscribe(uri, deadline_s=5)


async def test_nothing_is_opened_where_there_is_nothing_to_hear(server, run):
    run(SILENT)
    await asyncio.sleep(0.02)
    assert server.streams == []
    waiting = asyncio.ensure_future(subscribe(server, A))
    await (await server.stream(0)).acknowledge()
    await waiting


async def test_the_lists_that_are_announced_are_listened_for_from_the_start(server, run):
    run(ANNOUNCES)
    stream = await server.stream(0)
    assert stream.about == {"toolsListChanged": True}
    await stream.acknowledge()
    await stream.say("tools/list_changed", {})
    assert server.lists == 1


async def test_the_earlier_stream_ends_only_after_the_later_is_acknowledged(server, run):
    run(ANNOUNCES)
    first = await server.stream(0)
    await first.acknowledge()
    waiting = asyncio.ensure_future(subscribe(server, A))
    second = await server.stream(1)
    assert second.about == {"toolsListChanged": True, "resourceSubscriptions": [A]}
    await asyncio.sleep(0.05)
    assert not first.ended
    await second.acknowledge()
    await waiting
    assert not first.ended  # What was said on it alone may still be on its way.
    await server.ended(first)
    assert not second.ended
    # Nobody missed anything, so there is nothing to make up for.
    assert (server.lists, server.updated) == (0, [])


async def test_watching_that_is_ended_while_a_stream_ends_does_not_go_on(server, run):
    ending = asyncio.Event()

    async def slow_to_end(params, on_message):
        stream = Stream(params, on_message)
        server.streams.append(stream)
        try:
            await stream.end
        finally:
            ending.set()
            try:
                await asyncio.sleep(0.05)
            finally:
                stream.ended = True

    server.listening = Listening(slow_to_end, "upstream 'x'", clock=lambda: 0.0, random=lambda: 0.5)
    running = run(ANNOUNCES)
    await (await server.stream(0)).acknowledge()
    waiting = asyncio.ensure_future(subscribe(server, A))
    await (await server.stream(1)).acknowledge()
    await waiting
    await ending.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert all(stream.ended for stream in server.streams)


async def test_both_streams_end_when_the_watching_ends_between_the_two(server, run):
    running = run(ANNOUNCES)
    first = await server.stream(0)
    await first.acknowledge()
    waiting = asyncio.ensure_future(subscribe(server, A))
    second = await server.stream(1)
    running.cancel()
    await server.ended(first)
    await server.ended(second)
    waiting.cancel()


@pytest.mark.parametrize("how", ["answered", "gone"])
async def test_after_a_gap_everything_may_have_changed_and_is_reported_once_it_is_heard_again(
    server, run, how
):
    run(ANNOUNCES)
    await (await server.stream(0)).acknowledge()
    waiting = asyncio.ensure_future(subscribe(server, A))
    second = await server.stream(1)
    await second.acknowledge()
    await waiting
    if how == "answered":
        second.end.set_result(Answer(result=b"{}"))
    else:
        second.end.set_exception(UpstreamGone("lost", sent=True))
    third = await server.stream(2)
    assert third.about == second.about
    assert (server.lists, server.updated) == (0, [])
    await third.acknowledge()
    await asyncio.sleep(0.02)
    assert (server.lists, server.updated) == (1, [A])


async def test_after_a_reconnect_what_was_subscribed_to_is_reported_once_it_is_heard_again(server, run):
    running = run(SILENT)
    waiting = asyncio.ensure_future(subscribe(server, A))
    first = await server.stream(0)
    await first.acknowledge()
    await waiting
    assert server.updated == []
    first.end.set_exception(UpstreamUnreachable("away", sent=False))
    with pytest.raises(UpstreamUnreachable):
        await running
    run(SILENT)
    second = await server.stream(1)
    assert second.about == {"resourceSubscriptions": [A]}
    await second.acknowledge()
    await asyncio.sleep(0.02)
    # The lists are the connection's business: it lists after each connect.
    assert (server.lists, server.updated) == (0, [A])


async def test_what_is_subscribed_to_no_more_is_neither_passed_on_nor_asked_for(server, run):
    run(SILENT)
    waiting = asyncio.gather(subscribe(server, A), subscribe(server, B))
    first = await server.stream(0)
    await first.acknowledge()
    await waiting
    server.listening.unsubscribe(A)
    for uri in (A, B, "note://never"):
        await first.say("resources/updated", {"uri": uri})
    assert server.updated == [B]
    second = await server.stream(1)
    assert second.about == {"resourceSubscriptions": [B]}
    await second.acknowledge()
    server.listening.unsubscribe(B)
    await server.ended(second)
    await asyncio.sleep(0.02)
    assert len(server.streams) == 2


@pytest.mark.parametrize(("status", "goes_on"), [(404, False), (405, False), (503, True), (429, True)])
async def test_a_refusal_that_may_pass_is_not_the_end(server, run, status, goes_on):
    run(ANNOUNCES)
    first = await server.stream(0)
    first.end.set_exception(UpstreamRefused("no", sent=True, status=status))
    if goes_on:
        await (await server.stream(1)).acknowledge()
        return
    with pytest.raises(UpstreamRefused):
        await subscribe(server, A)
    assert len(server.streams) == 1


async def test_a_server_that_served_a_stream_and_refuses_the_next_one_is_asked_again(server, run):
    run(ANNOUNCES)
    first = await server.stream(0)
    await first.acknowledge()
    waiting = asyncio.ensure_future(subscribe(server, A))
    second = await server.stream(1)
    second.end.set_result(Answer(error=b'{"code":-32603,"message":"one at a time"}'))
    third = await server.stream(2)
    assert first.ended
    await third.acknowledge()
    await waiting
    await asyncio.sleep(0.02)
    assert server.lists == 1


async def test_a_server_that_never_served_a_stream_refuses_subscriptions_at_once(server, run):
    run(SILENT)
    waiting = asyncio.ensure_future(subscribe(server, A))
    (await server.stream(0)).end.set_result(Answer(error=b'{"code":-32601,"message":"no"}'))
    for refused in (waiting, subscribe(server, B)):
        with pytest.raises(UpstreamRefused, match="no subscription"):
            await refused
    assert len(server.streams) == 1


async def test_a_resource_that_was_refused_once_can_be_asked_for_again(server, run):
    run(SILENT)
    waiting = asyncio.ensure_future(subscribe(server, A))
    await (await server.stream(0)).acknowledge(resourceSubscriptions=[])
    with pytest.raises(UpstreamRefused):
        await waiting
    waiting = asyncio.ensure_future(subscribe(server, A))
    await (await server.stream(1)).acknowledge()
    await waiting
