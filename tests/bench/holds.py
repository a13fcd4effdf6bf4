"""The figures of held calls: ``python tests/bench/holds.py [--pending 100000] [--folder DIR]``.

One process, nothing else: the store on a real folder, the scripts that the gateway uses, ids in no order.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import random
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from durable.holds import finding, recovering, sweeping
from durable.holds.deciding import decide
from durable.holds.filing import file_hold
from durable.holds.hold import Hold, Person, Requester
from durable.holds.reviewing import reviewing
from durable.holds.status import Status
from durable.stores.sqlite import SqliteStore
from gateway.core.days import days_until
from tests.contract.stores.rows import CAPS, filing

KEY = b"k" * 32
LEA = Person(id="lea@example.com", tenant="acme", names=frozenset({"refund-lead"}))
AT_ONCE = 256
SAMPLE = 500


async def open_store(path: Path) -> SqliteStore:
    return await SqliteStore.open(
        path,
        clock_ms=lambda: time.time_ns() // 1_000_000,
        monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
    )


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def say(what: str, value: float, unit: str = "ms") -> None:
    print(f"{what:<52} {value:10.2f} {unit}")


async def took_ms(work: Callable[[], Awaitable[Any]]) -> float:
    began_s = time.perf_counter()
    await work()
    return (time.perf_counter() - began_s) * 1000


async def timed(what: str, work: Callable[[], Awaitable[Any]]) -> None:
    samples = sorted([await took_ms(work) for _ in range(9)])
    say(f"{what}, median (worst {samples[-1]:.2f})", samples[4])


class Bench:
    """A store that fills."""

    def __init__(self, store: SqliteStore, ids: list[str]) -> None:
        self.store = store
        self.ids = ids

    async def create(self, number: int) -> Hold:
        subject = Requester(subject_type="user", subject_id=f"agent {number % 50}", agent="desk")
        group = f"group {number % 1000}"
        draft = filing(self.ids[number], requester=subject, group_key=group)
        return (await self.store.run(file_hold, draft, key=KEY, caps=CAPS))[0]

    async def one_by_one(self, numbers: range) -> None:
        before_s = cpu_s()
        for number in numbers:
            await self.create(number)
        say(f"create, one at a time, {numbers[0]} waiting: CPU", (cpu_s() - before_s) / len(numbers) * 1000)

    async def at_once(self, numbers: range) -> None:
        before_s, began_s = cpu_s(), time.perf_counter()
        for first in range(numbers.start, numbers.stop, AT_ONCE):
            group = range(first, min(numbers.stop, first + AT_ONCE))
            await asyncio.gather(*(self.create(number) for number in group))
        say(f"create, {AT_ONCE} at a time: CPU", (cpu_s() - before_s) / len(numbers) * 1000)
        say(f"create, {AT_ONCE} at a time", len(numbers) / (time.perf_counter() - began_s), "/s")

    async def decide(self, number: int) -> None:
        hold = await self.store.read(finding.one, self.ids[number])
        assert hold
        await self.store.run(decide, hold.id, LEA, "approve", seen=hold.seen, reason="", key=KEY)

    async def woken_ms(self, number: int) -> float:
        """From handing a decision over to the waiter's return."""
        hold = await self.store.read(finding.one, self.ids[number])
        assert hold
        waiting = asyncio.ensure_future(self.store.changed(hold.id, hold.version, timeout_s=60))
        while hold.id not in self.store._waiters._bells:
            await asyncio.sleep(0)
        await self.store.read(finding.one, hold.id)
        decision = self.store.run(decide, hold.id, LEA, "approve", seen=hold.seen, reason="", key=KEY)
        began_s = time.perf_counter()
        await asyncio.gather(decision, waiting)
        return (time.perf_counter() - began_s) * 1000


async def bench(path: Path, pending: int) -> None:
    rng = random.Random(4)
    ids = [f"{rng.getrandbits(128):032x}" for _ in range(pending)]
    say("open, empty", await took_ms(lambda: one_opening(path)))
    store = await open_store(path)
    filled = Bench(store, ids)
    await filled.one_by_one(range(SAMPLE))
    await filled.at_once(range(SAMPLE, pending - SAMPLE))
    await filled.one_by_one(range(pending - SAMPLE, pending))
    say("close", await took_ms(store.aclose))
    say("the database", path.stat().st_size / 1e6, "MB")
    say(f"open, {pending} waiting", await took_ms(lambda: one_opening(path)))
    filled.store = store = await open_store(path)
    try:
        held = {"statuses": [Status.HELD], "limit": 50}
        await timed("page of 50", lambda: store.read(finding.page, "acme", **held))
        await timed("what was running, at boot", lambda: store.read(recovering.executing, "", 100))
        await timed(
            "find by the beginning of an id", lambda: store.read(finding.of_prefix, "acme", ids[9][:8])
        )
        await timed("sweep, nothing due", lambda: store.run(sweeping.sweep))
        days = days_until(time.time_ns() // 1_000_000, 30, datetime.UTC)
        await timed("how 30 days of reviewing went", lambda: store.read(reviewing, "acme", days))
        numbers = iter(range(1000, pending))
        await timed("decide", lambda: filled.decide(next(numbers)))
        woken = sorted([await filled.woken_ms(next(numbers)) for _ in range(100)])
        say(f"waiter woken by a decision, median (worst {woken[-1]:.2f})", woken[50])
    finally:
        await store.aclose()


async def one_opening(path: Path) -> None:
    await (await open_store(path)).aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pending", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        uvloop.run(bench(Path(folder) / "holds.sqlite3", chosen.pending))


if __name__ == "__main__":
    main()
