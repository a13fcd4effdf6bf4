"""How long the last calls of each upstream took: kept beside whatever telemetry there is."""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.core.activity import Latency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gateway.core.principal import Caller
    from gateway.ports import CallEnd, Telemetry

ENDS_MAX = 256
"""Of each upstream; older ones are forgotten."""


class _End(NamedTuple):
    seconds: float
    error_type: str
    at_s: float


class RecentEnds:
    """Satisfies ``Telemetry``: passes everything on to another one, and keeps the last ends in memory.

    Only of calls that were let through: others never got to an upstream.
    """

    def __init__(
        self, telemetry: Telemetry, upstreams: Iterable[str], *, monotonic_s: Callable[[], float]
    ) -> None:
        """Start with none; of other upstreams than these nothing is kept."""
        self._telemetry = telemetry
        self._monotonic_s = monotonic_s
        self._ends: dict[str, deque[_End]] = {one: deque(maxlen=ENDS_MAX) for one in upstreams}

    def call_started(self, method: str, target: str, caller: Caller) -> Any:
        """Begin."""
        return self._telemetry.call_started(method, target, caller)

    def outgoing(self, span: Any, caller: Caller) -> Mapping[str, str]:
        """W3C trace context members for the request to the upstream."""
        return self._telemetry.outgoing(span, caller)

    def call_ended(self, span: Any, end: CallEnd) -> None:
        """End it, and keep how."""
        self._telemetry.call_ended(span, end)
        kept = self._ends.get(end.target.partition("/")[0])
        if kept is not None and end.effect == "allow":
            kept.append(_End(end.seconds, end.error_type, self._monotonic_s()))

    def of(self, upstream: str) -> Latency:
        """What the last ones of an upstream come to."""
        ends = tuple(self._ends.get(upstream, ()))
        seconds = sorted(end.seconds for end in ends)
        return Latency(
            calls=len(ends),
            p50_s=_quantile(seconds, 0.5),
            p95_s=_quantile(seconds, 0.95),
            errors=Counter(end.error_type for end in ends if end.error_type),
            newest_age_s=max(0.0, self._monotonic_s() - ends[-1].at_s) if ends else None,
        )


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """By nearest rank: one of the values there are."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None
