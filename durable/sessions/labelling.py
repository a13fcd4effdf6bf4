"""Labels of a session as transaction scripts: read, added, gone with the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable.sessions.session import OF_SESSION

if TYPE_CHECKING:
    from collections.abc import Collection

    from durable.holds.tx import Tx
    from durable.sessions.session import SessionKey

_FIND = f"SELECT labels, until_ms FROM agent_session WHERE {OF_SESSION}"  # noqa: S608 - our names
_UPDATE = f"UPDATE agent_session SET labels = :labels, until_ms = :until_ms WHERE {OF_SESSION}"  # noqa: S608
_INSERT = (
    "INSERT INTO agent_session (tenant, subject_type, subject_id, agent, workflow, labels, until_ms) "
    "VALUES (:tenant, :subject_type, :subject_id, :agent, :workflow, :labels, :until_ms)"
)


def label(tx: Tx, key: SessionKey, labels: Collection[str], *, idle_ms: int) -> frozenset[str]:
    """Add labels, and let the session go on for so long from now; a session that is over begins anew.

    Args:
        tx: the transaction.
        key: of the session. Without labels, one that has no row gets none.
        labels: lines of text. None is ever taken away while the session lasts.
        idle_ms: how long the session lasts if it is not used.

    Returns:
        Every label of the session.
    """
    before = current(tx, key)
    after = frozenset(labels) | (before or frozenset())
    if before is None and not after:
        return after
    tx.execute(
        _INSERT if before is None else _UPDATE,
        **key.columns,
        labels="\n".join(sorted(after)),
        until_ms=tx.now_ms + idle_ms,
    )
    return after


def begun(tx: Tx, key: SessionKey, *, idle_ms: int) -> None:
    """See to it that the session has a row, as what else it remembers needs one."""
    if current(tx, key) is None:
        tx.execute(_INSERT, **key.columns, labels="", until_ms=tx.now_ms + idle_ms)


def current(tx: Tx, key: SessionKey) -> frozenset[str] | None:
    """The labels of a session that has a row and is not over; what is left of one that is over goes."""
    found = tx.rows(_FIND, **key.columns)
    if not found:
        return None
    if found[0]["until_ms"] > tx.now_ms:
        return frozenset(filter(None, found[0]["labels"].split("\n")))
    end(tx, key)
    return None


def told(tx: Tx, key: SessionKey) -> frozenset[str]:
    """The labels that are stored of a session that is not over. Changes nothing: it is no use of it."""
    found = tx.rows(_FIND, **key.columns)
    if not found or found[0]["until_ms"] <= tx.now_ms:
        return frozenset()
    return frozenset(filter(None, found[0]["labels"].split("\n")))


def lasts(tx: Tx, key: SessionKey) -> bool:
    """Whether it has a row and is not over. Changes nothing."""
    found = tx.rows(_FIND, **key.columns)
    return bool(found) and found[0]["until_ms"] > tx.now_ms


def end(tx: Tx, key: SessionKey) -> None:
    """The session is over: its labels go, and its values but those that a waiting call needs."""
    columns = key.columns
    tx.execute(f"DELETE FROM agent_session WHERE {OF_SESSION}", **columns)  # noqa: S608 - our names
    tx.execute(
        f"DELETE FROM agent_placeholder WHERE {OF_SESSION} AND kept_until_ms <= :now_ms",  # noqa: S608
        **columns,
        now_ms=tx.now_ms,
    )
    # No later session finds them by their value: placeholders of two sessions have nothing in common.
    tx.execute(
        f"UPDATE agent_placeholder SET lookup = placeholder WHERE {OF_SESSION}",  # noqa: S608 - our names
        **columns,
    )
