"""Held calls when things happen at the wrong moment: a restart, an outage, a shutdown, a change of mind."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from durable.errors import StoreSlow
from durable.holds.executing import begin
from durable.holds.finding import due, one
from durable.holds.status import Status
from durable.holds.sweeping import sweep
from gateway.core.call import canonical_call
from gateway.core.definition import Kind
from gateway.errors import InvalidParams, UpstreamGone, UpstreamUnreachable
from gateway.holding.settings import ApprovalSettings
from policies.errors import PolicyUnavailable
from tests.fakes import ALLOWED, ANA, BEN, HELD, Desk, call_of, caller, defined, hold_rule, ok, verdict
from tests.held_fakes import LEA, HeldFlow, held_flow, person

ARGUMENTS = {"order_id": "A-1", "amount": 900}
GRANTS = verdict(allow=True, holds=(replace(hold_rule(), on_approval="grant"),))


async def made(answer=HELD, reply=None, **members):
    desk = Desk(answer, reply, offered=members.pop("offered", None))
    return desk, await held_flow(desk, principals=[ANA, BEN], **members)


async def asked(desk, arguments=ARGUMENTS, **origin):
    return await desk.enforcement.handle(call_of(arguments), caller(**origin))


async def held(desk, arguments=ARGUMENTS, **members):
    return (await asked(desk, arguments, **members)).hold


async def latest(flow, hold):
    return await flow.store.read(one, hold.id)


async def test_a_grant_that_cannot_be_used_yet_stays_out_of_the_executors_way():
    desk, flow = await made(GRANTS)
    approved = await flow.approve(await held(desk))
    desk.policy.answer = PolicyUnavailable("gone")
    assert (await flow.callers.use(approved)).status is Status.APPROVED
    desk.clock.forward(10)
    assert await flow.store.read(due, limit=10) == []
    soonest = (await latest(flow, approved)).next_ms
    assert soonest == approved.approved_until_ms, "nothing will happen before its caller comes"
    desk.policy.answer = HELD
    waits = await flow.approve(await held(desk, {**ARGUMENTS, "amount": 1}))
    desk.policy.answer = PolicyUnavailable("gone")
    await flow.approval.execute(waits)
    desk.clock.forward(10)
    assert [found.id for found in await flow.store.read(due, limit=10)] == [waits.id], "control"


@pytest.mark.abuse(92)
async def test_an_allowed_call_does_not_run_beside_a_re_run_that_waits_for_a_person():
    desk, flow = await made(reply=UpstreamGone("hung up", sent=True))
    lost = await flow.approval.execute(await flow.approve(await held(desk)))
    again = await flow.reviewers.resolve(LEA, lost.id, "held", evidence="it is not in the ledger")
    assert again.status is Status.HELD
    desk.policy.answer, desk.upstream.reply = ALLOWED, ok()
    answer = await asked(desk)
    assert desk.journal.count("forward") == 1, "it may have run, and nobody has said that it may run again"
    assert answer.hold.status is Status.OUTCOME_UNKNOWN


async def test_an_outcome_is_collected_although_nobody_could_approve_the_call_any_more():
    desk, flow = await made()
    ended = await flow.approval.execute(await flow.approve(await held(desk)))
    flow.people.everybody = [person("ops@example.com", "operator")]
    assert (await held(desk)).id == ended.id
    answer = await asked(desk, {**ARGUMENTS, "amount": 901})
    assert answer.decision.codes == ("no_approver",), "control: a new one is not begun"


@pytest.mark.abuse(89)
async def test_a_tenant_at_its_cap_adds_nothing_to_the_log_but_refusals():
    desk, _ = await made(settings=ApprovalSettings(per_agent_max=2, per_tenant_max=1))
    await held(desk)
    before = len(desk.audit.of("intent"))
    answer = await asked(desk, {**ARGUMENTS, "amount": 901}, principal=BEN)
    assert answer.decision.codes == ("hold_limit",)
    assert len(desk.audit.of("intent")) == before + 1


class Stumbling:
    """A store whose ``begin`` is stored and yet not acknowledged, or not stored, the first time."""

    def __init__(self, store, *, stores):
        self._store, self._stores, self.left = store, stores, 1

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def run(self, script, *args, **kwargs):
        if script is begin and self.left:
            self.left -= 1
            if self._stores:
                await self._store.run(script, *args, **kwargs)
            raise StoreSlow("no answer within 5 s")
        return await self._store.run(script, *args, **kwargs)


@pytest.mark.abuse(92)
@pytest.mark.parametrize("stores", [True, False])
async def test_a_beginning_that_nobody_acknowledged_is_given_back_for_nothing_was_sent(stores):
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    flow.approval._store = flow.attempts._store = Stumbling(flow.store, stores=stores)
    after = await flow.approval.execute(approved)
    assert (after.status, after.attempts) == (Status.APPROVED, 0)
    assert "forward" not in desk.journal
    ended = await flow.approval.execute(await latest(flow, approved))
    assert ended.status is Status.SUCCEEDED


@pytest.mark.abuse(79)
async def test_what_somebody_else_has_begun_meanwhile_is_not_given_back():
    desk, flow = await made(reply="never")
    approved = await flow.approve(await held(desk))
    flow.approval._store = Stumbling(flow.store, stores=False)
    other = HeldFlow(desk, flow.store, principals=[ANA, BEN])
    other.approval._owner = "another-process"
    running = asyncio.ensure_future(other.approval.execute(approved))
    await desk.upstream.entered.wait()
    after = await flow.approval.execute(approved)
    assert after.status is Status.EXECUTING
    assert (await latest(flow, approved)).status is Status.EXECUTING
    running.cancel()


async def test_a_fault_with_one_held_call_keeps_nobody_else_waiting():
    desk, flow = await made()
    broken = await flow.approve(await held(desk))
    whole = await flow.approve(await held(desk, {**ARGUMENTS, "amount": 901}))
    place = broken.arguments.payload["payload"]
    flow.payloads.altered[place] = b"{"
    faults = []

    def start(coro, name):
        task = asyncio.ensure_future(coro)
        task.add_done_callback(lambda done: done.cancelled() or faults.append(done.exception()))
        return task

    flow.clockwork._start_task = start
    running = asyncio.ensure_future(flow.clockwork.keep())
    ended = await flow.callers.wait(whole, timeout_s=10)
    assert ended.status is Status.SUCCEEDED
    running.cancel()
    assert len([fault for fault in faults if fault]) == 1, "told of once, and then left alone for a while"
    assert (await latest(flow, broken)).next_ms > desk.clock.now_us // 1000


async def test_the_clockwork_goes_on_after_a_fault():
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    stumbled, real = [], flow.store.run

    async def run(script, *args, **kwargs):
        if script is sweep and not stumbled:
            stumbled.append(script)
            raise ValueError("a row that nobody can read")
        return await real(script, *args, **kwargs)

    flow.store.run = run
    running = asyncio.ensure_future(flow.clockwork.keep())
    ended = await flow.callers.wait(approved, timeout_s=10)
    assert stumbled
    assert ended.status is Status.SUCCEEDED
    running.cancel()


@pytest.mark.abuse(119)
async def test_an_end_in_the_middle_of_the_intent_says_that_nothing_was_sent():
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    reached, real = asyncio.Event(), desk.audit.append

    async def append(*records):
        if records[0].kind == "intent":
            reached.set()
            await asyncio.Event().wait()
        return await real(*records)

    desk.audit.append = append
    running = asyncio.ensure_future(flow.approval.execute(approved))
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert "forward" not in desk.journal
    assert "outcome:not_sent" in desk.journal, "the intent becomes durable without us"


async def test_a_held_completion_runs_as_it_was_asked():
    members = {"name": "greet", "arguments": [{"name": "who", "required": True}]}
    offered = (defined(members, Kind.PROMPT),)
    desk, flow = await made(offered=offered)
    sent = {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "who", "value": "a"}}
    call = canonical_call("completion/complete", "orders", "greet", sent)
    hold = (await desk.enforcement.handle(call, caller())).hold
    ended = await flow.approval.execute(await flow.approve(hold))
    assert ended.status is Status.SUCCEEDED, ended.reason
    call = canonical_call("prompts/get", "orders", "greet", {"who": "a"})
    hold = (await desk.enforcement.handle(call, caller())).hold
    approved = await flow.approve(hold)
    more = {**members, "arguments": [*members["arguments"], {"name": "when", "required": True}]}
    desk.catalogue.definitions = (defined(more, Kind.PROMPT),)
    ended = await flow.approval.execute(approved)
    assert ended.status is Status.INVALIDATED, "control: where arguments are held against it, they are"


@pytest.mark.abuse(89)
async def test_a_caller_that_asks_again_and_again_does_not_hurry_an_upstream_that_is_down():
    desk, flow = await made(GRANTS, reply=UpstreamUnreachable("down", sent=False))
    approved = await flow.approve(await held(desk))
    for _ in range(20):
        found = await flow.callers.use(await latest(flow, approved))
        assert found.status is Status.APPROVED
    assert (await latest(flow, approved)).fence == 1


async def test_an_outage_of_the_store_says_nothing_about_what_has_become_of_a_call():
    desk, flow = await made()
    approved = await flow.approve(await held(desk))
    await flow.store.aclose()
    with pytest.raises(Exception, match="nobody can say") as told:
        await flow.callers.wait(approved, timeout_s=5)
    assert told.value.code == "approvals_unavailable"
    assert "not made" not in told.value.reason
    with pytest.raises(Exception, match="not made"):
        await asked(desk)


async def restarted(desk, flow):
    """Another process over the same store and log."""
    again = HeldFlow(desk, flow.store, principals=[ANA, BEN])
    await again.approval.remember()
    return again


@pytest.mark.abuse(79)
@pytest.mark.parametrize("state", ["approved", "outcome_unknown", "succeeded", "held"])
async def test_a_call_that_is_allowed_after_a_restart_does_not_run_beside_its_hold(state):
    desk, flow = await made(reply=UpstreamGone("hung up", sent=True) if state == "outcome_unknown" else None)
    hold = await held(desk)
    if state != "held":
        hold = await flow.approve(hold)
    if state in {"outcome_unknown", "succeeded"}:
        hold = await flow.approval.execute(hold)
    assert hold.status == state
    sent = desk.journal.count("forward")
    flow = await restarted(desk, flow)
    desk.policy.answer = ALLOWED
    desk.upstream.reply = ok()
    answer = await asked(desk)
    if state == "held":
        assert answer.reply is not None, "control: what nobody had approved is withdrawn, and the call runs"
        assert (await latest(flow, hold)).status is Status.CANCELLED
        return
    assert answer.hold.id == hold.id
    if state == "approved":
        await flow.approval.execute(answer.hold)
        assert desk.journal.count("forward") == sent + 1
    else:
        assert desk.journal.count("forward") == sent


async def test_what_a_held_read_is_about_cannot_be_edited():
    offered = (
        defined({"uri": "note://one", "name": "one"}, Kind.RESOURCE),
        defined({"name": "greet", "arguments": [{"name": "who"}]}, Kind.PROMPT),
    )
    desk, flow = await made(offered=offered)
    call = canonical_call("resources/read", "orders", "note://one", {"uri": "note://one"})
    hold = (await desk.enforcement.handle(call, caller())).hold
    with pytest.raises(InvalidParams):
        await flow.reviewers.edit(LEA, hold.id, {"uri": "note://secret"}, seen=hold.seen, reason="")
    call = canonical_call("prompts/get", "orders", "greet", {"who": "a"})
    hold = (await desk.enforcement.handle(call, caller())).hold
    edited = await flow.reviewers.edit(LEA, hold.id, {"who": "b"}, seen=hold.seen, reason="")
    assert edited.round == 2, "control: arguments that are no address can be"
    desk.catalogue.definitions = ()
    with pytest.raises(InvalidParams):
        await flow.reviewers.edit(LEA, hold.id, {"who": "c"}, seen=edited.seen, reason="")
