"""Reading holds: one, a page of the queue, its story, what was decided about its like.

Every query names a tenant; what has none is the gateway's own work and says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from durable.holds.columns import event_of, hold_of, holds_of, vote_of
from durable.holds.refusals import AmbiguousHold, UnknownHold
from durable.holds.status import OPEN, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from durable.holds.hold import Event, Hold, Vote
    from durable.holds.tx import Tx

PAGE_MAX = 200
CANDIDATES_MAX = 10
SIMILAR_MAX = 10
SAME_AMONG_MAX = 500
"""So many of a tool's latest ends are looked through for one of the very same call."""
RAN_MAX = 200
"""So many of a tool's latest calls that ran are compared with another one."""
LATELY_MS = 30 * 24 * 60 * 60 * 1000
"""Until when a denial is told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A hold with everything that was said and happened."""

    hold: Hold
    votes: tuple[Vote, ...]
    """Of all rounds."""
    events: tuple[Event, ...]
    escalated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """A past decision about the same tool for the same agent."""

    id: str
    status: Status
    updated_ms: int
    by: str
    reason: str
    subject: str
    same: bool
    """The very same call: same caller, arguments and definition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A held call that ran."""

    agent: str
    view: Mapping[str, Any]
    """Its arguments redacted and bounded; nothing but ``…`` where they are gone or cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """How often people denied something lately."""

    times: int
    by: str
    """Who did so last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedents:
    """What became of earlier calls of a tool in a tenant."""

    ran: tuple[Ran, ...]
    """The latest held ones that ran, newest first."""
    same_denied: Denied | None
    """The very same call, lately."""
    agent_denied: Denied | None
    """Any call of the tool by the same agent, lately."""


def one(tx: Tx, hold_id: str) -> Hold | None:
    """By its full id, whosever it is: the gateway's own work."""
    found = tx.rows("SELECT * FROM hold WHERE id = :id", id=hold_id)
    return hold_of(found[0]) if found else None


def of_prefix(tx: Tx, tenant: str, prefix: str) -> Hold:
    """The one hold of a tenant whose id begins like this.

    Raises:
        UnknownHold: there is none.
        AmbiguousHold: there are several.
    """
    found = tx.rows(
        # The concatenation keeps a planner from walking the whole tenant instead of the few ids.
        "SELECT * FROM hold WHERE id >= :low AND id < :high AND tenant || '' = :tenant "
        "ORDER BY id LIMIT :most",
        low=prefix,
        high=prefix + "\uffff",
        tenant=tenant,
        most=CANDIDATES_MAX,
    )
    exact = [row for row in found if row["id"] == prefix]
    found = exact or found
    if not prefix or not found:
        raise UnknownHold("no such hold", next_step="list them with: toolgate approvals ls")
    if len(found) > 1:
        raise AmbiguousHold(
            f"{len(found)} holds begin with {prefix!r}",
            candidates=tuple(row["id"] for row in found),
            next_step="give more of the id",
        )
    return hold_of(found[0])


def page(
    tx: Tx,
    tenant: str,
    *,
    statuses: Collection[Status],
    limit: int,
    after: tuple[int, int, str] | None = None,
) -> list[Hold]:
    """The queue, risk first, then time left.

    Args:
        tx: the transaction.
        tenant: whose.
        statuses: at least one.
        limit: at most ``PAGE_MAX``.
        after: risk, ``expires_ms`` and id of the last hold of the page before.
    """
    holds: list[Hold] = []
    for status in statuses:
        found = tx.rows(
            "SELECT hold.*, (SELECT COUNT(*) FROM hold_vote WHERE hold_vote.hold = hold.id "  # noqa: S608
            "AND hold_vote.round = hold.round AND verdict = 'approve') AS approvals FROM hold "
            "WHERE tenant = :tenant AND status = :status "
            + ("" if after is None else "AND " + _BEHIND)
            + "ORDER BY risk DESC, expires_ms, id LIMIT :most",
            tenant=tenant,
            status=status.value,
            most=min(limit, PAGE_MAX),
            **({} if after is None else {"risk": after[0], "expires_ms": after[1], "after_id": after[2]}),
        )
        holds += holds_of(found)
    holds.sort(key=lambda hold: (-hold.requirement.risk, hold.expires_ms, hold.id))
    holds = holds[: min(limit, PAGE_MAX)]
    sizes = {group: _group_size(tx, tenant, group) for group in {hold.group_key for hold in holds}}
    return [replace(hold, group_size=sizes[hold.group_key]) for hold in holds]


