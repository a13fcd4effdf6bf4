"""Holds to file, and small scripts over them and over the outbox, which no row has to exist for."""

from __future__ import annotations

from typing import Any

from durable.holds.filing import Caps, Filing, file_hold
from durable.holds.hold import Arguments, Hold, Requester, Requirement, Why
from durable.holds.mover import locked, move
from durable.holds.tx import Tx

NOON_MS = 1_790_000_000_000
"""2026-09-21 14:13:20 UTC."""
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
CAPS = Caps(per_agent=100_000, per_tenant=100_000)
REQUIREMENT = Requirement(
    groups=(("refund-lead",),),
    quorum=1,
    ttl_ms=4 * HOUR_MS,
    risk=3,
    reasons=(Why(code="over_limit", why="above 100 EUR", rule="refunds.rego:12"),),
    show=("/amount",),
)


def filing(name: str, **members: Any) -> Filing:
    """A refund above the limit; ``name`` is the hold's id."""
    return Filing(
        **{
            "id": name,
            "tenant": "acme",
            "requester": Requester(subject_type="user", subject_id="ana@example.com", agent="desk"),
            "session": "s1",
            "workflow": {},
            "client": "tests",
            "method": "tools/call",
            "upstream": "orders",
            "name": "refund_order",
            "call_id": f"call-{name}",
            "call_digest": f"digest of {name}",
            "group_key": "group",
            "idempotency_key": "",
            "arguments": Arguments(
                digest="d" * 64, size_bytes=40, payload={"payload": "0:0", "sha256": "e" * 64}
            ),
            "view": {"order_id": "o-1", "amount": 120},
            "definition_digest": "f" * 64,
            "revision": "r1",
            "requirement": REQUIREMENT,
            "idempotent": False,
            "send_key": f"send-{name}",
            **members,
        }
    )


def file_one(tx: Tx, name: str, **members: Any) -> Hold:
    return file_hold(tx, filing(name, **members), key=b"k" * 32, caps=CAPS)[0]


def bump(tx: Tx, name: str) -> int:
    """Something happens to the hold; its version after it."""
    return move(
        tx, locked(tx, name), "claimed", actor="lea@example.com", claimed_by="lea@example.com"
    ).version


def version(tx: Tx, name: str) -> int:
    return locked(tx, name).version


def put(tx: Tx, name: str, *, seq: int = 1) -> int:
    """One row of the outbox."""
    return tx.execute(
        "INSERT INTO hold_outbox (hold, seq, channel, not_before_ms, attempts) "
        "VALUES (:hold, :seq, 'log', :now_ms, 0)",
        hold=name,
        seq=seq,
        now_ms=tx.now_ms,
    )


def names(tx: Tx) -> list[str]:
    """What ``put`` has put."""
    return [
        row["hold"] for row in tx.rows("SELECT hold FROM hold_outbox WHERE channel = 'log' ORDER BY hold")
    ]


def now(tx: Tx) -> int:
    return tx.now_ms


def put_and_fail(tx: Tx, name: str, error: BaseException) -> None:
    put(tx, name)
    tx.wake(name)
    raise error
