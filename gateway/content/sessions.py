"""What the sessions of agents came upon: labels, remembered while a session is in use and for an hour after.

A session is one principal in one workflow that its token signs; what a caller merely says of its workflow
divides nothing, or an agent would lose its labels by saying something else.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from durable.errors import DurableError
from durable.sessions.labelling import end, label, lasts, told
from durable.sessions.pruning import prune
from durable.sessions.session import SessionKey
from gateway.errors import ApprovalsUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from durable.stores.base import HoldStore
    from gateway.core.principal import Principal, Workflow

IDLE_S: Final = 3_600.0
"""A session that is not used for so long is over; the next use begins another."""
RENEWED_S: Final = 600.0
"""How far what is stored of a session in use may lag behind."""
STORED_MS: Final = int((IDLE_S + RENEWED_S) * 1_000)
"""How long a stored session lasts without being renewed: never less than in memory."""
SESSIONS_MAX: Final = 10_000
"""Sessions in memory. What was labelled is in the store, too, and is read again."""
LABELS_MAX: Final = 64
"""Labels of one session."""
PRUNED_MAX: Final = 500
"""Sessions that one transaction ends."""


def session_of(principal: Principal, workflow: Workflow) -> SessionKey:
    """The session that a call belongs to."""
    subject = principal.subject
    return SessionKey(
        tenant=principal.tenant,
        subject_type=subject.type,
        subject_id=subject.id,
        agent=principal.agent,
        workflow=workflow.id if workflow.verified else "",
    )


@dataclass(slots=True, kw_only=True, eq=False)
class _Kept:
    """One session in memory."""

    used_s: float
    labels: frozenset[str] = frozenset()
    stored: frozenset[str] | None = None
    """What the store confirmed; None: it was not asked yet."""
    renewed_s: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One transaction about a session at a time, so that none of them undoes another."""

    def settled(self, now_s: float) -> bool:
        """Whether the store need not be asked."""
        return (
            self.stored is not None
            and self.labels <= self.stored
            and now_s - self.used_s <= IDLE_S
            and now_s - self.renewed_s <= RENEWED_S
        )


class Sessions:
    """Labels by session. Of one process: its memory is what counts, the store is for the next start."""

    def __init__(
        self, store: HoldStore, *, monotonic_s: Callable[[], float], sessions_max: int = SESSIONS_MAX
    ) -> None:
        """Nothing is read before a session is used."""
        self._store = store
        self._monotonic_s = monotonic_s
        self._sessions_max = sessions_max
        self._kept: OrderedDict[SessionKey, _Kept] = OrderedDict()

    async def labels(self, principal: Principal, workflow: Workflow) -> frozenset[str]:
        """The labels of a session that makes a call now; it lasts for another hour.

        Raises:
            ApprovalsUnavailable: nobody can say, so the call must not be made.
        """
        key = session_of(principal, workflow)
        kept = self._of(key)
        if not kept.settled(self._monotonic_s()):
            async with kept.lock:
                try:
                    await self._settle(key, kept)
                except DurableError as error:
                    raise _unavailable(error, "it is not known what this session came upon") from error
        kept.used_s = max(kept.used_s, self._monotonic_s())
        return kept.labels

    async def known(self, key: SessionKey) -> frozenset[str]:
        """The labels of a session for people who look at it, which does not make it last any longer.

        Raises:
            StoreUnavailable: nobody can say.
        """
        kept = self._kept.get(key)
        if kept is None or kept.stored is None:
            stored = await self._store.read(told, key)
            return stored if kept is None else kept.labels | stored
        # What is stored of one that is over may last a little longer.
        return frozenset() if self._monotonic_s() - kept.used_s > IDLE_S else kept.labels

    async def add(self, principal: Principal, workflow: Workflow, labels: Collection[str]) -> None:
        """Label a session, before it is given what the labels are about. Durable when this returns.

        Raises:
            ApprovalsUnavailable: it is not stored, so what the labels are about must not be handed out. In
                memory the session has them all the same.
        """
        if not labels:
            return
        key = session_of(principal, workflow)
        kept = self._of(key)
        wanted = kept.labels.union(labels)
        if len(wanted) > LABELS_MAX:
            raise ApprovalsUnavailable(
                f"this session would have more than {LABELS_MAX} labels",
                next_step="the operator looks for an on_result rule whose label depends on the call",
            )
        # Known at once, whatever becomes of the transaction or of who waits for it.
        kept.labels = wanted
        kept.used_s = max(kept.used_s, self._monotonic_s())
        if kept.settled(self._monotonic_s()):
            return
        async with kept.lock:
            if kept.settled(self._monotonic_s()):
                return
            try:
                await self._write(key, kept)
            except DurableError as error:
                raise _unavailable(error, "what this session came upon cannot be remembered") from error

    async def keep_pruned(self) -> None:
        """Every ten minutes, for ever, let sessions go that are over."""
        while True:
            with suppress(DurableError):
                while await self._store.run(prune, limit=PRUNED_MAX) == PRUNED_MAX:
                    pass
            await asyncio.sleep(RENEWED_S)

    def _of(self, key: SessionKey) -> _Kept:
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(used_s=self._monotonic_s())
            self._make_room()
        self._kept.move_to_end(key)
        return kept

    def _make_room(self) -> None:
        too_many = max(0, len(self._kept) - self._sessions_max)
        for key in list(islice(self._kept, too_many)):
            kept = self._kept[key]
            # What is not stored yet is known here only.
            if not kept.lock.locked() and kept.labels <= (kept.stored or frozenset()):
                del self._kept[key]

    async def _settle(self, key: SessionKey, kept: _Kept) -> None:
        now_s = self._monotonic_s()
        if kept.settled(now_s):
            return
        if kept.stored is not None and now_s - kept.used_s > IDLE_S:
            # Forgotten before the transaction: what is added meanwhile belongs to the session that begins.
            kept.labels, kept.stored, kept.used_s = frozenset(), None, now_s
            await self._store.run(end, key)
            kept.stored, kept.renewed_s = frozenset(), now_s
            return
        if not kept.labels and not await self._store.read(lasts, key):
            # Nothing to store and nothing stored: most sessions write no row, ever.
            kept.stored, kept.renewed_s = frozenset(), now_s
            return
        await self._write(key, kept)

    async def _write(self, key: SessionKey, kept: _Kept) -> None:
        """Store what is not, read what is stored, renew."""
        now_s = self._monotonic_s()
        kept.stored = await self._store.run(label, key, kept.labels, idle_ms=STORED_MS)
        kept.labels |= kept.stored
        kept.renewed_s = now_s


def _unavailable(error: DurableError, consequence: str) -> ApprovalsUnavailable:
    return ApprovalsUnavailable(
        f"{consequence}: the store does not answer ({error.code})", next_step="the operator looks at /readyz"
    )
