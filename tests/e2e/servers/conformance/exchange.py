"""One request as a tool or a prompt sees it, the same in both eras.

A legacy client is asked on the stream of the request and the tool waits. A modern client gets the questions as
the answer and sends the whole request again with what it found out, so a tool runs from its start each time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mcp_types as types
from conformance.audience import AUDIENCE, LEVELS
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp.server.context import ServerRequestContext

CAPABILITY = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
ANSWER: dict[str, Any] = {
    "elicitation/create": types.ElicitResult,
    "sampling/createMessage": types.CreateMessageResult,
    "roots/list": types.ListRootsResult,
}
LOGGER = "fixture"


class Failed(Exception):
    """A tool says that it could not do its work; the model reads why."""


class InputNeeded(Exception):
    """The client has to answer first (2026-07-28)."""

    def __init__(self, result: types.InputRequiredResult) -> None:
        super().__init__("input needed")
        self.result = result


@dataclass(frozen=True)
class Exchange:
    """A call of a tool, or a prompt being got."""

    ctx: ServerRequestContext[Any, Any]
    arguments: Mapping[str, Any]
    answers: Mapping[str, Any]
    state: dict[str, Any]
    """What came back with the answers; the boundary in front of us has proved that it is ours."""

    @classmethod
    def of(cls, ctx: ServerRequestContext[Any, Any], params: Any) -> Exchange:
        """From the parameters of ``tools/call`` or ``prompts/get``."""
        state = json.loads(params.request_state) if params.request_state else {}
        return cls(ctx, params.arguments or {}, params.input_responses or {}, state)

    @property
    def is_modern(self) -> bool:
        """Whether the client speaks 2026-07-28."""
        return self.ctx.protocol_version in MODERN_PROTOCOL_VERSIONS

    def can(self, capability: str) -> bool:
        """Whether the client has declared it."""
        declared = self.ctx.session.client_capabilities
        return declared is not None and getattr(declared, capability) is not None

    def require(self, capability: str) -> None:
        """Refuse a client that has not declared it, in the words of its era."""
        if self.can(capability):
            return
        if not self.is_modern:
            raise Failed(f"this client has no {capability}")
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            f"cannot be done for a client without {capability}",
            {"requiredCapabilities": {capability: {}}},
        )

    async def ask(
        self, questions: Mapping[str, types.InputRequest], state: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """All answers, by the keys of the questions.

        Args:
            questions: what the client has to find out.
            state: goes out with the questions; answers count only if the same comes back with them.
        """
        for question in questions.values():
            self.require(CAPABILITY[question.method])
        if not self.is_modern:
            return {key: await self._put(question) for key, question in questions.items()}
        if questions.keys() <= self.answers.keys() and self.state == (state or {}):
            return {key: self.answers[key] for key in questions}
        raise InputNeeded(
            types.InputRequiredResult(
                input_requests=dict(questions),
                request_state=None if state is None else json.dumps(dict(state)),
            )
        )

    async def _put(self, question: types.InputRequest) -> Any:
        related = ServerMessageMetadata(related_request_id=self.ctx.request_id)
        return await self.ctx.session.send_request(question, ANSWER[question.method], metadata=related)

    async def log(self, text: str, level: types.LoggingLevel = "info") -> None:
        """A log message, if the client wants such: by session before 2026-07-28, by request since."""
        session = AUDIENCE.session(self.ctx)
        if session is not None and LEVELS.index(level) < LEVELS.index(session.level):
            return
        await self.ctx.session.send_log_message(level, text, LOGGER, related_request_id=self.ctx.request_id)

    async def progress(self, done: float, total: float) -> None:
        """How far it is; reaches nobody who did not ask."""
        await self.ctx.session.report_progress(done, total)
