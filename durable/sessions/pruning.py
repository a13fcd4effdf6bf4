"""Sessions that are over leave the database, and values that no waiting call needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable.sessions.labelling import end
from durable.sessions.session import SessionKey

if TYPE_CHECKING:
    from durable.holds.tx import Tx


def prune(tx: Tx, *, limit: int) -> int:
    """End at most so many sessions that are over; how many it were."""
    over = tx.rows(
        "SELECT tenant, subject_type, subject_id, agent, workflow FROM agent_session "
        "WHERE until_ms <= :now_ms ORDER BY until_ms LIMIT :most",
        now_ms=tx.now_ms,
        most=limit,
    )
    for row in over:
        end(tx, SessionKey(**row))
    # While the session lasts they belong to it.
    tx.execute(
        "DELETE FROM agent_placeholder WHERE kept_until_ms > 0 AND kept_until_ms <= :now_ms AND NOT EXISTS "
        "(SELECT 1 FROM agent_session WHERE agent_session.tenant = agent_placeholder.tenant "
        "AND agent_session.subject_type = agent_placeholder.subject_type "
        "AND agent_session.subject_id = agent_placeholder.subject_id "
        "AND agent_session.agent = agent_placeholder.agent "
        "AND agent_session.workflow = agent_placeholder.workflow)",
        now_ms=tx.now_ms,
    )
    return len(over)
