"""What matching holds ask for together, and when an earlier approval still covers it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable.holds.hold import Requester, Requirement, Vote, Why
from durable.holds.rules import satisfied
from gateway.core.requirement import requirement_of, stricter
from policies.model import HoldRule, Risk

RULE = "toolgate.rules.refunds"
ANA = Requester(subject_type="user", subject_id="ana", agent="helpdesk")


def hold(code: str = "over_limit", **members: Any) -> HoldRule:
    usual: dict[str, Any] = {
        "by": ("lead",),
        "quorum": 1,
        "ttl_s": 3600,
        "risk": None,
        "why": "",
        "show": (),
        "on_approval": "execute",
        "rule": RULE,
    }
    return HoldRule(code=code, **usual | members)


def escalating(after_s: int, *to: str, **members: Any) -> HoldRule:
    return hold(escalate_after_s=after_s, escalate_to=to, **members)


def test_one_rule_asks_for_what_it_says() -> None:
    rule = hold(
        by=("lead", "legal"), quorum=2, ttl_s=90, risk=Risk.HIGH, why="above 100", show=("/amount",),
        on_approval="grant", self_confirm=True, remind_s=60, escalate_after_s=80, escalate_to=("cfo",),
    )  # fmt: skip
    assert requirement_of([rule]) == Requirement(
        groups=(("lead", "legal"),), quorum=2, ttl_ms=90_000, risk=3,
        reasons=(Why(code="over_limit", why="above 100", rule=RULE),), show=("/amount",), self_confirm=True,
        on_approval="grant", remind_ms=60_000, escalate_ms=80_000, escalate_to=("cfo",),
    )  # fmt: skip


def test_two_rules_ask_for_the_most_that_either_asks() -> None:
    first = hold("a", by=("lead",), quorum=2, ttl_s=60, risk=Risk.LOW, show=("/x", "/y"), remind_s=600)
    second = hold(
        "b", by=("legal",), ttl_s=90, risk=Risk.HIGH, show=("/y", "/z"), on_approval="grant", remind_s=300
    )
    both = requirement_of([first, second])
    assert both.groups == (("lead",), ("legal",))
    assert (both.quorum, both.ttl_ms, both.risk) == (2, 60_000, 3)
    assert [reason.code for reason in both.reasons] == ["a", "b"]
    assert both.show == ("/x", "/y", "/z")
    assert (both.on_approval, both.remind_ms) == ("grant", 300_000)


def test_the_same_names_in_another_order_are_one_group() -> None:
    assert requirement_of([hold("a", by=("x", "y")), hold("b", by=("y", "x"))]).groups == (("x", "y"),)
    assert requirement_of([hold("a", by=("x", "y")), hold("b", by=("x",))]).groups == (("x", "y"), ("x",))


@pytest.mark.parametrize(
    ("risks", "wanted"),
    [
        ([None], 2),
        ([Risk.LOW], 1),
        ([Risk.LOW, None], 2),
        ([Risk.HIGH, None], 3),
        ([Risk.LOW, Risk.LOW], 1),
    ],
)
def test_a_rule_without_a_risk_means_medium(risks: list[Risk | None], wanted: int) -> None:
    rules = [hold(str(at), risk=risk) for at, risk in enumerate(risks)]
    assert requirement_of(rules).risk == wanted


@pytest.mark.abuse(85)
def test_self_confirm_needs_every_rule() -> None:
    own, strict = hold("a", self_confirm=True), hold("b")
    assert requirement_of([own]).self_confirm
    assert requirement_of([own, own]).self_confirm
    assert not requirement_of([own, strict]).self_confirm


def test_an_escalation_needs_every_rule_and_is_the_latest_and_narrowest() -> None:
    early, late = escalating(60, "cfo", "ops"), escalating(120, "ops", "cto", code="b")
    assert requirement_of([early]).escalate_to == ("cfo", "ops")
    both = requirement_of([early, late])
    assert (both.escalate_ms, both.escalate_to) == (120_000, ("ops",))
    for others in ([early, hold("b")], [early, escalating(120, "cto", code="b")]):
        assert (requirement_of(others).escalate_ms, requirement_of(others).escalate_to) == (None, ())


def test_an_escalation_after_the_time_is_over_is_none() -> None:
    short = escalating(10, "cfo", code="b", ttl_s=60)
    assert requirement_of([escalating(59, "cfo"), short]).escalate_ms == 59_000
    assert requirement_of([escalating(60, "cfo"), short]).escalate_ms is None


def test_a_call_that_nothing_holds_requires_nothing() -> None:
    with pytest.raises(ValueError, match="no rule"):
        requirement_of([])


BEFORE = requirement_of([escalating(60, "cfo", self_confirm=True)])


@pytest.mark.abuse(78)
@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"groups": (("lead",), ("legal",))}, "legal"),
        ({"groups": (("legal",),)}, "legal"),
        ({"quorum": 2}, "2 people"),
        ({"risk": 3}, "high now"),
        ({"self_confirm": False}, "own agent"),
        ({"on_approval": "grant"}, "only permits"),
        ({"reasons": (*BEFORE.reasons, Why(code="abroad", why="", rule=RULE))}, "abroad"),
        ({"escalate_ms": 90_000}, "lead"),
        ({"escalate_ms": None, "escalate_to": ()}, "lead"),
        ({"escalate_to": ("cto",)}, "lead"),
    ],
)
def test_what_asks_for_more_is_stricter_and_says_how(changes: dict[str, Any], word: str) -> None:
    assert not stricter(BEFORE, BEFORE)
    reason = stricter(replace(BEFORE, **changes), BEFORE)
    assert word in reason
    assert "\n" not in reason


@pytest.mark.parametrize(
    "changes",
    [
        {"groups": (("lead", "boss", "cfo"),), "escalate_ms": None, "escalate_to": ()},
        {"risk": 1},
        {"ttl_ms": 1000},
        {"show": ("/amount",)},
        {"remind_ms": 60_000},
        {"escalate_ms": 30_000},
        {"escalate_to": ("cfo", "cto")},
        {"reasons": (Why(code="over_limit", why="in other words", rule="toolgate.rules.moved"),)},
        {"reasons": ()},
    ],
)
def test_what_asks_for_no_more_is_covered(changes: dict[str, Any]) -> None:
    assert stricter(replace(BEFORE, **changes), BEFORE) == ""


def test_who_is_no_longer_asked_does_not_count_towards_a_quorum() -> None:
    two = requirement_of([hold("a", by=("lead",), quorum=2), hold("b", by=("legal",))])
    assert "legal" in stricter(replace(two, groups=(("lead",),)), two)
    assert stricter(replace(two, groups=(("lead",),), quorum=1), two) == ""


# A small world, looked at whole: everything that can be asked, and everything that can have been said.
ASKED = [
    Requirement(
        groups=groups, quorum=quorum, ttl_ms=200_000, risk=2, reasons=(), self_confirm=own,
        escalate_ms=after_ms, escalate_to=to,
    )
    for groups in ((("lead",),), (("legal", "lead"),), (("lead",), ("legal",)))
    for quorum in (1, 2)
    for own in (False, True)
    for after_ms, to in ((None, ()), (60_000, ("cfo",)), (120_000, ("cfo",)), (60_000, ("legal", "cfo")))
]  # fmt: skip


def yes(person: str, *names: str, sole: bool = False) -> Vote:
    return Vote(
        person=person, verdict="approve", round=1, at_ms=0, seen="", binding="", names=frozenset(names), sole=sole,
        how="token",
    )  # fmt: skip


NAMES = ((), ("lead",), ("legal",), ("cfo",))
SAID = [
    *([yes("bob", *names)] for names in NAMES),
    *([yes("bob", *names), yes("ana", "lead")] for names in NAMES),
    *([yes("bob", *names), yes("cat", *others)] for names in NAMES for others in NAMES),
    [yes("ana", "lead", "legal", "cfo")],
    [yes("bob", sole=True)],
]


def enough_for(requirement: Requirement) -> set[tuple[int, int]]:
    """What of all that can be said, after which time of waiting, is enough."""
    return {
        (at, waited_ms)
        for at, said in enumerate(SAID)
        for waited_ms in (0, 60_000, 120_000)
        if satisfied(
            requirement,
            ANA,
            said,
            escalated=requirement.escalate_ms is not None and waited_ms >= requirement.escalate_ms,
        )
    }


def test_whatever_was_enough_is_enough_for_what_is_not_stricter() -> None:
    enough = {id(asked): enough_for(asked) for asked in ASKED}
    pairs = [(new, old) for new in ASKED for old in ASKED if not stricter(new, old)]
    assert len(ASKED) < len(pairs) < len(ASKED) ** 2 / 2
    for new, old in pairs:
        assert enough[id(old)] <= enough[id(new)], (new, old)


def test_where_one_person_is_enough_nothing_is_called_stricter_that_is_not() -> None:
    enough = {id(asked): enough_for(asked) for asked in ASKED}
    over = [
        (new, old)
        for new in ASKED
        for old in ASKED
        if enough[id(old)] <= enough[id(new)] and (new.quorum, old.quorum) == (1, 1) and stricter(new, old)
    ]
    assert over == []


names = st.lists(st.sampled_from(["lead", "legal", "cfo"]), min_size=1, max_size=2, unique=True).map(tuple)
hold_rules = st.builds(
    lambda by, risk, own, grant, after_s, to: hold(
        by=by,
        risk=risk,
        self_confirm=own,
        on_approval="grant" if grant else "execute",
        escalate_after_s=after_s,
        escalate_to=to if after_s else (),
    ),
    names,
    st.sampled_from([None, *Risk]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([60, 120, None]),
    names,
)


@given(st.lists(hold_rules, min_size=1, max_size=2), hold_rules)
@settings(max_examples=300, deadline=None)
def test_another_rule_never_makes_the_others_weaker(rules: list[HoldRule], another: HoldRule) -> None:
    assert stricter(requirement_of(rules), requirement_of([*rules, another])) == ""


@given(st.lists(hold_rules, min_size=1, max_size=3))
@settings(deadline=None)
def test_the_order_of_rules_does_not_matter(rules: list[HoldRule]) -> None:
    assert stricter(requirement_of(rules), requirement_of(rules[::-1])) == ""
