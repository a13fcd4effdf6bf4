"""The statuses of a hold and the edges between them. What has no row here cannot happen."""

from __future__ import annotations

import enum
from types import MappingProxyType


class Status(enum.StrEnum):
    """What has become of a held call. Unknown means: not approved."""

    HELD = "held"
    APPROVED = "approved"
    EXECUTING = "executing"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    INVALIDATED = "invalidated"
    SUCCEEDED = "succeeded"
    """It ran; a tool that reports an error (``isError``) ran, too."""
    FAILED = "failed"
    """The upstream answered with a protocol error."""
    OUTCOME_UNKNOWN = "outcome_unknown"
    """It was sent, or may have been, and nobody knows what came of it."""


S = Status

# ``executing -> approved`` needs proof that nothing was sent, or the operator's word that the tool is
# idempotent. ``outcome_unknown -> held`` is a person's wish to run it again, and needs new approvals.
EDGES = MappingProxyType(
    {
        S.HELD: frozenset({S.APPROVED, S.DENIED, S.EXPIRED, S.CANCELLED, S.INVALIDATED, S.OUTCOME_UNKNOWN}),
        S.APPROVED: frozenset(
            {S.EXECUTING, S.EXPIRED, S.CANCELLED, S.INVALIDATED, S.HELD, S.OUTCOME_UNKNOWN}
        ),
        S.EXECUTING: frozenset({S.SUCCEEDED, S.FAILED, S.OUTCOME_UNKNOWN, S.APPROVED}),
        S.OUTCOME_UNKNOWN: frozenset({S.SUCCEEDED, S.FAILED, S.HELD}),
        S.DENIED: frozenset[Status](),
        S.EXPIRED: frozenset[Status](),
        S.CANCELLED: frozenset[Status](),
        S.INVALIDATED: frozenset[Status](),
        S.SUCCEEDED: frozenset[Status](),
        S.FAILED: frozenset[Status](),
    }
)

OPEN = frozenset({S.HELD, S.APPROVED, S.EXECUTING})
"""Something can still happen without a person who found out."""

FINAL = frozenset(status for status, onward in EDGES.items() if not onward)

NEVER_RAN = frozenset({S.DENIED, S.EXPIRED, S.CANCELLED, S.INVALIDATED})
"""A statement that nothing reached the upstream. After a sent attempt nobody may make it (``landing``)."""


def landing(wanted: Status, *, attempts: int) -> Status:
    """Where a hold really goes: once an attempt may have been sent, "it never ran" would be a lie."""
    return S.OUTCOME_UNKNOWN if wanted in NEVER_RAN and attempts else wanted
