"""Log levels of MCP (RFC 5424 severities), from the lowest up."""

from __future__ import annotations

from types import MappingProxyType

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")

_RANK = MappingProxyType({level: rank for rank, level in enumerate(LEVELS)})

LEGACY_DEFAULT = "info"
"""Before a client of the session era has set a level, the server chooses; this is our choice."""


def is_level(text: object) -> bool:
    """Whether it names a level."""
    return isinstance(text, str) and text in _RANK


def reaches(level: str, wanted: str) -> bool:
    """Whether a message of ``level`` is wanted from ``wanted`` up; an unknown level counts as the highest."""
    return bool(wanted) and _RANK.get(level, len(LEVELS)) >= _RANK.get(wanted, 0)


def lower(a: str, b: str) -> str:
    """The lower of two levels; empty is none at all."""
    if not a or not b:
        return a or b
    return a if _RANK[a] <= _RANK[b] else b
