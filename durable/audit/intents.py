"""Which calls may have happened without anybody knowing: allowed intents that nothing has resolved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from durable.audit.entry import INTENT, NOT_SENT, OUTCOME, joining_of

if TYPE_CHECKING:
    from durable.audit.entry import Joining, StoredLine

RESOLUTION = "resolution"
"""A person's statement, with evidence, about a call whose outcome was lost."""
RESOLVING = frozenset({OUTCOME, NOT_SENT, RESOLUTION})
NOTHING_WAS_SENT = frozenset({"deny", "hold"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnresolvedIntent:
    """A call that was about to be made, and may have been."""

    tenant: str
    call: str
    seq: int
    at: str
    subject: str
    tool: str


class OpenIntents:
    """Joins intents with what resolves them, one pass in the order of the log.

    An intent whose effect is neither ``deny`` nor ``hold`` counts as allowed, also when it is missing
    or unheard of: that mistake is a needless question, the other one a forgotten effect.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._open: dict[tuple[str, str], UnresolvedIntent] = {}

    def __len__(self) -> int:
        return len(self._open)

    def see(self, entry: StoredLine) -> None:
        """Take the next stored entry into account."""
        joining = joining_of(entry.kind, entry.tenant, partial(getattr, entry))
        if joining:
            self.take(joining, seq=entry.seq, at=entry.at)

    def take(self, joining: Joining, *, seq: int, at: str) -> None:
        """Take the next entry of a call into account."""
        if joining.kind == INTENT:
            if joining.effect.lower() not in NOTHING_WAS_SENT:
                self._open[joining.tenant, joining.call] = UnresolvedIntent(
                    tenant=joining.tenant,
                    call=joining.call,
                    seq=seq,
                    at=at,
                    subject=joining.subject,
                    tool=joining.tool,
                )
        elif joining.kind in RESOLVING:
            self._open.pop((joining.tenant, joining.call), None)

    def unresolved(self) -> tuple[UnresolvedIntent, ...]:
        """Those still open, in the order of the log."""
        return tuple(sorted(self._open.values(), key=lambda intent: intent.seq))