_BEHIND = (
    "(risk < :risk OR (risk = :risk AND (expires_ms > :expires_ms OR "
    "(expires_ms = :expires_ms AND id > :after_id)))) "
)


def _group_size(tx: Tx, tenant: str, group_key: str) -> int:
    counted = tx.rows(
        "SELECT COUNT(*) AS n FROM (SELECT 1 FROM hold WHERE tenant = :tenant AND group_key = :group_key "
        "AND status = 'held' LIMIT 1000) AS alike",
        tenant=tenant,
        group_key=group_key,
    )
    return int(counted[0]["n"])


def group(tx: Tx, tenant: str, group_key: str, *, limit: int) -> list[Hold]:
    """The waiting calls that are nearly identical."""
    found = tx.rows(
        "SELECT * FROM hold WHERE tenant = :tenant AND group_key = :group_key AND status = 'held' "
        "ORDER BY created_ms, id LIMIT :most",
        tenant=tenant,
        group_key=group_key,
        most=min(limit, PAGE_MAX),
    )
    return holds_of(found)


def story(tx: Tx, hold: Hold) -> Story:
    """Everything about one hold."""
    votes = tx.rows("SELECT * FROM hold_vote WHERE hold = :hold ORDER BY round, at_ms, person", hold=hold.id)
    events = tx.rows("SELECT * FROM hold_event WHERE hold = :hold ORDER BY seq", hold=hold.id)
    row = tx.rows("SELECT * FROM hold WHERE id = :id AND tenant = :tenant", id=hold.id, tenant=hold.tenant)
    if not row:
        raise UnknownHold("no such hold")
    now = hold_of(row[0])
    return Story(
        hold=replace(now, group_size=_group_size(tx, now.tenant, now.group_key)),
        votes=tuple(map(vote_of, votes)),
        events=tuple(map(event_of, events)),
        escalated=bool(row[0]["escalated"]),
    )


def similar(tx: Tx, hold: Hold) -> tuple[Similar, ...]:
    """The latest ends of calls of the same tool: first those of the very same call, then newest first."""
    found: list[dict[str, Any]] = []
    for status in _TELLING:
        found += tx.rows(
            "SELECT id, status, updated_ms, reason_by, reason, subject_id, call_digest FROM hold "
            "WHERE tenant = :tenant AND upstream = :upstream AND name = :name AND status = :status "
            "AND id <> :id ORDER BY updated_ms DESC LIMIT :most",
            tenant=hold.tenant,
            upstream=hold.upstream,
            name=hold.name,
            status=status.value,
            id=hold.id,
            most=SAME_AMONG_MAX,
        )
    found.sort(key=lambda row: (row["call_digest"] != hold.call_digest, -row["updated_ms"], row["id"]))
    return tuple(
        Similar(
            id=row["id"],
            status=Status(row["status"]),
            updated_ms=row["updated_ms"],
            by=row["reason_by"],
            reason=row["reason"],
            subject=row["subject_id"],
            same=row["call_digest"] == hold.call_digest,
        )
        for row in found[:SIMILAR_MAX]
    )


_TELLING = (Status.SUCCEEDED, Status.FAILED, Status.DENIED, Status.EXPIRED)
"""Ends that say something about how such calls are decided."""


