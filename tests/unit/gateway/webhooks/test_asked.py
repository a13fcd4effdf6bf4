"""That somebody is asked to look at a call reaches receivers: whom, by whom, and why, without a secret."""

from __future__ import annotations

from durable.holds.deciding import ask
from durable.holds.hold import Person
from durable.holds.mover import WEBHOOKS
from durable.holds.outbox import spread
from durable.stores.memory import MemoryStore
from gateway.webhooks.outbox import HoldOutbox
from gateway.webhooks.settings import wanted_by
from tests.contract.stores.rows import NOON_MS, file_one
from tests.unit.gateway.webhooks.stand_ins import hook

LEA, MAX = (
    Person(id=f"{name}@example.com", tenant="acme", names=frozenset({"refund-lead"}))
    for name in ("lea", "max")
)


async def test_an_asked_colleague_is_told_of_by_default_with_the_note_redacted():
    store = await MemoryStore.open(clock_ms=lambda: NOON_MS)
    await store.run(file_one, "h1")
    await store.run(ask, "h1", LEA, MAX, "the key is hunter2")
    await store.run(spread, WEBHOOKS, ["hook:ops"], limit=10)
    outbox = HoldOutbox(
        store,
        ["ops"],
        link_of=lambda hold: f"https://people.example/holds/{hold}",
        text=lambda words: words.replace("hunter2", "[REDACTED]"),
    )
    held, asked = [one.news for one in await outbox.take("ops", limit=10, lease_ms=1_000)]
    assert (held.event, held.whom, held.reason) == ("held", "", "")
    assert (asked.event, asked.actor, asked.whom) == ("asked", LEA.id, MAX.id)
    assert asked.reason == "the key is [REDACTED]"
    assert (asked.status, asked.by) == ("held", ("refund-lead",))
    assert wanted_by({"ops": hook()}, "asked", "acme") == ("ops",)
    await store.aclose()
