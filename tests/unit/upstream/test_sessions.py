"""Legacy sessions are kept apart, bounded and forgotten."""

from __future__ import annotations

import asyncio

import pytest

from gateway.upstream.incoming import Incoming
from gateway.upstream.link import Peer
from gateway.upstream.sessions import SessionTable


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def table(clock, *, sessions_max=2, idle_s=60):
    return SessionTable(
        sessions_max=sessions_max,
        idle_s=idle_s,
        clock=clock,
        incoming=lambda session: Incoming("upstream 'x'", nothing_starts, print),
    )


def nothing_starts(coro, name):
    raise AssertionError(f"{name} was started")


def test_a_key_keeps_its_session_and_shares_it_with_no_other():
    sessions = table(Clock())
    first = sessions.take(("a",))
    assert sessions.take(("a",)) is first
    assert sessions.take(("b",)) is not first


def test_the_least_recently_used_beyond_the_bound_are_given_up():
    sessions = table(Clock())
    a, b, c = (sessions.take((key,)) for key in "abc")
    sessions.take(("a",))
    assert sessions.surplus() == [b]
    assert sessions.surplus() == []
    assert sessions.take(("a",)) is a
    assert sessions.take(("c",)) is c


def test_a_session_in_use_is_never_given_up():
    sessions = table(Clock(), sessions_max=1)
    busy = sessions.take(("a",))
    busy.in_flight = 1
    idle = sessions.take(("b",))
    assert sessions.surplus() == [idle]
    assert sessions.take(("a",)) is busy


def test_an_idle_session_is_given_up_even_within_the_bound():
    clock = Clock()
    sessions = table(clock)
    old = sessions.take(("a",))
    clock.now_s = 50
    sessions.take(("b",))
    assert sessions.surplus() == []
    clock.now_s = 61
    assert sessions.surplus() == [old]
    assert len(sessions) == 1


def test_a_closed_session_names_nothing_any_more():
    session = table(Clock()).take(("a",))
    session.open(Peer(era="legacy", protocol_version="2025-06-18"), "s1")
    assert session.headers == {"MCP-Protocol-Version": "2025-06-18", "Mcp-Session-Id": "s1"}
    session.close()
    assert (session.id, session.peer, session.headers) == (None, None, {})


async def test_a_closed_session_s_stream_is_read_no_further_and_its_level_is_remembered():
    session = table(Clock()).take(("a",))
    session.log_level.told = "info"
    stream = session.stream = asyncio.ensure_future(asyncio.sleep(60))
    session.close()
    with pytest.raises(asyncio.CancelledError):
        await stream
    assert session.stream is None
    assert session.log_level.told == "info"


def test_a_session_keeps_the_capabilities_it_was_opened_with():
    sessions = table(Clock())
    session = sessions.take(("a",), {"roots": {}})
    assert sessions.take(("a",), {"sampling": {}}) is session
    assert session.capabilities == {"roots": {}}
    assert sessions.take(("b",)).capabilities == {}
