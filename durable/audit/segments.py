"""The audit log as the gateway sees it: append and be sure, or enqueue and go on.

Truth is one line per entry in the segments. Group commit: what is handed over in one turn of the event
loop, and while the group before it is written, shares one write and one sync (writer.py).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from durable.audit.boot import take_over
from durable.audit.entry import (
    INTENT,
    OWN_TENANT,
    PAYLOADS_REMOVED,
    SUBJECT_ERASED,
    Draft,
    prepare,
    rfc3339,
)
from durable.audit.group import Erasure, Handover, Refused, Written, not_sent
from durable.audit.health import AuditHealth
from durable.audit.limits import APPEND_BYTES_MAX, APPEND_PAYLOAD_BYTES_MAX, Limits
from durable.audit.retention import remove_older
from durable.audit.writer import Writer
from durable.errors import (
    AuditClosed,
    AuditQueueFull,
    AuditSyncSlow,
    AuditUnavailable,
    DraftRefused,
    audit_error,
)
from durable.files import SystemFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from durable.audit.attempts import HoldAttempts
    from durable.audit.boot import Holding
    from durable.audit.entry import Appended
    from durable.audit.intents import UnresolvedIntent
    from durable.errors import DurableError
    from durable.files import Files


class AuditLog:
    """The only writer of one data directory.

    Concurrency: any number of callers on one event loop. An append is not undone by its caller being
    cancelled: what was handed over is written, or refused, as a whole.
    """

    @classmethod
    async def open(
        cls,
        directory: Path,
        *,
        clock: Callable[[], int],
        origin: str,
        master_key: Path,
        random_bytes: Callable[[int], bytes],
        limits: Limits | None = None,
        files: Files | None = None,
        on_committed: Callable[[int], None] | None = None,
    ) -> Self:
        """Lock, recover and continue; creates the log in an empty directory.

        Args:
            directory: the data directory; the log lives in ``audit`` below it.
            clock: unix microseconds.
            origin: the log's own name, for life; signed checkpoints will carry it.
            master_key: file that wraps the payload keys, outside ``directory/audit``; made if missing.
            random_bytes: so many unpredictable bytes.
            limits: bounds.
            files: the file operations.
            on_committed: told the next sequence number after each group, from the writer's thread.

        Raises:
            AuditUnavailable: locked, corrupt, or the storage fails.
            KeyUnusable: the master key is missing or cannot be made.
        """
        limits = limits or Limits()
        holding = await asyncio.to_thread(
            take_over,
            directory,
            origin=origin,
            master_key=master_key,
            clock=clock,
            random_bytes=random_bytes,
            limits=limits,
            files=files or SystemFiles(),
        )
        return cls(holding, clock=clock, limits=limits, on_committed=on_committed or _nothing)

    def __init__(
        self,
        holding: Holding,
        *,
        clock: Callable[[], int],
        limits: Limits,
        on_committed: Callable[[int], None],
    ) -> None:
        """Use ``open``."""
        self.unresolved_at_open: tuple[UnresolvedIntent, ...] = holding.recovered.intents.unresolved()
        self.attempts_at_open: HoldAttempts = holding.recovered.attempts
        """What the log says of held calls: attempts, ends, the last events."""
        self._holding = holding
        self._clock = clock
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._closed = False
        self._turn: list[Handover] = []
        self._patience: asyncio.TimerHandle | None = None
        self._awaited: dict[Handover, None] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._stalled: AuditSyncSlow | None = None
        self._changed = asyncio.Event()
        self._queued_entries = 0
        self._queued_bytes = 0
        self._unwritten_entries = 0
        self._unwritten_reason = ""
        self._writer = Writer(
            holding.journal,
            holding.payloads,
            holding.ballast,
            holding.recovered.intents,
            limits=limits,
            clock=clock,
            digest_key=holding.master.digest_key,
            report=self._report,
            on_committed=on_committed,
        )
        self._standing = self._writer.standing()
        self._writer.start()
        on_committed(self._standing.tree.size)

    async def append(self, *drafts: Draft) -> tuple[Appended, ...]:
        """Write and wait until the entries survive power loss; they share one group.

        Raises:
            AuditUnavailable: they were not acknowledged. They may be in the log all the same; for each
                intent among those ``not_sent`` follows as soon as the log can write again.
            DraftRefused: nothing was handed over.
        """
        return await self._append(drafts)

    def enqueue(self, *drafts: Draft) -> None:
        """Write with the next group, for what nobody waits for; kept through an outage, within the queue.

        Never blocks and never raises: what cannot become an entry or finds no room is counted in
        ``health``, with the reason of the last.
        """
        for draft in drafts:
            refusal: DurableError | None
            try:
                handover = self._handover((draft,))
                refusal = self._refusal_of(handover)
            except DraftRefused as exc:
                refusal = exc
            if refusal:
                self._unwritten_entries += 1
                self._unwritten_reason = refusal.reason
            else:
                self._hand_over(handover)

    async def erase_subject(self, tenant: str, subject: str, *, members: Mapping[str, Any]) -> Appended:
        """Destroy what opens the subject's payloads; ``members`` say who asked and why.

        The entry is written first. After it, reads say erased; the entries about the subject stay.

        Raises:
            AuditUnavailable: the key may or may not be destroyed; erase again.
        """
        master, keyring = self._holding.master, self._holding.keyring
        found = await asyncio.to_thread(keyring.find, master.tag(tenant, subject))
        key = found.id.hex() if found else ""
        draft = Draft(SUBJECT_ERASED, {"subject": subject, "key": key, **members}, tenant)
        erasure = Erasure(tenant=tenant, subject=subject, key=key)
        (appended,) = await self._append((draft,), erasure=erasure)
        return appended

    async def remove_payloads(self, *, before_us: int) -> tuple[str, ...]:
        """Remove files of sealed values that are older than that, and record it.

        Raises:
            AuditUnavailable: it could not be recorded, so nothing was removed; or the storage failed.
        """
        layout, files = self._holding.layout, SystemFiles()
        members = {"before": rfc3339(before_us)}
        await self.append(Draft(PAYLOADS_REMOVED, members, OWN_TENANT))
        try:
            return await asyncio.to_thread(remove_older, layout, before_us=before_us, files=files)
        except OSError as exc:
            raise audit_error(exc) from exc

    def health(self) -> AuditHealth:
        """The state now, without I/O."""
        standing = self._standing
        failure = self._stalled or standing.failure
        state = "closed" if self._closed else "refusing" if failure else "ok"
        return AuditHealth(
            state=state,
            code=failure.code if failure else "",
            reason=failure.reason if failure else "",
            next_step=failure.next_step if failure else "",
            since_us=standing.since_us,
            entries=standing.tree.size,
            root=standing.tree.root(),
            segment_bytes=standing.segment_bytes,
            last_sync_ms=standing.last_sync_ms,
            queued_entries=self._queued_entries,
            unresolved_intents=standing.unresolved_intents,
            unwritten_entries=self._unwritten_entries,
            unwritten_reason=self._unwritten_reason,
            clock_behind_us=standing.clock_behind_us,
        )

    async def state_changed(self) -> AuditHealth:
        """Wait until the log begins to refuse, recovers or closes; for readiness and alarms."""
        await self._changed.wait()
        return self.health()

    async def aclose(self) -> None:
        """Write what was taken, then give the directory back; bounded by three sync deadlines."""
        if self._closed:
            return
        self._closed = True
        self._announce()
        if self._turn:
            self._end_turn()
        self._writer.stop()
        ended = await asyncio.to_thread(self._writer.join, 3 * self._limits.sync_deadline_s)
        await asyncio.sleep(0)  # The thread's last reports are in the loop's queue.
        if self._queued_entries:
            self._unwritten_entries += self._queued_entries
            self._unwritten_reason = "the log was closed before the storage came back"
        self._give_up(list(self._awaited), AuditClosed("the log was closed while the storage was stuck"))
        if ended:
            self._holding.lock.release()

    async def _append(
        self, drafts: tuple[Draft, ...], *, erasure: Erasure | None = None
    ) -> tuple[Appended, ...]:
        if not drafts:
            return ()
        handover = self._handover(drafts)
        handover.erasure = erasure
        if refusal := self._stalled or self._standing.failure or self._refusal_of(handover):
            raise type(refusal)(refusal.reason, next_step=refusal.next_step)
        handover.waiter = self._loop.create_future()
        self._hand_over(handover)
        outcome = await handover.waiter
        if isinstance(outcome, AuditUnavailable):
            raise type(outcome)(outcome.reason, next_step=outcome.next_step) from outcome
        return outcome

    def _handover(self, drafts: tuple[Draft, ...]) -> Handover:
        at_us, digest_key = self._clock(), self._holding.master.digest_key
        handover = Handover(
            entries=tuple([prepare(draft, at_us=at_us, digest_key=digest_key) for draft in drafts]),
            handed_s=self._loop.time(),
        )
        if handover.line_bytes > APPEND_BYTES_MAX:
            raise DraftRefused(f"one append has at most {APPEND_BYTES_MAX} bytes of lines")
        if handover.payload_bytes > APPEND_PAYLOAD_BYTES_MAX:
            raise DraftRefused(f"one append has at most {APPEND_PAYLOAD_BYTES_MAX} bytes of payloads")
        return handover

    def _refusal_of(self, handover: Handover) -> AuditUnavailable | None:
        """Why it is not taken, an outage aside."""
        if self._closed or os.getpid() != self._pid:
            return AuditClosed("the log is closed, or belongs to the process this one was forked from")
        if (
            self._queued_entries + len(handover.entries) > self._limits.queue_entries_max
            or self._queued_bytes + handover.line_bytes + handover.payload_bytes
            > self._limits.queue_bytes_max
        ):
            return AuditQueueFull("too much waits for the storage", next_step="look at the disk's load")
        return None

    def _hand_over(self, handover: Handover) -> None:
        handover.counted = True
        self._count(handover, 1)
        if handover.waiter and (self._patience or not self._turn):
            self._loop.call_soon(self._end_turn)
            self._stop_patience()
        elif not self._turn:
            self._patience = self._loop.call_later(self._limits.patience_s, self._end_turn)
        self._turn.append(handover)
        if handover.waiter:
            self._awaited[handover] = None
            if not self._watch:
                self._watch = self._loop.call_later(self._limits.sync_deadline_s, self._look_at_waiters)

    def _end_turn(self) -> None:
        """Everything of one turn of the loop goes over together, so that a burst is one group."""
        self._stop_patience()
        turn, self._turn = self._turn, []
        if turn:
            self._writer.take(turn)

    def _stop_patience(self) -> None:
        if self._patience:
            self._patience.cancel()
            self._patience = None

    def _report(self, report: Written | Refused) -> None:
        """From the writer's thread; a loop that is gone has nobody left to tell."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, report)

    def _settle(self, report: Written | Refused) -> None:
        was_refusing = bool(self._stalled or self._standing.failure)
        self._standing = report.standing
        self._stalled = None
        if was_refusing != bool(report.standing.failure):
            self._announce()
        outcomes: Sequence[tuple[Appended, ...] | AuditUnavailable] = (
            report.places if isinstance(report, Written) else [report.error] * len(report.handovers)
        )
        for handover, outcome in zip(report.handovers, outcomes, strict=True):
            self._awaited.pop(handover, None)
            if handover.counted:
                self._count(handover, -1)
            if handover.waiter and not handover.waiter.done():
                handover.waiter.set_result(outcome)
            if handover.given_up and isinstance(report, Written):
                self._deny(handover)

    def _deny(self, handover: Handover) -> None:
        """The waiter was told no, and then the entries were stored after all."""
        intents = [prepared.draft for prepared in handover.entries if prepared.draft.kind == INTENT]
        self.enqueue(*(not_sent(draft, code=AuditSyncSlow.code, stored=True) for draft in intents))

    def _look_at_waiters(self) -> None:
        """Refuse those who waited for too long: the thread may be stuck in a sync that does not return."""
        self._watch = None
        now_s, deadline_s = self._loop.time(), self._limits.sync_deadline_s
        late = [handover for handover in self._awaited if now_s - handover.handed_s >= deadline_s]
        if late:
            self._stalled = AuditSyncSlow(
                f"no answer within {deadline_s} s", next_step="look at the disk's load"
            )
            self._give_up(late, self._stalled)
            self._announce()
        if self._awaited:
            oldest_s = min(handover.handed_s for handover in self._awaited)
            self._watch = self._loop.call_at(oldest_s + deadline_s, self._look_at_waiters)

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _give_up(self, handovers: list[Handover], error: AuditUnavailable) -> None:
        for handover in handovers:
            handover.given_up = True
            self._awaited.pop(handover, None)
            if handover.waiter and not handover.waiter.done():
                handover.waiter.set_result(error)

    def _count(self, handover: Handover, sign: int) -> None:
        self._queued_entries += sign * len(handover.entries)
        self._queued_bytes += sign * (handover.line_bytes + handover.payload_bytes)


def _nothing(_: int) -> None:
    """Nobody follows."""
