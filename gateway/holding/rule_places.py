"""Where the rules stand that hold a call, in the policy in force, which need not be the one that held it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.desk import RulePlace

if TYPE_CHECKING:
    from durable.holds.hold import Hold
    from policies.model import EngineHealth, Places

PLACES_MAX = 20
"""Of one held call. Every text is at most ``policies.places.TEXT_BYTES_MAX`` bytes."""


class RulesInForce(Protocol):
    """Two of the promises of ``policies.ports.PolicyEngine``."""

    def places(self, rule: str, code: str) -> Places:
        """Where the rules stand that hold a call with this code for this package."""
        ...

    def health(self) -> EngineHealth:
        """Names the revision whose rules these are."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBy:
    """The rules behind a held call, as they are written now."""

    places: tuple[RulePlace, ...] = ()
    """In the order of the hold's reasons."""
    left_out: int = 0
    """How many more rules could be meant."""
    moved: bool = False
    """The policy in force is not the revision that held it."""


def held_by(rules: RulesInForce, hold: Hold) -> HeldBy:
    """All of one moment: a policy that is loaded meanwhile is either asked for everything or for nothing."""
    places: list[RulePlace] = []
    left_out = 0
    for rule, code in dict.fromkeys((one.rule, one.code) for one in hold.requirement.reasons):
        standing = rules.places(rule, code)
        shown = standing.found[: PLACES_MAX - len(places)]
        left_out += standing.left_out + len(standing.found) - len(shown)
        places += [
            RulePlace(rule=rule, code=code, file=one.file, row=one.row, text=one.text, certain=one.certain)
            for one in shown
        ]
    moved = rules.health().revision != hold.revision
    return HeldBy(places=tuple(places), left_out=left_out, moved=moved)
