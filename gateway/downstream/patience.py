"""How long a client waits for an answer before it gives up, and in which form, as far as anybody knows. Pure.

Sources: each client's own defaults, observed (Claude Code 2.1: 300 s without a sign of life; Gemini CLI 0.61:
600 s; Codex 0.169: 60 s). A name that several clients share is in the table with the patience of the least
patient, or not at all: under ``fastmcp`` (FastMCP since 4.2) Pydantic AI 2.68 gives a request up after 300 s,
progress or not, where FastMCP itself would wait on; under ``mcp`` (the Python SDKs, FastMCP before 4.2,
LangChain's adapter) the OpenAI Agents SDK gives up after 5 s. Clients on the TypeScript SDK state the name of
their application; the SDK gives up after 60 s.
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
        "fastmcp": Patience(280, 280),
        "toolgate-cli": Patience(560, 560),
    }
)
WHOLE_WAIT_MAX_S = 900.0
WITHOUT_ROUNDS = frozenset({"mcp"})
"""Names under which ``input_required`` is an error to some client, and tells its model nothing: the OpenAI
Agents SDK 0.24 calls tools with a part of the Python SDK that does not take it."""
IN_ROUNDS_ONLY = frozenset({"elicitation", "sampling", "roots"})
"""Capabilities that a client of 2026-07-28 can only honour by coming back after ``input_required``."""


def patience_of(client: str, configured: Mapping[str, float], *, unknown_s: float) -> Patience:
    """The patience of a client, by the name it states.

    Args:
        client: name and version as stated.
        configured: what the operator says, by name; wins.
        unknown_s: for a client that nobody knows.
    """
    name = _name(client)
    if name in configured:
        stated_s = min(configured[name], WHOLE_WAIT_MAX_S)
        return Patience(stated_s, stated_s)
    return KNOWN.get(name, Patience(unknown_s, unknown_s))


def takes_rounds(client: str, capabilities: Mapping[str, object]) -> bool:
    """Whether a client of 2026-07-28 comes back after ``input_required``.

    Args:
        client: name and version as stated.
        capabilities: as declared; who can be asked something takes rounds, whatever its name.
    """
    return _name(client) not in WITHOUT_ROUNDS or not IN_ROUNDS_ONLY.isdisjoint(capabilities)


def _name(client: str) -> str:
    return client.rpartition(" ")[0] or client