def precedents(tx: Tx, hold: Hold) -> Precedents:
    """What a held call can be compared with: until now while it is open, until its end afterwards."""
    until_ms = tx.now_ms if hold.status in OPEN else hold.updated_ms
    about = {
        "tenant": hold.tenant,
        "upstream": hold.upstream,
        "name": hold.name,
        "method": hold.method,
        "id": hold.id,
        "until_ms": until_ms,
    }
    ran = tx.rows(
        f"SELECT agent, view FROM hold WHERE {_OF_TOOL} AND status = 'succeeded' "  # noqa: S608 - fixed text
        "AND updated_ms <= :until_ms ORDER BY updated_ms DESC LIMIT :most",
        **about,
        most=RAN_MAX,
    )
    denied = tx.rows(
        "SELECT agent, call_digest, reason_by FROM hold "  # noqa: S608 - fixed text
        f"WHERE {_OF_TOOL} AND status = 'denied' AND updated_ms <= :until_ms AND updated_ms >= :since_ms "
        "ORDER BY updated_ms DESC LIMIT :most",
        **about,
        since_ms=until_ms - LATELY_MS,
        most=SAME_AMONG_MAX,
    )
    return Precedents(
        ran=tuple(Ran(agent=row["agent"], view=_view_of(row["view"])) for row in ran),
        same_denied=_denied(row for row in denied if row["call_digest"] == hold.call_digest),
        agent_denied=_denied(row for row in denied if row["agent"] == hold.requester.agent),
    )


_OF_TOOL = "tenant = :tenant AND upstream = :upstream AND name = :name AND method = :method AND id <> :id"


def _view_of(stored: str) -> Mapping[str, Any]:
    """A damaged one must not keep the others from anybody."""
    try:
        view = json.loads(stored)
    except (ValueError, RecursionError):
        view = None
    return view if isinstance(view, dict) else {"…": "unreadable"}


def _denied(newest_first: Iterable[Mapping[str, Any]]) -> Denied | None:
    found = list(newest_first)
    return Denied(times=len(found), by=found[0]["reason_by"]) if found else None


def due(tx: Tx, *, limit: int) -> list[Hold]:
    """Approved calls that the gateway itself is to run now, whosever they are: the gateway's own work."""
    found = tx.rows(
        "SELECT * FROM hold WHERE status = 'approved' AND next_ms <= :now_ms AND approved_until_ms > :now_ms "
        "ORDER BY next_ms LIMIT :most",
        now_ms=tx.now_ms,
        most=limit,
    )
    return [hold for hold in holds_of(found) if hold.requirement.on_approval == "execute"]


def postponed(tx: Tx, upstream: str) -> list[Hold]:
    """Approved calls of an upstream that the gateway is to run later, whosever they are: its own work."""
    found = tx.rows(
        "SELECT * FROM hold WHERE status = 'approved' AND upstream = :upstream AND next_ms > :now_ms",
        upstream=upstream,
        now_ms=tx.now_ms,
    )
    return [hold for hold in holds_of(found) if hold.requirement.on_approval == "execute"]


def next_due_ms(tx: Tx) -> int | None:
    """How many milliseconds until something has to be looked at by itself; None: nothing is waiting."""
    looks = [
        row["soonest"]
        for status in Status
        for row in tx.rows(
            "SELECT MIN(next_ms) AS soonest FROM hold WHERE status = :status AND next_ms IS NOT NULL",
            status=status.value,
        )
        if row["soonest"] is not None
    ]
    return max(0, min(looks) - tx.now_ms) if looks else None


def holders(tx: Tx) -> list[tuple[str, str, str, str]]:
    """Tenant, subject type, subject id and agent of whoever has a hold that an identical call would find.

    The gateway's own work. Reads every such hold, so it is asked once, beside everything else.
    """
    found = tx.rows(
        "SELECT DISTINCT tenant, subject_type, subject_id, agent FROM hold WHERE attach_key IS NOT NULL"
    )
    return [(row["tenant"], row["subject_type"], row["subject_id"], row["agent"]) for row in found]


def counts(tx: Tx, tenant: str | None = None) -> dict[str, int]:
    """How many holds are open, by status; without a tenant of all, for the operator's readiness page."""
    return {
        status.value: int(
            tx.rows(
                "SELECT COUNT(*) AS n FROM hold WHERE status = :status"  # noqa: S608 - fixed text
                + ("" if tenant is None else " AND tenant = :tenant"),
                status=status.value,
                **({} if tenant is None else {"tenant": tenant}),
            )[0]["n"]
        )
        for status in (*sorted(OPEN), Status.OUTCOME_UNKNOWN)
    }
