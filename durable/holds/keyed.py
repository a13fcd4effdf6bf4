"""Calls that come with an idempotency key of the caller's: the first one runs, others get its outcome."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable.holds.columns import outcome_text
from durable.holds.hold import Outcome
from durable.holds.refusals import KeyReused

if TYPE_CHECKING:
    from durable.holds.tx import Tx

KEPT_MS = 24 * 60 * 60_000
"""How long a key means the same call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedCall:
    """Which call a key stands for."""

    tenant: str
    principal: str
    target: str
    key: str
    call_digest: str
    call_id: str
    owner: str
    """The process that runs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A call with the same key that was made before."""

    call_id: str
    owner: str
    outcome: Outcome | None
    """None while nobody knows it."""


def answered(earlier: Earlier | None) -> bool:
    """Whether the answer of the first call can be handed out again.

    Without one a held call's row knows more than its key does.
    """
    return earlier is not None and earlier.outcome is not None and earlier.outcome.payload is not None


def reserve(tx: Tx, call: KeyedCall) -> Earlier | None:
    """Take the key for this call; None if it is the first one with it.

    Raises:
        KeyReused: the key came with other arguments before.
    """
    found = tx.rows(
        "SELECT * FROM keyed_call WHERE tenant = :tenant AND principal = :principal AND target = :target "
        "AND key = :key",
        tenant=call.tenant,
        principal=call.principal,
        target=call.target,
        key=call.key,
    )
    if found and found[0]["until_ms"] > tx.now_ms:
        row = found[0]
        if row["call_digest"] != call.call_digest:
            raise KeyReused(
                f"idempotency key {call.key[:64]!r} came with other arguments before",
                next_step="use another key for another call",
            )
        outcome = None if row["outcome"] is None else Outcome(**json.loads(row["outcome"]))
        return Earlier(call_id=row["call_id"], owner=row["owner"], outcome=outcome)
    tx.execute("DELETE FROM keyed_call WHERE until_ms <= :now_ms", now_ms=tx.now_ms)
    tx.execute(
        "INSERT INTO keyed_call (tenant, principal, target, key, call_digest, call_id, at_ms, until_ms, "
        "owner, outcome) VALUES (:tenant, :principal, :target, :key, :call_digest, :call_id, :at_ms, "
        ":until_ms, :owner, NULL)",
        tenant=call.tenant,
        principal=call.principal,
        target=call.target,
        key=call.key,
        call_digest=call.call_digest,
        call_id=call.call_id,
        owner=call.owner,
        at_ms=tx.now_ms,
        until_ms=tx.now_ms + KEPT_MS,
    )
    return None


def settle(tx: Tx, call: KeyedCall, outcome: Outcome) -> None:
    """What came of it."""
    tx.execute(
        "UPDATE keyed_call SET outcome = :outcome WHERE tenant = :tenant AND principal = :principal "
        "AND target = :target AND key = :key AND call_id = :call_id",
        outcome=outcome_text(outcome),
        tenant=call.tenant,
        principal=call.principal,
        target=call.target,
        key=call.key,
        call_id=call.call_id,
    )


def release(tx: Tx, call: KeyedCall) -> None:
    """Nothing was sent: the key is free again."""
    tx.execute(
        "DELETE FROM keyed_call WHERE tenant = :tenant AND principal = :principal AND target = :target "
        "AND key = :key AND call_id = :call_id",
        tenant=call.tenant,
        principal=call.principal,
        target=call.target,
        key=call.key,
        call_id=call.call_id,
    )
