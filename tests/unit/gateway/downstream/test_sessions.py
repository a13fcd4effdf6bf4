"""Legacy sessions: found by their owner only, bounded, forgotten when idle."""

from __future__ import annotations

import pytest

from gateway.core.principal import Principal, Subject
from gateway.downstream.sessions import Sessions
from gateway.downstream.settings import WireSettings
from gateway.downstream.streams import LISTS, ChangeStream
from gateway.errors import AgentOverLimit, UnknownSession
from tests.fakes import ANA, BEN, Counted, HandClock


class Room:
    def __init__(self, **limits):
        self.clock = HandClock()
        self.over = []
        settings = WireSettings(**{"session_idle_s": 60, **limits})
        self.sessions = Sessions(
            settings, monotonic_s=self.clock.s, new_id=Counted("s-"), ended=self.over.append
        )

    def open(self, principal=ANA, upstream=None):
        return self.sessions.open(principal, upstream=upstream, version="2025-11-25", client="test")

    def find(self, session, principal=ANA, upstream=None):
        return self.sessions.find(principal, session.id, upstream=upstream)


@pytest.mark.abuse(34)
@pytest.mark.parametrize(
    "other",
    [
        BEN,
        Principal(subject=ANA.subject, agent="other", tenant=ANA.tenant),
        Principal(subject=ANA.subject, agent=ANA.agent, tenant="other"),
        Principal(subject=Subject(id=ANA.subject.id, type="service"), agent=ANA.agent, tenant=ANA.tenant),
    ],
)
def test_another_principal_cannot_find_a_session(other):
    room = Room()
    session = room.open()
    with pytest.raises(UnknownSession):
        room.find(session, other)
    assert room.find(session) is session


@pytest.mark.abuse(35)
def test_an_id_that_was_never_issued_finds_nothing():
    room = Room()
    with pytest.raises(UnknownSession):
        room.sessions.find(ANA, "s-99", upstream=None)


def test_a_session_is_valid_on_its_own_route_only():
    room = Room()
    session = room.open(upstream="orders")
    for upstream in (None, "notes"):
        with pytest.raises(UnknownSession):
            room.find(session, upstream=upstream)
    assert room.find(session, upstream="orders") is session


def test_whoever_keeps_something_for_a_session_hears_of_its_end():
    room = Room()
    session = room.open()
    room.sessions.close(session)
    assert room.over == [session]


def test_a_closed_session_is_gone():
    room = Room()
    session = room.open()
    room.sessions.close(session)
    room.sessions.close(session)
    with pytest.raises(UnknownSession):
        room.find(session)
    assert len(room.sessions) == 0


def test_an_idle_session_expires_and_a_used_one_does_not():
    room = Room()
    idle, used = room.open(), room.open()
    room.clock.forward(50)
    room.find(used)
    room.clock.forward(20)
    room.find(used)
    with pytest.raises(UnknownSession):
        room.find(idle)


def test_a_session_with_an_open_stream_does_not_expire_and_lives_on_after_it():
    room = Room()
    session = room.open()
    session.stream = stream = ChangeStream(about=LISTS, upstream=None)
    room.clock.forward(1000)
    room.sessions.stream_ended(session, stream)
    assert room.find(session) is session
    room.clock.forward(61)
    with pytest.raises(UnknownSession):
        room.find(session)


def test_the_end_of_an_older_stream_does_not_end_the_newer_one():
    room = Room()
    session = room.open()
    older, session.stream = ChangeStream(about=LISTS, upstream=None), ChangeStream(about=LISTS, upstream=None)
    room.sessions.stream_ended(session, older)
    assert session.stream is not None


def test_a_session_with_a_stream_does_not_keep_idle_ones_alive():
    room = Room(sessions_per_principal_max=3)
    first = room.open()
    first.stream = ChangeStream(about=LISTS, upstream=None)
    room.open()
    room.open()
    with pytest.raises(AgentOverLimit):
        room.open()
    room.clock.forward(61)
    room.open()
    assert len(room.sessions) == 2
    assert room.find(first) is first


def test_one_principal_cannot_take_all_sessions():
    room = Room(sessions_per_principal_max=2)
    room.open()
    room.open()
    with pytest.raises(AgentOverLimit):
        room.open()
    room.open(BEN)


def test_at_the_global_bound_the_idlest_makes_room():
    room = Room(sessions_max=2)
    oldest, newer = room.open(), room.open(BEN)
    room.find(oldest)
    room.open()
    assert room.find(oldest) is oldest
    with pytest.raises(UnknownSession):
        room.find(newer, BEN)
