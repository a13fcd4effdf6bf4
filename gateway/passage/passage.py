"""One governed request on its way through the flow: what is known of it so far, and who waits for it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.core.content import NOTHING
from gateway.core.obligations import AS_USUAL
from gateway.ports import CallEnd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from durable.holds.hold import Outcome
    from durable.holds.keyed import Earlier
    from gateway.core.call import Call
    from gateway.core.definition import Definition
    from gateway.core.principal import Caller
    from gateway.inputs.values import Resumed
    from gateway.ports import AskSink, NoticeSink

NAMED = frozenset({"tools/call", "prompts/get"})
"""Methods with a ``name`` and ``arguments`` that are held against a definition."""


class AgentSide(NamedTuple):
    """How the agent that asked can be spoken to meanwhile, and what it brought along."""

    on_notice: NoticeSink | None = None
    """Takes progress and log messages."""
    wants_progress: bool = False
    ask_agent: AskSink | None = None
    """Puts a question of the upstream to an agent of the session era."""
    request_state: str | None = None
    """Carries on a call that was answered ``input_required`` (2026-07-28)."""
    input_responses: Mapping[str, Any] = MappingProxyType({})
    task: Mapping[str, Any] | None = None
    """Run it as a task of 2025-11-25."""


NOBODY = AgentSide()


class Passage:
    """One call on its way through the flow: what is known of it so far."""

    __slots__ = (
        "call",
        "call_id",
        "caller",
        "definition",
        "digest",
        "effect",
        "error_type",
        "hidden",
        "kept",
        "kept_back",
        "noticed",
        "observed",
        "repeats",
        "restores",
        "resumed",
        "send_key",
        "sent_s",
        "seq",
        "side",
        "span",
        "started_s",
        "treatment",
    )

    def __init__(self, call_id: str, call: Call, caller: Caller, side: AgentSide, started_s: float) -> None:
        self.call_id = call_id
        self.call = call
        self.caller = caller
        self.side = side
        self.started_s = started_s
        self.sent_s = started_s
        self.definition: Definition | None = None
        self.digest = ""
        """Of the definition."""
        self.hidden = False
        """It is listed and kept back, and this caller is not to learn that there is such a thing."""
        self.resumed: Resumed | None = None
        self.repeats: Earlier | None = None
        """The call that came first with the same idempotency key."""
        self.span: Any = None
        self.kept: Outcome | None = None
        """Where its answer lies, for whoever repeats the call with its key."""
        self.send_key = ""
        """With which an upstream can tell that it has run this before."""
        self.treatment = AS_USUAL
        """What policy asks to be done to its answer."""
        self.restores: frozenset[str] = frozenset()
        """Kinds whose placeholders the upstream is trusted with."""
        self.noticed = NOTHING
        """What stands in its arguments, and in the answers that come with it."""
        self.observed = NOTHING
        """What stood in its answer."""
        self.kept_back = ""
        """Why the agent gets another answer in its place: a code."""
        self.seq = -1
        self.effect = ""
        self.error_type = ""

    @property
    def answers(self) -> Mapping[str, bytes]:
        """What its agent answers with it to questions of the upstream."""
        return {} if self.resumed is None else self.resumed.responses

    @property
    def keyed(self) -> bool:
        """Whether the caller wants repetitions of it to be recognised."""
        return bool(self.caller.workflow.idempotency_key) and self.call.method == "tools/call"

    @property
    def shown(self) -> str:
        """What it is about, for logs and spans: a URI or a task id may be a secret."""
        return self.call.target if self.call.method in NAMED else self.call.upstream

    def end(self, now_s: float) -> CallEnd:
        """How it ended, for telemetry."""
        return CallEnd(
            call_id=self.call_id,
            seq=self.seq,
            target=self.shown,
            effect=self.effect,
            error_type=self.error_type,
            seconds=now_s - self.started_s,
        )
