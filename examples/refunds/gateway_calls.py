"""Calls of an agent through the gateway, until each has an end.

This is what an agent of your own needs, too:

* the answer "NOT EXECUTED" that carries a hold means that a person has to agree first; the tool
  ``toolgate__approval_wait`` collects what becomes of it;
* a gateway that is away for a moment is asked again: the same call with the same idempotency key;
* a no is a no.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import httpx2
from mcp import MCPError
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp_types import CONNECTION_CLOSED, CallToolResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOLD = "dev.toolgate/hold"
FAILURE = "dev.toolgate/failure"
WAIT_TOOL = "toolgate__approval_wait"
# Statuses of a held call of which something can still become. All others are an end.
WORDS = MappingProxyType(
    {
        "held": "waits for a person until {expires}: hold {hold}",
        "approved": "a person has agreed",
        "executing": "a person has agreed",
        "outcome_unknown": "was sent, and nobody knows what came of it; a person finds out: hold {hold}",
    }
)
# What the gateway says when nothing has happened and the same call may pass a little later.
PASSING = frozenset(
    {
        "unknown_tool",  # After its start, until the tool's server has answered.
        "overloaded",
        "agent_over_limit",
        "draining",
        "audit_unavailable",
        "policy_unavailable",
        "approvals_unavailable",
        "idempotency_key_unsettled",
    }
)
PAUSE_S = 0.5
UNKNOWN_PAUSE_S = 2.0
"""A person has to find out; nothing happens by itself meanwhile."""
QUIET_S = 3.0
"""Without an answer for this long, the agent says what it waits for."""
AWAY_S_MAX = 120.0
ROUNDS_MAX = 10_000
"""The gateway may let the client ask round after round while a person thinks."""


class Refused(Exception):
    """The gateway or the tool said no; the text is the reason."""


class GaveUp(Exception):
    """No end in the time that this agent has."""


class Away(Exception):
    """The call has no answer, and the same call may have one soon."""


class Narration:
    """Prints what happens to one call, and nothing twice in a row."""

    def __init__(self, about: str) -> None:
        self._about = about
        self._last = ""

    def say(self, sentence: str) -> None:
        if sentence != self._last:
            print(f"{self._about}  {sentence}", flush=True)
        self._last = sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The gateway as this agent uses it."""

    url: str
    token: str
    workflow: str
    patience_s: float

    async def call(self, step: str, tool: str, arguments: dict[str, Any], *, key: str = "") -> dict[str, Any]:
        """Call a tool, wait for people and restarts as long as it takes, and give its structured result.

        Args:
            step: of the workflow.
            tool: as the gateway names it.
            arguments: the same whenever the key is the same.
            key: of the effect, for a call that must not happen twice.

        Raises:
            Refused: by policy, by a person or by the tool.
            GaveUp: no end within ``patience_s``, or the gateway is away for longer than ``AWAY_S_MAX``.
        """
        narration = Narration(str(arguments.get("order_id", tool)))
        loop = asyncio.get_running_loop()
        heard_s = began_s = loop.time()
        attempt, hold = 1, ""
        while loop.time() - began_s < self.patience_s and loop.time() - heard_s < AWAY_S_MAX:
            headers = self._headers(step, attempt, "" if hold else key)
            try:
                if hold:
                    result = await self._ask(WAIT_TOOL, {"hold": hold}, headers, narration)
                else:
                    result = await self._ask(tool, arguments, headers, narration)
            except Away as away:
                # Not the wait again, but the call itself: who asks for the same finds the same hold again.
                attempt, hold = attempt + 1, ""
                narration.say(f"no answer ({away}): asking again with the same key")
                await asyncio.sleep(PAUSE_S)
                continue
            heard_s = loop.time()
            stated = (result.meta or {}).get(HOLD, {})
            if stated.get("status") in WORDS:
                hold, status = str(stated["hold"]), str(stated["status"])
                narration.say(WORDS[status].format(hold=hold, expires=stated.get("expires")))
                await asyncio.sleep(UNKNOWN_PAUSE_S if status == "outcome_unknown" else PAUSE_S)
                continue
            if stated.get("status") == "succeeded":
                # It ran, and its answer was lost: what there is, is the word of a person who found out.
                return {"text": str(stated.get("reason") or _text(result))}
            if result.is_error:
                raise Refused(_text(result))
            return dict(result.structured_content or {"text": _text(result)})
        raise GaveUp(f"no end in the time this agent has{f', hold {hold}' if hold else ''}")

    def _headers(self, step: str, attempt: int, key: str) -> dict[str, str]:
        """What the gateway is told about a call beside its arguments."""
        members = {
            "Authorization": f"Bearer {self.token}",
            "Toolgate-Workflow-Id": self.workflow,
            "Toolgate-Step": step,
            "Toolgate-Attempt": str(attempt),
        }
        return members | ({"Toolgate-Idempotency-Key": key} if key else {})

    async def _ask(
        self, tool: str, arguments: dict[str, Any], headers: dict[str, str], narration: Narration
    ) -> CallToolResult:
        """One request and its answer. A connection of its own, since the headers are this call's.

        Raises:
            Away: no answer, or one that says "not now".
            Refused: an answer without a result.
        """
        late = asyncio.get_running_loop().call_later(
            QUIET_S, narration.say, "no answer yet: it takes its time, or a person has to agree first"
        )
        try:
            async with self._connected(headers) as client:
                result = await client.call_tool(tool, arguments)
        except (MCPError, ExceptionGroup) as raised:
            raise _meaning(raised) from raised
        finally:
            late.cancel()
        failure = (result.meta or {}).get(FAILURE, {})
        if failure.get("sent") is False:
            raise Away(str(failure.get("code")))
        return result

    @contextlib.asynccontextmanager
    async def _connected(self, headers: dict[str, str]) -> AsyncIterator[Client]:
        async with (
            create_mcp_http_client(headers=headers) as http,
            Client(
                streamable_http_client(self.url, http_client=http), input_required_max_rounds=ROUNDS_MAX
            ) as client,
        ):
            yield client


def _meaning(raised: Exception) -> Exception:
    """What an error of the client is to the call. The client puts errors into groups, at any depth."""
    leaves = [raised]
    while any(isinstance(one, ExceptionGroup) for one in leaves):
        leaves = [
            leaf for one in leaves for leaf in (one.exceptions if isinstance(one, ExceptionGroup) else [one])
        ]
    for leaf in leaves:
        if isinstance(leaf, MCPError):
            code = leaf.data.get("code", "") if isinstance(leaf.data, dict) else ""
            passing = code in PASSING or leaf.code == CONNECTION_CLOSED
            return Away(code or leaf.message) if passing else Refused(leaf.message)
    if all(isinstance(leaf, httpx2.TransportError) for leaf in leaves):
        return Away("the connection broke")
    return raised


def _text(result: CallToolResult) -> str:
    return " ".join(getattr(block, "text", "") for block in result.content)
