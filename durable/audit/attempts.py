"""What the log says about the last attempt of each held call: the proof that a start needs.

An attempt is an intent that carries ``hold`` and ``fence``; its end has the same ``call``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable.audit.entry import INTENT, NOT_SENT, OUTCOME
from durable.audit.intents import NOTHING_WAS_SENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from durable.audit.entry import StoredLine


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last one of a hold."""

    fence: int
    call: str
    tenant: str
    ended: str
    """``status`` of its outcome, ``not_sent``, or empty where the log has none."""


class HoldAttempts:
    """Joins attempts with their ends, one pass in the order of the log."""

    def __init__(self) -> None:
        """Start with none."""
        self._last: dict[str, Attempt] = {}
        self._open: dict[tuple[str, str], str] = {}

    @property
    def last(self) -> Mapping[str, Attempt]:
        """By hold id."""
        return self._last

    def see(self, entry: StoredLine) -> None:
        """Take the next stored entry into account."""
        if entry.kind == INTENT:
            self._intent(entry)
        elif entry.kind in {OUTCOME, NOT_SENT} and self._open:
            hold = self._open.pop((entry.tenant, str(entry.call)), None)
            if hold is not None:
                status = entry.status if entry.kind == OUTCOME else NOT_SENT
                begun = self._last[hold]
                if begun.call == entry.call:
                    self._last[hold] = Attempt(begun.fence, begun.call, begun.tenant, str(status))

    def _intent(self, entry: StoredLine) -> None:
        hold, fence, call = entry.hold, entry.fence, entry.call
        if not (isinstance(hold, str) and isinstance(fence, int) and isinstance(call, str)):
            return
        if str(entry.effect).lower() in NOTHING_WAS_SENT:
            return
        before = self._last.get(hold)
        if before is None or fence >= before.fence:
            self._last[hold] = Attempt(fence, call, entry.tenant, "")
            self._open[entry.tenant, call] = hold
