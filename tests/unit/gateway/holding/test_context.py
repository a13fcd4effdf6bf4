"""What the desk adds to a sheet: what is unusual, the way to the call, and what its schema says."""

from __future__ import annotations

import pytest

from gateway.core.principal import Workflow
from gateway.desk import Step, Trail
from gateway.errors import DefinitionDrifted
from tests.fakes import ANA, BEN, HELD, Desk, call_of, caller, definition
from tests.held_fakes import LEA, held_flow

DESCRIBED = {
    "inputSchema": {
        "type": "object",
        "properties": {
            "order_id": {"type": "string", "description": "Which order; never hunter2."},
            "amount": {"type": "number", "description": "In euros."},
        },
    }
}
STEP = Step(
    call="c1", at_ms=1, method="tools/call", target="web/hunter2", effect="deny", status="refused", found={}
)


async def made(**members):
    desk = Desk(HELD, offered=(definition(**DESCRIBED),))
    return desk, await held_flow(desk, principals=[ANA, BEN], **members)


async def held(desk, arguments, **origin):
    return (await desk.enforcement.handle(call_of(arguments), caller(**origin))).hold


async def ran(desk, flow, *amounts, order_id="A-1", **origin):
    for amount in amounts:
        desk.clock.forward(1)
        hold = await held(desk, {"order_id": order_id, "amount": amount}, **origin)
        await flow.callers.ending(await flow.approval.execute(await flow.approve(hold)))


async def sheet_of(flow, hold):
    return await flow.reviewers.sheet(LEA, hold.id)


def codes(sheet):
    return [one.code for one in sheet.unusual]


async def test_a_sheet_says_in_what_the_call_differs_from_those_that_ran():
    desk, flow = await made()
    first = await sheet_of(flow, await held(desk, {"order_id": "A-1", "amount": 1}))
    assert (codes(first), first.compared) == (["first_call"], 0)
    await ran(desk, flow, 10, 12, 11)
    like = await sheet_of(flow, await held(desk, {"order_id": "A-1", "amount": 13}))
    assert (codes(like), like.compared) == ([], 3)
    large = await sheet_of(flow, await held(desk, {"order_id": "A-1", "amount": 900}))
    assert [(one.code, one.pointer) for one in large.unusual] == [("larger_number", "/amount")]
    assert large.story.hold.requirement.risk == like.story.hold.requirement.risk, "no fact changes a risk"


async def test_it_is_the_arguments_that_would_run_that_are_compared():
    desk, flow = await made()
    await ran(desk, flow, 10, 12, 11)
    hold = await held(desk, {"order_id": "A-1", "amount": 900})
    assert codes(await sheet_of(flow, hold)) == ["larger_number"]
    edited = await flow.reviewers.edit(
        LEA, hold.id, {"order_id": "A-1", "amount": 12}, seen=hold.seen, reason=""
    )
    assert codes(await sheet_of(flow, edited)) == []


@pytest.mark.abuse(83)
async def test_no_secret_is_in_a_fact():
    desk, flow = await made()
    await ran(desk, flow, 1, order_id="hunter2-b")
    hold = await held(desk, {"order_id": "hunter2-c", "amount": 1, "account": "hunter2"})
    sheet = await sheet_of(flow, hold)
    assert "first_value" in codes(sheet)
    assert "hunter2" not in repr(sheet.unusual)
    assert "[REDACTED]" in repr(sheet.unusual)


async def test_another_agents_calls_and_denials_are_told_of():
    desk, flow = await made()
    await ran(desk, flow, 10)
    hold = await held(desk, {"order_id": "A-1", "amount": 11}, principal=BEN)
    assert codes(await sheet_of(flow, hold)) == [], "the same agent, for somebody else"
    await flow.deny(hold)
    again = await held(desk, {"order_id": "A-1", "amount": 12}, principal=BEN)
    (one,) = (await sheet_of(flow, again)).unusual
    assert (one.code, LEA.id in one.text) == ("denied_before", True)


async def test_a_definition_that_is_not_what_it_was_is_a_fact_while_the_call_can_run():
    desk, flow = await made()
    await ran(desk, flow, 10)
    hold = await held(desk, {"order_id": "A-1", "amount": 11})
    assert codes(await sheet_of(flow, hold)) == []
    desk.catalogue.definitions = (definition(description="another one", **DESCRIBED),)
    changed = await sheet_of(flow, hold)
    assert [one.text for one in changed.unusual] == [
        "Its definition was changed since the call was held; a yes to the old form does not run it."
    ]
    assert changed.described == (), "what the new form says was never said of this call"
    desk.catalogue.keep_back(DefinitionDrifted.code, desk.catalogue.definitions[0])
    (one,) = (await sheet_of(flow, hold)).unusual
    assert one.text.startswith(f"Its definition is not in use now: {DefinitionDrifted.code}")
    assert codes(await sheet_of(flow, await flow.deny(hold))) == []


async def test_arguments_are_described_in_the_servers_words():
    desk, flow = await made()
    sheet = await sheet_of(flow, await held(desk, {"order_id": "A-1", "other": 1}))
    assert sheet.described == (("/order_id", "Which order; never [REDACTED]."),)


async def test_labels_are_those_of_the_callers_session():
    desk, flow = await made()
    flow.surroundings.labels = frozenset({"untrusted-content", "private-data"})
    flow.surroundings.way = Trail(steps=(STEP,), found={"email": 1}, found_by=("rule",), problem="behind")
    hold = await held(desk, {"order_id": "A-1", "amount": 1}, workflow=Workflow(id="w1", verified=True))
    trail = (await sheet_of(flow, hold)).trail
    assert trail.labels == ("private-data", "untrusted-content")
    assert (trail.found, trail.found_by, trail.problem) == ({"email": 1}, ("rule",), "behind")
    assert [step.target for step in trail.steps] == ["web/[REDACTED]"]
    (key,) = flow.surroundings.asked
    assert (key.principal, key.workflow) == (ANA.key, "w1")
    await sheet_of(flow, await held(desk, {"order_id": "A-2", "amount": 1}, workflow=Workflow(id="w1")))
    assert flow.surroundings.asked[1].workflow == "", "nobody signed it"


async def test_of_what_nobody_can_look_at_nothing_is_compared():
    desk, flow = await made()
    await ran(desk, flow, 10, 11, 12)
    hold = await held(desk, {"order_id": "x" * 70_000, "amount": 900})
    sheet = await sheet_of(flow, hold)
    assert (sheet.uninspectable != "", codes(sheet), sheet.described, sheet.compared) == (True, [], (), 3)


async def test_what_was_found_in_the_arguments_is_in_the_log_of_the_request():
    desk, _ = await made()
    await held(desk, {"order_id": "hunter2", "amount": 1})
    await held(desk, {"order_id": "A-1", "amount": 1})
    found = [(entry["effect"], entry.get("found")) for entry in desk.audit.of("intent")]
    assert found == [("hold", {"password": 1}), ("hold", None)]
