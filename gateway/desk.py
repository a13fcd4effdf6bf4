"""The desks: what people can do with held calls and definitions, and read about calls, whoever asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping
    from contextlib import AbstractContextManager

    from durable.holds.deciding import Decided
    from durable.holds.finding import Similar, Story
    from durable.holds.hold import Hold, Person
    from durable.holds.reviewing import Reviewing
    from durable.holds.status import Status
    from durable.pins.pin import Pin, PinFinding
    from durable.pins.state import State
    from gateway.core.activity import CallPage, CallStory, UpstreamStanding
    from gateway.core.definition_diff import Diff

Verdict = Literal["approve", "deny"]
Resolution = Literal["succeeded", "failed", "held"]

REVIEWING_DAYS_MAX = 90
REVIEWING_DAYS_DEFAULT = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlace:
    """Where a rule stands in the policy that is in force."""

    rule: str
    """Its package, e.g. ``toolgate.rules.refunds``."""
    code: str
    file: str
    """Relative to the policy folder."""
    row: int
    """Counted from 1: of the first line of ``text``."""
    text: str
    """The rule as it is written, secrets replaced by markers; says so itself where it is cut."""
    certain: bool
    """It names the code. False: the code is worked out, and this rule is one of those that could say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusual:
    """One fact in which a call differs from what ran before. By the gateway, from redacted values."""

    code: str
    """Stable, e.g. ``first_value``."""
    text: str
    """A sentence."""
    pointer: str = ""
    """JSON Pointer of the argument it is about; empty: the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One earlier call of the same session, as the log has it."""

    call: str
    at_ms: int
    method: str
    target: str
    effect: str
    """``allow``, ``hold`` or ``deny``."""
    status: str
    """What came of it; empty: no end is known."""
    found: Mapping[str, int]
    """What was found in arguments and answer, by kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """What the log and the session say about the way to a held call."""

    labels: tuple[str, ...] = ()
    """Of the session, now: ``untrusted-content``, ``private-data``, ``secret-seen``, those of rules."""
    steps: tuple[Step, ...] = ()
    """The latest before the call, oldest first."""
    found: Mapping[str, int] = field(default_factory=dict)
    """What was found in the call's own arguments, by kind."""
    found_by: tuple[str, ...] = ()
    """The scanners' rules that found it."""
    problem: str = ""
    """Why the log could not be asked; empty if it could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSheet:
    """Everything a reviewer is shown of one held call."""

    story: Story
    arguments: Any
    """The arguments that would be sent, secrets replaced by markers."""
    arguments_text: str
    """The same as the canonical text whose digest the approval is about, but for the markers."""
    redactions: tuple[tuple[str, str], ...]
    """JSON Pointer and kind of each marker."""
    original_text: str
    """What the agent had sent, where a reviewer edited it; else empty."""
    similar: tuple[Similar, ...]
    group: tuple[Hold, ...]
    """Nearly identical calls that wait, too; this one among them."""
    callers_waiting: int
    sentence: str
    """Facts only, by the gateway; nothing that the agent says of itself."""
    definition_title: str
    uninspectable: str
    """Why nobody can approve it: too much to be looked at; empty if one can."""
    may_decide: str
    """Why this person may not; empty if they may."""
    colleagues: tuple[str, ...] = ()
    """Ids of the others who may decide it now."""
    described: tuple[tuple[str, str], ...] = ()
    """JSON Pointer of an argument, and what the server's schema says of it: the server's words."""
    places: tuple[RulePlace, ...] = ()
    """Where the rules that hold it stand, as far as they are in force."""
    places_left_out: int = 0
    """How many more rules could be meant."""
    policy_moved: bool = False
    """The policy in force is not the revision that held it: the rules may have read differently then."""
    unusual: tuple[Unusual, ...] = ()
    compared: int = 0
    """With how many earlier calls of the tool it was compared."""
    trail: Trail = field(default_factory=Trail)


class Desk(Protocol):
    """Everything is within the person's tenant; what belongs to another does not exist.

    Raises refusals of ``durable.holds.refusals``, ``StoreUnavailable``, and ``GatewayError``.
    """

    async def queue(
        self,
        person: Person,
        *,
        statuses: Collection[Status],
        limit: int,
        after: tuple[int, int, str] | None = None,
    ) -> list[Hold]:
        """A page of holds, risk first, then time left."""
        ...

    async def held_count(self, person: Person) -> int:
        """How many calls of the tenant wait for a person."""
        ...

    async def find(self, person: Person, prefix: str) -> Hold:
        """The one hold whose id begins like this."""
        ...

    async def sheet(self, person: Person, prefix: str) -> HoldSheet:
        """Everything about it. Reading the arguments is recorded."""
        ...

    async def decide(
        self, person: Person, hold_id: str, verdict: Verdict, *, seen: str, reason: str
    ) -> Decided:
        """One person's word."""
        ...

    async def claim(self, person: Person, hold_id: str) -> Hold:
        """Say "I am looking at it"."""
        ...

    async def ask(self, person: Person, hold_id: str, whom: str, *, note: str) -> Hold:
        """Have a colleague, by id, look at it: no word about the call, and nobody's right to decide changes.

        Raises ``NotAskable`` where nobody of that id, but for the person themselves, may decide it.
        """
        ...

    async def colleagues(self, person: Person, hold: Hold) -> tuple[str, ...]:
        """Ids of the others who may decide it now."""
        ...

    async def edit(
        self, person: Person, hold_id: str, arguments: dict[str, Any], *, seen: str, reason: str
    ) -> Hold:
        """Put other arguments in place: validated, evaluated, bound again; another round of approvals."""
        ...

    async def resolve(self, person: Person, hold_id: str, outcome: Resolution, *, evidence: str) -> Hold:
        """Say what became of a call whose outcome was lost, or ask for it to be run again."""
        ...

    async def resolve_call(
        self, person: Person, call: str, outcome: Literal["succeeded", "failed"], *, evidence: str
    ) -> str:
        """The same for an ordinary call without an outcome in the log; operators and the sole person may.

        Returns its full id.
        """
        ...

    async def reviewing(self, person: Person, days: int) -> Reviewing:
        """How reviewing went in their tenant on the latest days, today among them, and what waits now.

        Days are those of the gateway's zone.
        """
        ...

    async def grants(self, person: Person, *, limit: int) -> list[Hold]:
        """Approvals that wait for their caller to use them."""
        ...

    async def revoke(self, person: Person, hold_id: str, *, reason: str) -> Hold:
        """Take such an approval back."""
        ...

    async def erase(self, person: Person, subject: str, *, reason: str) -> None:
        """Destroy what opens a subject's stored values; holds of it can then no longer run."""
        ...

    def watch(self, person: Person) -> AbstractContextManager[AsyncIterator[str]]:
        """Ids of holds as they change; an empty one means: read all again."""
        ...

    def kept_back(self, hold: Hold) -> str:
        """Why it cannot run although people may decide it: its definition is kept back; empty if it can."""
        ...

    def callers_waiting(self, hold_id: str) -> int:
        """How many requests of agents wait for it at this moment, in this process."""
        ...

    def sentence(self, hold: Hold) -> str:
        """One sentence of facts about what the call would do, from redacted values."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionSheet:
    """Everything a person is shown of one definition; secrets in it replaced by markers."""

    pin: Pin
    listed: Mapping[str, Any]
    pinned: Mapping[str, Any] | None
    """What was pinned last; None if nothing ever was."""
    diff: Diff
    """From that to what is listed."""
    findings: tuple[PinFinding, ...]
    redactions: tuple[tuple[str, str], ...]
    """JSON Pointer and kind of each marker in ``listed``."""
    served: bool
    """It is offered to agents at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustSummary:
    """What one word for a whole upstream would pin, and what it would not."""

    upstream: str
    clean: tuple[Pin, ...]
    """New and without findings: these would be pinned."""
    counts: Mapping[State, int]
    seen: str
    """Digest over what would be pinned."""


