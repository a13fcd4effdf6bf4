"""What the look at the texts of a call came to. Values only; ``gateway/content`` looks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FINDINGS_MAX: Final = 50
"""Findings of one value that are told one by one, besides the first of each rule; the counts tell of all."""
ARGUMENTS: Final = "arguments"
"""What an agent wants to send; of a question of an upstream, what it wants to know."""
ANSWERS: Final = "answers"
"""What an agent answers to questions, on its way to the upstream that asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFinding:
    """One observation about a text: what, by which rule, where. Never the text itself, never a decision."""

    family: str
    """``secret``, ``personal``, ``injection``, ``link``, ``hidden-text``, ``disguise``."""
    kind: str
    rule: str
    pointer: str
    """JSON Pointer of the string within what was looked at."""
    where: str = ARGUMENTS
    """In which part of what policy is asked about: ``arguments``, ``answers``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Everything that was found in one value, or in several that belong together."""

    findings: tuple[ContentFinding, ...] = ()
    """The first of each rule, then others up to ``FINDINGS_MAX`` of each value."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Of all, by kind."""
    seen: frozenset[tuple[str, str]] = frozenset()
    """Family and kind of all: a flood of one thing hides no other."""
    allowed: Mapping[str, int] = field(default_factory=dict)
    """By rule, what was found and stays, since the operator allows it there; not among the others."""

    def joined(self, other: Observations) -> Observations:
        """What was found in this value and in another one."""
        return Observations(
            findings=(*self.findings, *other.findings),
            counts=Counter(self.counts) + Counter(other.counts),
            seen=self.seen | other.seen,
            allowed=Counter(self.allowed) + Counter(other.allowed),
        )

    def at(self, where: str) -> Observations:
        """The same, found in that part of what policy is asked about."""
        return replace(self, findings=tuple(replace(one, where=where) for one in self.findings))

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
