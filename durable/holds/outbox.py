"""What happened and has to be told elsewhere: rows that were written together with the event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable.holds.columns import event_of, holds_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from durable.holds.hold import Event, Hold
    from durable.holds.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """One event that a channel has not heard of."""

    event: Event
    hold: Hold
    """As it is now; what it was at the time is in the event."""
    attempts: int


def untold(tx: Tx, channel: str, *, limit: int, hold_id: str | None = None) -> list[Untold]:
    """Events that wait to be told, in the order in which they may be; of one hold, or of all."""
    only = "" if hold_id is None else "AND o.hold = :hold_id "
    found = tx.rows(
        "SELECT o.attempts AS attempts, e.* FROM hold_outbox o "  # noqa: S608 - fixed text
        "JOIN hold_event e ON e.hold = o.hold AND e.seq = o.seq "
        f"WHERE o.channel = :channel AND o.not_before_ms <= :now_ms {only}"
        "ORDER BY o.not_before_ms, e.hold, e.seq LIMIT :most",
        channel=channel,
        now_ms=tx.now_ms,
        most=limit,
        **({} if hold_id is None else {"hold_id": hold_id}),
    )
    holds: dict[str, Hold | None] = {}
    for row in found:
        if row["hold"] not in holds:
            of_it = holds_of(tx.rows("SELECT * FROM hold WHERE id = :id", id=row["hold"]))
            holds[row["hold"]] = of_it[0] if of_it else None
    return [
        Untold(event=event_of(row), hold=hold, attempts=row["attempts"])
        for row in found
        if (hold := holds[row["hold"]]) is not None
    ]


def take(tx: Tx, channel: str, *, limit: int, lease_ms: int) -> list[Untold]:
    """Like ``untold``, and not given to anybody again before ``lease_ms`` are over."""
    found = untold(tx, channel, limit=limit)
    for one in found:
        tx.execute(
            "UPDATE hold_outbox SET not_before_ms = :at_ms "
            "WHERE channel = :channel AND hold = :hold AND seq = :seq",
            at_ms=tx.now_ms + lease_ms,
            channel=channel,
            hold=one.event.hold,
            seq=one.event.seq,
        )
    return found


def told(tx: Tx, channel: str, events: Iterable[tuple[str, int]]) -> None:
    """These are told: ``(hold, seq)``."""
    for hold, seq in events:
        tx.execute(
            "DELETE FROM hold_outbox WHERE channel = :channel AND hold = :hold AND seq = :seq",
            channel=channel,
            hold=hold,
            seq=seq,
        )


def later(tx: Tx, channel: str, hold: str, seq: int, *, after_ms: int) -> None:
    """This one has to be told again."""
    tx.execute(
        "UPDATE hold_outbox SET attempts = attempts + 1, not_before_ms = :at_ms "
        "WHERE channel = :channel AND hold = :hold AND seq = :seq",
        at_ms=tx.now_ms + after_ms,
        channel=channel,
        hold=hold,
        seq=seq,
    )


def forget_others(tx: Tx, prefix: str, channels: Sequence[str]) -> int:
    """Drop what waits in channels of that prefix that are not among these; how many rows there were."""
    found = tx.rows(
        "SELECT DISTINCT channel FROM hold_outbox WHERE channel >= :prefix AND channel < :end",
        prefix=prefix,
        end=prefix + "\uffff",
    )
    gone = [row["channel"] for row in found if row["channel"] not in channels]
    return sum(tx.execute("DELETE FROM hold_outbox WHERE channel = :channel", channel=one) for one in gone)


def due_in_ms(tx: Tx, channel: str) -> int | None:
    """Milliseconds until something of a channel is due, 0 if it is; None: nothing waits."""
    found = tx.rows(
        "SELECT MIN(not_before_ms) AS soonest FROM hold_outbox WHERE channel = :channel", channel=channel
    )
    soonest = found[0]["soonest"]
    return None if soonest is None else max(0, soonest - tx.now_ms)


def spread(tx: Tx, source: str, channels: Iterable[str], *, limit: int) -> int:
    """Turn rows of one channel into rows of several (a webhook each); how many rows it was."""
    found = tx.rows(
        "SELECT hold, seq FROM hold_outbox WHERE channel = :channel LIMIT :most", channel=source, most=limit
    )
    for row in found:
        for channel in channels:
            tx.execute(
                "INSERT INTO hold_outbox (hold, seq, channel, not_before_ms, attempts) "
                "VALUES (:hold, :seq, :channel, :now_ms, 0) ON CONFLICT DO NOTHING",
                hold=row["hold"],
                seq=row["seq"],
                channel=channel,
                now_ms=tx.now_ms,
            )
        told(tx, source, [(row["hold"], row["seq"])])
    return len(found)
