"""What a look at a definition reports, and how the place is shown to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from scanners.definitions.characters import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["quarantine", "note"]

EXCERPT_CHARACTERS_MAX: Final = 120
_BEFORE_CHARACTERS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionFinding:
    """One observation about a definition. What follows from it is decided elsewhere."""

    rule: str
    """A rule's id, or the name of a check: ``injection.concealment``, ``schema.external-reference``."""
    reason: str
    """A sentence for whoever decides about the definition."""
    pointer: str
    """JSON Pointer (RFC 6901) of the string; of the member, if its name is meant. Empty: all of it."""
    excerpt: str
    """What stands there, at most 120 characters, everything invisible as an escape; never a secret."""
    severity: Severity
    """``quarantine``: nobody should be offered this unseen. ``note``: worth a look, no reason by itself."""


def excerpt(text: str, start: int = 0, end: int | None = None) -> str:
    """The stretch with a little of what stands before it, made visible and cut."""
    begin = max(0, start - _BEFORE_CHARACTERS)
    stop = min(len(text) if end is None else end, start + EXCERPT_CHARACTERS_MAX)
    made = shown(text[begin:stop])
    if len(made) > EXCERPT_CHARACTERS_MAX:
        return made[: EXCERPT_CHARACTERS_MAX - 1] + "…"
    return made


def pointer_of(tokens: Iterable[Any]) -> str:
    """The JSON Pointer of a path."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)
