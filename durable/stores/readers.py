"""The few threads that read, each read on a connection of its own.

Its connections are closed while the writer opens the files again.
"""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from durable.errors import StoreClosed, StoreSyncFailed
from durable.stores.failures import store_error
from durable.stores.transaction import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from durable.stores.clock import StoreClock
    from durable.stores.transaction import Job

PAUSE_S = 1.0
"""How long a read waits for the files to be opened again, and that for reads to end."""


class Readers:
    """Reads from any of its threads. ``pause``, ``resume`` and ``close`` are for the writer's thread."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], clock: StoreClock, *, threads: int) -> None:
        """``connect`` raises sqlite3.Error."""
        self._connect = connect
        self._clock = clock
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="holds-reader")
        self._turn = threading.Condition()
        self._idle: list[sqlite3.Connection] = []
        self._reading = 0
        self._paused = False
        self._closed = False

    def read(self, job: Job) -> Job:
        """Run it; what came of it is in the job. Raises nothing."""
        with self._turn:
            if not self._turn.wait_for(lambda: not self._paused, PAUSE_S):
                job.error = StoreSyncFailed("the database is being opened again")
                return job
            if self._closed:
                job.error = StoreClosed("the store is closed")
                return job
            self._reading += 1
            connection = self._idle.pop() if self._idle else None
        try:
            connection = connection or self._connect()
            snapshot(connection, job, self._clock.now_ms())
        except BaseException as exc:  # noqa: BLE001 - the thread's edge: nobody else would tell the caller
            job.error = store_error(exc) if isinstance(exc, sqlite3.Error) else exc
            if connection:
                _close(connection)
            connection = None
        finally:
            with self._turn:
                self._reading -= 1
                if connection:
                    self._idle.append(connection)
                self._turn.notify_all()
        return job

    def pause(self) -> bool:
        """Let no read begin, wait for those under way, close every connection; False if one does not end."""
        with self._turn:
            self._paused = True
            if not self._turn.wait_for(lambda: not self._reading, PAUSE_S):
                return False
            while self._idle:
                _close(self._idle.pop())
            return True

    def resume(self) -> None:
        """Reads may begin."""
        with self._turn:
            self._paused = False
            self._turn.notify_all()

    def close(self) -> bool:
        """For good; False if a read does not end."""
        self._closed = True
        ended = self.pause()
        self.resume()
        # What still waits runs and is refused: a cancelled future would look like a cancelled caller.
        self.threads.shutdown(wait=ended)
        return ended


def _close(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        connection.close()
