"""A held call as a task of the 2026-07-28 extension, for clients that declare it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from durable.holds.status import Status
from gateway.downstream.hold_words import META_HOLD, rfc3339, state_of

if TYPE_CHECKING:
    from durable.holds.hold import Hold
    from gateway.errors import DefinitionKeptBack

UPSTREAM = "toolgate"
"""Where the task lives: with us. No configured upstream can have this id."""
POLL_MS = 2_000

_encode = msgspec.json.Encoder().encode


def begun(hold: Hold, task_id: str) -> bytes:
    """The result that begins the task."""
    return _encode({"resultType": "task", **_members(hold, task_id, "working")})


def looked_at(
    hold: Hold,
    task_id: str,
    answer: bytes | None,
    error: bytes | None,
    kept_back: DefinitionKeptBack | None = None,
) -> bytes:
    """The result of ``tasks/get``.

    Args:
        hold: as it is.
        task_id: as the agent knows it.
        answer: the tool's result in the form of this era, once the call is over.
        error: the upstream's protocol error instead.
        kept_back: why it could not run now.
    """
    if error is not None:
        ended: dict[str, Any] = {"error": msgspec.Raw(error)}
        status = "failed"
    elif hold.status is Status.CANCELLED:
        ended, status = {}, "cancelled"
    elif answer is not None:
        # A denial is a result, too: one that says isError, which no client takes for success.
        ended, status = {"result": msgspec.Raw(answer)}, "completed"
    else:
        ended, status = {}, "working"
    return _encode({"resultType": "complete", **_members(hold, task_id, status, kept_back), **ended})


def _members(
    hold: Hold, task_id: str, status: str, kept_back: DefinitionKeptBack | None = None
) -> dict[str, Any]:
    told = {
        Status.HELD: "waits for a person's approval; not executed",
        Status.APPROVED: "approved; not executed yet",
        Status.EXECUTING: "approved; being carried out",
    }.get(hold.status, hold.status.value.replace("_", " "))
    return {
        "taskId": task_id,
        "status": status,
        "statusMessage": told if kept_back is None else f"{told}; kept back: {kept_back.why}",
        "createdAt": rfc3339(hold.created_ms),
        "lastUpdatedAt": rfc3339(hold.updated_ms),
        "ttlMs": max(0, hold.expires_ms - hold.created_ms),
        "pollIntervalMs": POLL_MS,
        "_meta": {META_HOLD: state_of(hold, kept_back=kept_back)},
    }
