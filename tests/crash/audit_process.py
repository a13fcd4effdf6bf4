"""A process with an audit log, for tests that kill it or take its disk away: ``python audit_process.py ROLE DIR``.

It says what it did on its standard output, one JSON value per line.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from durable.audit.entry import Draft, PayloadDraft
from durable.audit.limits import Limits
from durable.audit.segments import AuditLog
from durable.errors import AuditClosed, AuditUnavailable

LIMITS = Limits(
    segment_bytes_max=64 * 1024,
    payload_segment_bytes_max=64 * 1024,
    ballast_bytes=256 * 1024,
    retry_first_s=0.01,
)


def say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def open_log(directory: Path, limits: Limits = LIMITS) -> AuditLog:
    return await AuditLog.open(
        directory,
        clock=lambda: time.time_ns() // 1000,
        origin="crash.example",
        master_key=directory / "keys" / "audit.key",
        random_bytes=os.urandom,
        limits=limits,
    )


def intent(call: str) -> Draft:
    payload = PayloadDraft(name="arguments", subject="ana", body=call.encode())
    return Draft(
        "intent", {"call": call, "effect": "allow", "subject": "ana", "tool": "t/x"}, "acme", (payload,)
    )


async def write(directory: Path, *, acknowledge_first: bool) -> None:
    """Append from eight callers for ever; each acknowledged call is said. The broken one says it too early."""
    log = await open_log(directory)
    run = os.getpid()

    async def caller(number: int) -> None:
        for turn in range(1_000_000):
            call = f"{run}-{number}-{turn}"
            if acknowledge_first:
                say(call)
            await log.append(intent(call))
            if not acknowledge_first:
                say(call)
            log.enqueue(Draft("outcome", {"call": call}, "acme"))

    await asyncio.gather(*(caller(number) for number in range(8)))


async def until_ok(log: AuditLog) -> None:
    while log.health().state != "ok":
        await log.state_changed()


async def append_until_refused(log: AuditLog) -> str:
    for number in range(1_000_000):
        try:
            await log.append(intent(f"c{number}"))
        except AuditUnavailable as exc:
            return exc.code
    return ""


async def file_size_limit(directory: Path) -> None:
    """Fill a file size limit, lift it, go on."""
    log = await open_log(directory, Limits(ballast_bytes=4096, retry_first_s=0.01))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    code = await append_until_refused(log)
    refusing = log.health().state
    log.enqueue(Draft("outcome", {"call": "c0"}, "acme"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await until_ok(log)
    await log.append(intent("after"))
    await log.aclose()
    say({"code": code, "refusing": refusing, "unwritten": log.health().unwritten_entries})


async def full_disk(directory: Path) -> None:
    """Fill the file system, see an outcome still being written, make room, go on."""
    log = await open_log(directory)
    ballast = directory / "audit" / "ballast"
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096:
                pass
        except OSError:
            pass
    code = await append_until_refused(log)
    refusing = log.health().state
    log.enqueue(*(Draft("outcome", {"call": f"c{number}"}, "acme") for number in range(8)))
    while log.health().queued_entries:
        await asyncio.sleep(0)
    still = log.health().code
    filler.unlink()
    await until_ok(log)
    await log.append(intent("after"))
    await log.aclose()
    say(
        {
            "code": code,
            "refusing": refusing,
            "still": still,
            "ballast_after": ballast.stat().st_size,
            "unwritten": log.health().unwritten_entries,
        }
    )


async def fork(directory: Path) -> None:
    """Fork with the log open; the child tries to write."""
    log = await open_log(directory)
    await log.append(intent("parent"))
    child = os.fork()
    if child == 0:
        try:
            log.append(intent("child")).send(None)
        except AuditClosed:
            os._exit(7)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    await log.append(intent("parent again"))
    await log.aclose()
    say({"child": os.waitstatus_to_exitcode(status)})


async def hold(directory: Path) -> None:
    """Keep the log open until killed."""
    log = await open_log(directory)
    await log.append(intent("held"))
    say(os.getpid())
    await asyncio.Event().wait()


ROLES = {
    "write": lambda directory: write(directory, acknowledge_first=False),
    "broken": lambda directory: write(directory, acknowledge_first=True),
    "file-size-limit": file_size_limit,
    "full-disk": full_disk,
    "fork": fork,
    "hold": hold,
}

if __name__ == "__main__":
    asyncio.run(ROLES[sys.argv[1]](Path(sys.argv[2])))
