"""The load generator: its own process, so that its work is on nobody's account.

Reads one job as a JSON line, connects and warms up, prints ``warm``, waits for a line, makes exactly the
asked number of calls, prints the figures as JSON. Between the two lines the caller reads CPU clocks.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from typing import Any

import uvloop
from caller import Caller, WrongAnswer

TEXT = "the quick brown fox jumps over the lazy dog; order A-1001"
"""What each call says behind its label, again and again where a job asks for more bytes."""


async def calls(callers: list[Caller], count: int, label: str, text: str) -> tuple[list[float], float]:
    """``count`` calls shared by all callers, each with one under way; seconds of each, and of all."""
    numbers = iter(range(count))
    latencies: list[float] = []

    async def one(caller: Caller) -> None:
        for number in numbers:
            started_s = time.perf_counter()
            await caller.echo(f"{label}{number} {text}")
            latencies.append(time.perf_counter() - started_s)

    started_s = time.perf_counter()
    await asyncio.gather(*map(one, callers))
    return latencies, time.perf_counter() - started_s


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def run(job: dict[str, Any]) -> dict[str, Any]:
    """One cell of the table."""
    loop = asyncio.get_running_loop()
    callers = [Caller(job["url"], era=job["era"], token=job["token"]) for _ in range(job["clients"])]
    for caller in callers:
        await caller.open()
    text = " ".join([TEXT] * max(1, job["text_bytes"] // len(TEXT)))
    await calls(callers, job["warm_up"], "w", text)
    print("warm", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    latencies, seconds = await calls(callers, job["calls"], "c", text)
    for caller in callers:
        caller.close()
    return {
        "p50_ms": statistics.median(latencies) * 1000,
        "p99_ms": percentile(latencies, 0.99) * 1000,
        "calls_per_s": len(latencies) / seconds,
        "calls": len(latencies),
    }


def main() -> None:
    """Figures, or ``wrong`` with the first answer that was not what it should be."""
    job = json.loads(sys.stdin.readline())
    try:
        figures = uvloop.run(run(job))
    except (WrongAnswer, OSError) as error:
        figures = {"wrong": str(error) or repr(error)}
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
