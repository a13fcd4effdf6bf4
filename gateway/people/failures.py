"""Failed authentications: counted by address, so that guessing costs neither log nor memory.

A right credential is never refused because of wrong ones before it: else whoever shares an address with a
reviewer, as an agent on the same machine does, could lock that reviewer out. Credentials are 256 random bits;
what is bounded here is noise, not luck.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from gateway.people.errors import PeopleRefusal

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESSES_MAX = 1_024
WINDOW_S = 60.0


class Failures:
    """How often each address has failed within the minute; the one not heard of for longest is forgotten."""

    def __init__(
        self, *, per_minute_max: int, clock_s: Callable[[], float], refused: Callable[[str], None]
    ) -> None:
        """``refused`` is told the code of each failure that counts."""
        self._per_minute_max = per_minute_max
        self._clock_s = clock_s
        self._refused = refused
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        """Addresses remembered."""
        return len(self._counts)

    def failed(self, address: str, refusal: PeopleRefusal) -> PeopleRefusal:
        """What to answer to one more failure of this address."""
        now_s = self._clock_s()
        began_s, count = self._counts.pop(address, (now_s, 0))
        if now_s - began_s >= WINDOW_S:
            began_s, count = now_s, 0
        self._counts[address] = (began_s, count + 1)
        if len(self._counts) > ADDRESSES_MAX:
            self._counts.popitem(last=False)
        if count < self._per_minute_max:
            self._refused(refusal.code)
            return refusal
        left_s = max(1, int(began_s + WINDOW_S - now_s))
        return PeopleRefusal(
            "too_many_failures",
            "too many failed attempts from this address",
            next_step="use a valid credential; it is let in at once",
            headers={"retry-after": str(left_s)},
        )
