"""What one listing means for the pin of a definition, and why a definition is not offered. Pure.

The states and the ways between them are ``durable/pins/state.py``; here it is decided which way is taken.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from durable.pins.pin import Pin, approved, is_proved, listed, moved
from durable.pins.state import Event, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from durable.pins.pin import PinFinding, PinKey
    from gateway.core.definition import Definition, RefusedDefinition

GATEWAY = "gateway"
"""Who pins on first use."""
UNKEPT = "definition_unkept"
"""The code where no pin can be stored, or the stored one not be read."""

CODES = {
    State.NEW: "definition_new",
    State.DRIFTED: "definition_drifted",
    State.QUARANTINED: "definition_quarantined",
    State.UNPINNED: "definition_unpinned",
}
TOO_LARGE = "definition_too_large"
BLOCKED = frozenset({*CODES.values(), UNKEPT, TOO_LARGE})
"""Codes of what is well-formed and not pinned: it cannot be used under another name either."""
RULES_NAMED_MAX = 3


class DefinitionFinding(Protocol):
    """What a scanner sees in a definition."""

    @property
    def rule(self) -> str:
        """Its stable id."""
        ...

    @property
    def reason(self) -> str:
        """For people, in a few words."""
        ...

    @property
    def pointer(self) -> str:
        """JSON Pointer of the string."""
        ...

    @property
    def excerpt(self) -> str:
        """Bounded, with everything in it visible."""
        ...

    @property
    def severity(self) -> str:
        """``quarantine``: no agent is offered it before a person has looked; ``note``."""
        ...


DefinitionScan = Callable[[str, str, Mapping[str, Any], Collection[str]], Sequence[DefinitionFinding]]
"""Kind, name and members of a definition, and names of tools that only other servers have. Pure, bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What of a listing may be offered."""

    offered: tuple[Definition, ...]
    """In the form that was pinned, byte for byte."""
    refused: tuple[RefusedDefinition, ...]
    instructions: str
    """Of the server; empty while they are not pinned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One definition as it is listed now."""

    key: PinKey
    digest: str
    definition: str
    findings: Sequence[PinFinding]


def judged(pin: Pin | None, seen: Seen, *, pin_new: bool, at_ms: int, key: bytes) -> Pin:
    """The pin after this listing; the same object if nothing changed.

    Args:
        pin: as it is stored; None if this is the first time.
        seen: what is listed.
        pin_new: whether a clean definition that nobody has seen before is pinned without a person.
        at_ms: the time.
        key: of the proof.
    """
    if pin is None:
        pin = Pin(
            key=seen.key,
            state=State.NEW,
            version=0,
            listed_digest=seen.digest,
            listed_definition=seen.definition,
            findings=tuple(seen.findings),
            created_ms=at_ms,
            updated_ms=at_ms,
        )
    else:
        pin = listed(pin, seen.digest, seen.definition, seen.findings, at_ms=at_ms)
    if pin.state is State.PINNED and seen.digest != pin.digest:
        pin = moved(pin, Event.CHANGED, at_ms=at_ms)
    # What a person has pinned they have seen with its findings; nobody has seen what was pinned on first use.
    heeded = pin.state in {State.NEW, State.DRIFTED} or (pin.state is State.PINNED and pin.first_use)
    if pin.suspicious and heeded:
        pin = moved(pin, Event.FINDING, at_ms=at_ms)
    if pin.state is State.NEW and pin_new:
        pin = approved(pin, seen.digest, by=GATEWAY, reason="first use", at_ms=at_ms, key=key, first_use=True)
    return pin


def trustworthy(pin: Pin, key: bytes) -> Pin:
    """The pin; quarantined, if it says that it is pinned and this gateway did not write that."""
    if pin.state is not State.PINNED or is_proved(key, pin):
        return pin
    return replace(
        pin, state=State.QUARANTINED, reason="its pin was not made by this gateway", digest="", definition=""
    )


def address(key: PinKey) -> str:
    """How people name a definition on a command line."""
    target = shlex.quote(f"{key.upstream}/{key.name}")
    return target if key.kind == "tool" else f"{target} --kind {key.kind}"


def why_blocked(pin: Pin) -> tuple[str, str]:
    """Code and readable reason, with what to type next, of what is not pinned."""
    where = address(pin.key)
    if pin.state is State.NEW:
        reason = f"nobody has looked at it yet: toolgate trust {pin.key.upstream}"
    elif pin.state is State.DRIFTED:
        reason = f"it is another one than was pinned: toolgate tools diff {where}"
    elif pin.state is State.QUARANTINED:
        reason = f"{_found(pin)}: toolgate tools show {where}"
    else:
        reason = f"its pin was taken back: toolgate tools show {where}"
    return CODES[pin.state], reason


def _found(pin: Pin) -> str:
    reasons = list(dict.fromkeys(one.reason for one in pin.findings if one.severity == "quarantine"))
    if not reasons:
        # It was found in an earlier form, or by other rules; only a person says that it is over.
        return pin.reason or "a scanner found something in it before"
    more = f" and {len(reasons) - RULES_NAMED_MAX} more" if len(reasons) > RULES_NAMED_MAX else ""
    return "; ".join(reasons[:RULES_NAMED_MAX]) + more


def trusted_together(pins: Iterable[Pin]) -> list[Pin]:
    """What one word for a whole upstream pins: what is new and clean. Changes are looked at one by one."""
    return [one for one in pins if one.state is State.NEW and not one.suspicious]
