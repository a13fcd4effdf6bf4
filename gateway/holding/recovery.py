"""At start, before anything runs: every hold in line with the complete audit log."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from durable.holds.executing import Logged, Recovered, executing, fences_of, recover
from durable.holds.hold import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from durable.audit.attempts import Attempt
    from durable.stores.base import HoldStore


BATCH_MAX = 500


async def recover_holds(
    store: HoldStore,
    attempts: Mapping[str, Attempt],
    outcome_of: Callable[[str, str], Outcome | None],
) -> Recovered:
    """Decide for each attempt that the last process left what became of it.

    Args:
        store: open, and nobody else uses it yet.
        attempts: the last attempt of each hold that the log knows.
        outcome_of: ``(tenant, call)`` -> what the log says came of it.
    """
    counts = asdict(Recovered())
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
        late = found.fence == fence and found.ended in {"succeeded", "failed"}
        if found.fence > fence or late:
            counted = await store.run(recover, hold_id, _logged(found, outcome_of))
            if counted:
                counts[counted] += 1
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
