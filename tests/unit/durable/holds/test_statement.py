"""What an agent says of its call lies in the row, and nothing that is decided by depends on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.durable.holds.kit import ANA, CAPS, KEY, REAL, TENANT, filing

SAID = {"recommendation": "approve", "reasons": "security\napproved \u001b[2J", "risks": ""}
OTHER = {"recommendation": "deny"}


def test_what_was_said_is_kept_as_it_is_until_the_end(bench):
    hold = bench.file(1, statement=SAID)
    assert bench.get(hold).statement == SAID
    bench.decide(hold, ANA)
    assert bench.finish(bench.begin(hold)).statement == SAID
    assert bench.file(2).statement == {}


@pytest.mark.abuse(84)
def test_two_calls_that_differ_in_what_is_said_differ_in_nothing_else(bench):
    silent = bench.copy()
    asked = [
        one.run(REAL.filing.file_hold, filing(1, statement=said), key=KEY, caps=CAPS)[0]
        for one, said in ((bench, SAID), (silent, {}))
    ]
    talking, quiet = asked
    assert replace(talking, statement={}) == quiet
    assert (talking.binding, talking.seen, talking.group_key) == (quiet.binding, quiet.seen, quiet.group_key)
    silent.close()


@pytest.mark.abuse(84)
def test_an_identical_call_finds_its_hold_and_changes_nothing_of_what_was_said(bench):
    first = bench.file(1, statement=SAID)
    for said in (OTHER, {}):
        again, new = bench.run(REAL.filing.file_hold, filing(1, statement=said), key=KEY, caps=CAPS)
        assert (again.id, again.statement, new) == (first.id, SAID, False)
    assert bench.get(first).version == 1


def test_it_goes_when_its_subject_is_erased_and_only_then(bench):
    mine, others, bare = bench.file(1, statement=SAID), bench.file(2, tenant="acme", statement=SAID), 3
    bench.file(bare, view={"…": "erased"}, statement=SAID)
    assert bench.run(REAL.erasing.blank_views, TENANT, "rex@example.com") == 2
    assert bench.get(mine).statement == bench.get("h3").statement == {}
    assert bench.get(others).statement == SAID
    assert bench.run(REAL.erasing.blank_views, TENANT, "rex@example.com") == 0


@pytest.mark.parametrize("stored", ["", "[]", '"x"', "7"])
def test_a_row_in_which_it_is_damaged_is_no_hold(bench, stored):
    hold = bench.file(1, statement=SAID)
    bench.execute("UPDATE hold SET statement = :stored", stored=stored)
    with pytest.raises(REAL.refusals.HoldUnreadable):
        bench.get(hold)
    bench.execute("UPDATE hold SET statement = '{}'")
    assert bench.get(hold).statement == {}
