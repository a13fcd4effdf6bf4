"""Parts of toolgate on their own: policy, audit log, and the disk's sync that the log cannot be faster than.

Each is a process of its own: ``python parts.py policy FOLDER``, ``audit FOLDER CALLERS COUNT``,
``sync FOLDER COUNT``. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import datetime
import itertools
import json
import os
import secrets
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

LINE_BYTES = 1024


def policy_input() -> dict[str, Any]:
    """The document the gateway would ask about the bench's call."""
    from gateway.core.call import canonical_call
    from gateway.core.definition import Definition, Listed, parse_definition
    from gateway.core.evaluation import evaluation_request
    from gateway.core.principal import Caller, Principal, Subject

    value = {"name": "echo", "inputSchema": {"type": "object"}}
    definition = parse_definition("bench", Listed(raw=json.dumps(value).encode(), value=value))
    assert isinstance(definition, Definition)
    subject = Subject(id="ana@example.com", roles=("support",))
    caller = Caller(
        principal=Principal(subject=subject, agent="bench", tenant="acme"),
        era="modern",
        protocol_version="2026-07-28",
        client="toolgate-bench 1",
        ip="127.0.0.1",
    )
    arguments = {"text": "c17 the quick brown fox; order A-1001", "number": 7}
    call = canonical_call("tools/call", "bench", "echo", arguments)
    now_us = time.time_ns() // 1000
    return evaluation_request(call, definition, caller, now_us=now_us, zone=datetime.UTC)


async def policy(folder: str, count: str) -> dict[str, Any]:
    """Microseconds per decision."""
    from policies.engines.embedded import EmbeddedEngine

    document = policy_input()
    engine = EmbeddedEngine(compiler="auto")
    try:
        started_s = time.perf_counter()
        loaded = await engine.load(Path(folder))
        load_s = time.perf_counter() - started_s
        for _ in range(int(count) // 10):
            verdict = await engine.evaluate(document)
        if not verdict.allow or verdict.denials or verdict.holds:
            raise SystemExit(f"the policy should have allowed the call: {verdict}")
        took_us = []
        for _ in range(int(count)):
            started_ns = time.perf_counter_ns()
            await engine.evaluate(document)
            took_us.append((time.perf_counter_ns() - started_ns) / 1000)
    finally:
        await engine.aclose()
    return {"decision_us": statistics.median(took_us), "load_s": load_s, "compiler": loaded.compiler}


async def audit(folder: str, callers: str, count: str) -> dict[str, Any]:
    """Appends of an intent, awaited until durable, each followed by its outcome, which nobody awaits."""
    from durable.audit.entry import Draft, PayloadDraft
    from durable.audit.segments import AuditLog

    directory = Path(folder)
    directory.mkdir(parents=True, exist_ok=True)
    log = await AuditLog.open(
        directory,
        clock=lambda: time.time_ns() // 1000,
        origin="bench",
        master_key=directory / "master.key",
        random_bytes=secrets.token_bytes,
    )
    numbers = iter(range(int(count)))
    took_ms: list[float] = []

    async def one() -> None:
        for number in numbers:
            members = {"call": f"{number:024x}", "method": "tools/call", "tool": "bench/echo", "effect": "allow",
                       "subject": "ana@example.com", "agent": "bench", "digest": "0" * 64, "revision": "1" * 64}  # fmt: skip
            payload = PayloadDraft(
                name="arguments", subject="ana@example.com", body=b'{"text":"order A-1001"}'
            )
            started_s = time.perf_counter()
            await log.append(Draft("intent", members, "acme", (payload,)))
            took_ms.append((time.perf_counter() - started_s) * 1000)
            log.enqueue(Draft("outcome", {"call": members["call"], "status": "succeeded"}, "acme"))

    started_s, cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(int(callers))))
    seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
    await log.aclose()
    return {
        "p50_ms": statistics.median(took_ms),
        "appends_per_s": len(took_ms) / seconds,
        "cpu_us": cpu_s / len(took_ms) * 1e6,
    }


async def sync(folder: str, count: str) -> dict[str, Any]:
    """One small append and ``fdatasync`` at a time, on the disk the log would be on."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    took_ms = []
    descriptor = os.open(Path(folder) / "sync", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for _ in itertools.repeat(None, int(count)):
            started_s = time.perf_counter()
            os.write(descriptor, b"x" * LINE_BYTES)
            os.fdatasync(descriptor)
            took_ms.append((time.perf_counter() - started_s) * 1000)
    finally:
        os.close(descriptor)
    return {"p50_ms": statistics.median(took_ms)}


if __name__ == "__main__":
    part = {"policy": policy, "audit": audit, "sync": sync}[sys.argv[1]]
    print(json.dumps(uvloop.run(part(*sys.argv[2:]))))
