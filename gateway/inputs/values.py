"""What rounds of questions are configured with, and what they hand back and forth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from gateway.core.call import Call
    from gateway.core.definition import Definition
    from gateway.core.obligations import Treatment
    from gateway.core.principal import Caller
    from gateway.inputs.parked import ParkedCall


class Underway(Protocol):
    """The governed call in the middle of which something is asked (``passage/passage.py``)."""

    call_id: str
    call: Call
    caller: Caller
    definition: Definition | None
    treatment: Treatment
    """What policy asks to be done to what its upstream says; more can be added while it is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSettings:
    """Bounds of asking."""

    grants: Mapping[str, frozenset[str]]
    """By upstream: what it may ask at all."""
    input_timeout_s: Mapping[str, float]
    """By upstream: how long the agent's side may take."""
    policy_deadline_s: float
    shadow: bool = False
    """Ask policy and record, and let through what is granted."""
    parked_max: int = 1000
    parked_per_principal_max: int = 16
    zone: datetime.tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedInput:
    """What an agent of 2026-07-28 is answered instead of a result."""

    requests: bytes | None
    """The member ``inputRequests``; None for a round that only carries state."""
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What an agent brought back: checked, unsealed, cut down to what was asked."""

    responses: dict[str, bytes]
    upstream_state: str | None
    parked: ParkedCall | None

    @property
    def responses_json(self) -> bytes:
        """As one object; for the record and for the upstream."""
        return msgspec.json.encode({key: msgspec.Raw(value) for key, value in self.responses.items()})
