"""What the log says about the last attempt of each held call: the proof that a start needs.

An attempt is an intent that carries ``hold`` and ``fence``; its end has the same ``call``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from durable.audit.entry import INTENT, NOT_SENT, OUTCOME
from durable.audit.intents import NOTHING_WAS_SENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from durable.audit.entry import StoredLine


LATEST_MAX = 64
HOLD = "hold"
NEVER_RAN = frozenset({"denied", "expired", "cancelled", "invalidated"})


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last one of a hold."""

    fence: int
    call: str
    tenant: str
    ended: str
    """``status`` of its outcome, ``not_sent``, or empty where the log has none.

    ``reopened`` where nobody knew, and a person wants it run again.
    """


class HoldAttempts:
    """Joins attempts with their ends, one pass in the order of the log."""

    def __init__(self) -> None:
        """Start with none."""
        self._last: dict[str, Attempt] = {}
        self._open: dict[tuple[str, str], str] = {}
        self._closed: dict[str, str] = {}
        self._latest: deque[tuple[str, int]] = deque(maxlen=LATEST_MAX)

    @property
    def last(self) -> Mapping[str, Attempt]:
        """By hold id."""
        return self._last

    @property
    def closed(self) -> Mapping[str, str]:
        """Holds that ended without having run, by id: their last status."""
        return self._closed

    @property
    def latest(self) -> Sequence[tuple[str, int]]:
        """Hold and version of the last events: a database that does not have them is older than the log."""
        return self._latest

    def see(self, entry: StoredLine) -> None:
        """Take the next stored entry into account."""
        if entry.kind == HOLD and isinstance(entry.hold, str) and isinstance(entry.hold_seq, int):
            self._latest.append((entry.hold, entry.hold_seq))
            if entry.status in NEVER_RAN:
                self._closed[entry.hold] = str(entry.status)
            elif entry.status == "held":
                self._held_again(entry.hold)
            return
        if entry.kind == INTENT:
            self._intent(entry)
        elif entry.kind in {OUTCOME, NOT_SENT} and self._open:
            hold = self._open.pop((entry.tenant, str(entry.call)), None)
            if hold is not None:
                status = entry.status if entry.kind == OUTCOME else NOT_SENT
                begun = self._last[hold]
                if begun.call == entry.call:
                    self._last[hold] = Attempt(begun.fence, begun.call, begun.tenant, str(status))

    def _held_again(self, hold: str) -> None:
        begun = self._last.get(hold)
        if begun is not None and begun.ended not in {"succeeded", "failed", NOT_SENT}:
            self._last[hold] = replace(begun, ended="reopened")

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
