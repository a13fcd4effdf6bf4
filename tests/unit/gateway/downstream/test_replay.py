"""What a client missed: kept for it alone, for a while, within bounds."""

from __future__ import annotations

import asyncio

import pytest

from gateway.downstream import replay as replay_module
from gateway.downstream.events import event
from gateway.downstream.replay import Replays
from gateway.errors import UnknownSession
from tests.fakes import Counted


class Client:
    def __init__(self):
        self.heard = b""
        self.ended = False
        self.gone = asyncio.Event()

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.heard += message.get("body", b"")
        self.ended = not message.get("more_body", True)


def serve(replay, seen, client):
    return asyncio.ensure_future(replay.serve(seen, client.receive, client.send, ping_s=3600))


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_client_gets_what_followed_the_event_it_has_seen_and_what_still_follows():
    replays = Replays(Counted("e"))
    replay = replays.begin("s-1")
    assert replay.first().startswith(b"id: e1-0\n")
    assert replay.add(event(b"1"), last=False) == b"id: e1-1\n" + event(b"1")
    replay.add(event(b"2"), last=False)
    found, seen = replays.find("s-1", "e1-1")
    client = Client()
    task = serve(found, seen, client)
    await settled()
    assert client.heard == b"id: e1-2\n" + event(b"2")
    replay.add(event(b"3"), last=True)
    await task
    assert client.heard.endswith(b"id: e1-3\n" + event(b"3"))
    assert client.ended


@pytest.mark.abuse(34)
async def test_an_event_of_another_session_is_not_found():
    replays = Replays(Counted("e"))
    replays.begin("s-1")
    assert replays.find("s-1", "e1-0")
    for session, last in (
        ("s-2", "e1-0"),
        ("s-1", "e2-0"),
        ("s-1", "e1"),
        ("s-1", ""),
        ("s-1", "e1-x"),
        ("s-1", "e1-²"),
    ):
        with pytest.raises(UnknownSession):
            replays.find(session, last)


async def test_what_is_over_is_kept_for_a_while_and_what_was_heard_makes_room_first(monkeypatch):
    monkeypatch.setattr(replay_module, "KEPT_S", 0.01)
    monkeypatch.setattr(replay_module, "REPLAYS_MAX", 2)
    replays = Replays(Counted("e"))
    missed, heard = replays.begin("s"), replays.begin("s")
    replays.ended("s", missed, heard=False)
    replays.ended("s", heard, heard=True)
    assert replays.find("s", "e1-0")
    assert replays.find("s", "e2-0")
    replays.begin("s")
    with pytest.raises(UnknownSession):
        replays.find("s", "e2-0")
    assert replays.find("s", "e1-0")
    await asyncio.sleep(0.05)
    with pytest.raises(UnknownSession):
        replays.find("s", "e1-0")


async def test_the_oldest_makes_room(monkeypatch):
    monkeypatch.setattr(replay_module, "BYTES_MAX", 1000)
    replays = Replays(Counted("e"))
    first, second = replays.begin("s"), replays.begin("s")
    first.add(b"x" * 600, last=False)
    second.add(b"x" * 600, last=False)
    with pytest.raises(UnknownSession):
        replays.find("s", "e1-0")
    assert replays.find("s", "e2-0")
    assert first.ended, "whoever waits for it is let go"


async def test_a_client_that_hangs_up_again_leaves_the_replay_for_its_next_attempt():
    replays = Replays(Counted("e"))
    replay = replays.begin("s")
    client = Client()
    task = serve(replay, 0, client)
    await settled()
    client.gone.set()
    await task
    replay.add(event(b"late"), last=True)
    second = Client()
    await serve(replay, 0, second)
    assert b"late" in second.heard


@pytest.mark.abuse(10)
async def test_what_made_room_counts_no_more_however_much_is_said_on_it(monkeypatch):
    monkeypatch.setattr(replay_module, "BYTES_MAX", 1000)
    replays = Replays(Counted("e"))
    first, second = replays.begin("s"), replays.begin("s")
    first.add(b"x" * 600, last=False)
    second.add(b"x" * 600, last=False)
    for _ in range(10):
        assert b"y" in first.add(b"y" * 600, last=False)
    assert replays.find("s", "e2-0")
