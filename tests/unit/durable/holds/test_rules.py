"""Whether the people there are could ever say enough: a hold that nobody can approve is a denial."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.durable.holds.kit import (
    ANA,
    BEN,
    DAN,
    MINUTE_MS,
    REAL,
    filing,
    person,
    requester,
    requirement,
)

rules = REAL.rules
REX = person("rex")


def satisfiable(*people, **asked):
    return rules.satisfiable(requirement(**asked), requester(), people)


def test_enough_different_people_of_the_right_groups_are_enough():
    assert satisfiable(ANA)
    assert satisfiable(ANA, BEN, quorum=2)
    assert satisfiable(ANA, DAN, groups=(("lead",), ("clerk",)), quorum=2)
    assert satisfiable(DAN, groups=((DAN.id,),))
    assert not satisfiable()
    assert not satisfiable(DAN)
    assert not satisfiable(ANA, quorum=2)
    assert not satisfiable(ANA, ANA, quorum=2)
    assert not satisfiable(ANA, BEN, groups=(("lead",), ("clerk",)), quorum=2)


@pytest.mark.abuse(85)
def test_the_requesters_own_person_is_not_among_them_unless_the_rule_says_so():
    assert not satisfiable(REX)
    assert not satisfiable(REX, ANA, quorum=2)
    assert not satisfiable(replace(REX, id="REX@EXAMPLE.COM"))
    assert satisfiable(REX, self_confirm=True)
    assert satisfiable(person("rex", "nothing"), self_confirm=True)
    assert satisfiable(replace(REX, sole=True))
    assert not satisfiable(replace(REX, sole=True), quorum=2)


@pytest.mark.abuse(85)
def test_one_person_in_two_spellings_is_not_two():
    assert not satisfiable(ANA, replace(ANA, id=ANA.id.upper()), quorum=2)
    assert satisfiable(ANA, BEN, quorum=2)


def test_the_wider_circle_counts_where_there_will_be_an_escalation():
    boss = person("boss", "boss")
    asked = {"escalate_to": ("boss",), "escalate_ms": MINUTE_MS}
    assert satisfiable(boss, **asked)
    assert not satisfiable(boss, **(asked | {"escalate_ms": None}))


names = st.frozensets(st.sampled_from(["lead", "clerk", "boss"]), min_size=1)
crowd = st.dictionaries(st.sampled_from(["ana", "ben", "cem", "rex", "REX-agent"]), names, max_size=4)
terms = st.fixed_dictionaries(
    {
        "groups": st.lists(
            st.lists(st.sampled_from(["lead", "clerk", "ana"]), min_size=1, max_size=2).map(tuple),
            min_size=1,
            max_size=2,
        ).map(tuple),
        "quorum": st.integers(1, 3),
        "self_confirm": st.booleans(),
        "escalate_to": st.sampled_from([(), ("boss",)]),
        "escalate_ms": st.sampled_from([None, MINUTE_MS]),
    }
)


@given(crowd, terms)
def test_satisfiable_is_what_some_of_them_together_satisfy_once_everybody_was_told(people, asked):
    asked_for, of = requirement(**asked), requester("rex", "rex-agent")
    crowd = [person("x", *has, id=name) for name, has in people.items()]
    hold = filing(requirement=asked_for, requester=of)
    escalated = asked["escalate_ms"] is not None
    votes = [
        REAL.hold.Vote(
            person=someone.id,
            verdict="approve",
            round=1,
            at_ms=0,
            seen="",
            binding="",
            names=someone.names,
            sole=False,
            how="token",
        )
        for someone in crowd
        if not rules.why_not_eligible(hold, someone, escalated=escalated)
    ]
    enough = any(
        rules.satisfied(asked_for, of, some, escalated=escalated)
        for size in range(len(votes) + 1)
        for some in combinations(votes, size)
    )
    assert rules.satisfiable(asked_for, of, crowd) == enough
