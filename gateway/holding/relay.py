"""Every event of a hold becomes an entry of the audit log: at least once, in order, before anything runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from durable.errors import StoreUnavailable
from durable.holds.mover import LOG
from durable.holds.outbox import told, untold
from gateway.core.record import Record
from gateway.errors import AuditUnwritable

if TYPE_CHECKING:
    from durable.holds.outbox import Untold
    from durable.stores.base import HoldStore
    from gateway.ports import AuditTrail

BATCH_MAX = 200
PAUSE_S = 0.05
"""What happens within this time shares one sync of the log."""
RETRY_S = 1.0


class EventRelay:
    """Carries events from the store to the log. An entry may come twice after a crash: same hold and seq."""

    def __init__(self, store: HoldStore, audit: AuditTrail) -> None:
        """Take both ends."""
        self._store = store
        self._audit = audit
        self._busy = asyncio.Lock()

    async def flush(self, hold_id: str | None = None) -> int:
        """Write down what waits, of one hold or of all; how many events it was.

        Raises:
            AuditUnwritable, StoreUnavailable: some of it still waits.
        """
        carried = 0
        async with self._busy:
            while events := await self._store.read(untold, LOG, limit=BATCH_MAX, hold_id=hold_id):
                await self._audit.append(*map(event_record, events))
                done = [(one.event.hold, one.event.seq) for one in events]
                await self._store.run(told, LOG, done)
                carried += len(events)
                if len(events) < BATCH_MAX:
                    break
        return carried

    async def keep(self) -> None:
        """Carry for ever."""
        with self._store.watch() as changes:
            pause_s = 0.0
            while True:
                try:
                    await self.flush()
                    pause_s = PAUSE_S
                except (AuditUnwritable, StoreUnavailable):
                    pause_s = RETRY_S
                if pause_s == PAUSE_S:
                    await anext(changes)
                await asyncio.sleep(pause_s)


def event_record(one: Untold) -> Record:
    """An event as the log keeps it."""
    event, hold = one.event, one.hold
    members = {
        "hold": event.hold,
        "hold_seq": event.seq,
        "event": event.kind,
        "actor": event.actor,
        "round": event.round,
        "call": hold.call_id,
        "tool": hold.target,
        "subject": hold.requester.subject_id,
        "agent": hold.requester.agent,
        **{name: value for name, value in event.details.items() if name not in _OWN},
    }
    if event.fence:
        # Not ``fence``: that marks the attempt's own intent.
        members["attempt"] = event.fence
    return Record(kind="hold", tenant=event.tenant, members=members)


_OWN = frozenset(
    {"hold", "event", "actor", "round", "call", "tool", "subject", "agent"}
    | {"v", "seq", "group", "at", "kind", "tenant", "payloads"}
)
"""Members that no detail of an event may replace."""
