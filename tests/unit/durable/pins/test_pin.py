"""Pins as values: the table of states, what an approval binds, and what proves it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from durable.pins.pin import (
    Pin,
    PinFinding,
    PinKey,
    approved,
    is_proved,
    listed,
    moved,
    withdrawn,
)
from durable.pins.refusals import StalePin, WrongPinState
from durable.pins.state import TRANSITIONS, Event, State

KEY = b"k" * 32
A, B = "a" * 64, "b" * 64
FOUND = PinFinding(rule="r.x", reason="why", pointer="/d", excerpt="e", severity="quarantine")


def pin(state=State.NEW, **members):
    one = PinKey(tenant="", upstream="orders", kind="tool", name="refund")
    usual = {"version": 0, "listed_digest": A, "listed_definition": "{}", "created_ms": 1, "updated_ms": 1}
    return Pin(key=one, state=state, **(usual | members))


def ok(one, digest=A, **members):
    return approved(one, digest, **({"by": "max", "reason": "", "at_ms": 5, "key": KEY} | members))


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_only_what_stands_in_the_table_happens(state, event):
    if (state, event) in TRANSITIONS:
        assert moved(pin(state), event, at_ms=2).state is TRANSITIONS[state, event]
        return
    with pytest.raises(WrongPinState):
        moved(pin(state), event, at_ms=2)


def test_nothing_but_an_approval_pins_and_nothing_becomes_new_again():
    assert {event for (_, event), after in TRANSITIONS.items() if after is State.PINNED} == {Event.APPROVED}
    assert State.NEW not in TRANSITIONS.values()
    assert {state for state, event in TRANSITIONS if event is Event.APPROVED} == set(State) - {State.PINNED}


def test_an_approval_is_for_the_form_that_was_looked_at():
    assert (ok(pin()).digest, ok(pin()).definition, ok(pin()).pinned_ms) == (A, "{}", 5)
    with pytest.raises(StalePin):
        ok(pin(), B)


def test_a_listing_that_says_nothing_new_leaves_the_very_same_pin():
    one = pin(findings=(FOUND,))
    assert listed(one, A, "{}", [FOUND], at_ms=9) is one
    assert listed(one, A, "{}", [], at_ms=9).updated_ms == 9
    assert listed(one, B, "[]", [FOUND], at_ms=9).listed_definition == "[]"
    assert one.suspicious
    assert not pin(findings=(replace(FOUND, severity="note"),)).suspicious


@pytest.mark.abuse(128)
@pytest.mark.parametrize(
    "change",
    [
        {"digest": B},
        {"definition": "[]"},
        {"pinned_by": "eve"},
        {"first_use": True},
        {"key": PinKey(tenant="", upstream="orders", kind="tool", name="other")},
        {"key": PinKey(tenant="", upstream="others", kind="tool", name="refund")},
        {"proof": "0" * 64},
    ],
)
def test_a_pin_is_proved_in_all_that_it_says(change):
    good = ok(pin())
    assert is_proved(KEY, good)
    assert not is_proved(KEY, replace(good, **change))
    assert not is_proved(b"other", good)


def test_what_is_taken_back_is_proved_by_nothing_and_can_be_pinned_again():
    gone = withdrawn(ok(pin()), by="lea", reason="retired", at_ms=7)
    assert (gone.state, gone.proof, gone.digest, gone.pinned_by) == (State.UNPINNED, "", A, "lea")
    assert ok(gone).state is State.PINNED
    with pytest.raises(WrongPinState):
        withdrawn(gone, by="lea", reason="", at_ms=8)
