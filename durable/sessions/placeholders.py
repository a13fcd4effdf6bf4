"""Values behind the placeholders of a session, as transaction scripts. What they are, only the key knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable.sessions.labelling import begun, lasts
from durable.sessions.session import OF_SESSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from durable.holds.tx import Tx
    from durable.sessions.session import SessionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A value on its way to be kept."""

    placeholder: str
    """What the agent would get, if the value is new to the session."""
    lookup: str
    """Keyed digest of the value: the same for the same value of the same session."""
    sealed: str
    """The value, sealed together with the placeholder."""


def place(
    tx: Tx, key: SessionKey, values: Sequence[Sealed], *, idle_ms: int, values_max: int
) -> tuple[str | None, ...]:
    """Keep the values that are new to the session; which placeholder stands for each, in order.

    Past the bound a value is not kept: None.
    """
    begun(tx, key, idle_ms=idle_ms)
    columns = key.columns
    room = values_max - _count(tx, key)
    given: list[str | None] = []
    for value in values:
        found = tx.rows(
            f"SELECT placeholder FROM agent_placeholder WHERE {OF_SESSION} AND lookup = :lookup",  # noqa: S608
            **columns,
            lookup=value.lookup,
        )
        if found:
            given.append(found[0]["placeholder"])
            continue
        if room <= 0:
            given.append(None)
            continue
        room -= 1
        given.append(value.placeholder)
        tx.execute(
            "INSERT INTO agent_placeholder (tenant, subject_type, subject_id, agent, workflow, placeholder, "
            "lookup, sealed, kept_until_ms) VALUES (:tenant, :subject_type, :subject_id, :agent, :workflow, "
            ":placeholder, :lookup, :sealed, 0)",
            **columns,
            placeholder=value.placeholder,
            lookup=value.lookup,
            sealed=value.sealed,
        )
    return tuple(given)


def find(tx: Tx, key: SessionKey, placeholders: Iterable[str]) -> dict[str, str]:
    """Placeholder -> sealed value, for those that stand for one here and now."""
    live = lasts(tx, key)
    columns = key.columns
    found: dict[str, str] = {}
    for placeholder in placeholders:
        for row in tx.rows(
            "SELECT sealed, kept_until_ms FROM agent_placeholder "  # noqa: S608 - our names
            f"WHERE {OF_SESSION} AND placeholder = :placeholder",
            **columns,
            placeholder=placeholder,
        ):
            if live or row["kept_until_ms"] > tx.now_ms:
                found[placeholder] = row["sealed"]
    return found


def keep(tx: Tx, key: SessionKey, placeholders: Iterable[str], *, until_ms: int) -> int:
    """Let what these stand for outlast the session, for a call that waits; how many stand for something."""
    found = find(tx, key, placeholders)
    for placeholder in found:
        tx.execute(
            "UPDATE agent_placeholder SET kept_until_ms = :until_ms "  # noqa: S608 - our names
            f"WHERE {OF_SESSION} AND placeholder = :placeholder AND kept_until_ms < :until_ms",
            **key.columns,
            placeholder=placeholder,
            until_ms=until_ms,
        )
    return len(found)


def erase_values(tx: Tx, tenant: str, subject_id: str) -> int:
    """Forget every value that was kept for a subject; how many it were. Labels stay: they are no values."""
    return tx.execute(
        "DELETE FROM agent_placeholder WHERE tenant = :tenant AND subject_id = :subject_id",
        tenant=tenant,
        subject_id=subject_id,
    )


def _count(tx: Tx, key: SessionKey) -> int:
    found = tx.rows(
        f"SELECT COUNT(*) AS values_kept FROM agent_placeholder WHERE {OF_SESSION}",  # noqa: S608 - our names
        **key.columns,
    )
    count: int = found[0]["values_kept"]
    return count