class DefinitionsDesk(Protocol):
    """What people can do with definitions. Upstreams belong to nobody alone, so these do neither.

    Raises refusals of ``durable.pins.refusals`` and ``durable.holds.refusals``, ``StoreUnavailable``, and
    ``GatewayError``.
    """

    async def page(
        self, *, upstream: str | None, states: Collection[State], limit: int, offset: int
    ) -> list[Pin]:
        """By upstream, kind and name."""
        ...

    async def sheet(self, upstream: str, name: str, kind: str | None) -> DefinitionSheet:
        """Everything about one."""
        ...

    async def pin(
        self, person: Person, upstream: str, name: str, kind: str | None, *, digest: str, reason: str
    ) -> Pin:
        """Vouch for the form with that digest; it is offered once this returns."""
        ...

    async def unpin(self, person: Person, upstream: str, name: str, kind: str | None, *, reason: str) -> Pin:
        """Take a pin back; it is not offered any more once this returns."""
        ...

    async def summary(self, upstream: str) -> TrustSummary:
        """What ``trust`` would do."""
        ...

    async def trust(self, person: Person, upstream: str, *, seen: str) -> TrustSummary:
        """Pin what the summary with that digest said; what is left afterwards."""
        ...


class ActivityDesk(Protocol):
    """What people can read about calls, ordinary and held ones, of their tenant.

    What belongs to another does not exist. Raises ``UnknownHold`` and ``AmbiguousHold`` of
    ``durable.holds.refusals``, and ``DurableError``.
    """

    async def calls(
        self,
        person: Person,
        *,
        tool: str = "",
        subject: str = "",
        effect: str = "",
        before: int | None = None,
        limit: int = 50,
    ) -> CallPage:
        """Newest first; ``tool`` as ``upstream/tool``, the filters are exact."""
        ...

    async def call(self, person: Person, prefix: str) -> CallStory:
        """Everything about the one call whose id begins like this."""
        ...

    def live(self, person: Person) -> AbstractContextManager[AsyncIterator[None]]:
        """Something whenever there is more to read, from now on; at most twice a second."""
        ...


class UpstreamsDesk(Protocol):
    """What people can read about upstreams. They belong to nobody alone. Raises ``StoreUnavailable``."""

    async def upstreams(self) -> tuple[UpstreamStanding, ...]:
        """All of them, as they are configured."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desks:
    """Everything that people can ask."""

    holds: Desk
    definitions: DefinitionsDesk
    activity: ActivityDesk
    upstreams: UpstreamsDesk
