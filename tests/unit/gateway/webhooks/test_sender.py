"""The loop: at least once under one id, each receiver on its own, nothing hammered, nothing forgotten."""

from __future__ import annotations

import asyncio
import random

import pytest

from gateway.webhooks.delivery import WebhookDelivery
from gateway.webhooks.schedule import Delivered, GivenUp, Later
from gateway.webhooks.sender import AT_ONCE_MAX, LOOK_S, STORE_RETRY_S
from tests.unit.gateway.webhooks.stand_ins import (
    OTHER_SECRET,
    Clock,
    MemoryOutbox,
    Running,
    ScriptedDelivery,
    hook,
    news,
    pass_s,
    until,
)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def outbox(clock):
    return MemoryOutbox(clock)


def many(count, **members):
    return [news(hold=f"h{number}", **members) for number in range(count)]


async def refuse_to_answer():
    await asyncio.Event().wait()


async def test_what_waits_is_delivered_marked_and_told_once(outbox):
    delivery = ScriptedDelivery({"ops": hook()})
    outbox.put("ops", *many(3))
    async with Running(outbox, delivery) as sender:
        await until(lambda: outbox.waiting == {"ops"} and not outbox.rows)
        outbox.put("ops", news("late"))
        await until(lambda: not outbox.rows)
        assert sender.conditions() == {}
        assert sender.health()["ops"].delivered == 4
    assert sorted(delivery.to("ops")) == ["msg_h0_1", "msg_h1_1", "msg_h2_1", "msg_late_1"]
    assert len(outbox.marked("done")) == 4


async def test_at_most_eight_are_on_their_way_to_one_receiver_and_one_to_a_chat(outbox):
    go = asyncio.Event()

    async def wait(hook_name, one):
        await go.wait()
        return Delivered(status=200)

    delivery = ScriptedDelivery({"ops": hook(), "chat": hook(form="chat", secret=None)}, wait)
    outbox.put("ops", *many(30))
    outbox.put("chat", *many(5))
    async with Running(outbox, delivery):
        await until(lambda: delivery.under_way == {"ops": AT_ONCE_MAX, "chat": 1})
        go.set()
        await until(lambda: not outbox.rows)
    assert delivery.most == {"ops": AT_ONCE_MAX, "chat": 1}
    assert delivery.to("chat") == [f"msg_h{number}_1" for number in range(5)]


async def test_a_receiver_that_hangs_delays_no_other(outbox):
    def outcome(hook_name, one):
        return refuse_to_answer() if hook_name.startswith("hangs") else Delivered(status=204)

    hooks = {f"hangs{number}": hook() for number in range(12)} | {"ops": hook()}
    delivery = ScriptedDelivery(hooks, outcome)
    for name in hooks:
        outbox.put(name, *many(40))
    async with Running(outbox, delivery):
        await until(lambda: len(outbox.marked("done", "ops")) == 40)
        assert all(
            under_way == AT_ONCE_MAX for name, under_way in delivery.under_way.items() if name != "ops"
        )
        # The control: those that hang got something, and nothing of theirs is done.
        assert {one[1] for one in outbox.marked("done")} == {"ops"}


async def test_a_message_that_hangs_delays_no_later_one_of_the_same_receiver(outbox):
    delivery = ScriptedDelivery(
        {"ops": hook()},
        lambda hook_name, one: refuse_to_answer() if one.hold == "h7" else Delivered(status=200),
    )
    outbox.put("ops", news())
    async with Running(outbox, delivery):
        await until(lambda: delivery.under_way["ops"] == 1)
        outbox.put("ops", *many(3))
        await until(lambda: len(outbox.marked("done")) == 3)
        assert delivery.under_way["ops"] == 1


async def test_a_failure_is_tried_again_when_it_is_due_under_the_same_id(outbox, clock):
    outcomes = [Later(after_s=30.0, reason="no"), Delivered(status=200)]
    delivery = ScriptedDelivery({"ops": hook()}, lambda hook_name, one: outcomes.pop(0))
    outbox.put("ops", news())
    async with Running(outbox, delivery) as sender:
        await until(lambda: outbox.marks)
        assert outbox.marks == [("later", "ops", "msg_h7_1", 30_000, "no")]
        assert sender.conditions() == {"webhook ops": "1 failures in a row, the last: no"}
        await pass_s(outbox, 29.9)
        assert len(delivery.attempts) == 1
        await pass_s(outbox, 0.1)
        await until(lambda: not outbox.rows)
        assert sender.conditions() == {}
        assert sender.health()["ops"].failures == 1
    assert delivery.attempts == [("ops", "msg_h7_1", 0), ("ops", "msg_h7_1", 1)]


