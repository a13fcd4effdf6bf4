"""Notification streams: a level, not a queue; bounded; ended politely."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from gateway.downstream.events import PING, event
from gateway.downstream.settings import WireSettings
from gateway.downstream.streams import LISTS, ChangeStream, OpenStreams, Topic
from gateway.errors import AgentOverLimit, Overloaded
from tests.fakes import ANA, BEN

NOTICE = b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'


class Reader:
    """The client's end of a response; reads only while told to."""

    def __init__(self):
        self.frames = []
        self.status = None
        self.ended = False
        self.reading = asyncio.Event()
        self.reading.set()
        self.gone = asyncio.Event()

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        await self.reading.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if message["body"]:
            self.frames.append(message["body"])
        self.ended = not message["more_body"]

    async def until(self, count):
        async with asyncio.timeout(5):
            while len(self.frames) < count:
                await asyncio.sleep(0)


def start(stream, reader, *, ping_s=3600.0):
    return asyncio.ensure_future(
        stream.serve(reader.receive, reader.send, first=b"first", last=b"last", ping_s=ping_s)
    )


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_change_is_told_once():
    reader, stream = Reader(), ChangeStream(about=LISTS, upstream=None)
    serving = start(stream, reader)
    await reader.until(1)
    stream.list_changed("orders", Topic.TOOLS)
    await reader.until(2)
    stream.close()
    await serving
    assert reader.frames == [b"first", event(NOTICE), b"last"]
    assert reader.ended


async def test_a_stream_hears_of_its_own_upstream_only():
    reader, stream = Reader(), ChangeStream(about=LISTS, upstream="orders")
    serving = start(stream, reader)
    await reader.until(1)
    stream.list_changed("notes", Topic.TOOLS)
    await settled()
    stream.list_changed("orders", Topic.TOOLS)
    await reader.until(2)
    stream.close()
    await serving
    assert reader.frames.count(event(NOTICE)) == 1


async def test_a_slow_reader_has_one_notice_waiting_however_often_the_list_changed():
    reader, stream = Reader(), ChangeStream(about=LISTS, upstream=None)
    serving = start(stream, reader)
    await reader.until(1)
    reader.reading.clear()
    for _ in range(1000):
        stream.list_changed("orders", Topic.TOOLS)
        await asyncio.sleep(0)
    reader.reading.set()
    await settled()
    stream.close()
    await serving
    # One that was being written when the reader stopped, one for everything since.
    assert reader.frames == [b"first", event(NOTICE), event(NOTICE), b"last"]


async def test_a_change_just_before_the_end_is_still_told():
    reader, stream = Reader(), ChangeStream(about=LISTS, upstream=None)
    serving = start(stream, reader)
    await reader.until(1)
    stream.list_changed("orders", Topic.TOOLS)
    stream.close()
    await serving
    assert reader.frames == [b"first", event(NOTICE), b"last"]


async def test_silence_is_filled_with_comments():
    reader, stream = Reader(), ChangeStream(about=LISTS, upstream=None)
    serving = start(stream, reader, ping_s=0.001)
    await reader.until(4)
    stream.close()
    await serving
    assert reader.frames[1:3] == [PING, PING]


async def test_a_client_that_hangs_up_ends_its_stream():
    reader, stream = Reader(), ChangeStream(about=LISTS, upstream=None)
    serving = start(stream, reader)
    await reader.until(1)
    reader.gone.set()
    await serving
    assert reader.frames == [b"first"]


@pytest.mark.abuse(10)
def test_streams_are_bounded_for_one_and_for_all():
    streams = OpenStreams(WireSettings(streams_max=3, streams_per_principal_max=2))

    def one(owner):
        return streams.open(ChangeStream(about=LISTS, upstream=None), owner.key)

    with one(ANA):
        # A stream about one request is one, too.
        with streams.counted(ANA.key):
            with pytest.raises(AgentOverLimit), one(ANA):
                pass
            with one(BEN), pytest.raises(Overloaded), streams.counted(BEN.key):
                pass
        assert len(streams) == 1
        with one(ANA), pytest.raises(AgentOverLimit), one(ANA):
            pass
    assert len(streams) == 0


async def test_the_end_reaches_every_open_stream():
    streams = OpenStreams(WireSettings())
    readers = [Reader() for _ in range(3)]
    served = []
    with contextlib.ExitStack() as opened:
        for reader in readers:
            stream = ChangeStream(about=LISTS, upstream=None)
            opened.enter_context(streams.open(stream, ANA.key))
            served.append(start(stream, reader))
            await reader.until(1)
        streams.list_changed("orders", Topic.TOOLS)
        streams.close()
        await asyncio.gather(*served)
    assert all(reader.frames == [b"first", event(NOTICE), b"last"] for reader in readers)
