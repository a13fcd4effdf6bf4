"""How a held call reads to the agent that made it: waiting, or over. Pure.

Waiting is an error result without ``structuredContent`` where the tool has an output schema: every client
takes that for "not done", and none validates it. Its state is in ``_meta``. One block of text only: some
clients hand several to their model as a list. Where there is ``structuredContent``, it begins with the words:
some clients (Pydantic AI 2.68) show their model nothing else.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from durable.holds.status import Status

if TYPE_CHECKING:
    from durable.holds.hold import Hold
    from gateway.errors import DefinitionKeptBack

META_HOLD = "dev.toolgate/hold"
WAIT_TOOL = "toolgate__approval_wait"
ID_SHOWN_CHARACTERS = 12
REASON_CHARACTERS_MAX = 2_000

_encode = msgspec.json.Encoder().encode


def state_of(hold: Hold, link: str = "", kept_back: DefinitionKeptBack | None = None) -> dict[str, Any]:
    """What a program needs to know of it; ``kept_back`` is why it could not run now."""
    state: dict[str, Any] = {
        "hold": hold.id,
        "status": hold.status.value,
        "executed": _executed(hold),
        "expires": rfc3339(hold.expires_ms),
        "tool": hold.target,
        "reasons": [{"code": why.code, "why": why.why, "rule": why.rule} for why in hold.requirement.reasons],
    }
    if link:
        state["link"] = link
    if kept_back is not None:
        state["kept_back"] = {"code": kept_back.code, "why": kept_back.why}
    if hold.reason and hold.status not in {Status.HELD, Status.APPROVED, Status.EXECUTING}:
        state["reason"] = hold.reason[:REASON_CHARACTERS_MAX]
        state["decided_by"] = hold.reason_by
    return state


def _executed(hold: Hold) -> str:
    if hold.status in {Status.SUCCEEDED, Status.FAILED}:
        return "yes"
    return "unknown" if hold.attempts or hold.status is Status.OUTCOME_UNKNOWN else "no"


def waiting_text(hold: Hold, link: str = "", kept_back: DefinitionKeptBack | None = None) -> str:
    """For the model: nothing has happened, who decides until when, and the one thing to do next."""
    why = "; ".join(filter(None, (_why(one.code, one.why) for one in hold.requirement.reasons)))
    requirement, until = hold.requirement, rfc3339(hold.expires_ms)
    whom = " and ".join(" or ".join(group) for group in requirement.groups)
    if requirement.quorum > 1:
        whom += f" ({requirement.quorum} people in all)"
    if hold.status is Status.HELD:
        state = (
            f"NOT EXECUTED: this call waits for a person's approval ({why}). It is decided by {whom} until "
            f"{until}"
        )
    elif hold.status is Status.APPROVED:
        state = "NOT EXECUTED: this call was approved and has not been carried out yet"
    else:
        state = "NOT FINISHED: this call was approved and is being carried out; its outcome is not known yet"
    if kept_back is not None:
        state += f". What it calls is kept back for now: {kept_back.why}"
    page = f" A reviewer finds it at {link}." if link else ""
    return (
        f"{state}. Hold {hold.id}.{page} Next: call the tool {WAIT_TOOL} with "
        f'{{"hold": "{hold.id}"}} to wait for the outcome, or go on with something else and repeat exactly '
        "this call later. Do not tell anybody that it was done, and do not try to reach the same effect "
        "another way."
    )


def _why(code: str, why: str) -> str:
    return f"{code}: {why}" if why else code


def ended_text(hold: Hold) -> str:
    """Why there is no result although nothing is waited for any more."""
    said = f": {hold.reason[:REASON_CHARACTERS_MAX]}" if hold.reason else ""
    about = f" Hold {hold.id}."
    match hold.status:
        case Status.DENIED:
            return (
                f"DENIED by {hold.reason_by or 'a reviewer'}, not executed{said}. Do not work around this "
                f"denial.{about}"
            )
        case Status.EXPIRED:
            return f"NOT EXECUTED: {hold.reason or 'nobody decided in time'}, which is a denial.{about}"
        case Status.CANCELLED:
            by = hold.reason_by or "its caller"
            return f"NOT EXECUTED: withdrawn by {by}{said}.{about}"
        case Status.INVALIDATED:
            return f"NOT EXECUTED: the approval could not be used{said}.{about}"
        case Status.SUCCEEDED | Status.FAILED:
            ran = "it ran" if hold.status is Status.SUCCEEDED else "it failed"
            return (
                f"FOUND OUT by {hold.reason_by or 'a reviewer'}: {ran}{said}. There is no answer of the tool "
                f"to hand over. Do not repeat it.{about}"
            )
        case _:
            return (
                "OUTCOME UNKNOWN: the approved call was sent and may have run; nobody knows yet what came of "
                f"it. A person has to find out. Do not repeat it.{about}"
            )


def gone_text(hold: Hold, why: str) -> str:
    """It ran, and its answer cannot be handed over."""
    return (
        f"EXECUTED, but its answer cannot be read any more: {why}. Do not repeat it; find out what came of "
        f"it another way. Hold {hold.id}."
    )


def tool_error(text: str, state: dict[str, Any], *, modern: bool, structured: bool) -> bytes:
    """A tool result that says so.

    Args:
        text: for the model.
        state: for programs.
        modern: in the form of 2026-07-28.
        structured: the tool has no output schema, so ``structuredContent`` may carry the state as well.
    """
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": text}],
        "isError": True,
        "_meta": {META_HOLD: state},
    }
    if structured:
        result["structuredContent"] = {"toolgate": {"message": text, **state}}
    if modern:
        result["resultType"] = "complete"
    return _encode(result)


def rfc3339(at_ms: int) -> str:
    """Milliseconds since the Unix epoch as a time that people read."""
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
