"""What a held call is compared with: the latest of its tool that ran, within its tenant and up to a bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from durable.holds.deciding import decide
from durable.holds.erasing import blank_views
from durable.holds.finding import LATELY_MS, RAN_MAX, Denied, one, precedents
from durable.holds.hold import Hold, Person, Requester
from durable.holds.tx import Tx
from durable.stores.base import HoldStore
from tests.contract.stores.conftest import Clocks
from tests.contract.stores.rows import HOUR_MS, file_one

LEA = Person(id="lea@example.com", tenant="acme", names=frozenset({"refund-lead"}))
ANAS = Requester(subject_type="user", subject_id="ana@example.com", agent="desk")
OTHER = Requester(subject_type="user", subject_id="ben@example.com", agent="other")


def ended(
    tx: Tx, hold_id: str, status: str = "succeeded", *, tool: str = "refund_order", **members: Any
) -> None:
    """A call that came to this end just now; how it got there is the machine's business."""
    file_one(tx, hold_id, **members)
    tx.execute(
        "UPDATE hold SET status = :status, updated_ms = :now_ms, reason_by = 'lea@example.com', name = :tool "
        "WHERE id = :id",
        status=status,
        now_ms=tx.now_ms,
        tool=tool,
        id=hold_id,
    )


async def waiting(store: HoldStore, name: str = "it", **members: Any) -> Hold:
    return await store.run(file_one, name, **members)


async def test_it_is_the_tools_own_calls_that_ran_newest_first(store: HoldStore, clocks: Clocks) -> None:
    for number in range(3):
        clocks.forward(10)
        await store.run(
            ended,
            f"r{number}",
            view={"n": number},
            requester=OTHER if number else ANAS,
        )
    elsewhere: dict[str, dict[str, Any]] = {
        "tenant": {"tenant": "other"},
        "upstream": {"upstream": "bank"},
        "tool": {"tool": "charge"},
        "method": {"method": "prompts/get"},
    }
    for what, members in elsewhere.items():
        await store.run(ended, what, view={"n": what}, **members)
    for status in ("failed", "cancelled", "expired", "outcome_unknown", "executing", "approved", "held"):
        await store.run(ended, status, status, view={"n": status})
    found = await store.read(precedents, await waiting(store))
    assert [(ran.view, ran.agent) for ran in found.ran] == [
        ({"n": 2}, "other"),
        ({"n": 1}, "other"),
        ({"n": 0}, "desk"),
    ]
    assert (found.same_denied, found.agent_denied) == (None, None)


async def test_there_are_only_so_many(store: HoldStore, clocks: Clocks) -> None:
    def fill(tx: Tx) -> None:
        for number in range(RAN_MAX + 20):
            ended(tx, f"r{number:04}", view={"n": number})
            tx.execute(
                "UPDATE hold SET updated_ms = :at_ms WHERE id = :id",
                at_ms=tx.now_ms + number - 10_000,
                id=f"r{number:04}",
            )

    await store.run(fill)
    found = await store.read(precedents, await waiting(store))
    assert [ran.view["n"] for ran in found.ran] == list(range(RAN_MAX + 19, 19, -1))


async def test_denials_of_the_last_days_are_counted(store: HoldStore, clocks: Clocks) -> None:
    await store.run(ended, "long ago", "denied")
    clocks.forward(LATELY_MS + 1)
    await store.run(ended, "same", "denied", call_digest="the same")
    await store.run(ended, "agents", "denied")
    await store.run(ended, "others", "denied", requester=OTHER)
    await store.run(ended, "ran", "succeeded")
    found = await store.read(precedents, replace(await waiting(store), call_digest="the same"))
    assert found.same_denied == Denied(times=1, by="lea@example.com")
    assert found.agent_denied == Denied(times=2, by="lea@example.com")
    other = replace(await waiting(store, "it too", requester=OTHER), call_digest="another")
    found = await store.read(precedents, other)
    assert (found.same_denied, found.agent_denied) == (None, Denied(times=1, by="lea@example.com"))


async def test_a_denial_is_what_a_person_said(store: HoldStore) -> None:
    hold = await waiting(store, "first")
    await store.run(decide, hold.id, LEA, "deny", seen=hold.seen, reason="no", key=b"k" * 32)
    found = await store.read(precedents, await waiting(store, "second"))
    assert found.agent_denied == Denied(times=1, by=LEA.id)


async def test_a_call_that_is_over_is_compared_with_what_was_before_its_end(
    store: HoldStore, clocks: Clocks
) -> None:
    await store.run(ended, "before", view={"n": "before"})
    clocks.forward(HOUR_MS)
    await store.run(ended, "it", "denied")
    clocks.forward(HOUR_MS)
    await store.run(ended, "after", view={"n": "after"})
    over = await store.read(one, "it")
    assert over is not None
    assert [ran.view["n"] for ran in (await store.read(precedents, over)).ran] == ["before"]
    still = await waiting(store, "waits")
    assert [ran.view["n"] for ran in (await store.read(precedents, still)).ran] == ["after", "before"]


@pytest.mark.parametrize("damage", ["{", "[1]", "null"])
async def test_a_view_that_is_gone_or_damaged_keeps_no_other_from_anybody(
    store: HoldStore, damage: str
) -> None:
    await store.run(ended, "good", view={"n": 1}, requester=OTHER)
    await store.run(ended, "erased")
    await store.run(blank_views, "acme", "ana@example.com")
    await store.run(ended, "bad")
    await store.run(lambda tx: tx.execute("UPDATE hold SET view = :view WHERE id = 'bad'", view=damage))
    found = await store.read(precedents, await waiting(store))
    assert sorted(str(ran.view) for ran in found.ran) == sorted(
        ["{'n': 1}", "{'…': 'erased'}", "{'…': 'unreadable'}"]
    )
