"""Idempotency keys of callers: the first call runs, a repetition gets its outcome."""

from __future__ import annotations

import pytest

from gateway.core.decision import Effect
from gateway.core.principal import Workflow
from gateway.errors import KeyReused, KeyUnsettled, UpstreamGone, UpstreamUnreachable
from tests.fakes import ALLOWED, ANA, BEN, HELD, Desk, call_of, caller, ok
from tests.held_fakes import held_flow

ARGUMENTS = {"order_id": "A-1", "amount": 900}


async def made(answer=HELD, reply=None):
    desk = Desk(answer, reply)
    return desk, await held_flow(desk, principals=[ANA, BEN])


async def asked(desk, arguments=ARGUMENTS, **origin):
    return await desk.enforcement.handle(call_of(arguments), caller(**origin))


async def held(desk, **members):
    hold = (await asked(desk, **members)).hold
    assert hold is not None
    return hold


def keyed(**members):
    return {"workflow": Workflow(idempotency_key="k-1", **members)}


async def test_a_repeated_idempotency_key_returns_the_recorded_result():
    desk, _ = await made(ALLOWED)
    first = await asked(desk, **keyed())
    desk.upstream.reply = ok("another")
    again = await asked(desk, **keyed())
    assert again.reply.result == first.reply.result
    assert desk.journal.count("forward") == 1
    assert desk.audit.of("outcome")[-1]["status"] == "repeated"
    other = await asked(desk, principal=BEN, **keyed())
    assert other.reply.result != first.reply.result, "a key is its principal's"


async def test_a_key_with_other_arguments_is_an_error():
    desk, _ = await made(ALLOWED)
    await asked(desk, **keyed())
    with pytest.raises(KeyReused):
        await asked(desk, {**ARGUMENTS, "amount": 1}, **keyed())
    assert desk.journal.count("forward") == 1


async def test_a_key_whose_call_may_have_run_is_not_used_again():
    desk, _ = await made(ALLOWED, reply=UpstreamGone("hung up", sent=True))
    await asked(desk, **keyed())
    with pytest.raises(KeyUnsettled):
        await asked(desk, **keyed())
    assert desk.journal.count("forward") == 1


async def test_a_key_whose_call_was_not_sent_is_free():
    desk, _ = await made(ALLOWED, reply=UpstreamUnreachable("down", sent=False))
    await asked(desk, **keyed())
    desk.upstream.reply = ok()
    assert (await asked(desk, **keyed())).reply is not None


async def test_a_held_call_with_a_key_keeps_its_result_for_whoever_repeats_it():
    desk, flow = await made()
    hold = await held(desk, **keyed())
    assert (await held(desk, **keyed(attempt=2))).id == hold.id
    with pytest.raises(KeyReused):
        await asked(desk, {**ARGUMENTS, "amount": 1}, **keyed())
    ended = await flow.approval.execute(await flow.approve(hold))
    await flow.callers.ending(ended)
    answer = await asked(desk, **keyed(attempt=3))
    assert answer.decision.effect is Effect.HOLD
    assert b"done" in answer.reply.result
    assert desk.journal.count("forward") == 1


async def test_a_denied_call_frees_its_key():
    desk, flow = await made()
    await flow.deny(await held(desk, **keyed()))
    desk.policy.answer = ALLOWED
    assert (await asked(desk, **keyed())).reply is not None
