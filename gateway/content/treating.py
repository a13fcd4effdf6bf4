"""One value from its analysis to what passes on: markers, placeholders, whether it passes at all. Pure."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from gateway.core.content import FINDINGS_MAX, ContentFinding, Observations
from gateway.core.obligations import (
    FAMILIES,
    HIDDEN,
    INJECTION,
    LINK,
    PERSONAL,
    PERSONAL_KINDS,
    RECOGNIZED_KINDS,
    SECRET,
    Treatment,
)
from scanners.errors import ScanIncomplete
from scanners.finding import CROWDED
from scanners.links import neutral
from scanners.markers import marker
from scanners.pipeline import SPANS_MAX

COMMENT = "html-comment"
LINE_END = "line-end"
"""Made a line feed, which hides nothing."""
NONE_ALLOWED: Final[Mapping[str, int]] = MappingProxyType({})

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scanners.allowances import Allowance
    from scanners.pipeline import Analysis, Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Treated:
    """What passes on."""

    value: Any
    """The very object that was analysed where nothing changed."""
    observations: Observations
    blocked: str = ""
    """The family or kind that keeps it back; empty if it passes."""


def treated(
    analysis: Analysis,
    treatment: Treatment,
    placeholders: Mapping[str, str],
    *,
    finds: tuple[ContentFinding, ...] = (),
    allowed: Mapping[str, int] = NONE_ALLOWED,
    nonce: str = "",
) -> Treated:
    """Carry a treatment out.

    Args:
        analysis: of the value.
        treatment: what policy asks for. Secrets become markers and links become inert whatever it says.
        placeholders: by text, what stands for it in this session; a text without one becomes a marker.
        finds: what was found besides texts.
        allowed: what the operator lets stay, by rule.
        nonce: nobody can foresee it. Markers of what can be guessed differ with it, so that an agent that
            has its guesses shown to it, in another answer, does not learn which one is right.

    Raises:
        ScanIncomplete: there is more than was looked for of something that would have to be treated.
    """
    if missed := analysis.crowded & _acted_on(treatment):
        raise ScanIncomplete(f"more than {SPANS_MAX} finds of the family {min(missed)} in one value")
    orders = _Orders(analysis)

    def instead(one: Found) -> str | None:
        if one.family == SECRET:
            return marker(one.kind, one.digest)
        if _named(one, treatment.redact):
            return marker(one.kind, _salted(one.digest, nonce))
        if _named(one, treatment.tokenise):
            return placeholders.get(analysis.text_of(one)) or marker(one.kind, _salted(one.digest, nonce))
        if one.family != LINK or (one.kind == COMMENT and not taken_out(one)):
            return None
        return neutral(analysis.text_of(one))

    def taken_out(one: Found) -> bool:
        # Source text has comments, and an agent that edits it needs them; what gives orders from one goes.
        return bool(treatment.strip & {"", LINK}) or orders.stand_in(one)

    return Treated(
        value=analysis.rewritten(instead),
        observations=observations_of(analysis, finds, allowed),
        blocked=_blocked(analysis, treatment, finds),
    )


class _Orders:
    """Where orders to the model stand, for asking of many places."""

    def __init__(self, analysis: Analysis) -> None:
        self._anywhere = INJECTION in analysis.crowded
        self._of: dict[int, tuple[list[int], list[int]]] = {}
        for one in analysis.found:
            if one.family == INJECTION:
                starts, ends = self._of.setdefault(one.leaf, ([], []))
                starts.append(one.start)
                ends.append(one.end)

    def stand_in(self, one: Found) -> bool:
        """Whether one of them may stand in that find; where not all were looked for, it may."""
        starts, ends = self._of.get(one.leaf, ([], []))
        behind = bisect_left(starts, one.end)
        return self._anywhere or (behind > 0 and ends[behind - 1] > one.start)


def _salted(digest: str, nonce: str) -> str:
    return hashlib.sha256(f"{nonce}:{digest}".encode()).hexdigest()[: len(digest)] if nonce else digest


def without_allowed(
    analysis: Analysis, allowances: Collection[Allowance]
) -> tuple[Analysis, Mapping[str, int]]:
    """The analysis without finds that stay where they are, and how many those are, by rule.

    Args:
        analysis: of a value of one tool.
        allowances: those that are good for this tool, now.
    """
    if not allowances:
        return analysis, NONE_ALLOWED
    kept: list[Found] = []
    allowed: Counter[str] = Counter()
    for one in analysis.found:
        pointer = analysis.pointer_of(one)
        # Rules of different families may share an id; the gateway's own credentials are no guess.
        if any(allowance.covers_find(pointer=pointer, rule=one.rule) for allowance in allowances):
            allowed[one.rule] += 1
        else:
            kept.append(one)
    return (replace(analysis, found=tuple(kept)), allowed) if allowed else (analysis, allowed)


def to_be_tokenised(analysis: Analysis, treatment: Treatment) -> dict[str, str]:
    """Texts that need a placeholder, with their kinds."""
    return {
        analysis.text_of(one): one.kind
        for one in analysis.found
        if _named(one, treatment.tokenise) and not _named(one, treatment.redact)
    }


def observations_of(
    analysis: Analysis,
    finds: tuple[ContentFinding, ...] = (),
    allowed: Mapping[str, int] = NONE_ALLOWED,
) -> Observations:
    """What was found, without a word of it."""
    every: list[Found | ContentFinding] = [*finds, *analysis.found]
    counts = Counter(one.kind for one in every)
    counts.update(analysis.hidden)
    # The first of each sort, so that a flood of one hides no other; then the others as far as there is room.
    first: dict[tuple[str, str, str], Found | ContentFinding] = {}
    for one in every:
        first.setdefault((one.family, one.kind, one.rule), one)
    firsts = set(map(id, first.values()))
    rest = [one for one in every[: 2 * FINDINGS_MAX] if id(one) not in firsts]
    findings = [
        one if isinstance(one, ContentFinding) else _told(analysis, one)
        for one in [*first.values(), *rest[: max(0, FINDINGS_MAX - len(first))]]
    ]
    findings += [
        ContentFinding(family=HIDDEN, kind=HIDDEN, rule=what, pointer="") for what in analysis.hidden
    ]
    seen = (
        {(family, CROWDED) for family in analysis.crowded}
        | {(one.family, one.kind) for one in every}
        | {(HIDDEN, what) for what in analysis.hidden}
    )
    return Observations(findings=tuple(findings), counts=counts, seen=frozenset(seen), allowed=dict(allowed))


def _told(analysis: Analysis, one: Found) -> ContentFinding:
    return ContentFinding(family=one.family, kind=one.kind, rule=one.rule, pointer=analysis.pointer_of(one))


def _named(one: Found | ContentFinding, told: frozenset[str]) -> bool:
    return one.kind in told or one.family in told


def _acted_on(treatment: Treatment) -> set[str]:
    """Families of which no find may be missed."""
    told = treatment.redact | treatment.tokenise | treatment.block
    families = {SECRET, LINK, *(told & FAMILIES)}
    if told & (PERSONAL_KINDS | RECOGNIZED_KINDS):
        families.add(PERSONAL)
    return set(FAMILIES) if "" in told else families


def _blocked(analysis: Analysis, treatment: Treatment, finds: tuple[ContentFinding, ...]) -> str:
    if not treatment.block:
        return ""
    hidden = analysis.hidden.keys() - {LINE_END}
    if HIDDEN in treatment.block and hidden:
        return HIDDEN
    every: list[Found | ContentFinding] = [*finds, *analysis.found]
    for one in every:
        if "" in treatment.block or _named(one, treatment.block):
            return one.kind
    return HIDDEN if "" in treatment.block and hidden else ""
