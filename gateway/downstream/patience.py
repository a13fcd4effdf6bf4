"""How long a client waits for an answer before it gives up, as far as anybody knows. Pure.

Sources: each client's own defaults, observed (Claude Code 2.1: 300 s without a sign of life; Gemini CLI 0.61:
600 s; Codex 0.169: 60 s; FastMCP 4: 300 s without a byte). Names that several clients with different patience
share are not in the table: ``mcp``, the default of the Python SDK, is one; under it the OpenAI Agents SDK
gives up after 5 s.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Patience(NamedTuple):
    """What a client bears."""

    silence_s: float
    """Without an answer; progress or not."""
    with_progress_s: float
    """Where progress counts as a sign of life; else the same."""


KNOWN = MappingProxyType(
    {
        "claude-code": Patience(280, 900),
        "gemini-cli-mcp-client": Patience(560, 560),
        "codex-mcp-client": Patience(50, 50),
        "fastmcp": Patience(280, 900),
        "toolgate-cli": Patience(560, 560),
    }
)
WHOLE_WAIT_MAX_S = 900.0


def patience_of(client: str, configured: Mapping[str, float], *, unknown_s: float) -> Patience:
    """The patience of a client, by the name it states.

    Args:
        client: name and version as stated.
        configured: what the operator says, by name; wins.
        unknown_s: for a client that nobody knows.
    """
    name = client.rpartition(" ")[0] or client
    if name in configured:
        stated_s = min(configured[name], WHOLE_WAIT_MAX_S)
        return Patience(stated_s, stated_s)
    return KNOWN.get(name, Patience(unknown_s, unknown_s))
