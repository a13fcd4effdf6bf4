"""The one thread that writes: takes what waits, commits it as a group, and survives the disk's failures.

Two states. *Writing*: take, commit, report. *Refusing*: after any failure the descriptors are closed,
everybody who waits is refused, and with pauses that double the log is opened again through the same
recovery as at boot. It goes back to writing when everything kept is written and a ``recovered`` entry
was synced in time. Nothing here runs on the event loop; reports go there, one per group.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from durable.audit.entry import OWN_TENANT, RECOVERED, Draft, place, prepare, rfc3339
from durable.audit.group import Doubt, Handover, Refused, Standing, Written
from durable.audit.limits import (
    GROUP_BYTES_AIM,
    GROUP_ENTRIES_AIM,
    GROUP_PAYLOAD_BYTES_AIM,
    UNSYNCED_PAYLOAD_BYTES_AIM,
)
from durable.errors import AuditDiskFull, AuditSyncFailed, AuditSyncSlow, AuditUnavailable, audit_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from durable.audit.ballast import Ballast
    from durable.audit.entry import Placed, Prepared
    from durable.audit.intents import OpenIntents
    from durable.audit.journal import Journal
    from durable.audit.limits import Limits
    from durable.audit.payloads import PayloadStore


class Writer:
    """Owns the journal, the payload store and the ballast while its thread runs.

    Args:
        journal: open and recovered, as are ``payloads`` and ``ballast``.
        payloads: see there.
        ballast: see there.
        intents: those open at boot; kept up to date from here on.
        limits: see there.
        clock: unix microseconds, for what the writer itself records.
        digest_key: see ``entry.prepare``.
        report: called from the thread, once per group and once per change of state.
        on_committed: called from the thread with the next sequence number, before the report.
    """

    def __init__(
        self,
        journal: Journal,
        payloads: PayloadStore,
        ballast: Ballast,
        intents: OpenIntents,
        *,
        limits: Limits,
        clock: Callable[[], int],
        digest_key: bytes,
        report: Callable[[Written | Refused], None],
        on_committed: Callable[[int], None],
    ) -> None:
        """Nothing runs yet."""
        self._journal = journal
        self._payloads = payloads
        self._ballast = ballast
        self._intents = intents
        self._limits = limits
        self._clock = clock
        self._digest_key = digest_key
        self._report = report
        self._on_committed = on_committed
        self._inbox: queue.SimpleQueue[list[Handover] | None] = queue.SimpleQueue()
        self._waiting: deque[Handover] = deque()
        self._doubt = Doubt(before=journal.end.tree.copy())
        self._erased_keys: set[str] = set()
        self._failure: AuditUnavailable | None = None
        self._since_us = clock()
        self._pause_s = 0.0
        self._retry_at_s = 0.0
        self._payloads_due_s = 0.0
        self._last_sync_ms = 0.0
        self._clock_behind_us = 0
        self._refused_entries = 0
        self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)

    def start(self) -> None:
        """Begin writing."""
        self._thread.start()

    def take(self, handovers: list[Handover]) -> None:
        """Give it work; from any thread, never blocks."""
        self._inbox.put(handovers)

    def stop(self) -> None:
        """Ask it to write what it has, with one attempt to recover if it must, and end."""
        self._inbox.put(None)

    def join(self, deadline_s: float) -> bool:
        """Wait for its end; False if it is still stuck in the storage."""
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def standing(self) -> Standing:
        """The state now; from the thread, or before it runs."""
        return Standing(
            tree=self._journal.end.tree.copy(),
            segment_bytes=self._journal.end.size_bytes,
            failure=self._failure,
            since_us=self._since_us,
            last_sync_ms=self._last_sync_ms,
            unresolved_intents=len(self._intents),
            clock_behind_us=self._clock_behind_us,
        )

    # Everything below runs in the thread only.

    def _run(self) -> None:
        running = True
        while running:
            running = self._receive()
            try:
                self._work(stopping=not running)
            except AuditUnavailable as exc:
                self._fail(exc)
            except OSError as exc:
                self._fail(audit_error(exc))
            except Exception as exc:  # noqa: BLE001 - the thread's edge: a bug must refuse, not leave callers hanging
                self._fail(AuditSyncFailed(f"unexpected {exc!r}"))
        self._refuse_waiters()
        self._journal.close()
        with suppress(OSError):
            self._payloads.close()

    def _work(self, *, stopping: bool) -> None:
        if self._failure is None:
            self._commit_waiting()
            self._sync_payloads(now=stopping)
        else:
            self._refuse_waiters()
            if stopping or time.monotonic() >= self._retry_at_s:
                self._recover()

    def _receive(self) -> bool:
        """Wait for work, or until something else is due; False when it is time to end."""
        try:
            handovers = self._inbox.get(timeout=self._idle_s())
            while handovers is not None:
                self._waiting.extend(handovers)
                handovers = self._inbox.get_nowait()
        except queue.Empty:
            return True
        return False

    def _idle_s(self) -> float | None:
        if self._failure is not None:
            return max(0.0, self._retry_at_s - time.monotonic())
        if self._payloads.unsynced_bytes:
            return max(0.0, self._payloads_due_s - time.monotonic())
        return None

    def _next_group(self) -> tuple[Handover, ...]:
        group: list[Handover] = []
        entries = line_bytes = payload_bytes = 0
        while (
            self._waiting
            and entries < GROUP_ENTRIES_AIM
            and line_bytes < GROUP_BYTES_AIM
            and payload_bytes < GROUP_PAYLOAD_BYTES_AIM
        ):
            handover = self._waiting.popleft()
            if handover.given_up:
                error = AuditSyncSlow("waited too long for the storage")
                self._report(Refused(handovers=(handover,), error=error, standing=self.standing()))
                continue
            group.append(handover)
            entries += len(handover.entries)
            line_bytes += handover.line_bytes
            payload_bytes += handover.payload_bytes
        return tuple(group)

    def _commit_waiting(self) -> None:
        while self._waiting:
            group = self._next_group()
            if group:
                self._commit(group)

    def _commit(self, group: tuple[Handover, ...]) -> None:
        """One group: payloads, then lines with one write and one sync, then the report.

        A crash before the lines are written leaves sealed payloads that no entry names; the journal
        says what later ones leave.
        """
        started_s = time.monotonic()
        before = self._journal.end.tree.copy()
        self._doubt = Doubt(before=before, handovers=group)
        entries = [prepared for handover in group for prepared in handover.entries]
        placed = self._place(entries)
        leaves = tuple(appended.leaf for appended in placed.appended)
        self._doubt = Doubt(before=before, handovers=group, leaves=leaves)
        self._journal.write(placed)
        self._erase(group)
        self._check_pace(started_s)
        self._last_sync_ms = (time.monotonic() - started_s) * 1000
        self._clock_behind_us = placed.clock_behind_us
        for prepared, appended in zip(entries, placed.appended, strict=True):
            if prepared.joining:
                self._intents.take(prepared.joining, seq=appended.seq, at=rfc3339(appended.at_us))
        self._doubt = Doubt(before=self._journal.end.tree.copy())
        remaining = iter(placed.appended)
        places = tuple(tuple(next(remaining) for _ in handover.entries) for handover in group)
        self._on_committed(self._journal.end.seq)
        self._report(Written(handovers=group, places=places, standing=self.standing()))

    def _place(self, entries: list[Prepared]) -> Placed:
        commitments = self._payloads.write(entries)
        if self._payloads.unsynced_bytes and not self._payloads_due_s:
            self._payloads_due_s = time.monotonic() + self._limits.payload_sync_s
        end = self._journal.end
        return place(entries, commitments, first_seq=end.seq, at_us=end.at_us)

    def _erase(self, group: tuple[Handover, ...]) -> None:
        """Recorded first, destroyed second: a crash between the two is completed by the next recovery."""
        for handover in group:
            if handover.erasure:
                self._erased_keys.add(handover.erasure.key)
                self._payloads.erase(handover.erasure.tenant, handover.erasure.subject)
                self._erased_keys.discard(handover.erasure.key)

    def _sync_payloads(self, *, now: bool) -> None:
        waiting_bytes = self._payloads.unsynced_bytes
        if not waiting_bytes:
            self._payloads_due_s = 0.0
        elif now or waiting_bytes >= UNSYNCED_PAYLOAD_BYTES_AIM or time.monotonic() >= self._payloads_due_s:
            started_s = time.monotonic()
            self._payloads.sync()
            self._payloads_due_s = 0.0
            self._check_pace(started_s)

    def _check_pace(self, started_s: float) -> None:
        took_s = time.monotonic() - started_s
        if took_s > self._limits.sync_deadline_s:
            raise AuditSyncSlow(f"the storage took {took_s:.1f} s", next_step="look at the disk's load")

    def _fail(self, error: AuditUnavailable) -> None:
        """Stop writing. Who waits is refused now; what nobody waits for is kept."""
        if self._failure is None:
            self._since_us = self._clock()
            self._pause_s = self._limits.retry_first_s
        else:
            self._pause_s = min(2 * self._pause_s, self._limits.retry_last_s)
        self._failure = error
        self._retry_at_s = time.monotonic() + self._pause_s
        self._journal.close()
        with suppress(OSError):
            self._payloads.close()
        if isinstance(error, AuditDiskFull):
            with suppress(OSError):
                self._ballast.free()
        self._refuse(self._doubt.handovers, error)

    def _refuse(self, handovers: Iterable[Handover], error: AuditUnavailable) -> None:
        """Report those that somebody waits for as refused, once; report the state in any case."""
        refused = tuple(handover for handover in handovers if handover.waiter and not handover.refused)
        for handover in refused:
            handover.refused = error.code
            self._refused_entries += len(handover.entries)
        self._report(Refused(handovers=refused, error=error, standing=self.standing()))

    def _refuse_waiters(self) -> None:
        if self._failure is not None and any(handover.waiter for handover in self._waiting):
            self._refuse(self._waiting, self._failure)
            self._waiting = deque(handover for handover in self._waiting if not handover.waiter)

    def _recover(self) -> None:
        """Open again, write what was kept, and prove with a ``recovered`` entry that the disk is back."""
        started_s = time.monotonic()
        recovered = self._journal.open(at_boot=False)
        self._settle()
        self._payloads.open()
        self._payloads.finish_erasures(self._erased_keys | recovered.erased_keys)
        self._erased_keys.clear()
        self._commit_waiting()
        self._ballast.lay()
        self._check_pace(started_s)
        members = {
            "after": self._failure.code if self._failure else "",
            "since": rfc3339(self._since_us),
            "refused_entries": self._refused_entries,
            "cut_bytes": recovered.cut_bytes,
            "cut_lines": recovered.cut_lines,
        }
        self._commit((self._own(Draft(RECOVERED, members, OWN_TENANT)),))
        self._failure, self._since_us, self._refused_entries = None, self._clock(), 0
        self._report(Written(handovers=(), places=(), standing=self.standing()))

    def _settle(self) -> None:
        """Deal with the group that was under way when the disk failed, now that it is known what is there."""
        tree = self._journal.end.tree
        settlement = self._doubt.settle(tree)
        denied = [self._own(draft) for draft in settlement.denied]
        self._waiting.extendleft(reversed([*denied, *settlement.to_write]))
        self._doubt = Doubt(before=tree.copy())
        for handover in settlement.stored:
            for prepared in handover.entries:
                if prepared.joining:
                    self._intents.take(prepared.joining, seq=tree.size, at=rfc3339(prepared.at_us))
            self._report(Written(handovers=(handover,), places=((),), standing=self.standing()))

    def _own(self, draft: Draft) -> Handover:
        """An entry of the log's own, which nobody waits for."""
        return Handover(entries=(prepare(draft, at_us=self._clock(), digest_key=self._digest_key),))
