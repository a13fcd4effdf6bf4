"""The port of a store of held calls, and what every store needs to tell those who wait."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from durable.holds.tx import Tx

    P = ParamSpec("P")
    T = TypeVar("T")

READ_ALL_AGAIN = ""
"""What a watch gives instead of ids when it may have missed some."""
WATCH_IDS_MAX = 1_000
"""How many different holds may wait for one watcher before it is told to read all again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """The state now, without I/O. Holds no value of any row."""

    state: Literal["ok", "refusing", "closed"]
    """``refusing``: every ``run`` raises; it comes back by itself unless ``code`` is ``holds_corrupt``."""
    code: str = ""
    """The error code while refusing."""
    reason: str = ""
    next_step: str = ""
    since_ms: int = 0
    """Of the store's clock, when it came into this state."""
    schema: str = ""
    """``major.minor`` of the database."""
    queued_scripts: int = 0
    """Handed over and not answered."""
    commits: int = 0
    """Transactions committed since the store was opened; several scripts share one."""
    last_commit_ms: float = 0.0
    """How long the last one took, its sync included."""
    clock_ahead_ms: int = 0
    """How far the store's clock is ahead of the wall clock: the wall clock was set back."""


class HoldStore(Protocol):
    """Rows of held calls, and a bell for those who wait for one.

    A script is a plain synchronous function ``script(tx, ...)``. It runs in a thread of the store's choice,
    must be quick, may read and write through ``tx`` only, and refuses by raising.

    Durability: ``run`` returns once what the script wrote survives power loss. If it raises what the script
    raised, or ``StatementRefused``, nothing the script wrote is stored. If it raises ``StoreUnavailable``,
    nothing may be done that depends on the script; for ``StoreSyncFailed`` and ``StoreSlow`` its rows may be
    there all the same, for the others they are not.

    Concurrency: any number of callers on one event loop. Scripts see each other's writes as if each had run
    alone; they run in no promised order, except that one handed over after another's ``run`` returned runs
    after it. A cancelled caller does not undo a script that was handed over. ``read`` never waits behind a
    script that writes, and sees everything that ``run`` has returned for.

    Time: ``tx.now_ms`` never goes back, over restarts neither: it is the wall clock, but at least the last
    reading plus what the monotonic clock has gone on. A wall clock that jumps ahead takes the store with it,
    and what expires by that stays expired.
    """

    async def run(self, script: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a script in a write transaction, perhaps with others in the same commit."""
        ...

    async def read(self, script: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a script over one snapshot; one that writes gets ``StatementRefused``."""
        ...

    async def changed(self, hold_id: str, after_version: int, *, timeout_s: float) -> None:
        """Return when the hold may have a newer version than this, or when there is no reason to wait on.

        That is: the hold is not there, the time is up, or ``wake_all`` was called. A change is told of once
        it is durable, within milliseconds, and one that came before the call is never missed.

        Raises:
            StoreUnavailable: the hold cannot be read.
        """
        ...

    def wake_all(self) -> None:
        """Every waiter returns now, and every watcher is told to read all again."""
        ...

    def watch(self) -> AbstractContextManager[AsyncIterator[str]]:
        """The ids of the holds that change from now on, until the store is closed.

        An id stands for one or more changes; the empty one says that some may have been missed.
        """
        ...

    def health(self) -> StoreHealth:
        """The state now."""
        ...

    async def aclose(self) -> None:
        """Finish what was handed over, wake everybody, and give the database back."""
        ...


def may_be_newer(tx: Tx, hold_id: str, after_version: int) -> bool:
    """Whether there is no reason to wait: a newer version, or no such hold."""
    found = tx.rows("SELECT version FROM hold WHERE id = :id", id=hold_id)
    return not found or found[0]["version"] > after_version


class Waiters:
    """Who waits for which hold. On the event loop only."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._bells: dict[str, set[asyncio.Event]] = {}
        self._watches: set[Watch] = set()
        self._ended = False

    async def changed(self, store: HoldStore, hold_id: str, after_version: int, *, timeout_s: float) -> None:
        """See ``HoldStore``. Who waits is known before the row is read, so no change falls between."""
        with self._waiting(hold_id) as bell, suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                if not await store.read(may_be_newer, hold_id, after_version):
                    await bell.wait()

    @contextmanager
    def _waiting(self, hold_id: str) -> Iterator[asyncio.Event]:
        bell = asyncio.Event()
        bells = self._bells.setdefault(hold_id, set())
        bells.add(bell)
        try:
            yield bell
        finally:
            bells.discard(bell)
            if not bells and self._bells.get(hold_id) is bells:
                del self._bells[hold_id]

    def ring(self, hold_ids: Iterable[str]) -> None:
        """These have changed."""
        for hold_id in hold_ids:
            for bell in self._bells.get(hold_id, ()):
                bell.set()
            for watch in self._watches:
                watch.tell(hold_id)

    def ring_all(self) -> None:
        """Anything may have changed."""
        for bells in self._bells.values():
            for bell in bells:
                bell.set()
        for watch in self._watches:
            watch.tell(READ_ALL_AGAIN)

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """See ``HoldStore``."""
        watch = Watch()
        if self._ended:
            watch.end()
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)
            watch.end()

    def end(self) -> None:
        """Nothing will change any more."""
        self._ended = True
        self.ring_all()
        for watch in self._watches:
            watch.end()


class Watch:
    """The ids that one watcher has not taken yet, each once, in the order of their first change."""

    def __init__(self) -> None:
        """Nothing has changed."""
        self._ids: dict[str, None] = {}
        self._ended = False
        self._told = asyncio.Event()

    def tell(self, hold_id: str) -> None:
        """One more, within the bound."""
        if READ_ALL_AGAIN in self._ids:
            return
        if hold_id == READ_ALL_AGAIN or len(self._ids) >= WATCH_IDS_MAX:
            hold_id = READ_ALL_AGAIN
            self._ids.clear()
        self._ids[hold_id] = None
        self._told.set()

    def end(self) -> None:
        """What was told is still given out."""
        self._ended = True
        self._told.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while not self._ids:
            if self._ended:
                raise StopAsyncIteration
            self._told.clear()
            await self._told.wait()
        hold_id = next(iter(self._ids))
        del self._ids[hold_id]
        return hold_id
