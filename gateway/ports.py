"""What the flows need from outside, each with its durability and concurrency contract.

Satisfied by shape: an adapter does not import its port; contract tests prove that it fits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from gateway.core.definition import RefusedDefinition, ToolDefinition
    from gateway.core.principal import Caller
    from gateway.core.record import Record
    from policies.model import Verdict

ProgressSink = Callable[[dict[str, Any]], Awaitable[None]]
"""Receives the params of one ``notifications/progress``, without its token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSend:
    """What an upstream connection needs to put one call on the wire."""

    tool: str
    arguments_json: bytes
    """RFC 8785 bytes of the arguments, spliced into the request unchanged."""
    arguments: Mapping[str, Any]
    """The same as a value, for generating ``Mcp-Param-*`` headers."""
    param_headers: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    """Property path -> ``x-mcp-header`` token, from the admitted definition; empty for most tools."""
    session_key: tuple[str, ...] = ()
    """Different keys never share a stateful HTTP session; a child process is one session for all."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Allow-listed ``_meta`` members to send along (trace context); protocol members are the connection's."""
    wants_progress: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolReply:
    """A well-formed answer: exactly one of ``result`` and ``error`` is set."""

    result: bytes | None = None
    """The result object byte for byte as received."""
    error: bytes | None = None
    """The JSON-RPC error object byte for byte as received."""
    is_error: bool = False
    """The result's ``isError``: the tool ran and reports failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolListing:
    """All pages of one ``tools/list``."""

    tools: tuple[Any, ...]
    """Each element as parsed by ``read_json``, or its raw bytes where that refused it."""
    era: str
    """``modern`` or ``legacy``."""


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


class Upstream(Protocol):
    """One tool server.

    Concurrency: any number of calls at once; answers never cross. A call that may have been sent
    is never sent again by the connection itself. Reconnects and re-initialises by itself.

    Errors: only subclasses of ``UpstreamError`` leave ``call_tool`` and ``list_tools``.
    """

    @property
    def id(self) -> str:
        """The configured upstream id."""
        ...

    async def start(self, on_tools_changed: Callable[[str], None]) -> None:
        """Begin connecting in the background; returns at once. The callback gets the id, on the loop."""
        ...

    async def list_tools(self, *, deadline_s: float) -> ToolListing:
        """Fetch every page, bounded in pages, tools and bytes."""
        ...

    async def call_tool(
        self, send: ToolSend, *, deadline_s: float, on_progress: ProgressSink | None = None
    ) -> ToolReply:
        """Send one call and wait for its answer. Cancelling the coroutine cancels the call upstream."""
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


class AuditTrail(Protocol):
    """Append-only record of what was decided and what was done.

    ``append`` returns once the records survive power loss, and raises ``AuditUnwritable`` otherwise;
    it is not cancelled by the caller going away. ``enqueue`` never blocks and never raises: what
    cannot be kept is counted and makes the trail unhealthy.
    """

    async def append(self, *records: Record) -> tuple[int, ...]:
        """Write and sync; returns the sequence numbers."""
        ...

    def enqueue(self, *records: Record) -> None:
        """Write with the next group; for outcomes nobody waits for."""
        ...


class Catalogue(Protocol):
    """What is offered to agents now; an immutable snapshot behind each call of these."""

    def find(self, upstream: str, tool: str) -> ToolDefinition | None:
        """The admitted definition, or None."""
        ...

    def offered(self, upstream: str | None) -> tuple[ToolDefinition, ...]:
        """Admitted definitions in a stable order; of one upstream or of all."""
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
    tool: str
    effect: str
    """``allow``, ``hold`` or ``deny``; empty if nothing was decided."""
    error_type: str
    """Empty on success."""
    seconds: float


class Telemetry(Protocol):
    """Logs, spans and durations. Fails open: no method raises."""

    def call_started(self, method: str, tool: str, caller: Caller) -> Any:
        """Begin; the return value goes to the other two."""
        ...

    def outgoing(self, span: Any, caller: Caller) -> Mapping[str, str]:
        """W3C trace context members for the request to the upstream."""
        ...

    def call_ended(self, span: Any, end: CallEnd) -> None:
        """End it."""
        ...
