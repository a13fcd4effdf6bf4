"""What one listing means for the pin of a definition, and why a definition is not offered. Pure.

The states and the ways between them are ``durable/pins/state.py``; here it is decided which way is taken.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from durable.pins.pin import Pin, PinKey, approved, is_proved, listed, moved
from durable.pins.state import Event, State
from gateway.errors import (
    DefinitionDrifted,
    DefinitionKeptBack,
    DefinitionNew,
    DefinitionQuarantined,
    DefinitionTooLarge,
    DefinitionUnkept,
    DefinitionUnpinned,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from durable.pins.pin import PinFinding
    from gateway.core.definition import Definition, RefusedDefinition

GATEWAY = "gateway"
"""Who pins on first use."""
UNKEPT = DefinitionUnkept.code
"""The code where no pin can be stored, or the stored one not be read."""

CODES = {
    State.NEW: DefinitionNew.code,
    State.DRIFTED: DefinitionDrifted.code,
    State.QUARANTINED: DefinitionQuarantined.code,
    State.UNPINNED: DefinitionUnpinned.code,
}
TOO_LARGE = DefinitionTooLarge.code
_ERRORS = {one.code: one for one in DefinitionKeptBack.__subclasses__()}
BLOCKED = frozenset(_ERRORS)
"""Codes of what is well-formed and not pinned: it cannot be used under another name either."""
SHOWN_CHARACTERS_MAX = 160
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


def tool_key(upstream: str, name: str) -> PinKey:
    """Of a tool, as people name it on a command line."""
    return PinKey(tenant="", upstream=upstream, kind="tool", name=name)


def address(key: PinKey) -> str:
    """How people name a definition on a command line."""
    target = shlex.quote(f"{key.upstream}/{key.name}")
    return target if key.kind == "tool" else f"{target} --kind {key.kind}"


def next_command(code: str, key: PinKey) -> str:
    """What a person types next about a definition that is kept back; empty where only its server can act."""
    if code == TOO_LARGE:
        return ""
    if code == CODES[State.NEW]:
        return f"toolgate trust {key.upstream}"
    verb = "diff" if code == CODES[State.DRIFTED] else "show"
    return f"toolgate tools {verb} {address(key)}"


def why_blocked(pin: Pin) -> tuple[str, str]:
    """Code and readable reason, with what to type next, of what is not pinned. For people, not for agents."""
    code = CODES[pin.state]
    if pin.state is State.NEW:
        reason = "nobody has looked at it yet"
    elif pin.state is State.DRIFTED:
        reason = "it is another one than was pinned"
    elif pin.state is State.QUARANTINED:
        reason = _found(pin)
    else:
        reason = "its pin was taken back"
    return code, f"{reason}: {next_command(code, pin.key)}"


def why_unkept(key: PinKey) -> str:
    """The reason where there is no pin to be asked."""
    return f"its pin cannot be kept or read: {next_command(UNKEPT, key)}"


def kept_back(code: str, what: str) -> DefinitionKeptBack:
    """What an agent is told of ``what`` (its own name for it).

    It names no command: an agent that has a shell would only be tempted, and whoever operates the gateway
    finds it where they look.
    """
    kind = _ERRORS[code]
    return kind(
        f"{what[:SHOWN_CHARACTERS_MAX]} is kept back, and nothing was sent: {kind.why}",
        next_step="a person who operates this gateway has to look at it; go on without it, and do not try to "
        "reach the same effect another way",
    )


def untrusted(upstream: str, count: int) -> str:
    """What the operator is told of definitions that nobody has said anything about."""
    what = "1 definition waits" if count == 1 else f"{count} definitions wait"
    return f"{what} for a person who vouches for what is listed: toolgate trust {upstream}"


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
