"""A held call: filed, decided, run once, collected; and everything that may change in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from durable.holds.finding import one
from durable.holds.refusals import NotEligible, SeenStale
from durable.holds.status import Status
from gateway.errors import (
    InvalidArguments,
    InvalidParams,
    UpstreamGone,
    UpstreamUnreachable,
)
from gateway.holding.settings import ApprovalSettings
from policies.errors import PolicyUnavailable
from tests.fakes import (
    ALLOWED,
    ANA,
    BEN,
    DENIED,
    HELD,
    Desk,
    call_of,
    caller,
    definition,
    hold_rule,
    ok,
    verdict,
)
from tests.held_fakes import LEA, MAX, held_flow, person

ARGUMENTS = {"order_id": "A-1", "amount": 900}


async def made(answer=HELD, reply=None, **members):
    desk = Desk(answer, reply, offered=members.pop("offered", None))
    return desk, await held_flow(desk, principals=[ANA, BEN], **members)


def now_ms(tx):
    return tx.now_ms


async def asked(desk, arguments=ARGUMENTS, **origin):
    return await desk.enforcement.handle(call_of(arguments), caller(**origin))


async def held(desk, **members):
    hold = (await asked(desk, **members)).hold
    assert hold is not None
    return hold


async def latest(flow, hold):
    return await flow.store.read(one, hold.id)


async def test_an_approved_call_runs_once_in_the_order_row_log_send_log_row():
    desk, flow = await made()
    hold = await held(desk)
    approved = await flow.approve(hold)
    assert approved.status is Status.APPROVED
    desk.journal.clear()
    ended = await flow.approval.execute(approved)
    assert ended.status is Status.SUCCEEDED
    assert desk.journal == ["policy", "hold:executing", "intent:allow", "forward", "outcome:succeeded"]
    (intent,) = [one for one in desk.audit.of("intent") if one.get("fence")]
    assert (intent["hold"], intent["fence"], intent["effect"]) == (hold.id, 1, "allow")
    ending = await flow.callers.ending(ended)
    assert b"done" in ending.reply.result


@pytest.mark.abuse(79)
async def test_a_hundred_executions_at_once_are_one():
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    await asyncio.gather(*(flow.approval.execute(approved) for _ in range(100)))
    assert desk.journal.count("forward") == 1
    assert (await latest(flow, approved)).status is Status.SUCCEEDED


async def test_an_identical_call_finds_its_hold_until_the_outcome_is_collected():
    desk, flow = await made()
    hold = await held(desk)
    assert (await held(desk)).id == hold.id
    assert (await held(desk, arguments={"amount": 900.0, "order_id": "A-1"})).id == hold.id, (
        "the same canonical call"
    )
    assert (await held(desk, arguments={**ARGUMENTS, "amount": 901})).id != hold.id
    ended = await flow.approval.execute(await flow.approve(hold))
    assert (await held(desk)).id == hold.id
    await flow.callers.ending(ended)
    assert (await held(desk)).id != hold.id, "collected: the same words are another call now"


@pytest.mark.abuse(80)
async def test_a_hold_belongs_to_its_principal():
    desk, flow = await made()
    hold = await held(desk)
    other = await held(desk, principal=BEN)
    assert other.id != hold.id
    assert await flow.callers.of_owner(BEN, hold.id) is None
    assert (await flow.callers.of_owner(ANA, hold.id)).id == hold.id


async def test_two_identical_calls_at_once_are_one_hold():
    desk, _ = await made()
    first, second = await asyncio.gather(held(desk), held(desk))
    assert first.id == second.id


async def test_a_call_that_no_reviewer_could_approve_is_denied_and_nothing_waits():
    desk, _ = await made(people=(person("ops@example.com", "operator"),))
    answer = await asked(desk)
    assert answer.decision.codes == ("no_approver",)
    assert "refund-lead" in answer.decision.reasons[0].message
    assert desk.journal == ["policy", "intent:deny", "outcome:refused"]


@pytest.mark.abuse(89)
async def test_an_agent_has_only_so_many_calls_waiting():
    desk, flow = await made(settings=ApprovalSettings(per_agent_max=2))
    first = await held(desk)
    await held(desk, arguments={**ARGUMENTS, "amount": 901})
    answer = await asked(desk, {**ARGUMENTS, "amount": 902})
    assert answer.decision.codes == ("hold_limit",)
    await held(desk, principal=BEN), "the next agent has its own"
    await flow.deny(first)
    await held(desk, arguments={**ARGUMENTS, "amount": 902})


@pytest.mark.abuse(85)
async def test_nobody_approves_what_their_own_agent_asks():
    desk, flow = await made(people=(LEA, person("ANA@example.com")))
    hold = await held(desk)
    with pytest.raises(NotEligible):
        await flow.approve(hold, person("ANA@example.com"))
    assert (await flow.approve(hold)).status is Status.APPROVED


async def test_the_only_person_there_is_may_and_the_record_says_so():
    sole = person("ana@example.com", sole=True)
    desk, flow = await made(people=(sole,))
    await flow.approve(await held(desk), sole)
    (entry,) = [one for one in desk.audit.of("hold") if one["event"] == "approved"]
    assert entry["single_user"] is True
    assert entry["actor"] == "ana@example.com"


@pytest.mark.abuse(91)
async def test_a_policy_that_denies_by_now_ends_an_approved_call():
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    desk.policy.answer = DENIED
    ended = await flow.approval.execute(approved)
    assert ended.status is Status.INVALIDATED
    assert "foreign_currency" in ended.reason
    assert "forward" not in desk.journal


@pytest.mark.abuse(78)
async def test_a_policy_that_asks_for_more_by_now_begins_another_round():
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    two = replace(hold_rule(), quorum=2)
    desk.policy.answer = verdict(holds=(two,))
    again = await flow.approval.execute(approved)
    assert (again.status, again.round) == (Status.HELD, 2)
    assert "forward" not in desk.journal
    with pytest.raises(SeenStale):
        await flow.approve(again, seen=approved.seen)
    assert (await flow.approve(again)).status is Status.HELD
    assert (await flow.approve(again, MAX, seen=(await latest(flow, again)).seen)).status is Status.APPROVED


async def test_a_changed_policy_that_is_no_stricter_does_not_void_an_approval():
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    desk.policy.answer = replace(HELD, revision="r2")
    assert (await flow.approval.execute(approved)).status is Status.SUCCEEDED


@pytest.mark.abuse(91)
async def test_a_definition_that_changed_begins_another_round():
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    desk.catalogue.definitions = (definition(description="pays twice"),)
    again = await flow.approval.execute(approved)
    assert (again.status, again.round) == (Status.HELD, 2)
    ended = await flow.approval.execute(await flow.approve(again))
    assert ended.status is Status.SUCCEEDED, "control: approved with the new definition it runs"


@pytest.mark.abuse(91)
@pytest.mark.parametrize("lost", ["agent", "reviewer", "tool"])
async def test_who_or_what_is_gone_by_now_stops_it(lost):
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    if lost == "agent":
        flow.people.principals.remove(ANA)
    elif lost == "reviewer":
        flow.people.everybody.remove(LEA)
    else:
        desk.catalogue.definitions = ()
    ended = await flow.approval.execute(approved)
    assert ended.status is (Status.HELD if lost == "reviewer" else Status.INVALIDATED)
    assert "forward" not in desk.journal


@pytest.mark.abuse(78)
async def test_arguments_that_were_altered_or_erased_where_they_lie_never_run():
    desk, flow = await made()
    hold = await held(desk)
    approved = await flow.approve(hold)
    flow.payloads.altered[hold.arguments.payload["payload"]] = b'{"amount":9000,"order_id":"A-1"}'
    assert (await flow.approval.execute(approved)).status is Status.INVALIDATED
    other = await held(desk, arguments={**ARGUMENTS, "amount": 901})
    approved = await flow.approve(other)
    flow.payloads.gone.add(ANA.subject.id)
    assert (await flow.approval.execute(approved)).status is Status.INVALIDATED
    assert "forward" not in desk.journal


@pytest.mark.abuse(53)
async def test_a_disk_that_does_not_answer_takes_nobodys_approval_away():
    desk, flow = await made()
    hold = await flow.approve(await held(desk))
    flow.payloads.stuck = True
    assert (await flow.approval.execute(hold)).status is Status.APPROVED
    assert "forward" not in desk.journal
    flow.payloads.stuck = False
    hold = await flow.store.read(one, hold.id)
    assert (await flow.approval.execute(hold)).status is Status.SUCCEEDED


async def test_a_call_that_must_wait_is_looked_at_less_and_less_often():
    desk, flow = await made()
    hold = await flow.approve(await held(desk))
    flow.payloads.stuck, pauses_ms = True, []
    for _ in range(7):
        await flow.approval.execute(hold)
        found = await flow.store.read(one, hold.id)
        pauses_ms.append(round((found.next_ms - await flow.store.read(now_ms)) / 1000))
    assert pauses_ms == [2, 4, 8, 16, 32, 60, 60]


async def test_without_an_answer_from_policy_an_approved_call_waits_for_one():
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    desk.policy.answer = PolicyUnavailable("gone")
    assert (await flow.approval.execute(approved)).status is Status.APPROVED
    assert "forward" not in desk.journal
    desk.policy.answer = HELD
    assert (await flow.approval.execute(await latest(flow, approved))).status is Status.SUCCEEDED


async def test_what_was_not_sent_is_approved_as_before_and_tried_again():
    desk, flow = await made(reply=UpstreamUnreachable("down", sent=False))
    approved = await flow.approve(await held(desk))
    again = await flow.approval.execute(approved)
    assert (again.status, again.attempts, again.fence) == (Status.APPROVED, 0, 1)
    assert again.next_ms > desk.clock.now_us // 1000
    desk.upstream.reply = ok()
    ended = await flow.approval.execute(again)
    assert (ended.status, ended.fence) == (Status.SUCCEEDED, 2)


@pytest.mark.abuse(92)
async def test_what_may_have_run_is_never_tried_again_by_itself():
    desk, flow = await made(reply=UpstreamGone("hung up", sent=True))
    lost = await flow.approval.execute(await flow.approve(await held(desk)))
    assert lost.status is Status.OUTCOME_UNKNOWN
    assert (await flow.approval.execute(lost)).status is Status.OUTCOME_UNKNOWN
    assert desk.journal.count("forward") == 1
    assert (await held(desk)).id == lost.id, "the agent that repeats it is told, and starts nothing"
    resolved = await flow.reviewers.resolve(LEA, lost.id, "succeeded", evidence="it is in the ledger")
    assert resolved.status is Status.SUCCEEDED


async def test_a_tool_that_the_operator_calls_idempotent_is_tried_again_with_the_same_key():
    labelled = replace(definition(), labels=("idempotent",))
    desk, flow = await made(reply=UpstreamGone("hung up", sent=True), offered=(labelled,))
    again = await flow.approval.execute(await flow.approve(await held(desk)))
    assert again.status is Status.APPROVED
    desk.upstream.reply = ok()
    assert (await flow.approval.execute(again)).status is Status.SUCCEEDED
    keys = {send.meta["dev.toolgate/idempotency-key"] for send in desk.upstream.sends}
    assert len(desk.upstream.sends) == 2
    assert len(keys) == 1


@pytest.mark.abuse(112)
async def test_nothing_is_sent_while_the_log_cannot_take_the_intent():
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    desk.audit.fails = True
    given_back = await flow.approval.execute(approved)
    assert (given_back.status, given_back.attempts) == (Status.APPROVED, 0)
    assert "forward" not in desk.journal
    desk.audit.fails = False
    assert (await flow.approval.execute(given_back)).status is Status.SUCCEEDED


async def test_a_call_that_policy_allows_by_now_takes_its_waiting_hold_back():
    desk, flow = await made()
    hold = await held(desk)
    desk.policy.answer = ALLOWED
    answer = await asked(desk)
    assert answer.reply is not None
    assert (await latest(flow, hold)).status is Status.CANCELLED
    assert desk.journal.count("forward") == 1


async def test_a_call_that_is_approved_and_allowed_by_now_runs_once():
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    desk.policy.answer = ALLOWED
    answer = await asked(desk)
    assert answer.hold.id == approved.id
    await flow.approval.execute(approved)
    assert desk.journal.count("forward") == 1


@pytest.mark.abuse(97)
async def test_edited_arguments_are_what_runs_and_what_the_agent_sent_never_does():
    desk, flow = await made()
    hold = await held(desk)
    edited = await flow.reviewers.edit(
        LEA, hold.id, {**ARGUMENTS, "amount": 100}, seen=hold.seen, reason="less"
    )
    assert (edited.status, edited.round, edited.original.digest) == (Status.HELD, 2, hold.arguments.digest)
    assert (await held(desk)).id == hold.id, "the original call finds what became of it"
    approved = await flow.approve(edited)
    await flow.approval.execute(approved)
    assert desk.upstream.sends[0].arguments == {**ARGUMENTS, "amount": 100}
    assert len(desk.upstream.sends) == 1


@pytest.mark.abuse(97)
async def test_an_edit_is_read_and_judged_as_strictly_as_a_call():
    desk, flow = await made()
    hold = await held(desk)
    with pytest.raises(InvalidArguments):
        await flow.reviewers.edit(LEA, hold.id, {"amount": "much"}, seen=hold.seen, reason="")
    desk.policy.answer = DENIED
    with pytest.raises(InvalidParams):
        await flow.reviewers.edit(LEA, hold.id, {**ARGUMENTS, "amount": 1}, seen=hold.seen, reason="")
    assert (await latest(flow, hold)).version == hold.version


async def test_what_a_person_denied_stays_denied_for_as_long_as_it_could_have_waited():
    desk, flow = await made()
    hold = await held(desk)
    denied = await flow.deny(hold, reason="no")
    await flow.callers.ending(denied)
    assert (await held(desk)).id == hold.id
    desk.clock.forward(61)
    assert (await held(desk)).id != hold.id


async def test_reading_the_arguments_is_recorded_before_they_are_shown():
    desk, flow = await made()
    hold = await held(desk, arguments={**ARGUMENTS, "order_id": "hunter2"})
    sheet = await flow.reviewers.sheet(LEA, hold.id[:6] + hold.id[6:])
    (entry,) = desk.audit.of("payload_read")
    assert (entry["by"], entry["hold"]) == (LEA.id, hold.id)
    assert "hunter2" not in sheet.arguments_text
    assert sheet.redactions


@pytest.mark.abuse(83)
async def test_what_nobody_can_look_at_nobody_can_approve():
    desk, flow = await made(settings=ApprovalSettings(shown_bytes_max=1024))
    large = await held(desk, arguments={**ARGUMENTS, "order_id": "x" * 2000})
    sheet = await flow.reviewers.sheet(LEA, large.id)
    assert "bytes" in sheet.uninspectable
    with pytest.raises(NotEligible):
        await flow.approve(large)
    assert (await flow.deny(large)).status is Status.DENIED
    small = await held(desk)
    assert (await flow.approve(small)).status is Status.APPROVED


@pytest.mark.abuse(83)
async def test_more_values_than_a_person_looks_at_are_not_approved():
    desk, flow = await made(settings=ApprovalSettings(shown_values_max=16))
    many = await held(desk, arguments={**ARGUMENTS, "tags": [{"n": n, "none": []} for n in range(8)]})
    sheet = await flow.reviewers.sheet(LEA, many.id)
    assert "values, more than the 16" in sheet.uninspectable
    assert sheet.arguments is None
    with pytest.raises(NotEligible):
        await flow.approve(many)
    few = await held(desk, arguments={**ARGUMENTS, "tags": list(range(8))})
    assert (await flow.reviewers.sheet(LEA, few.id)).uninspectable == ""
    assert (await flow.approve(few)).status is Status.APPROVED


async def test_whoever_waits_is_woken_by_the_decision():
    desk, flow = await made()
    hold = await held(desk)
    waiting = asyncio.ensure_future(flow.callers.wait(hold, timeout_s=30))
    while not flow.callers.callers_waiting(hold.id):
        await asyncio.sleep(0)
    await flow.deny(hold, reason="not this month")
    ended = await waiting
    assert (ended.status, ended.reason) == (Status.DENIED, "not this month")
    assert flow.callers.callers_waiting(hold.id) == 0


@pytest.mark.abuse(119)
async def test_a_shutdown_answers_whoever_waits():
    desk, flow = await made()
    hold = await held(desk)
    waiting = asyncio.ensure_future(flow.callers.wait(hold, timeout_s=30))
    while not flow.callers.callers_waiting(hold.id):
        await asyncio.sleep(0)
    flow.callers.drain()
    assert (await waiting).status is Status.HELD
