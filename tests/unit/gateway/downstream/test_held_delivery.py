"""How an agent waits for a held call: what its user said and about what, its patience, and whose place it takes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace

import pytest

from durable.holds.finding import one
from durable.holds.status import Status
from gateway.bridge.inputs import InputAnswer
from gateway.downstream.answers import Answers
from gateway.downstream.delivery import Waiting
from gateway.downstream.requests import Asked
from gateway.downstream.task_ids import Task, TaskIds
from gateway.errors import RequestStateRefused
from tests.fakes import ANA, BEN, Desk, call_of, caller, hold_rule, verdict
from tests.held_fakes import LEA, delivery_over, held_flow

ARGUMENTS = {"order_id": "A-1", "amount": 900}
CONFIRMED = {"approve": {"action": "accept", "content": {"approve": True}}}
FORMS = {"elicitation": {"form": {}}}


def rule(**members):
    return verdict(allow=True, holds=(replace(hold_rule(), **members),))


class Waits:
    """One agent's side: counts how often it stood aside, and how its user answers."""

    def __init__(self, answer=None):
        self.answer, self.aside_now, self.asked_aside = answer, 0, []

    @contextlib.contextmanager
    def aside(self):
        self.aside_now += 1
        yield
        self.aside_now -= 1

    async def ask(self, question):
        self.asked_aside.append(self.aside_now)
        return InputAnswer(result=json.dumps(self.answer).encode())

    def waiting(self):
        return Waiting(None, False, None if self.answer is None else self.ask, self.aside)


async def made(answer, reply=None, **settings):
    desk = Desk(answer, reply)
    flow = await held_flow(desk, principals=[ANA, BEN])
    ids = TaskIds(desk.seal)
    settings = {"round_s": 0.05, "unknown_client_s": 0.05, "progress_s": 0.02, **settings}
    flow.delivery = delivery_over(flow.callers, Answers(ids), desk.seal, ids, **settings)
    return desk, flow


async def held(desk, **origin):
    return (await desk.enforcement.handle(call_of(ARGUMENTS), caller(**origin))).hold


async def answered(flow, hold, *, side=None, era="modern", capabilities=FORMS, rounds=0, **asked):
    origin = caller(era=era, client="agent 1", capabilities=capabilities)
    request = Asked(call_of(ARGUMENTS), **asked)
    side = side or Waits()
    body = await flow.delivery.answer(1, request, origin, hold, side.waiting(), rounds=rounds)
    return json.loads(body.data)["result"]


async def back(flow, told, responses):
    """The same request with the state that it was given, and answers."""
    origin = caller(era="modern", client="agent 1", capabilities=FORMS)
    asked = Asked(call_of(ARGUMENTS), told["requestState"], responses)
    hold, rounds = await flow.delivery.resumed(asked, origin)
    return await answered(flow, hold, rounds=rounds, state=asked.state, responses=responses)


async def latest(flow, hold):
    return await flow.store.read(one, hold.id)


@pytest.mark.abuse(38)
async def test_an_answer_to_a_question_that_nobody_asked_decides_nothing():
    desk, flow = await made(rule(self_confirm=True))
    hold = await held(desk)
    silent = await answered(flow, hold, capabilities={}, responses=CONFIRMED)
    assert silent["resultType"] == "input_required"
    assert "inputRequests" not in silent, "this client cannot be asked"
    await back(flow, silent, CONFIRMED)
    assert (await latest(flow, hold)).status is Status.HELD
    told = await answered(flow, hold)
    assert told["inputRequests"]["approve"]["method"] == "elicitation/create"
    await back(flow, told, CONFIRMED)
    assert (await latest(flow, hold)).status is Status.APPROVED, "control: asked, and answered"


