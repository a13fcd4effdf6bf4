"""At start, before anything runs: every hold in line with the complete audit log."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from durable.holds.hold import Outcome
from durable.holds.recovering import (
    Logged,
    Recovered,
    close_again,
    executing,
    fences_of,
    is_older,
    recover,
    waiting_or_approved,
)
from durable.holds.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from durable.audit.attempts import Attempt, HoldAttempts
    from durable.stores.base import HoldStore


BATCH_MAX = 500


async def recover_holds(
    store: HoldStore,
    log: HoldAttempts,
    outcome_of: Callable[[str, str], Outcome | None],
) -> Recovered:
    """Decide for each attempt that the last process left what became of it.

    Args:
        store: open, and nobody else uses it yet.
        log: what it says of attempts, ends and the last events.
        outcome_of: ``(tenant, call)`` -> what the log says came of it.
    """
    counts, attempts = asdict(Recovered()), log.last
    after = ""
    while left := await store.read(executing, after, BATCH_MAX):
        for hold in left:
            counted = await store.run(recover, hold.id, _logged(attempts.get(hold.id), outcome_of))
            if counted:
                counts[counted] += 1
        after = left[-1].id
    fences = await store.read(fences_of, list(attempts))
    for hold_id, fence in fences.items():
        found = attempts[hold_id]
        if found.fence >= fence:
            counted = await store.run(recover, hold_id, _logged(found, outcome_of))
            if counted:
                counts[counted] += 1
    if await store.read(is_older, list(log.latest)):
        # Approvals that were taken back since must not be used; denials stay denials.
        for hold_id in await store.read(waiting_or_approved, list(log.closed)):
            if await store.run(close_again, hold_id, Status(log.closed[hold_id])):
                counts["older"] += 1
    return Recovered(**counts)


def _logged(attempt: Attempt | None, outcome_of: Callable[[str, str], Outcome | None]) -> Logged | None:
    if attempt is None:
        return None
    outcome = outcome_of(attempt.tenant, attempt.call) if attempt.ended in {"succeeded", "failed"} else None
    if attempt.ended == "input_required":
        return Logged(
            fence=attempt.fence,
            ended="failed",
            call=attempt.call,
            outcome=Outcome(kind="none", code="upstream_needs_input", call_id=attempt.call),
        )
    return Logged(fence=attempt.fence, ended=attempt.ended, call=attempt.call, outcome=outcome)
