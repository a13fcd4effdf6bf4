"""Runs of the flow of held calls that are killed at a step, and what is left of them.

``python held_process.py FOLDER`` reads one run a line on standard input, ``{"label": ..., "nth": ..., "idempotent":
...}``, and answers each with one line. Every run has a folder of its own; a child process is forked for each life of
it, so that a kill takes what a kill takes. The store, the log, the payloads and the flow are the product's; the
upstream is a file that every send is written to, and synced, before it answers.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from durable.audit.keyring import read_master_key
from durable.audit.limits import Limits
from durable.audit.payloads import read_payload
from durable.audit.segments import AuditLog
from durable.holds.finding import one
from durable.stores.sqlite import SqliteStore
from gateway.holding.recovery import recover_holds
from gateway.sealed import SealedPayloads
from gateway.trail import Trail, logged_outcome
from tests.fakes import ANA, HELD, Desk, call_of, caller, definition, ok
from tests.held_fakes import LEA, HeldFlow

LIFE_S = 20.0
LIMITS = Limits(ballast_bytes=0, segment_bytes_max=1 << 20)


class Killer:
    """Ends the process at the nth time that a label is passed."""

    def __init__(self, label, nth):
        self.label, self.left = label, nth

    def passes(self, label):
        if label == self.label:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, work, name):
        """The same coroutine function; ``name`` of its first argument tells the step, or None."""

        @functools.wraps(work)
        async def run(*args, **kwargs):
            step = name(*args)
            if step:
                self.passes(f"{step}:before")
            result = await work(*args, **kwargs)
            if step:
                self.passes(f"{step}:after")
            return result

        return run


def record_step(*records):
    """Which step a write to the log is."""
    first = records[0]
    if first.kind == "intent":
        return "intent" if "fence" in first.members else "request"
    return {"outcome": "outcome", "hold": "events"}.get(first.kind, "")


def written(folder, name, line):
    """One synced line: what it says has happened, or was told to somebody."""
    with (folder / name).open("a") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def lines(folder, name):
    path = folder / name
    return path.read_text().splitlines() if path.exists() else []


class Upstream:
    """Every send becomes a line before it is answered."""

    id = "orders"

    def __init__(self, folder):
        self._folder = folder

    async def call(self, send, **_):
        written(
            self._folder, "sent", f"{send.arguments['order_id']} {send.meta['dev.toolgate/idempotency-key']}"
        )
        await asyncio.sleep(0)
        return ok(f"paid {send.arguments['order_id']}")

    def health(self):
        from gateway.ports import UpstreamHealth

        return UpstreamHealth(state="ready", era="modern")


async def opened(folder, killer, *, idempotent):
    """One life: log, store, flow, everything in line before anything runs."""
    log = await AuditLog.open(
        folder,
        clock=lambda: time.time_ns() // 1000,
        origin="crash.example",
        master_key=folder / "keys" / "master.key",
        random_bytes=os.urandom,
        limits=LIMITS,
    )
    store = await SqliteStore.open(
        folder / "holds.sqlite3",
        clock_ms=lambda: time.time_ns() // 1_000_000,
        monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
    )
    await recover_holds(
        store, log.attempts_at_open, lambda tenant, call: logged_outcome(folder, tenant, call)
    )
    labels = ("idempotent",) if idempotent else ()
    desk = Desk(HELD, offered=(definition_with(labels),))
    desk.audit = Trail(log)
    desk.upstream = Upstream(folder)
    desk.new_call_id = lambda: os.urandom(8).hex()
    desk.clock = _Wall()
    desk.enforcement._audit, desk.enforcement._new_call_id = desk.audit, desk.new_call_id
    desk.audit.append = killer.around(desk.audit.append, record_step)
    store.run = killer.around(store.run, lambda script, *_: script.__name__)
    desk.upstream.call = killer.around(desk.upstream.call, lambda send: "send")
    payloads = SealedPayloads(
        functools.partial(read_payload, folder, read_master_key(folder / "keys" / "master.key"))
    )
    flow = HeldFlow(desk, store, principals=[ANA], payloads=payloads)
    flow.approval._new_hold_id = lambda: os.urandom(8).hex()
    return log, store, desk, flow


def definition_with(labels):
    from dataclasses import replace

    return replace(definition(), labels=labels)


class _Wall:
    @property
    def now_us(self):
        return time.time_ns() // 1000

    def us(self):
        return self.now_us

    def s(self):
        return time.monotonic()


async def life(folder, killer, *, idempotent, holds, delay_s=None):
    """Ask for every call, approve what waits, and go on until nothing is open."""
    if delay_s is not None:
        asyncio.get_running_loop().call_later(delay_s, lambda: os.kill(os.getpid(), signal.SIGKILL))
    log, store, desk, flow = await opened(folder, killer, idempotent=idempotent)
    clock = asyncio.ensure_future(flow.clockwork.keep())
    relay = asyncio.ensure_future(flow.relay.keep())
    try:
        async with asyncio.timeout(LIFE_S):
            ends = await asyncio.gather(*(whole(folder, desk, flow, f"A-{n}") for n in range(holds)))
    finally:
        clock.cancel()
        relay.cancel()
    await flow.relay.flush()
    await store.aclose()
    await log.aclose()
    return ends


async def whole(folder, desk, flow, order):
    """One call from the first request to its end; what the caller and the reviewer were told is written down."""
    arguments = {"order_id": order, "amount": 900}
    known = [line.split()[1] for line in lines(folder, "held") if line.startswith(f"{order} ")]
    hold = await flow.store.read(one, known[0]) if known else None
    if hold is None:
        hold = (await desk.enforcement.handle(call_of(arguments), caller(ANA))).hold
        if not known:
            written(folder, "held", f"{order} {hold.id}")
    hold = await flow.store.read(one, hold.id)
    if hold.status == "held":
        hold = await flow.approve(hold, LEA)
        written(folder, "approved", hold.id)
    ended = await flow.callers.wait(hold, timeout_s=LIFE_S)
    if ended.status == "succeeded" and not ended.collected:
        ending = await flow.callers.ending(ended)
        assert f"paid {order}".encode() in ending.reply.result, ending
    return ended.status.value


def lived(folder, killer, **members):
    """One life in a child process: what it said, or None if it was killed."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reads)
            ends = asyncio.run(life(folder, killer, **members))
            os.write(writes, json.dumps(ends).encode())
            status = 0
        except BaseException as error:
            os.write(writes, json.dumps({"fault": f"{type(error).__name__}: {error}"[:2000]}).encode())
        finally:
            os._exit(status)
    os.close(writes)
    with os.fdopen(reads, "rb") as said:
        text = said.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else None