@pytest.mark.abuse(78)
async def test_a_user_who_was_asked_about_something_else_is_asked_again():
    desk, flow = await made(rule(self_confirm=True))
    hold = await held(desk)
    told = await answered(flow, hold)
    await flow.reviewers.edit(LEA, hold.id, {**ARGUMENTS, "amount": 9000}, seen=hold.seen, reason="more")
    again = await back(flow, told, CONFIRMED)
    assert "inputRequests" in again
    assert (await latest(flow, hold)).status is Status.HELD, "nobody has said yes to 9000"
    await back(flow, again, CONFIRMED)
    assert (await latest(flow, hold)).status is Status.APPROVED


@pytest.mark.abuse(37)
async def test_the_state_of_a_round_is_its_owners_and_its_requests():
    desk, flow = await made(rule())
    told = await answered(flow, await held(desk))
    mine, state = caller(era="modern"), told["requestState"]
    other = Asked(call_of({**ARGUMENTS, "amount": 1}), state)
    with pytest.raises(RequestStateRefused):
        await flow.delivery.resumed(other, mine)
    request = Asked(call_of(ARGUMENTS), state)
    assert await flow.delivery.resumed(request, caller(BEN, era="modern")) is None
    assert await flow.delivery.resumed(request, mine) is not None


async def test_while_a_user_is_asked_the_request_is_no_call_in_flight():
    desk, flow = await made(rule(self_confirm=True))
    side = Waits({"action": "accept", "content": {"approve": False}})
    told = await answered(flow, await held(desk), side=side, era="legacy")
    assert side.asked_aside == [1]
    assert side.aside_now == 0
    assert told["content"][0]["text"].startswith("DENIED")


async def test_a_call_that_outlasts_its_callers_patience_goes_on_and_is_collected_later():
    desk, flow = await made(rule(on_approval="grant"))
    release, real = asyncio.Event(), desk.upstream.call

    async def slow(send, **rest):
        await release.wait()
        return await real(send, **rest)

    desk.upstream.call = slow
    approved = await flow.approve(await held(desk))
    told = await answered(flow, approved, era="legacy")
    assert told["isError"]
    assert told["content"][0]["text"].startswith("NOT EXECUTED")
    release.set()
    ended = await flow.callers.wait(await latest(flow, approved), timeout_s=10)
    assert ended.status is Status.SUCCEEDED
    told = await answered(flow, await held(desk), era="legacy")
    assert told["content"][0]["text"] == "done"
    assert desk.journal.count("forward") == 1


async def test_a_shutdown_answers_a_caller_whose_upstream_is_down():
    desk, flow = await made(rule(on_approval="grant"), unknown_client_s=600.0)
    approved = await flow.approve(await held(desk))
    desk.audit.fails = True
    waiting = asyncio.ensure_future(answered(flow, approved, era="legacy"))
    while (await latest(flow, approved)).fence == 0:
        await asyncio.sleep(0)
    flow.callers.drain()
    told = await asyncio.wait_for(waiting, 60)
    assert told["content"][0]["text"].startswith("NOT EXECUTED")


async def test_a_look_at_a_task_does_not_wait_for_the_whole_call(monkeypatch):
    monkeypatch.setattr("gateway.downstream.delivery.TASK_USE_S", 0.02)
    desk, flow = await made(rule(on_approval="grant"), reply="never")
    approved = await flow.approve(await held(desk))
    about = Task("toolgate", approved.id, approved.id)
    call = replace(call_of({}), method="tasks/get")
    body = await flow.delivery.task(1, Asked(call, about=about), caller(era="modern"))
    assert json.loads(body.data)["result"]["status"] == "working"
    assert desk.journal.count("forward") == 1


@pytest.mark.abuse(96)
@pytest.mark.parametrize("gone", [True, False])
async def test_an_outcome_that_nobody_received_stays_to_be_collected(gone):
    desk, flow = await made(rule())
    hold = await held(desk)
    ended = await flow.approval.execute(await flow.approve(hold))
    side = Waits()
    side.waiting = lambda: Waiting(None, False, None, side.aside, lambda: gone)
    await answered(flow, ended, side=side, era="legacy")
    assert ((await held(desk)).id == hold.id) is gone
    assert desk.journal.count("forward") == 1
