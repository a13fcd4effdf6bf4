"""What a hold is: the call, what policy asks for before it may run, and who has said what. Values only."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from durable.holds.status import Status

OnApproval = Literal["execute", "grant"]
Risk = Literal[1, 2, 3]

RISK_NAMES = ("", "low", "medium", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Whose call it is: the principal's parts."""

    subject_type: str
    subject_id: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """One rule that holds the call."""

    code: str
    why: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What has to be said, and by whom, before the call may run: all matching hold rules together."""

    groups: tuple[tuple[str, ...], ...]
    """Of each group (roles, groups or people) somebody has to agree."""
    quorum: int
    """How many different people have to agree in all."""
    ttl_ms: int
    risk: int
    """1 low, 2 medium, 3 high."""
    reasons: tuple[Why, ...]
    show: tuple[str, ...] = ()
    """JSON Pointers of the arguments that a reviewer sees first."""
    self_confirm: bool = False
    """The requester's own person may say yes. Only if every rule that holds says so."""
    on_approval: OnApproval = "execute"
    remind_ms: int | None = None
    escalate_ms: int | None = None
    """After this time of waiting, ``escalate_to`` may decide as well, and is told."""
    escalate_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A reviewer as the people plane knows them at this moment."""

    id: str
    tenant: str
    names: frozenset[str]
    """Roles and groups; the person's own id counts as one, too."""
    sole: bool = False
    """The one person of a single-user installation: stands for every role, and says so on record."""
    how: str = "token"
    """How they proved who they are: ``token``, ``session``, ``elicitation``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's word in one round."""

    person: str
    verdict: Literal["approve", "deny"]
    round: int
    at_ms: int
    seen: str
    binding: str
    names: frozenset[str]
    sole: bool
    how: str
    reason: str = ""
    proof: str = ""
    """See ``proof_of``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of the call, as far as a row keeps it; the answer itself lies sealed."""

    kind: Literal["result", "error", "unknown", "none"]
    """A result object, a JSON-RPC error object, nobody knows, or it never ran."""
    code: str = ""
    is_error: bool = False
    """The tool's own ``isError``."""
    modern: bool = False
    """The answer is in the form of 2026-07-28."""
    payload: Mapping[str, Any] | None = None
    """The commitment under which the sealed answer is found."""
    call_id: str = ""
    """Of the attempt, in the audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """Stored arguments: where they lie, and what they must be."""

    digest: str
    """SHA-256 of the canonical bytes."""
    size_bytes: int
    payload: Mapping[str, Any]
    """The commitment under which the sealed bytes are found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One held call. Times are milliseconds of the store's clock since the Unix epoch."""

    id: str
    tenant: str
    status: Status
    version: int
    """Grows by one with every event of this hold."""
    round: int
    """Of approvals: a stricter rule, a drifted definition or a deliberate re-run begins another."""
    created_ms: int
    updated_ms: int
    expires_ms: int
    """Until when a person can decide; part of the binding."""
    approved_until_ms: int
    """Until when an approval can be used; 0 while there is none."""
    next_ms: int | None
    """When the sweeper has to look again; None when never."""
    requester: Requester
    session: str
    workflow: Mapping[str, Any]
    client: str
    method: str
    upstream: str
    name: str
    call_id: str
    """Of the request that was held, in the audit log."""
    call_digest: str
    group_key: str
    """Near-identical calls of one session share it."""
    idempotency_key: str
    arguments: Arguments
    original: Arguments | None
    """What the agent had sent, where a reviewer edited it."""
    view: Mapping[str, Any]
    """The arguments redacted and bounded, for lists."""
    definition_digest: str
    revision: str
    """The policy revision that held it in this round."""
    requirement: Requirement
    binding: str
    idempotent: bool
    """The operator, not the server, says that running it twice is the same as once."""
    send_key: str
    """Sent with every attempt, so that an upstream that honours it runs the call once."""
    fence: int
    """Number of the last attempt that was ever begun; only grows."""
    attempts: int
    """How many of them may have been sent."""
    owner: str
    """The process that executes it."""
    lease_ms: int
    outcome: Outcome | None
    reason: str
    """Why it stands where it stands: a reviewer's words, or the gateway's."""
    reason_by: str
    collected: bool
    claimed_by: str
    claimed_until_ms: int
    statement: Mapping[str, str] = field(default_factory=dict)
    """What the agent says of its call, by member, redacted. Nobody has checked it; nothing depends on it."""
    decided_ms: int = 0
    """When somebody's word first decided it; 0: nobody's has."""
    group_size: int = field(default=1, compare=False)
    """How many open holds share the group; filled by lists only."""
    approvals: int | None = field(default=None, compare=False)
    """Different people who said yes in this round; filled by lists and decisions only."""

    @property
    def target(self) -> str:
        """``upstream/name``, as policy knows it."""
        return f"{self.upstream}/{self.name}"

    @property
    def seen(self) -> str:
        """What a decision has to carry: the digest of all that a reviewer was shown."""
        return seen_digest(self)

    @property
    def original_digest(self) -> str:
        """Of the arguments as the agent sent them."""
        return (self.original or self.arguments).digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a hold; ``seq`` is the hold's version after it."""

    hold: str
    tenant: str
    seq: int
    at_ms: int
    kind: str
    """A status it moved to, or what else happened: ``vote``, ``claimed``, ``asked``, ``edited``,
    ``reminder``, ``escalated``, ``collected``, ``let_go``, ``caught_up``.
    """
    actor: str
    round: int
    fence: int
    details: Mapping[str, Any]


def binding_of(
    key: bytes, *, call_digest: str, hold: str, round_number: int, revision: str, expires_ms: int
) -> str:
    """HMAC over what an approval is good for.

    The key is not in the database: who can write rows cannot make them approve something else.
    """
    text = json.dumps([call_digest, hold, round_number, revision, expires_ms], separators=(",", ":"))
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()


def proof_of(key: bytes, vote: Vote) -> str:
    """HMAC over what a vote says: who can write rows cannot vote for others."""
    parts = [
        vote.binding,
        vote.person,
        vote.verdict,
        vote.round,
        vote.seen,
        sorted(vote.names),
        vote.sole,
        vote.how,
    ]
    text = json.dumps(["vote", *parts], separators=(",", ":"))
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()


def seen_digest(hold: Hold) -> str:
    """SHA-256 over everything a reviewer decides on; changes with any of it."""
    requirement = hold.requirement
    parts = [
        hold.id,
        hold.round,
        hold.binding,
        hold.call_digest,
        hold.arguments.digest,
        hold.definition_digest,
        hold.revision,
        [list(group) for group in requirement.groups],
        requirement.quorum,
        requirement.risk,
        requirement.on_approval,
    ]
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
