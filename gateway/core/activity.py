"""What people read about calls and upstreams. Values only; the activity and upstreams desks make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from durable.pins.state import State

View = Literal["sealed", "erased", "missing", "unreadable", "none"]
Transport = Literal["http", "stdio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One call as it stands in lists, from the log. Names and texts from elsewhere are redacted."""

    call: str
    seq: int
    """Of its intent: the cursor of pages."""
    at_ms: int
    method: str
    target: str
    """``upstream/tool``; of a resource never its URI."""
    subject: str
    agent: str
    client: str
    """What the agent's software calls itself; unverified."""
    effect: str
    """``allow``, ``hold`` or ``deny``: what was done."""
    would: str
    """In shadow mode, what enforcing would have done instead; else empty."""
    code: str
    status: str
    """What came of it; empty: under way, or nobody knows."""
    duration_us: int | None
    """From the send to the answer."""
    is_error: bool
    hold: str
    """Of which held call it is a request or an attempt; else empty."""
    found: Mapping[str, int]
    """What was found in arguments and answer, by kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """A page of calls, and how far behind the log it was made from is."""

    calls: tuple[CallRow, ...]
    before: int | None
    """``before`` of the next page; None: there is none."""
    behind_entries: int
    """What the log has and the index does not know yet."""
    behind_reason: str
    """Why that does not get less; empty if it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One entry of the log, fit to be shown. What is sealed is named and never opened."""

    seq: int
    at_ms: int
    kind: str
    members: Mapping[str, Any]
    sealed_bytes: Mapping[str, int]
    """Values that lie sealed beside the log, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the look at texts came to at one point of a call."""

    counts: Mapping[str, int]
    """By kind."""
    rules: tuple[str, ...]
    allowed: Mapping[str, int]
    """By rule, what the operator allows there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedHold:
    """The held call that a call belongs to."""

    id: str
    status: str
    """Empty: it is gone, or the store does not answer."""
    requested_by: str
    """Id of the call with which an agent first asked for it."""
    ran_as: str
    """Id of the call in which it ran; empty: it did not yet, or that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStory:
    """Everything the log says about one call, in order, and what follows from it."""

    row: CallRow
    entries: tuple[LogEntry, ...]
    left_out: int
    """Entries in the middle that are not among them: there are too many."""
    reasons: tuple[tuple[str, str], ...]
    """Code and rule of each."""
    revision: str
    """Of the policy."""
    definition: str
    """Digest of what the agent was served."""
    session: str
    workflow: Mapping[str, Any]
    before: Found
    """In the arguments, and in the agent's answers that came with them."""
    after: Found
    """In the answer."""
    hold: LinkedHold | None
    view: View
    """What there is to see of the arguments, which are not opened for this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long the last calls of one upstream took, as the gateway sees it; forgotten with a restart."""

    calls: int
    """So many are looked at."""
    p50_s: float | None
    p95_s: float | None
    errors: Mapping[str, int]
    """How many of them failed, by what telemetry calls the failure."""
    newest_age_s: float | None
    """Since the last of them ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamStanding:
    """One upstream as it is now; what it says of itself is redacted."""

    id: str
    state: str
    """``connecting``, ``ready``, ``down`` or ``closed``."""
    reason: str
    era: str
    protocol_version: str
    server: str
    transport: Transport
    in_flight: int
    definitions: Mapping[State, int]
    """How many of each state there are."""
    latency: Latency
