"""The pauses between attempts grow, are spread, and end with the first success."""

from __future__ import annotations

import pytest

from gateway.upstream.breaker import Breaker


def pauses(first_pause_s, *, failures, roll):
    breaker = Breaker(first_pause_s=first_pause_s)
    found = []
    for _ in range(failures):
        breaker.failed(now_s=100, roll=roll)
        found.append(breaker.wait_s(100))
    return found


def test_the_circuit_opens_at_the_fifth_failure_for_a_second_and_then_doubles_to_thirty():
    almost_one = 1 - 1e-12
    found = pauses(1 / 16, failures=12, roll=almost_one)
    assert found[4:] == pytest.approx([1, 2, 4, 8, 16, 30, 30, 30])
    assert sum(found[:4]) < 1


def test_a_child_is_started_again_after_half_a_second_to_thirty():
    assert pauses(0.5, failures=8, roll=1 - 1e-12) == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30])


@pytest.mark.parametrize("roll", [0, 0.25, 0.5, 0.999])
def test_a_pause_is_spread_over_half_of_its_length(roll):
    assert all(
        full / 2 <= found <= full
        for found, full in zip(pauses(0.5, failures=7, roll=roll), [0.5, 1, 2, 4, 8, 16, 30], strict=True)
    )


def test_an_open_circuit_lets_one_attempt_through_when_its_time_has_come():
    breaker = Breaker(first_pause_s=1 / 16)
    for _ in range(4):
        breaker.failed(now_s=0, roll=0)
        assert not breaker.is_open(0)
    breaker.failed(now_s=0, roll=0)
    assert breaker.is_open(0.49)
    assert not breaker.is_open(0.5)
    breaker.failed(now_s=0.5, roll=0)
    assert breaker.is_open(1.49)


def test_a_success_forgets_all_failures():
    breaker = Breaker(first_pause_s=1)
    for _ in range(9):
        breaker.failed(now_s=0, roll=0)
    breaker.succeeded()
    assert breaker.wait_s(0) == 0
    breaker.failed(now_s=0, roll=0)
    assert breaker.wait_s(0) == 0.5


def test_a_thousand_failures_do_not_overflow():
    assert pauses(0.5, failures=1000, roll=0)[-1] == 15
