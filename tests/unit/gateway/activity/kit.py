"""A real log with its index, and the desk over both; the words of calls as the flows write them."""

from __future__ import annotations

import asyncio
import os
from functools import partial

from durable.audit import index as index_module
from durable.audit.index import AuditIndex
from durable.audit.keyring import read_master_key
from durable.audit.limits import Limits
from durable.audit.payloads import find_payload
from durable.audit.segments import AuditLog
from durable.holds.hold import Person
from gateway.activity.desk import LoggedActivity
from gateway.activity.news import IndexNews
from gateway.core.record import Payload, Record
from gateway.redaction import redaction_of
from gateway.trail import Trail

NOON_US = 1_790_000_000_000_000
OWN = "hunter2-hunter2"
TOKEN = "ghp_" + "a1B2c3D4e5" * 3 + "F6g7H8"
REDACTION = redaction_of((), (OWN,), b"r" * 32)
LEA = Person(id="lea@example.com", tenant="acme", names=frozenset({"lead"}))
EVE = Person(id="eve@example.com", tenant="other", names=frozenset({"lead"}))


def intent(call, effect="allow", *, tenant="acme", values=b'{"text": "private words"}', **members):
    said = {
        "call": call,
        "method": "tools/call",
        "tool": "orders/get",
        "subject": "ana@example.com",
        "agent": "desk",
        "effect": effect,
        "mode": "enforce",
        "code": "",
        "reasons": [],
        "revision": "r1",
        "era": "modern",
        "protocol": "2026-07-28",
        "client": "client 1.0",
        "session": "s1",
        "definition": "d" * 64,
        "digest": "e" * 64,
    } | members
    payload = Payload(name="arguments", subject=said["subject"], body=values)
    return Record(kind="intent", tenant=tenant, members=said, payloads=(payload,) if values else ())


def outcome(call, status="succeeded", *, tenant="acme", body=b'"private answer"', **members):
    said = {"call": call, "tool": "orders/get", "status": status, "duration_us": 12_500} | members
    payload = Payload(name="result", subject="ana@example.com", body=body)
    return Record(kind="outcome", tenant=tenant, members=said, payloads=(payload,) if body else ())


def other(kind, call, *, tenant="acme", **members):
    return Record(kind=kind, tenant=tenant, members={"call": call} | members)


class Logged:
    """Use as an async context manager."""

    def __init__(self, path, monkeypatch):
        monkeypatch.setattr(index_module, "BATCH_PAUSE_S", 0.0)
        monkeypatch.setattr(index_module, "RETRY_S", 0.001)
        self.path = path / "data"
        self.now_us = NOON_US
        self.holds = {}

    async def __aenter__(self):
        self.news = IndexNews(asyncio.get_running_loop())
        self.index = AuditIndex.open(self.path, on_progress=self.news.tell)
        key = self.path / "keys" / "audit.key"
        self.log = await AuditLog.open(
            self.path,
            clock=lambda: self.now_us,
            origin="log.example",
            master_key=key,
            random_bytes=os.urandom,
            limits=Limits(ballast_bytes=4096, sync_deadline_s=30.0),
            on_committed=self.index.notify,
        )
        self.desk = LoggedActivity(
            self.path,
            self.index,
            self.news,
            redaction=REDACTION,
            hold_of=self._hold_of,
            find_payload=partial(find_payload, self.path, read_master_key(key)),
            look_s=0.0,
        )
        return self

    async def __aexit__(self, *_):
        await self.log.aclose()
        self.index.close()

    async def _hold_of(self, tenant, hold):
        return self.holds.get((tenant, hold))

    async def write(self, *records):
        """Each in the log and known to the index when this returns."""
        for record in records:
            self.now_us += 1_000_000
            await Trail(self.log).append(record)
        await self.caught_up()

    async def caught_up(self):
        async with asyncio.timeout(20):
            with self.news.listening() as more:
                while self.index.behind_entries:
                    await more.wait()
                    more.clear()
