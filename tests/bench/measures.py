"""What is measured, one coroutine each; all figures of one run come from the same minutes of the same machine."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from caller import Caller, WrongAnswer
from candidates import bare_upstream, fastmcp_proxy, sdk_proxy, toolgate
from processes import asked, python
from rego import write_policies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from candidates import Candidate
    from sizes import Sizes

CLIENTS = (1, 32)
SERVED_S = 30.0


async def until_served(candidate: Candidate, era: str, *, within_s: float = SERVED_S) -> None:
    """Call until the candidate has answered once; it may still be listing its upstream.

    Raises:
        WrongAnswer: the last one, when time is up.
    """
    end_s = time.monotonic() + within_s
    while True:
        caller = Caller(candidate.url, era=era, token=candidate.token)
        try:
            await caller.open()
            await caller.echo("are you there")
        except (WrongAnswer, OSError) as error:
            if time.monotonic() > end_s:
                raise WrongAnswer(f"{candidate.name}: {error}") from error
            await asyncio.sleep(0.02)
        else:
            return
        finally:
            caller.close()


async def load_cell(
    candidate: Candidate, *, era: str, clients: int, calls: int, text_bytes: int = 0
) -> dict[str, float]:
    """One run of the load generator against one candidate.

    Raises:
        WrongAnswer: any answer was not the one asked for.
    """
    job = {"url": candidate.url, "token": candidate.token, "era": era, "clients": clients, "calls": calls, "text_bytes": text_bytes,
           "warm_up": max(4 * clients, calls // 10)}  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *python("load.py"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(job).encode() + b"\n")
    said = await process.stdout.readline()
    cpu_s = candidate.program.cpu_s()
    if said.strip() == b"warm":
        process.stdin.write(b"go\n")
        said = await process.stdout.readline()
    cpu_s = candidate.program.cpu_s() - cpu_s
    await process.communicate()
    figures: dict[str, float] = json.loads(said or b'{"wrong": "the load generator ended"}')
    if "wrong" in figures:
        raise WrongAnswer(f"{candidate.name} at {clients} clients: {figures['wrong']}")
    return {**figures, "cpu_us": cpu_s / calls * 1e6}


async def under_load(folder: Path, sizes: Sizes, era: str) -> dict[str, dict[int, dict[str, float]]]:
    """Every candidate at every width, interleaved over rounds; the median round of each figure."""
    rounds: dict[str, dict[int, list[dict[str, float]]]] = {}
    async with (
        bare_upstream(folder) as direct,
        toolgate(folder / "toolgate", direct.url) as governed,
        sdk_proxy(folder, direct.url, era) as sdk,
        fastmcp_proxy(folder, direct.url, era) as fastmcp,
    ):
        candidates = [direct, governed, sdk, fastmcp]
        for candidate in candidates:
            await until_served(candidate, era)
            rounds[candidate.name] = {clients: [] for clients in CLIENTS}
        for number in range(sizes.rounds):
            # Another one begins each time, so that no one always runs on the warmer machine.
            turn = candidates[number % len(candidates) :] + candidates[: number % len(candidates)]
            for clients in CLIENTS:
                for candidate in turn:
                    _progress(f"round {number + 1}/{sizes.rounds}: {candidate.name}, {clients} clients")
                    calls = sizes.calls_alone if clients == 1 else sizes.calls_wide
                    cell = await load_cell(candidate, era=era, clients=clients, calls=calls)
                    rounds[candidate.name][clients].append(cell)
    return {
        name: {clients: _medians(cells) for clients, cells in widths.items()}
        for name, widths in rounds.items()
    }


async def look_at_texts(folder: Path, sizes: Sizes, era: str) -> dict[str, float]:
    """CPU of a call with 1 KB of text each way, with the look at texts and without; microseconds, medians."""
    rounds: dict[str, list[float]] = {}
    async with (
        bare_upstream(folder) as direct,
        toolgate(folder / "looking", direct.url) as looking,
        toolgate(folder / "blind", direct.url, scan=False) as blind,
    ):
        for candidate in (looking, blind):
            await until_served(candidate, era)
            rounds[candidate.name] = []
        for number in range(sizes.rounds):
            for candidate in (looking, blind) if number % 2 else (blind, looking):
                _progress(f"look at texts, round {number + 1}/{sizes.rounds}: {candidate.name}")
                cell = await load_cell(candidate, era=era, clients=1, calls=sizes.calls_wide, text_bytes=1024)
                rounds[candidate.name].append(cell["cpu_us"])
    return {"on_us": statistics.median(rounds[looking.name]), "off_us": statistics.median(rounds[blind.name])}


async def idle_sessions(folder: Path, sizes: Sizes) -> dict[str, float]:
    """Bytes of resident memory for each idle legacy session, beyond what the first hundred cost."""
    figures = {}
    async with (
        bare_upstream(folder) as direct,
        toolgate(folder / "sessions", direct.url) as governed,
        sdk_proxy(folder, direct.url, "modern") as sdk,
    ):
        for candidate in (governed, sdk):
            _progress(f"idle sessions: {candidate.name}")
            await until_served(candidate, "legacy")
            caller = Caller(candidate.url, era="legacy", token=candidate.token)
            await caller.open()
            # The first ones also pay for code paths, arenas and tables that later ones reuse.
            await _open(caller, 100)
            before_bytes = candidate.program.rss_bytes()
            await _open(caller, sizes.sessions)
            figures[candidate.name] = (candidate.program.rss_bytes() - before_bytes) / sizes.sessions
            caller.close()
    return figures


async def _open(caller: Caller, count: int) -> None:
    for _ in range(count):
        await caller.open_session()


async def start_up(folder: Path, sizes: Sizes) -> dict[str, float]:
    """Seconds from starting the process to its first correct answer: on an empty data folder, and again."""
    first_s, again_s = [], []
    async with bare_upstream(folder) as direct:
        for number in range(sizes.starts):
            _progress(f"start {number + 1}/{sizes.starts}")
            for found_s in (first_s, again_s):
                started_s = time.monotonic()
                async with toolgate(folder / f"start{number}", direct.url) as governed:
                    await until_served(governed, "modern")
                    found_s.append(time.monotonic() - started_s)
    return {"first_s": statistics.median(first_s), "again_s": statistics.median(again_s)}


async def policy_alone(folder: Path, sizes: Sizes) -> dict[str, dict[str, Any]]:
    """Microseconds per decision at 150 and 1,500 lines, keyed by the lines it became."""
    figures = {}
    for lines in (150, 1500):
        _progress(f"policy of {lines} lines")
        written = write_policies(folder / f"policy{lines}", lines)
        command = python("parts.py", "policy", str(folder / f"policy{lines}"), str(sizes.decisions))
        figures[str(written)] = json.loads(await asked(command))
    return figures


async def audit_alone(folder: Path, sizes: Sizes) -> dict[str, dict[str, float]]:
    """Appends with one caller and with sixteen, and the disk's own sync in between."""
    figures = {}
    commands = {
        "sync": ("sync", str(folder / "sync"), str(sizes.appends // 4)),
        "audit1": ("audit", str(folder / "audit1"), "1", str(sizes.appends // 4)),
        "audit16": ("audit", str(folder / "audit16"), "16", str(sizes.appends)),
    }
    for name, arguments in commands.items():
        _progress(name)
        figures[name] = json.loads(await asked(python("parts.py", *arguments)))
    return figures


def _medians(cells: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(cell[name] for cell in cells) for name in cells[0]}


def _progress(sentence: str) -> None:
    sys.stderr.write(f"\r\033[K{sentence}" if sys.stderr.isatty() else f"{sentence}\n")
    sys.stderr.flush()
