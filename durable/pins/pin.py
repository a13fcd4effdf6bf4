"""What a pin is, and the one function for each way in which it changes. Values only."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from durable.pins.refusals import StalePin, WrongPinState
from durable.pins.state import TRANSITIONS, Event, State

if TYPE_CHECKING:
    from collections.abc import Sequence

QUARANTINE = "quarantine"
"""The severity of findings that keep a definition from being offered."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PinKey:
    """Which definition."""

    tenant: str
    """Whose upstream; empty: everybody's."""
    upstream: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinFinding:
    """What a scanner saw in the listed form."""

    rule: str
    reason: str
    pointer: str
    excerpt: str
    severity: str
    """``quarantine`` or ``note``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What is known of one definition. Times are milliseconds since the Unix epoch."""

    key: PinKey
    state: State
    version: int
    """Grows by one with every change of the row; 0: not stored yet."""
    digest: str = ""
    """Of the form that was pinned last; empty: none ever was."""
    definition: str = ""
    """That form, as it came."""
    pinned_by: str = ""
    pinned_ms: int = 0
    first_use: bool = False
    """Nobody vouched for it: the gateway pinned what it saw first."""
    reason: str = ""
    proof: str = ""
    """See ``proof_of``."""
    listed_digest: str
    """Of the form that its upstream listed last."""
    listed_definition: str
    findings: tuple[PinFinding, ...] = ()
    """In the listed form."""
    created_ms: int
    updated_ms: int

    @property
    def suspicious(self) -> bool:
        """Whether a finding keeps it from being pinned unseen."""
        return any(one.severity == QUARANTINE for one in self.findings)


def proof_of(key: bytes, pin: Pin) -> str:
    """HMAC over what a pin vouches for, and in whose name.

    The key is not in the database: who can write rows cannot pin.
    """
    one = pin.key
    parts = [one.tenant, one.upstream, one.kind, one.name, pin.digest, pin.definition, pin.pinned_by]
    text = json.dumps(["pin", *parts, pin.first_use], separators=(",", ":"))
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()


def is_proved(key: bytes, pin: Pin) -> bool:
    """Whether this gateway wrote the pin."""
    return hmac.compare_digest(pin.proof, proof_of(key, pin))


def listed(pin: Pin, digest: str, definition: str, findings: Sequence[PinFinding], *, at_ms: int) -> Pin:
    """The pin, once its upstream has listed this form of it; the same object if that is nothing new."""
    found = tuple(findings)
    if (pin.listed_digest, pin.findings) == (digest, found):
        return pin
    return replace(pin, listed_digest=digest, listed_definition=definition, findings=found, updated_ms=at_ms)


def moved(pin: Pin, event: Event, *, at_ms: int) -> Pin:
    """Along the table.

    Raises:
        WrongPinState: there is no way.
    """
    after = TRANSITIONS.get((pin.state, event))
    if after is None:
        raise WrongPinState(f"it is {pin.state.value}")
    return replace(pin, state=after, updated_ms=at_ms)


def approved(
    pin: Pin, digest: str, *, by: str, reason: str, at_ms: int, key: bytes, first_use: bool = False
) -> Pin:
    """Pinned in the form of that digest.

    Raises:
        StalePin: that is not the listed form.
        WrongPinState: it is pinned already.
    """
    if digest != pin.listed_digest:
        raise StalePin(
            "its upstream lists another form of it by now", next_step="look at it again: toolgate tools show"
        )
    found = replace(
        moved(pin, Event.APPROVED, at_ms=at_ms),
        digest=digest,
        definition=pin.listed_definition,
        pinned_by=by,
        pinned_ms=at_ms,
        first_use=first_use,
        reason=reason,
    )
    return replace(found, proof=proof_of(key, found))


def withdrawn(pin: Pin, *, by: str, reason: str, at_ms: int) -> Pin:
    """No longer pinned; what was pinned stays to be compared with.

    Raises:
        WrongPinState: it is not pinned.
    """
    found = moved(pin, Event.WITHDRAWN, at_ms=at_ms)
    return replace(found, pinned_by=by, pinned_ms=at_ms, reason=reason, first_use=False, proof="")
