"""What is written down about one passage. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.record import intent_record, outcome_record

if TYPE_CHECKING:
    from gateway.core.decision import Decision
    from gateway.core.record import Record
    from gateway.passage.passage import Passage


def intent_of(passage: Passage, decision: Decision, *, forwarded: bool, shadow: bool) -> Record:
    """What is about to be done, and why."""
    return intent_record(
        passage.call_id,
        passage.call,
        passage.caller,
        passage.definition,
        decision,
        forwarded=forwarded,
        mode="shadow" if shadow else "enforce",
        responses=passage.resumed.responses_json if passage.resumed is not None else None,
        found=passage.noticed,
    )


def unsent_of(passage: Passage, status: str, *, code: str) -> Record:
    """The end of one that nothing was sent for: ``refused``, or ``repeated``."""
    return outcome_record(
        passage.call_id, passage.call, passage.caller, passage.definition, status, code=code
    )


def outcome_of(
    passage: Passage,
    status: str,
    *,
    now_s: float,
    code: str = "",
    body: bytes | None = None,
    is_error: bool = False,
) -> Record:
    """The end of one that was forwarded, or was about to be; ``body`` is the answer, ``now_s`` monotonic."""
    return outcome_record(
        passage.call_id,
        passage.call,
        passage.caller,
        passage.definition,
        status,
        code=code or passage.kept_back,
        duration_us=int((now_s - passage.sent_s) * 1_000_000),
        body=body,
        is_error=is_error,
        kept=passage.keyed,
        found=passage.observed,
    )
