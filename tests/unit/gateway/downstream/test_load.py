"""How much runs at once."""

from __future__ import annotations

import contextlib

import pytest

from gateway.downstream.load import Load
from gateway.downstream.settings import WireSettings
from gateway.errors import AgentOverLimit, Draining, Overloaded
from tests.fakes import ANA, BEN


def test_one_principal_reaches_its_own_bound_and_not_the_others():
    load = Load(WireSettings(calls_max=3, calls_per_principal_max=2))
    with contextlib.ExitStack() as running:
        running.enter_context(load.call(ANA.key))
        running.enter_context(load.call(ANA.key))
        with pytest.raises(AgentOverLimit), load.call(ANA.key):
            pass
        running.enter_context(load.call(BEN.key))
        with pytest.raises(Overloaded), load.call(BEN.key):
            pass
        assert load.total == 3
    assert load.total == 0
    with load.call(ANA.key):
        assert load.total == 1


def test_a_failed_call_is_counted_out():
    load = Load(WireSettings(calls_max=1))
    for _ in range(3):
        with pytest.raises(ValueError, match="x"), load.call(ANA.key):
            raise ValueError("x")
    assert load.total == 0


def test_a_draining_gateway_takes_no_new_call():
    load = Load(WireSettings())
    with load.call(ANA.key):
        load.draining = True
        with pytest.raises(Draining), load.call(ANA.key):
            pass
    assert load.total == 0
