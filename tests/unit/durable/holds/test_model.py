"""Whatever happens in whatever order, the rows are what the model says, and nothing runs twice."""

from __future__ import annotations

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.durable.holds.machine import HoldMachine
from tests.unit.durable.holds.profile import profile


@pytest.mark.abuse(79)
@pytest.mark.abuse(92)
def test_holds_do_what_the_model_says_whatever_happens_in_whatever_order():
    run_state_machine_as_test(HoldMachine, settings=profile(examples=150))
