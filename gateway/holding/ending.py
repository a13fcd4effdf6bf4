"""What has become of a held call, for the agent that made it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable.holds.status import Status

if TYPE_CHECKING:
    from durable.holds.hold import Hold
    from gateway.ports import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of a held call: an answer of the upstream, or a sentence why there is none."""

    hold: Hold
    reply: Reply | None = None
    gone: str = ""
    """Why the stored answer cannot be handed over although there was one."""


OVER = frozenset(
    {
        Status.SUCCEEDED,
        Status.FAILED,
        Status.DENIED,
        Status.EXPIRED,
        Status.CANCELLED,
        Status.INVALIDATED,
        Status.OUTCOME_UNKNOWN,
    }
)
"""Nothing more will happen by itself, so nobody need wait."""


def waits(hold: Hold) -> bool:
    """Whether the caller can still hope that it ends by itself or by a reviewer's word."""
    return hold.status not in OVER


def usable(hold: Hold) -> bool:
    """Whether it is approved for its caller, who has to come and run it."""
    return hold.status is Status.APPROVED and hold.requirement.on_approval == "grant"
