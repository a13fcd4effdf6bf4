"""Holds that are long over leave the database; the audit log keeps their story."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable.holds.status import FINAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from durable.holds.tx import Tx

_OVER = tuple(sorted(FINAL))


def prunable(tx: Tx, *, before_ms: int, limit: int) -> list[str]:
    """Ids of holds that ended before that time and that nobody waits for or has to be told of."""
    found: list[str] = []
    for status in _OVER:
        found += [
            row["id"]
            for row in tx.rows(
                "SELECT id FROM hold WHERE status = :status AND next_ms IS NULL AND updated_ms < :before_ms "
                "AND NOT EXISTS (SELECT 1 FROM hold_outbox WHERE hold_outbox.hold = hold.id) LIMIT :most",
                status=status.value,
                before_ms=before_ms,
                most=limit - len(found),
            )
        ]
        if len(found) >= limit:
            break
    return found


def prune(tx: Tx, hold_ids: Sequence[str]) -> int:
    """Delete these, if they are still over; how many it were. What waits or may have run is never deleted."""
    gone = 0
    for hold_id in hold_ids:
        row = tx.rows("SELECT status, next_ms FROM hold WHERE id = :id", id=hold_id)
        if not row or row[0]["status"] not in _OVER or row[0]["next_ms"] is not None:
            continue
        for table in ("hold_vote", "hold_event", "hold_outbox"):
            tx.execute(f"DELETE FROM {table} WHERE hold = :id", id=hold_id)  # noqa: S608 - our names
        gone += tx.execute("DELETE FROM hold WHERE id = :id", id=hold_id)
    return gone
