"""A key of a call that was not made is free again, whatever kept it from being made."""

from __future__ import annotations

import asyncio

import pytest

from durable.errors import StoreSlow
from durable.holds.filing import attached
from gateway.core.principal import Workflow
from gateway.errors import ApprovalsUnavailable, AuditUnwritable
from tests.fakes import ALLOWED, ANA, HELD, Desk, call_of, caller
from tests.held_fakes import held_flow

ARGUMENTS = {"order_id": "A-1", "amount": 900}
KEYED = Workflow(idempotency_key="k-1")


async def made(answer):
    desk = Desk(answer)
    return desk, await held_flow(desk, principals=[ANA])


async def asked(desk):
    return await desk.enforcement.handle(call_of(ARGUMENTS), caller(workflow=KEYED))


async def test_after_an_outage_of_the_log_the_call_can_be_made_with_its_key():
    desk, _ = await made(ALLOWED)
    desk.audit.fails = True
    with pytest.raises(AuditUnwritable):
        await asked(desk)
    desk.audit.fails = False
    answer = await asked(desk)
    assert answer.reply is not None
    again = await asked(desk)
    assert again.reply is not None
    assert desk.journal.count("forward") == 1, "control: now it is taken"


async def test_the_same_of_a_call_that_is_held():
    desk, _ = await made(HELD)
    desk.audit.fails = True
    with pytest.raises(AuditUnwritable):
        await asked(desk)
    desk.audit.fails = False
    assert (await asked(desk)).hold is not None


async def test_the_same_of_an_outage_of_the_store():
    desk, flow = await made(HELD)
    real = flow.store.read

    async def read(script, *args, **kwargs):
        if script is attached:
            raise StoreSlow("no answer within 5 s")
        return await real(script, *args, **kwargs)

    flow.store.read = read
    with pytest.raises(ApprovalsUnavailable):
        await asked(desk)
    flow.store.read = real
    assert (await asked(desk)).hold is not None


async def test_the_same_of_a_caller_who_went_away_before_anything_was_sent():
    desk, _ = await made(ALLOWED)
    desk.audit.gate = asyncio.Event()
    calling = asyncio.ensure_future(asked(desk))
    for _ in range(50):
        await asyncio.sleep(0)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    desk.audit.gate = None
    for _ in range(50):
        await asyncio.sleep(0)
    assert (await asked(desk)).reply is not None
    assert desk.journal.count("forward") == 1
