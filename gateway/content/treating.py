"""One value from its analysis to what passes on: markers, placeholders, whether it passes at all. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from gateway.core.content import FINDINGS_MAX, ContentFinding, Observations
from gateway.core.obligations import HIDDEN, INJECTION, LINK, SECRET, Treatment
from scanners.links import neutral
from scanners.markers import marker

COMMENT = "html-comment"
LINE_END = "line-end"
"""Made a line feed, which hides nothing."""
NONE_ALLOWED: Final[Mapping[str, int]] = MappingProxyType({})

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scanners.allowances import Allowance
    from scanners.document import Place
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
    allowed: Mapping[str, int] = NONE_ALLOWED,
) -> Treated:
    """Carry a treatment out.

    Args:
        analysis: of the value.
        treatment: what policy asks for. Secrets become markers and links become inert whatever it says.
        placeholders: by text, what stands for it in this session; a text without one becomes a marker.
        allowed: what `without_allowed` took out.
    """
    commands = [one for one in analysis.found if one.family == INJECTION]

    def instead(one: Found) -> str | None:
        if one.family == SECRET or _named(one, treatment.redact):
            return marker(one.kind, one.digest)
        if _named(one, treatment.tokenise):
            return placeholders.get(analysis.text_of(one)) or marker(one.kind, one.digest)
        if one.family != LINK or (one.kind == COMMENT and not taken_out(one)):
            return None
        return neutral(analysis.text_of(one))

    def taken_out(one: Found) -> bool:
        # Source text has comments, and an agent that edits it needs them; what gives orders from one goes.
        if treatment.strip & {"", LINK}:
            return True
        return any(
            order.leaf == one.leaf and order.start < one.end and one.start < order.end for order in commands
        )

    return Treated(
        value=analysis.rewritten(instead),
        observations=observations_of(analysis, allowed),
        blocked=_blocked(analysis, treatment),
    )


def without_allowed(
    analysis: Analysis, allowances: Iterable[Allowance]
) -> tuple[Analysis, Mapping[str, int]]:
    """The analysis without finds that stay where they are, and how many those are, by rule.

    Args:
        analysis: of a value of one tool.
        allowances: those that are good for this tool, now.
    """
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


def observations_of(analysis: Analysis, allowed: Mapping[str, int] = NONE_ALLOWED) -> Observations:
    """What was found, without a word of it."""
    counts = Counter(one.kind for one in analysis.found)
    counts.update(analysis.hidden)
    findings = [
        ContentFinding(family=one.family, kind=one.kind, rule=one.rule, pointer=analysis.pointer_of(one))
        for one in analysis.found[:FINDINGS_MAX]
    ]
    findings += [
        ContentFinding(family=HIDDEN, kind=HIDDEN, rule=what, pointer="") for what in analysis.hidden
    ]
    seen = {(one.family, one.kind) for one in analysis.found} | {(HIDDEN, what) for what in analysis.hidden}
    return Observations(
        findings=tuple(findings[:FINDINGS_MAX]), counts=counts, seen=frozenset(seen), allowed=allowed
    )


def apart_of(result: Any) -> frozenset[Place]:
    """Members of a result that are not for reading: media in base64, sealed states, cursors.

    Nor are addresses that a person is sent to: each is judged as it came (``gateway/inputs``), and one with
    something taken out leads elsewhere.
    """
    if not isinstance(result, dict):
        return frozenset()
    apart: set[Place] = {(None, name) for name in ("requestState", "nextCursor", "taskId")}
    for member in ("content", "contents", "messages"):
        blocks = result.get(member)
        for number, block in enumerate(blocks if isinstance(blocks, list) else ()):
            at: Place = ((None, member), number)
            apart.add((at, "blob"))
            if member == "messages":
                at = (at, "content")
                block = block.get("content") if isinstance(block, dict) else None  # noqa: PLW2901
            if isinstance(block, dict) and block.get("type") in {"image", "audio"}:
                apart.add((at, "data"))
            apart.add(((at, "resource"), "blob"))
    asked = result.get("inputRequests")
    for key in asked if isinstance(asked, dict) else ():
        apart.add(((((None, "inputRequests"), key), "params"), "url"))
    return frozenset(apart)


ASKED_URL: Final[frozenset[Place]] = frozenset({(None, "url")})
"""The same of a question by itself."""


def _named(one: Found, told: frozenset[str]) -> bool:
    return one.kind in told or one.family in told


def _blocked(analysis: Analysis, treatment: Treatment) -> str:
    if not treatment.block:
        return ""
    hidden = analysis.hidden.keys() - {LINE_END}
    if HIDDEN in treatment.block and hidden:
        return HIDDEN
    for one in analysis.found:
        if "" in treatment.block or _named(one, treatment.block):
            return one.kind
    return HIDDEN if "" in treatment.block and hidden else ""
