"""What policy can ask to be done to a result, and which of it this gateway can do.

AuthZEN obligations profile: a duty that is unknown or failed means deny. So what cannot be carried out is
found here, before anything is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.model import Duty

SECRET: Final = "secret"
PERSONAL: Final = "personal"
INJECTION: Final = "injection"
LINK: Final = "link"
HIDDEN: Final = "hidden-text"
DISGUISE: Final = "disguise"
FAMILIES: Final = frozenset({SECRET, PERSONAL, INJECTION, LINK, HIDDEN, DISGUISE})
PERSONAL_KINDS: Final = frozenset({"card", "iban", "ssn", "email", "ip-address", "crypto-address", "phone"})
RECOGNIZED_KINDS: Final = frozenset({"national-id", "passport", "tax-id", "health-id", "person", "address"})
"""Personal, too, where recognisers or a model for them are there; named by their family, ``personal``."""

LOOKED_FOR = MappingProxyType(
    {
        # Secrets are redacted, hidden text is stripped and links are made inert whatever policy says.
        "redact": PERSONAL_KINDS | {PERSONAL, SECRET, INJECTION, LINK},
        "tokenise": PERSONAL_KINDS | {PERSONAL},
        "strip": frozenset({"", HIDDEN, LINK}),
        "block": FAMILIES | PERSONAL_KINDS | {""},
    }
)
"""What each duty can be told to look for. A label can be any."""

LABEL_CHARACTERS_MAX: Final = 64


def restorable(kind: str) -> frozenset[str]:
    """The kinds whose placeholders a rule trusts an upstream with; none if nobody knows the kind."""
    if kind == PERSONAL:
        return PERSONAL_KINDS | RECOGNIZED_KINDS
    return frozenset({kind}) & PERSONAL_KINDS


def why_not(duty: Duty) -> str:
    """Why this gateway cannot carry a duty out; empty if it can."""
    if duty.properties:
        return f"nothing is known of the property {min(duty.properties)!r:.60}"
    if duty.do == "label":
        fits = duty.kind.isprintable() and len(duty.kind) <= LABEL_CHARACTERS_MAX
        return "" if fits else f"a label has at most {LABEL_CHARACTERS_MAX} printable characters"
    known = LOOKED_FOR[duty.do]
    if duty.kind in known:
        return ""
    return f"nothing finds {duty.kind!r:.60}; what can be found: {', '.join(sorted(known - {''}))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What is done to the texts of one result."""

    redact: frozenset[str] = frozenset()
    """Families and kinds in whose place a marker stands, other than secrets."""
    tokenise: frozenset[str] = frozenset()
    """Families and kinds in whose place a placeholder stands."""
    strip: frozenset[str] = frozenset()
    """Families that are made inert as far as they can be: HTML comments as well."""
    block: frozenset[str] = frozenset()
    """Families and kinds that keep a result from the agent; ``""``: any find."""
    labels: frozenset[str] = frozenset()
    """What the session is labelled with, whatever is found."""

    def joined(self, other: Treatment) -> Treatment:
        """All that either of the two asks for."""
        return Treatment(
            redact=self.redact | other.redact,
            tokenise=self.tokenise | other.tokenise,
            strip=self.strip | other.strip,
            block=self.block | other.block,
            labels=self.labels | other.labels,
        )


AS_USUAL: Final = Treatment()


def treatment_of(duties: Iterable[Duty]) -> Treatment:
    """All duties as one treatment. Where two speak of the same kind, redacted wins over tokenised."""
    told: dict[str, set[str]] = {name: set() for name in ("redact", "tokenise", "strip", "block", "label")}
    for duty in duties:
        told[duty.do].add(duty.kind)
    return Treatment(
        redact=frozenset(told["redact"]),
        tokenise=frozenset(told["tokenise"]),
        strip=frozenset(told["strip"]),
        block=frozenset(told["block"]),
        labels=frozenset(told["label"]),
    )
