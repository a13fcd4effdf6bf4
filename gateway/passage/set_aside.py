"""Where a call goes that is not forwarded at once: to a person, or to the record of the same call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from durable.holds.hold import Hold, Outcome
    from durable.holds.keyed import Earlier
    from gateway.core.decision import Decision
    from gateway.core.record import Record
    from gateway.passage.passage import Passage
    from gateway.ports import Reply


class HeldCalls(Protocol):
    """Where a call goes that policy holds (``gateway/approval.py``)."""

    async def hold(self, passage: Passage, decision: Decision) -> Hold:
        """Its hold, durable and recorded. Raises CannotHold, ApprovalsUnavailable, AuditUnwritable."""
        ...

    async def taken_up(self, passage: Passage) -> Hold | None:
        """What an identical call began that was held, now that it is allowed. Raises ApprovalsUnavailable."""
        ...

    async def begun_before(self, passage: Passage) -> Hold | None:
        """What an identical call began, for one that cannot be made now. Raises ApprovalsUnavailable."""
        ...

    def request(self, passage: Passage, decision: Decision, hold_id: str) -> tuple[Record, Record]:
        """The records of a request that is answered from a hold."""
        ...


class Keys(Protocol):
    """What callers' idempotency keys stand for (``gateway/holding/keys.py``)."""

    async def reserve(self, passage: Passage) -> Earlier | None:
        """Take the key; None if this is the first call with it."""
        ...

    async def settle(self, passage: Passage, outcome: Outcome | None) -> None:
        """Write down what came of it; None: nothing was sent."""
        ...

    async def repeated(self, passage: Passage, earlier: Earlier) -> Reply:
        """The recorded answer."""
        ...
