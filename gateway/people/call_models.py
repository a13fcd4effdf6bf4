"""What goes over the people port about calls and upstreams. ``models.py`` has what is common to all of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from gateway.people.models import Answer, Asked, Time

PAGE_CALLS_MAX = 200
PAGE_CALLS_DEFAULT = 50
SEQ_MAX = 2**53


class CallsQuery(Asked):
    """Which page of the calls; filters are exact."""

    tool: str = Field("", max_length=512, description="`upstream/tool`; none: all, and what is no tool")
    subject: str = Field("", max_length=256)
    effect: Literal["", "allow", "hold", "deny"] = Field("", description="what was done; none: all")
    limit: int = Field(PAGE_CALLS_DEFAULT, ge=1, le=PAGE_CALLS_MAX)
    before: int | None = Field(None, ge=0, le=SEQ_MAX, description="`next` of the page before")


class CallRowModel(Answer):
    """A call as it stands in lists, from the log. No values; names and texts from elsewhere are redacted."""

    call: str
    seq: int
    """Of its intent in the log."""
    at: Time
    method: str
    target: str
    """`upstream/tool`; of a resource never its URI."""
    subject: str
    agent: str
    client: str
    """What the agent's software calls itself; unverified."""
    effect: str
    """`allow`, `hold` or `deny`: what was done."""
    would: str
    """In shadow mode, what enforcing would have done instead; else empty."""
    code: str
    status: str
    """What came of it; empty: under way, or nobody knows."""
    duration_ms: float | None
    """From the send to the answer."""
    is_error: bool
    """The tool ran and reports failure."""
    hold: str
    """Of which held call it is a request or an attempt; else empty."""
    found: dict[str, int]
    """What was found in arguments and answer, by kind."""


class CallPageModel(Answer):
    """A page of calls, newest first."""

    calls: list[CallRowModel]
    next: int | None
    """`before` of the next page; null: there is none."""
    behind_entries: int
    """What the log has and this does not show yet."""
    behind_reason: str
    """Why that does not get less; empty if it does."""


class LogEntryModel(Answer):
    """One entry of the log. What is sealed is named and not opened."""

    seq: int
    at: Time
    kind: str
    members: dict[str, Any]
    sealed_bytes: dict[str, int]
    """Values that lie sealed beside the log, by name."""


class FoundModel(Answer):
    """What the look at texts came to at one point of a call."""

    counts: dict[str, int]
    """By kind."""
    rules: list[str]
    allowed: dict[str, int]
    """By rule, what the operator allows there."""


class ReasonModel(Answer):
    """One reason of the decision."""

    code: str
    rule: str


class LinkedHoldModel(Answer):
    """The held call that a call belongs to."""

    id: str
    status: str
    """Empty: it is gone, or the store does not answer."""
    requested_by: str
    """Id of the call with which an agent first asked for it."""
    ran_as: str
    """Id of the call in which it ran; empty: it did not yet, or that is not known."""


class CallStoryModel(Answer):
    """Everything the log says about one call, in order, and what follows from it."""

    call: CallRowModel
    entries: list[LogEntryModel]
    left_out: int
    """Entries in the middle that are not among them: there are too many."""
    reasons: list[ReasonModel]
    revision: str
    """Of the policy."""
    definition: str
    """Digest of what the agent was served."""
    session: str
    workflow: dict[str, Any]
    before: FoundModel
    """In the arguments, and in the agent's answers that came with them."""
    after: FoundModel
    """In the answer."""
    hold: LinkedHoldModel | None
    view: Literal["sealed", "erased", "missing", "unreadable", "none"]
    """What there is to see of the arguments; they are not opened for this."""


class LatencyModel(Answer):
    """How long the last calls of one upstream took, as the gateway sees it; forgotten with a restart."""

    calls: int
    """So many are looked at."""
    p50_ms: float | None
    p95_ms: float | None
    errors: dict[str, int]
    """How many of them failed, by kind of failure."""
    newest_age_s: float | None
    """Since the last of them ended."""


class UpstreamModel(Answer):
    """One upstream as it is now; what it says of itself is redacted."""

    id: str
    state: str
    """`connecting`, `ready`, `down` or `closed`."""
    reason: str
    era: str
    protocol_version: str
    server: str
    transport: Literal["http", "stdio"]
    in_flight: int
    definitions: dict[str, int]
    """How many of each state there are."""
    latency: LatencyModel


class UpstreamList(Answer):
    """Every upstream, as they are configured."""

    upstreams: list[UpstreamModel]
