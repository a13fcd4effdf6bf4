"""Logins and login codes: hashed, bounded, and over in time."""

from __future__ import annotations

import hashlib

import pytest

from gateway.people.sessions import LoginCodes, PersonKey, ReviewerSessions
from gateway.people.settings import PeopleSettings

LEA, MAX, OTHER = PersonKey("acme", "lea"), PersonKey("acme", "max"), PersonKey("other", "lea")


class Clock:
    def __init__(self):
        self.now_s = 0.0
        self._made = 0

    def __call__(self):
        return self.now_s

    def random_bytes(self, size):
        self._made += 1
        return hashlib.shake_256(str(self._made).encode()).digest(size)


@pytest.fixture
def clock():
    return Clock()


def sessions(clock, **changes):
    return ReviewerSessions(PeopleSettings(**changes), clock_s=clock, random_bytes=clock.random_bytes)


def codes(clock, **changes):
    return LoginCodes(PeopleSettings(**changes), clock_s=clock, random_bytes=clock.random_bytes)


def test_a_login_is_found_by_what_was_given_out_and_by_nothing_else(clock):
    kept = sessions(clock)
    value = kept.begin(LEA)
    assert len(value) == 64
    assert kept.find(value, use=True) == LEA
    for other in (
        "",
        value[:-1],
        value.upper(),
        value + "0",
        hashlib.sha256(value.encode()).hexdigest(),
        "\ud800",
    ):
        assert kept.find(other, use=True) is None


@pytest.mark.abuse(128)
def test_what_is_kept_opens_nothing(clock):
    kept, waiting = sessions(clock), codes(clock)
    value, code = kept.begin(LEA), waiting.make(LEA)
    insides = repr(kept._sessions) + repr(waiting._codes)
    assert value not in insides
    assert code not in insides
    for key in (*kept._sessions, *waiting._codes):
        assert kept.find(key.hex(), use=True) is None
        assert waiting.use_up(key.hex()) is None


def test_a_login_lives_on_use_but_not_for_ever(clock):
    kept = sessions(clock, session_idle_s=10, session_s=25)
    value = kept.begin(LEA)
    for now_s in (9, 18, 24):
        clock.now_s = now_s
        assert kept.find(value, use=True) == LEA
    clock.now_s = 25
    assert kept.find(value, use=True) is None
    assert len(kept) == 0


def test_looking_without_use_does_not_keep_it_alive(clock):
    kept = sessions(clock, session_idle_s=10)
    value = kept.begin(LEA)
    clock.now_s = 9
    assert kept.find(value, use=False) == LEA
    clock.now_s = 10
    assert kept.find(value, use=False) is None


def test_logins_are_bounded_and_a_person_pushes_out_their_own_first(clock):
    kept = sessions(clock, sessions_per_person_max=2, sessions_max=4)
    others = [kept.begin(MAX), kept.begin(OTHER)]
    values = [kept.begin(LEA) for _ in range(5)]
    assert [kept.find(value, use=True) for value in values] == [None, None, None, LEA, LEA]
    assert [kept.find(value, use=True) for value in others] == [MAX, OTHER]
    kept.begin(MAX)
    assert len(kept) == 4
    assert kept.find(others[0], use=True) is None


def test_a_login_that_is_ended_is_over(clock):
    kept = sessions(clock)
    value = kept.begin(LEA)
    assert kept.end(value) == LEA
    assert kept.end(value) is None
    assert kept.find(value, use=True) is None


def test_a_code_is_good_once_and_for_a_while(clock):
    waiting = codes(clock, login_code_s=600)
    first, second = waiting.make(LEA), waiting.make(MAX)
    clock.now_s = 599
    assert waiting.use_up(first) == LEA
    assert waiting.use_up(first) is None
    clock.now_s = 600
    assert waiting.use_up(second) is None


def test_codes_are_bounded(clock):
    waiting = codes(clock, login_codes_per_person_max=2, login_codes_max=3)
    made = [waiting.make(LEA) for _ in range(3)]
    assert [waiting.use_up(code) for code in made] == [None, LEA, LEA]
    for number in range(100):
        waiting.make(PersonKey("acme", str(number)))
    assert len(waiting) == 3
