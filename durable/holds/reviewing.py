"""How reviewing goes: what became of the calls of some days, how long it took, who decides, and what waits.

Days are given: where one ends depends on a time zone, and none is known here. Read from indexes alone, so
that it is little work for a store with very many holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from durable.holds.tx import Tx

TIMED_MAX = 20_000
"""Of so many calls, the latest that people decided, it is looked at how long it took."""
PEOPLE_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One day, as those count it who ask."""

    date: str
    start_ms: int
    end_ms: int
    """The first moment that no longer belongs to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many calls were held, and how they stand by now. The rest of ``held`` still waits."""

    held: int = 0
    approved: int = 0
    """They may run, run, or ran."""
    denied: int = 0
    expired: int = 0
    """Nobody decided in time, or an approval was not used."""
    other: int = 0
    """Withdrawn by agent or reviewer, or overtaken: nothing ran."""

    @property
    def approval_rate(self) -> float | None:
        """Of those that were approved or denied; None where none was."""
        said = self.approved + self.denied
        return self.approved / said if said else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day's calls."""

    date: str
    start_ms: int
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """How often somebody said yes and no. A no to what was approved already is not among them."""

    person: str
    yes: int
    no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What waits for a person now, whenever it was held."""

    by_risk: tuple[tuple[int, int], ...]
    """Risk, 3 first, and how many; every risk is there."""
    oldest: str
    """Id of the one that has waited longest; empty: none waits."""
    oldest_ms: int
    """Since when; 0: none waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewing:
    """How reviewing went in a tenant on some days, and how it stands."""

    days: tuple[Day, ...]
    total: Counts
    timed: int
    """From how many decided calls the next two are: at most ``TIMED_MAX``, the latest."""
    median_ms: int | None
    """From a call to the word that first decided it, by nearest rank; None where nothing was decided."""
    p90_ms: int | None
    """Nine of ten were decided by then."""
    deciders: tuple[Decider, ...]
    """Whoever said something on these days, who said most first; at most ``PEOPLE_MAX``."""
    open: Open


def reviewing(tx: Tx, tenant: str, days: Sequence[Span]) -> Reviewing:
    """Everything about these days, of one moment.

    Args:
        tx: the transaction.
        tenant: whose calls.
        days: at least one, in order, each beginning where the one before ends.
    """
    since_ms, end_ms = days[0].start_ms, days[-1].end_ms
    counted = tuple(
        Day(date=day.date, start_ms=day.start_ms, counts=_counts(tx, tenant, day.start_ms, day.end_ms))
        for day in days
    )
    took_ms = _took_ms(tx, tenant, since_ms, end_ms)
    return Reviewing(
        days=counted,
        total=_sum(day.counts for day in counted),
        timed=len(took_ms),
        median_ms=_nearest(took_ms, 50),
        p90_ms=_nearest(took_ms, 90),
        deciders=_deciders(tx, tenant, since_ms, end_ms),
        open=_open(tx, tenant),
    )


def _counts(tx: Tx, tenant: str, since_ms: int, end_ms: int) -> Counts:
    (row,) = tx.rows(
        "SELECT COUNT(*) AS held, "
        "SUM(CASE WHEN status IN ('approved', 'executing', 'succeeded', 'failed', 'outcome_unknown') "
        "THEN 1 ELSE 0 END) AS approved, "
        "SUM(CASE WHEN status = 'denied' THEN 1 ELSE 0 END) AS denied, "
        "SUM(CASE WHEN status = 'expired' THEN 1 ELSE 0 END) AS expired, "
        "SUM(CASE WHEN status IN ('cancelled', 'invalidated') THEN 1 ELSE 0 END) AS other "
        "FROM hold WHERE tenant = :tenant AND created_ms >= :since_ms AND created_ms < :end_ms",
        tenant=tenant,
        since_ms=since_ms,
        end_ms=end_ms,
    )
    return Counts(**{name: int(count or 0) for name, count in row.items()})


def _sum(counts: Iterable[Counts]) -> Counts:
    every = tuple(counts)
    return Counts(
        held=sum(one.held for one in every),
        approved=sum(one.approved for one in every),
        denied=sum(one.denied for one in every),
        expired=sum(one.expired for one in every),
        other=sum(one.other for one in every),
    )


def _took_ms(tx: Tx, tenant: str, since_ms: int, end_ms: int) -> list[int]:
    """How long the latest took, shortest first."""
    found = tx.rows(
        "SELECT decided_ms - created_ms AS took_ms FROM hold WHERE tenant = :tenant "
        "AND created_ms >= :since_ms AND created_ms < :end_ms AND decided_ms > 0 "
        "ORDER BY created_ms DESC LIMIT :most",
        tenant=tenant,
        since_ms=since_ms,
        end_ms=end_ms,
        most=TIMED_MAX,
    )
    return sorted(row["took_ms"] for row in found)


def _nearest(values: Sequence[int], percent: int) -> int | None:
    """The smallest value that so many of a hundred do not exceed."""
    return values[-(-len(values) * percent // 100) - 1] if values else None


def _deciders(tx: Tx, tenant: str, since_ms: int, end_ms: int) -> tuple[Decider, ...]:
    found = tx.rows(
        # An attempt that is given back is "approved" again, and nobody has said so.
        "SELECT actor, SUM(CASE WHEN kind = 'denied' THEN 0 ELSE 1 END) AS yes, "
        "SUM(CASE WHEN kind = 'denied' THEN 1 ELSE 0 END) AS no FROM hold_event "
        "WHERE tenant = :tenant AND at_ms >= :since_ms AND at_ms < :end_ms "
        "AND kind IN ('vote', 'approved', 'denied') AND actor <> 'gateway' "
        "GROUP BY actor ORDER BY COUNT(*) DESC, actor LIMIT :most",
        tenant=tenant,
        since_ms=since_ms,
        end_ms=end_ms,
        most=PEOPLE_MAX,
    )
    return tuple(Decider(person=row["actor"], yes=row["yes"], no=row["no"]) for row in found)


def _open(tx: Tx, tenant: str) -> Open:
    counted = tx.rows(
        "SELECT risk, COUNT(*) AS n FROM hold WHERE tenant = :tenant AND status = 'held' GROUP BY risk",
        tenant=tenant,
    )
    by_risk = {row["risk"]: row["n"] for row in counted}
    every = tuple((risk, by_risk.get(risk, 0)) for risk in (3, 2, 1))
    if not counted:
        return Open(by_risk=every, oldest="", oldest_ms=0)
    (oldest,) = tx.rows(
        # The concatenation keeps a planner from reading the row of everything that waits.
        "SELECT id, created_ms FROM hold WHERE tenant = :tenant AND status || '' = 'held' "
        "ORDER BY created_ms LIMIT 1",
        tenant=tenant,
    )
    return Open(by_risk=every, oldest=oldest["id"], oldest_ms=oldest["created_ms"])
