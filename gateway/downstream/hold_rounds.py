"""The request states of held rounds: which hold and which request a client of 2026-07-28 comes back to.

Sealed for their principal, and kept by the client: a restart of the gateway loses none of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from gateway.core.canonical import sha256_hex
from gateway.core.seal import SealBroken
from gateway.errors import RequestStateRefused

if TYPE_CHECKING:
    from durable.holds.hold import Hold
    from gateway.core.call import Call
    from gateway.core.principal import PrincipalKey
    from gateway.core.seal import Seal

PURPOSE = "held call"


class HoldRound(NamedTuple):
    """One round of waiting, as its client brings it back."""

    hold: str
    request: str
    """Digest of the request that it belongs to."""
    number: int
    shown: str
    """What the user was asked about (``Hold.seen``); empty if they were not asked."""


class HoldRounds:
    """Hands out states and takes them back."""

    def __init__(self, seal: Seal) -> None:
        """Take the gateway's seal."""
        self._seal = seal

    def state(self, owner: PrincipalKey, call: Call, hold: Hold, number: int, *, shown: str) -> str:
        """The state of a round, for the client to bring back."""
        content = json.dumps([hold.id, _digest(call), number, shown]).encode()
        return self._seal.close(PURPOSE, owner, content)

    def of(self, owner: PrincipalKey, call: Call, state: str | None) -> HoldRound | None:
        """The round that a state belongs to; None if it is not of this kind, or somebody else's.

        Raises:
            RequestStateRefused: it is of this kind, and of another request.
        """
        if state is None:
            return None
        try:
            found = HoldRound(*json.loads(self._seal.open(PURPOSE, owner, state)))
        except SealBroken:
            return None
        if found.request != _digest(call):
            raise RequestStateRefused("this request state belongs to another request")
        return found


def _digest(call: Call) -> str:
    head = json.dumps([call.method, call.upstream, call.name]).encode()
    return sha256_hex(head + call.arguments_json)