async def test_the_outbox_is_looked_at_though_nobody_rings(outbox, clock):
    delivery = ScriptedDelivery({"ops": hook()})
    async with Running(outbox, delivery):
        await until(lambda: outbox.waiting == {"ops"})
        looks = outbox.looks
        clock.move(LOOK_S - 0.1)
        await asyncio.sleep(0)
        assert outbox.looks == looks
        clock.move(0.1)
        await until(lambda: outbox.looks > looks)


async def test_a_receiver_that_fails_is_left_in_peace_longer_and_longer_then_gets_one_at_a_time(
    outbox, clock
):
    works = False

    def outcome(hook_name, one):
        return Delivered(status=200) if works else Later(after_s=0.0, reason="down")

    delivery = ScriptedDelivery({"ops": hook()}, outcome)
    outbox.put("ops", *many(20))
    async with Running(outbox, delivery):
        rests = []
        for probes in range(1, 9):
            await until(lambda: clock.sleeping_s)
            rests.append(clock.sleeping_s[0])
            clock.move(rests[-1])
            await until(lambda probes=probes: len(delivery.attempts) == AT_ONCE_MAX + probes)
        assert rests == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
        await until(lambda: clock.sleeping_s)
        # Eight went out before it was known; after that, one finds out.
        assert len(delivery.attempts) == AT_ONCE_MAX + 8
        works = True
        clock.move(300.0)
        await until(lambda: not outbox.rows)


async def test_a_receiver_that_worked_in_between_begins_anew(outbox, clock):
    outcomes = [
        *[Later(after_s=0.0, reason="down")] * 3,
        Delivered(status=200),
        Later(after_s=0.0, reason="down"),
    ]
    delivery = ScriptedDelivery({"ops": hook(form="chat")}, lambda hook_name, one: outcomes.pop(0))
    outbox.put("ops", *many(2))
    async with Running(outbox, delivery):
        for rest in (5.0, 10.0, 20.0, 5.0):
            await until(lambda: clock.sleeping_s)
            assert clock.sleeping_s == [rest]
            outcomes += [] if outcomes else [Delivered(status=200)]
            attempts = len(delivery.attempts)
            clock.move(rest)
            await until(lambda attempts=attempts: len(delivery.attempts) > attempts)
        await until(lambda: not outbox.rows)


async def test_a_receiver_that_asks_for_peace_gets_it_and_others_do_not_wait(outbox, clock):
    def outcome(hook_name, one):
        return (
            Later(after_s=120.0, reason="busy", rest_s=90.0) if hook_name == "busy" else Delivered(status=200)
        )

    delivery = ScriptedDelivery({"busy": hook(), "ops": hook()}, outcome)
    outbox.put("busy", news())
    async with Running(outbox, delivery):
        await until(lambda: outbox.marked("later"))
        outbox.put("busy", news("other"))
        outbox.put("ops", news("other"))
        await until(lambda: outbox.marked("done", "ops"))
        await until(lambda: clock.sleeping_s == [90.0])
        assert delivery.to("busy") == ["msg_h7_1"]
        clock.move(90.0)
        await until(lambda: len(delivery.to("busy")) == 2)


async def test_what_is_given_up_is_not_sent_again_and_is_reported(outbox, clock, caplog):
    delivery = ScriptedDelivery({"ops": hook()}, lambda hook_name, one: GivenUp(reason="gone", rest_s=3600.0))
    outbox.put("ops", news())
    async with Running(outbox, delivery) as sender:
        await until(lambda: outbox.marks)
        outbox.put("ops", news("next"))
        await until(lambda: clock.sleeping_s == [3600.0])
        assert len(delivery.attempts) == 1
        del outbox.rows["ops", "next", 1]
        assert (outbox.rows, outbox.marks) == ({}, [("given up", "ops", "msg_h7_1", "gone")])
        assert sender.health()["ops"].given_up == 1
        assert sender.conditions() == {"webhook ops": "1 failures in a row, the last: gone"}
    assert [record.reason for record in caplog.records] == ["gone"]


async def test_a_crash_between_delivery_and_mark_sends_again_under_the_same_id(outbox, clock):
    """Killed while the mark is written: the next process finds the row once its lease is over."""
    marking = asyncio.Event()

    async def stuck(waiting):
        marking.set()
        await refuse_to_answer()

    delivery = ScriptedDelivery({"ops": hook()})
    outbox.put("ops", news())
    done, outbox.done = outbox.done, stuck
    async with Running(outbox, delivery):
        await marking.wait()
    outbox.done = done

    async with Running(outbox, delivery):
        await until(lambda: outbox.waiting == {"ops"})
        assert delivery.to("ops") == ["msg_h7_1"]
        clock.move(40.0)
        await until(lambda: not outbox.rows)
    assert delivery.attempts == [("ops", "msg_h7_1", 0)] * 2
    assert len(set(delivery.to("ops"))) == 1


