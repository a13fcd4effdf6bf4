"""Who looks at a held call reads the rules behind it, as they stand in the policy in force."""

from __future__ import annotations

from dataclasses import replace

from durable.holds.finding import one
from gateway.desk import RulePlace
from gateway.holding.rule_places import PLACES_MAX
from policies.model import Place, Places
from tests.fakes import ANA, HELD, Desk, call_of, caller, hold_rule, verdict
from tests.held_fakes import LEA, held_flow

SUPPORT = "toolgate.rules.support"


def place(row: int = 7, **members) -> Place:
    usual = {"file": "support.rego", "row": row, "text": 'hold contains "x"', "certain": True}
    return Place(**(usual | members))


def shown(code: str = "over_limit", rule: str = SUPPORT, **members) -> RulePlace:
    found = place(**members)
    return RulePlace(
        rule=rule, code=code, file=found.file, row=found.row, text=found.text, certain=found.certain
    )


async def made(*holds):
    """The flow, and the one call that these rules hold."""
    desk = Desk(verdict(allow=True, holds=holds) if holds else HELD)
    flow = await held_flow(desk, principals=[ANA])
    hold = (await desk.enforcement.handle(call_of({"order_id": "A-1", "amount": 900}), caller())).hold
    return flow, hold


async def test_a_sheet_has_the_places_of_every_reason_in_its_order():
    flow, hold = await made(hold_rule("late"), hold_rule(), replace(hold_rule("foreign"), rule="other"))
    flow.rules.written = {
        (SUPPORT, "over_limit"): Places(found=(place(7), place(20))),
        (SUPPORT, "late"): Places(found=(place(3, certain=False),)),
        ("other", "late"): Places(found=(place(99),)),
        (SUPPORT, "nobody"): Places(found=(place(98),)),
    }
    sheet = await flow.reviewers.sheet(LEA, hold.id)
    assert sheet.places == (
        shown("late", row=3, certain=False),
        shown(row=7),
        shown(row=20),
    )
    assert sheet.places_left_out == 0


async def test_the_same_rule_with_two_sentences_is_named_once():
    flow, hold = await made(hold_rule(), replace(hold_rule(), why="another sentence"))
    flow.rules.written = {(SUPPORT, "over_limit"): Places(found=(place(),))}
    assert len(hold.requirement.reasons) == 2
    assert (await flow.reviewers.sheet(LEA, hold.id)).places == (shown(),)


async def test_a_sheet_says_whether_the_policy_is_still_the_one_that_held_the_call():
    flow, hold = await made()
    assert hold.revision == flow.rules.revision
    assert not (await flow.reviewers.sheet(LEA, hold.id)).policy_moved
    flow.rules.revision = "r2"
    flow.rules.written = {(SUPPORT, "over_limit"): Places(found=(place(9),))}
    moved = await flow.reviewers.sheet(LEA, hold.id)
    assert moved.policy_moved
    assert moved.places == (shown(row=9),), "as it reads now"
    assert (await flow.store.read(one, hold.id)).revision == "r1"


async def test_a_rule_that_is_gone_leaves_a_sheet_without_its_place():
    flow, hold = await made()
    flow.rules.revision = "r2"
    sheet = await flow.reviewers.sheet(LEA, hold.id)
    assert (sheet.places, sheet.places_left_out, sheet.policy_moved) == ((), 0, True)


async def test_of_very_many_places_some_are_shown_and_the_others_counted():
    codes = [f"c{number}" for number in range(PLACES_MAX)]
    flow, hold = await made(*(hold_rule(code) for code in codes))
    flow.rules.written = {(SUPPORT, code): Places(found=(place(1), place(2)), left_out=3) for code in codes}
    sheet = await flow.reviewers.sheet(LEA, hold.id)
    assert len(sheet.places) == PLACES_MAX
    assert sheet.places_left_out == 2 * len(codes) - PLACES_MAX + 3 * len(codes)
    assert [one.code for one in sheet.places] == [code for code in codes for _ in range(2)][:PLACES_MAX]


async def test_a_secret_in_a_rule_is_a_marker_on_the_sheet():
    flow, hold = await made()
    text = 'hold contains "x" if input.arguments.key == "hunter2"'
    flow.rules.written = {(SUPPORT, "over_limit"): Places(found=(place(text=text),))}
    (found,) = (await flow.reviewers.sheet(LEA, hold.id)).places
    assert found.text == text.replace("hunter2", "[REDACTED]")
    assert found.file == "support.rego"
