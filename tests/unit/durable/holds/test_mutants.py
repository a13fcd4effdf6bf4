"""The state machine sees every fault that is put into the scripts; without one it sees nothing."""

from __future__ import annotations

import pytest
from hypothesis.stateful import run_state_machine_as_test

from durable.holds import executing
from tests.unit.durable.holds.machine import HoldMachine
from tests.unit.durable.holds.model import Call
from tests.unit.durable.holds.mutants import MUTANTS, Mutant, copies
from tests.unit.durable.holds.profile import profile


def run_against(scripts, *, examples, model=Call, without=()):
    members = {"scripts": scripts, "model": model, **dict.fromkeys(without)}
    machine = type("Mutated", (HoldMachine,), members)
    run_state_machine_as_test(machine, settings=profile(examples=examples, shrink=False))


def test_a_copy_without_a_fault_passes():
    with copies("nothing") as scripts:
        assert scripts.executing.begin is not executing.begin
        assert scripts.executing.Status is scripts.status.Status
        run_against(scripts, examples=60)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_state_machine_sees(mutant: Mutant):
    with copies(f"{MUTANTS.index(mutant)}", *mutant.changes) as scripts, pytest.raises(AssertionError):
        run_against(scripts, examples=3000)


class Careless(Call):
    """A model with the same fault as a mutant."""

    def sweep(self, now):
        if self.status == "executing" and self.lease <= now < self.until:
            self.status = "approved"
        else:
            super().sweep(now)


class Forgetful(Call):
    def end(self, status, now, *, kept=None):
        super().end(status, now, kept=kept)
        self.status = status


@pytest.mark.parametrize(
    ("fault", "model", "seen"),
    [
        (
            "a double send: what is not idempotent is run again when its lease is lost",
            Careless,
            "was sent twice",
        ),
        ("an end hides that it was sent", Forgetful, "was sent and is"),
    ],
)
def test_what_was_sent_is_seen_even_where_the_model_has_the_same_fault(fault, model, seen):
    (mutant,) = [mutant for mutant in MUTANTS if mutant.name == fault]
    with copies("twice", *mutant.changes) as scripts, pytest.raises(AssertionError, match=seen):
        # That a retry is not refused would be seen before anything is sent.
        run_against(scripts, examples=3000, model=model, without=("try_again",))


def test_a_change_that_no_longer_fits_the_source_is_an_error():
    with pytest.raises(AssertionError, match="0 times"), copies("unfit", ("rules", "no such text", "")):
        pass
