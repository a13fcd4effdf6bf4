"""What the flows need from outside, each with its durability and concurrency contract.

Satisfied by shape: an adapter does not import its port; contract tests prove that it fits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import msgspec

    from durable.holds.hold import Person
    from gateway.bridge.inputs import InputAnswer, InputAsk
    from gateway.core.call import Call
    from gateway.core.content import Observations
    from gateway.core.decision import Decision
    from gateway.core.definition import Definition, Kind, Listed, RefusedDefinition
    from gateway.core.obligations import Treatment
    from gateway.core.pin_states import Judged
    from gateway.core.principal import Caller, Principal
    from gateway.core.record import Record, Recorded
    from policies.model import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notification that comes with an answer: progress, a log message."""

    method: str
    params: Mapping[str, msgspec.Raw]
    """Member by member, byte for byte."""


NoticeSink = Callable[[Notice], Awaitable[None]]
"""Receives what an upstream says before it answers, in order."""

AskSink = Callable[["InputAsk"], Awaitable["InputAnswer"]]
"""Answers a request that an upstream makes in the middle of a call (before 2026-07-28)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """What an upstream connection needs to put one request on the wire."""

    method: str
    name: str
    """A tool's or prompt's name, a URI; mirrored in ``Mcp-Name`` where the method has a target."""
    params: Mapping[str, Any]
    """The params, without ``_meta``; values may be raw JSON and are spliced in unchanged."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The arguments as a value, for generating ``Mcp-Param-*`` headers."""
    param_headers: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    """Property path -> ``x-mcp-header`` token, from the admitted definition; empty for most tools."""
    session_key: tuple[str, ...] = ()
    """Whom the request is for. Different keys never share a stateful HTTP session."""
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    """What the upstream may ask of this caller; sessions of different capabilities are different, too."""
    log_level: str = ""
    """Log notices from this level up are wanted; empty: none."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Allow-listed ``_meta`` members to send along (trace context); protocol members are the connection's."""
    wants_progress: bool = False

    @property
    def asks(self) -> bool:
        """Whether the upstream may ask something before it answers."""
        return bool(self.capabilities.keys() - {"extensions"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A well-formed answer: exactly one of ``result`` and ``error`` is set."""

    result: bytes | None = None
    """The result object byte for byte as received."""
    error: bytes | None = None
    """The JSON-RPC error object byte for byte as received."""
    is_error: bool = False
    """The result's ``isError``: the tool ran and reports failure."""
    kind: str = "complete"
    """``complete``, ``input_required`` or ``task``: what the result is."""
    modern: bool = False
    """It is in the form of 2026-07-28."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Everything an upstream offers, all pages."""

    era: str
    """``modern`` or ``legacy``."""
    elements: Mapping[Kind, tuple[Listed, ...]]
    """The kinds that were asked for and announced; one that failed is in ``failed`` instead."""
    failed: Mapping[Kind, str] = field(default_factory=dict)
    """Why a kind other than tools could not be listed; its last good list stays."""
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    """What the server announced."""
    instructions: str = ""
    """What the server says about how to use it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamHealth:
    """A connection's state for people: pages, readiness, errors."""

    state: str
    """``connecting``, ``ready``, ``down`` or ``closed``."""
    reason: str = ""
    era: str = ""
    protocol_version: str = ""
    server: str = ""
    in_flight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """A server's own words about itself."""

    era: str
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    instructions: str = ""


class UpstreamEvents(Protocol):
    """What an upstream says without being asked; called on the loop, must neither block nor raise."""

    def list_changed(self, upstream: str, capability: str) -> None:
        """What this capability lists changed; empty: anything may have while nobody listened."""
        ...

    def resource_updated(self, upstream: str, uri: str) -> None:
        """A resource that was subscribed to changed."""
        ...


class Upstream(Protocol):
    """One tool server.

    Concurrency: any number of requests at once; answers never cross. A request that may have been
    sent is never sent again by the connection itself. Reconnects and re-initialises by itself.

    Errors: only subclasses of ``UpstreamError`` leave ``call``, ``list_definitions`` and ``subscribe``.
    """

    @property
    def id(self) -> str:
        """The configured upstream id."""
        ...

    async def start(self, events: UpstreamEvents) -> None:
        """Begin connecting in the background; returns at once."""
        ...

    async def list_definitions(self, *, deadline_s: float, kinds: frozenset[Kind]) -> Listing:
        """Fetch every page of these kinds, as far as it announces them; bounded in pages, elements, bytes."""
        ...

    async def call(
        self,
        send: Send,
        *,
        deadline_s: float,
        on_notice: NoticeSink | None = None,
        on_ask: AskSink | None = None,
    ) -> Reply:
        """Send one request and wait for its answer. Cancelling the coroutine cancels it upstream.

        Without ``on_ask``, what the upstream asks in the middle is declined.
        """
        ...

    async def subscribe(self, uri: str, *, deadline_s: float) -> None:
        """Have ``resource_updated`` called for this URI from now on; asking again changes nothing."""
        ...

    def unsubscribe(self, uri: str) -> None:
        """No more of it; the upstream is told when there is a moment."""
        ...

    def health(self) -> UpstreamHealth:
        """The state now, without I/O."""
        ...

    async def aclose(self) -> None:
        """End connections and child processes, politely first; bounded to 5 s."""
        ...


class Policy(Protocol):
    """The policy decision point. Raises ``policies.errors.PolicyUnavailable`` instead of guessing."""

    async def evaluate(self, evaluation: Mapping[str, Any], *, deadline_s: float) -> Verdict:
        """One verdict for one evaluation request; safe for concurrent use."""
        ...

    def rules_out(self, evaluation: Mapping[str, Any], *, unknown: tuple[str, ...]) -> bool:
        """Whether nothing that the unknown members could be would be allowed or held.

        False wherever that cannot be known. ``unknown``: JSON Pointers into the document.
        """
        ...


class AuditTrail(Protocol):
    """Append-only record of what was decided and what was done.

    ``append`` returns once the records survive power loss, and raises ``AuditUnwritable`` otherwise;
    it is not cancelled by the caller going away. ``enqueue`` never blocks and never raises: what
    cannot be kept is counted and makes the trail unhealthy.
    """

    async def append(self, *records: Record) -> tuple[Recorded, ...]:
        """Write and sync; returns where each went."""
        ...

    def enqueue(self, *records: Record) -> None:
        """Write with the next group; for outcomes nobody waits for."""
        ...


class Catalogue(Protocol):
    """What is offered to agents now; an immutable snapshot behind each call of these."""

    @property
    def version(self) -> int:
        """Grows with every change."""
        ...

    def find(self, kind: Kind, upstream: str, name: str) -> Definition | None:
        """The admitted definition, or None."""
        ...

    def resource(self, upstream: str, uri: str) -> Definition | None:
        """The listed resource of that URI, or else a template for it; raises ``DefinitionKeptBack``."""
        ...

    def kept_back(self, kind: Kind, upstream: str, name: str) -> RefusedDefinition | None:
        """What is listed under that name, well-formed and not pinned; of a URI also its template."""
        ...

    def offered(self, kind: Kind, upstream: str | None) -> tuple[Definition, ...]:
        """Admitted definitions in a stable order; of one upstream or of all."""
        ...

    def server(self, upstream: str) -> ServerFacts | None:
        """What an upstream said of itself when it was last listed."""
        ...

    def refused(self) -> tuple[RefusedDefinition, ...]:
        """What was listed but is not offered, with reasons."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """How one call ended, for logs, spans and durations."""

    call_id: str
    seq: int
    """Sequence number of the intent in the audit log; -1 if it was not recorded."""
    target: str
    effect: str
    """``allow``, ``hold`` or ``deny``; empty if nothing was decided."""
    error_type: str
    """Empty on success."""
    seconds: float


class Telemetry(Protocol):
    """Logs, spans and durations. Fails open: no method raises."""

    def call_started(self, method: str, target: str, caller: Caller) -> Any:
        """Begin; the return value goes to the other two."""
        ...

    def outgoing(self, span: Any, caller: Caller) -> Mapping[str, str]:
        """W3C trace context members for the request to the upstream."""
        ...

    def call_ended(self, span: Any, end: CallEnd) -> None:
        """End it."""
        ...


class Payloads(Protocol):
    """Reads sealed values back. Raises ``PayloadGone``."""

    async def read(self, tenant: str, subject: str, commitment: Mapping[str, Any]) -> bytes:
        """The whole value, held against its commitment."""
        ...


class Principals(Protocol):
    """Who may call at this moment."""

    def current(self, tenant: str, subject_type: str, subject_id: str, agent: str) -> Principal | None:
        """The principal with the rights it has now; None if it is not let in any more."""
        ...


class Reviewers(Protocol):
    """Who may decide at this moment."""

    def people(self, tenant: str) -> tuple[Person, ...]:
        """Everybody of a tenant."""
        ...


class Redaction(Protocol):
    """Makes values fit to be shown and listed: known credentials and token formats become markers."""

    def view(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Redacted and bounded, for lists."""
        ...

    def shown(self, value: Any) -> tuple[Any, tuple[tuple[str, str], ...]]:
        """Redacted and whole, with the JSON Pointer and kind of each marker."""
        ...

    def text(self, value: str) -> str:
        """A sentence, redacted."""
        ...


class Pins(Protocol):
    """Which definitions somebody vouched for.

    What ``judge`` found is in the audit log and in the store when it returns. If it raises (a
    ``GatewayError``), nothing may be offered that was not offered before, nor anything that changed.
    """

    async def judge(
        self, upstream: str, definitions: tuple[Definition, ...], instructions: str, others: frozenset[str]
    ) -> Judged:
        """Hold everything that an upstream lists against its pins; ``others``: tools of others alone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """An answer as it passes on to the agent."""

    reply: Reply
    observations: Observations
    kept_back: str = ""
    """Why another answer stands in its place: a code; empty if it passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenedAsk:
    """A question of an upstream as it may be shown."""

    ask: InputAsk
    observations: Observations
    refused: Decision | None = None
    """Why it may not be shown; None if it may."""


class Screen(Protocol):
    """Looks at every text that passes, in both directions. What cannot be looked at does not pass."""

    async def arguments(self, call: Call, caller: Caller, answers: Mapping[str, bytes] = ...) -> Observations:
        """What stands in what an agent sends: arguments, answers to questions. Raises ``ScanUnfinished``."""
        ...

    async def labels(self, caller: Caller) -> frozenset[str]:
        """The labels of the caller's session; raises ``ApprovalsUnavailable``."""
        ...

    async def keep(self, call: Call, caller: Caller, *, until_ms: int) -> None:
        """Let what stands behind its placeholders outlast the session; raises ``ApprovalsUnavailable``."""
        ...

    async def restored(self, call: Call, caller: Caller, kinds: Collection[str]) -> dict[str, Any]:
        """The arguments with what stands behind placeholders of these kinds, for the upstream's eyes only.

        Raises ``ApprovalsUnavailable`` where nobody can say what stands there.
        """
        ...

    async def reply(
        self, call: Call, caller: Caller, definition: Definition | None, reply: Reply, treatment: Treatment
    ) -> Screened:
        """An answer, cleaned, or another one that says why it is kept back.

        The session is labelled before this returns. Never raises for what is in the answer.
        """
        ...

    async def question(self, call: Call, caller: Caller, ask: InputAsk, treatment: Treatment) -> ScreenedAsk:
        """What an upstream asks in the middle of a call, cleaned; the same promises as for its answer."""
        ...

    def notices(self, sink: NoticeSink | None, *, whose: Hashable) -> NoticeSink | None:
        """A sink that progress and log messages reach cleaned, or not at all."""
        ...
