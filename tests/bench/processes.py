"""A candidate's process: started, told apart by its output, its clocks and memory read from /proc, ended by pid."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

HERE = Path(__file__).resolve().parent
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
START_S = 60.0
STOP_S = 10.0


class StartFailed(Exception):
    """A program ended, or stayed silent, before it said where it serves."""


class Program:
    """A running program and all its descendants."""

    def __init__(self, pid: int, found: re.Match[str]) -> None:
        self.pid = pid
        self.found = found
        """Its line that said it is ready."""

    def cpu_s(self) -> float:
        """User and system seconds so far, descendants included, also those that have ended."""
        return sum(self._clocks(pid) for pid in self._family()) / TICKS_PER_S

    def rss_bytes(self) -> int:
        """Resident memory of the program itself."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE_BYTES

    def _family(self) -> Iterator[int]:
        waiting = [self.pid]
        while waiting:
            pid = waiting.pop()
            yield pid
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += map(int, children.read_text().split())

    @staticmethod
    def _clocks(pid: int) -> int:
        # The command in brackets may hold anything; utime, stime, cutime, cstime are fields 14 to 17.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))


@asynccontextmanager
async def running(
    argv: list[str], *, ready: str, log: Path, environ: dict[str, str] | None = None
) -> AsyncIterator[Program]:
    """Start a program and wait for a line of its output that matches ``ready``; end it on leaving.

    Raises:
        StartFailed: with the end of what it wrote on stderr.
    """
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, **(environ or {})},
        )
    try:
        found = await _until_ready(process, re.compile(ready))
        if found is None:
            said = log.read_text(errors="replace")[-2000:].strip()
            raise StartFailed(f"{' '.join(argv[1:3])} did not start: {said}")
        yield Program(process.pid, found)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _until_ready(process: asyncio.subprocess.Process, ready: re.Pattern[str]) -> re.Match[str] | None:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            async for line in process.stdout:
                if found := ready.search(line.decode(errors="replace")):
                    return found
    except TimeoutError:
        pass
    return None


def python(script: str, *arguments: str) -> list[str]:
    """The command line of a program beside this file."""
    return [sys.executable, str(HERE / script), *arguments]


async def asked(argv: list[str], environ: dict[str, str] | None = None) -> str:
    """Run a program to its end and take its output.

    Raises:
        StartFailed: it did not exit with 0.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environ or {})},
    )
    out, err = await process.communicate()
    if process.returncode:
        raise StartFailed(f"{argv[1:]}: {err.decode(errors='replace')[-2000:]}")
    return out.decode()