def one_run(folder, run):
    """Kill it once at the label (or after a while), then let it end; what is wrong with what is left."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "keys").mkdir(parents=True)
    idempotent, holds = bool(run.get("idempotent")), run.get("holds", 1)
    first = lived(
        folder,
        Killer(run.get("label"), run.get("nth", 1)),
        idempotent=idempotent,
        holds=holds,
        delay_s=run.get("delay_s"),
    )
    approved = lines(folder, "approved")
    last = lived(folder, Killer(None, 0), idempotent=idempotent, holds=holds)
    if last is None or isinstance(last, dict):
        return {**run, "killed": first is None, "problem": f"the second life did not end: {last}"}
    sent = lines(folder, "sent")
    orders = [line.split()[0] for line in sent]
    doubles = [order for order in set(orders) if orders.count(order) > 1]
    keys = {line.split()[0]: set() for line in sent}
    for line in sent:
        keys[line.split()[0]].add(line.split()[1])
    problem = ""
    if isinstance(first, dict):
        problem = f"the first life failed: {first['fault']}"
    elif doubles and not idempotent:
        problem = f"sent twice: {doubles}"
    elif any(len(found) > 1 for found in keys.values()):
        problem = f"another key for the same call: {keys}"
    elif any(end not in {"succeeded", "outcome_unknown"} for end in last):
        problem = f"ends: {last}"
    elif len(set(approved)) > holds or len(lines(folder, "held")) > holds:
        problem = f"asked again: {approved}"
    return {
        **run,
        "killed": first is None,
        "ends": last,
        "sent": len(sent),
        "unknown": last.count("outcome_unknown"),
        "problem": problem,
    }


def main():
    folder = Path(sys.argv[1])
    for number, line in enumerate(sys.stdin):
        print(json.dumps(one_run(folder / f"run-{number % 4}", json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
