"""What became of one governed call, as the agent's side of the gateway is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable.holds.hold import Hold
    from gateway.core.decision import Decision
    from gateway.errors import UpstreamError
    from gateway.inputs.values import AskedInput
    from gateway.ports import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswer:
    """What became of one call: a ``reply``, an ``asked``, a ``failure``, or none when it was refused."""

    call_id: str
    decision: Decision
    reply: Reply | None = None
    asked: AskedInput | None = None
    """The upstream needs something first."""
    failure: UpstreamError | None = None
    hold: Hold | None = None
    """A person decides; how the agent waits is the edge's."""

    @property
    def error_type(self) -> str:
        """How it failed, for telemetry; empty if it did not."""
        if self.failure is not None:
            return self.failure.code
        if self.asked is not None or self.hold is not None:
            return ""
        if self.reply is None:
            return self.decision.codes[0] if self.decision.codes else self.decision.effect.value
        if self.reply.error is not None:
            return "upstream_rpc_error"
        # OpenTelemetry MCP conventions: a result with isError is the error type "tool_error".
        return "tool_error" if self.reply.is_error else ""
