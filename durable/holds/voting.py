"""Votes as rows: written with a proof, and believed only with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from durable.holds.columns import text
from durable.holds.hold import Vote, proof_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from durable.holds.hold import Hold, Person
    from durable.holds.tx import Tx

Verdict = Literal["approve", "deny"]


def write_vote(
    tx: Tx, hold: Hold, person: Person, verdict: Verdict, *, seen: str, reason: str, key: bytes
) -> None:
    """Write one person's word down, with the proof that it was this gateway that did."""
    vote = Vote(
        person=person.id,
        verdict=verdict,
        round=hold.round,
        at_ms=tx.now_ms,
        seen=seen,
        binding=hold.binding,
        names=person.names,
        sole=person.sole,
        how=person.how,
        reason=reason,
    )
    # Of somebody who said yes before and says no now, the no is what counts.
    tx.execute(
        "DELETE FROM hold_vote WHERE hold = :hold AND round = :round AND person = :person",
        hold=hold.id,
        round=hold.round,
        person=person.id,
    )
    tx.execute(
        "INSERT INTO hold_vote (hold, round, person, verdict, at_ms, seen, binding, names, sole, how, "
        "reason, proof) VALUES (:hold, :round, :person, :verdict, :at_ms, :seen, :binding, :names, :sole, "
        ":how, :reason, :proof)",
        hold=hold.id,
        round=hold.round,
        person=vote.person,
        verdict=vote.verdict,
        at_ms=vote.at_ms,
        seen=vote.seen,
        binding=vote.binding,
        names=text(sorted(vote.names)),
        sole=int(vote.sole),
        how=vote.how,
        reason=vote.reason,
        proof=proof_of(key, vote),
    )


def genuine(key: bytes, votes: Iterable[Vote]) -> tuple[Vote, ...]:
    """Those that this gateway wrote down; a row that somebody else put there says nothing."""
    return tuple(vote for vote in votes if vote.proof == proof_of(key, vote))
