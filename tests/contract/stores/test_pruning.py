"""What is long over leaves the database; what waits, may have run, or has to be told of never does."""

from __future__ import annotations

from durable.holds.finding import one
from durable.holds.outbox import told, untold
from durable.holds.pruning import prunable, prune
from durable.holds.sweeping import sweep
from tests.fakes import ANA, HELD, Desk, call_of, caller
from tests.held_fakes import held_flow

DAY_MS = 86_400_000


async def test_only_what_is_over_collected_and_told_goes():
    desk = Desk(HELD)
    flow = await held_flow(desk, principals=[ANA])

    async def held(number):
        arguments = {"order_id": f"A-{number}", "amount": 900}
        return (await desk.enforcement.handle(call_of(arguments), caller(ANA))).hold

    waiting, denied, fresh = [await held(number) for number in range(3)]
    await flow.callers.ending(await flow.deny(denied))
    desk.clock.forward(90)
    await flow.store.run(sweep)
    await flow.relay.flush()
    events = await flow.store.read(untold, "webhooks", limit=100)
    await flow.store.run(told, "webhooks", [(each.event.hold, each.event.seq) for each in events])
    desk.clock.forward(40 * DAY_MS / 1000)
    before_ms = desk.clock.now_us // 1000 - 31 * DAY_MS
    over = await flow.store.read(prunable, before_ms=before_ms, limit=100)
    assert denied.id in over
    assert await flow.store.run(prune, [*over, waiting.id, "nobody"]) == len(over)
    assert await flow.store.read(one, denied.id) is None
    assert (await flow.store.read(one, waiting.id)).status == "expired", "nobody has collected it yet"
    assert fresh.id not in over
