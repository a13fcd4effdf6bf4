"""Every method an agent may send, one row each; what has no row does not exist here.

A row that is not carried yet answers so by name, which is more useful than "not found".
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One row of the table."""

    name: str
    notification: bool = False
    legacy: bool = True
    modern: bool = True
    carried: bool = False
    """Whether this gateway serves it."""


_ROWS = (
    Method(name="initialize", modern=False, carried=True),
    Method(name="ping", modern=False, carried=True),
    Method(name="server/discover", legacy=False, carried=True),
    Method(name="subscriptions/listen", legacy=False, carried=True),
    Method(name="tools/list", carried=True),
    Method(name="tools/call", carried=True),
    Method(name="prompts/list"),
    Method(name="prompts/get"),
    Method(name="resources/list"),
    Method(name="resources/templates/list"),
    Method(name="resources/read"),
    Method(name="resources/subscribe", modern=False),
    Method(name="resources/unsubscribe", modern=False),
    Method(name="completion/complete"),
    Method(name="logging/setLevel", modern=False),
    Method(name="tasks/get"),
    Method(name="tasks/result", modern=False),
    Method(name="tasks/list", modern=False),
    Method(name="tasks/update", legacy=False),
    Method(name="tasks/cancel"),
    Method(name="notifications/initialized", notification=True, modern=False, carried=True),
    Method(name="notifications/cancelled", notification=True, carried=True),
    Method(name="notifications/progress", notification=True, modern=False, carried=True),
    Method(name="notifications/roots/list_changed", notification=True, modern=False, carried=True),
)

METHODS = MappingProxyType({row.name: row for row in _ROWS})

NAME_PARAMETER = MappingProxyType({"tools/call": "name", "prompts/get": "name", "resources/read": "uri"})
"""Which parameter the ``Mcp-Name`` header mirrors (MCP 2026-07-28, streamable HTTP)."""