async def test_a_crash_before_delivery_loses_nothing(outbox, clock):
    delivery = ScriptedDelivery({"ops": hook()}, lambda hook_name, one: refuse_to_answer())
    outbox.put("ops", *many(3))
    async with Running(outbox, delivery):
        await until(lambda: delivery.under_way["ops"] == 3)
    delivery.outcome = lambda hook_name, one: Delivered(status=200)
    async with Running(outbox, delivery):
        clock.move(40.0)
        await until(lambda: not outbox.rows)
    assert sorted(one[2] for one in outbox.marked("done")) == ["msg_h0_1", "msg_h1_1", "msg_h2_1"]


@pytest.mark.parametrize("method", ["take", "done", "later"])
async def test_a_store_that_is_away_stops_nothing_for_good(outbox, clock, method):
    outcomes = [Later(after_s=1.0, reason="no")] if method == "later" else []
    delivery = ScriptedDelivery(
        {"ops": hook()}, lambda hook_name, one: outcomes.pop() if outcomes else Delivered(status=200)
    )
    outbox.failing = {method}
    outbox.put("ops", news())
    async with Running(outbox, delivery):
        if method == "take":
            await until(lambda: clock.sleeping_s == [STORE_RETRY_S])
        else:
            await until(lambda: delivery.attempts and not delivery.under_way["ops"])
        assert outbox.marks == []
        outbox.failing = set()
        await pass_s(outbox, 45.0)
        await until(lambda: not outbox.rows)
        assert (outbox.rows, outbox.marks) == ({}, [("done", "ops", "msg_h7_1")])


async def test_a_message_that_breaks_the_gateway_stops_no_other(outbox, clock):
    def outcome(hook_name, one):
        if one.hold == "h0":
            raise TypeError("canary")
        return Delivered(status=200)

    delivery = ScriptedDelivery({"ops": hook()}, outcome)
    delivery.failed = WebhookDelivery(
        {"ops": hook()}, None, clock_us=clock.us, random=random.Random(1).random
    ).failed
    outbox.put("ops", *many(3))
    async with Running(outbox, delivery):
        await until(lambda: len(outbox.marked("done")) == 2 and outbox.marked("later"))
    assert outbox.marked("later")[0][2] == "msg_h0_1"
    assert outbox.marked("later")[0][4] == "a fault of the gateway: TypeError"


async def test_what_a_receiver_is_not_told_any_more_is_not_sent(outbox):
    hooks = {"ops": hook(events=("denied",)), "acme": hook(secret=OTHER_SECRET, tenants=("acme",))}
    delivery = ScriptedDelivery(hooks)
    outbox.put("ops", news("a"), news("b", event="denied"))
    outbox.put("acme", news("c", tenant="other"), news("d"))
    async with Running(outbox, delivery) as sender:
        await until(lambda: not outbox.rows)
        assert sender.conditions() == {}
    assert sorted(delivery.attempts) == [("acme", "msg_d_1", 0), ("ops", "msg_b_1", 0)]
    assert sorted(one[2] for one in outbox.marked("given up")) == ["msg_a_1", "msg_c_1"]


async def test_without_receivers_there_is_nothing_to_do(outbox):
    async with asyncio.timeout(5):
        await Running(outbox, ScriptedDelivery({})).sender.run()


@pytest.mark.parametrize("seed", range(30))
async def test_whatever_fails_every_message_arrives_or_is_given_up(outbox, clock, seed):
    """Receivers that fail at random, a store that goes away at random, processes that are killed at random."""
    dice = random.Random(seed)
    arrived = set()

    def outcome(hook_name, one):
        if dice.random() < 0.4:
            return Later(after_s=dice.uniform(0, 50), reason="no")
        if dice.random() < 0.05:
            return GivenUp(reason="gone")
        arrived.add((hook_name, one.id))
        return Delivered(status=200)

    hooks = {"ops": hook(), "chat": hook(form="chat", secret=None)}
    delivery = ScriptedDelivery(hooks, outcome)
    wanted = set()
    for name in hooks:
        outbox.put(name, *many(12))
        wanted |= {(name, one.id) for one in many(12)}
    for _ in range(60):
        async with Running(outbox, delivery):
            for _ in range(dice.randrange(1, 5)):
                outbox.failing = {
                    name for name in ("take", "done", "later", "given_up") if dice.random() < 0.2
                }
                clock.move(dice.uniform(0, 60))
                for _ in range(dice.randrange(1, 20)):
                    await asyncio.sleep(0)
    outbox.failing = set()
    delivery.outcome = lambda hook_name, one: arrived.add((hook_name, one.id)) or Delivered(status=200)
    async with Running(outbox, delivery):
        for _ in range(100):
            clock.move(60.0)
            await until(lambda: clock.sleeping_s or outbox.waiting == set(hooks))
    assert outbox.rows == {}
    given_up = {(name, message) for _, name, message, *_ in outbox.marked("given up")}
    assert arrived | given_up == wanted
