"""What the look at the texts of a call came to. Values only; ``gateway/content`` looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FINDINGS_MAX: Final = 50
"""Findings of one value that are told and recorded one by one; the counts tell of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFinding:
    """One observation about a text: what, by which rule, where. Never the text itself, never a decision."""

    family: str
    """``secret``, ``personal``, ``injection``, ``link``, ``hidden-text``."""
    kind: str
    rule: str
    pointer: str
    """JSON Pointer of the string within the arguments or the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Everything that was found in one value."""

    findings: tuple[ContentFinding, ...] = ()
    """At most ``FINDINGS_MAX``, in the order of the document."""
    counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Of all, by kind."""
    seen: frozenset[tuple[str, str]] = frozenset()
    """Family and kind of all: a flood of one thing hides no other."""
    allowed: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """By rule, what was found and stays, since the operator allows it there; not among the others."""

    def record(self) -> dict[str, Any]:
        """Members of a log entry; empty where nothing was found."""
        members: dict[str, Any] = {}
        if self.counts:
            members["found"] = dict(sorted(self.counts.items()))
            # Whoever wants to allow a find names its rule.
            members["rules"] = sorted({one.rule for one in self.findings})
        if self.allowed:
            members["allowed"] = dict(sorted(self.allowed.items()))
        return members


NOTHING: Final = Observations()
