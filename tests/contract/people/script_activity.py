"""What people read about calls, over entries in memory; what is shown of them is the gateway's own work."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

from durable.audit.entry import rfc3339
from durable.audit.reading import Entry
from durable.holds.refusals import AmbiguousHold, UnknownHold
from gateway.activity.facts import call_row, call_story
from gateway.core.activity import CallPage
from gateway.core.record import Record

NOON_US = 1_790_000_000_000_000


def intent(call, effect="allow", *, tenant="acme", **members):
    said = {
        "call": call,
        "method": "tools/call",
        "tool": "orders/get",
        "subject": "ana@example.com",
        "agent": "desk",
        "effect": effect,
        "code": "",
        "reasons": [{"code": "over_limit", "rule": "toolgate.rules.refunds"}],
        "revision": "r1",
        "client": "client 1.0",
        "session": "s1",
        "definition": "d" * 64,
    }
    return Record(kind="intent", tenant=tenant, members=said | members)


def outcome(call, status="succeeded", *, tenant="acme", **members):
    said = {"call": call, "tool": "orders/get", "status": status, "duration_us": 12_500}
    return Record(kind="outcome", tenant=tenant, members=said | members)


class ScriptActivity:
    """Fits ``gateway.desk.ActivityDesk``."""

    def __init__(self, redaction):
        self._redaction = redaction
        self._listening = []
        self.entries = []
        self.behind = (0, "")
        self.broken = None
        self.view = "sealed"

    def write(self, *records):
        for record in records:
            seq = len(self.entries)
            self.entries.append(
                Entry(
                    seq=seq,
                    at=rfc3339(NOON_US + seq * 1_000_000),
                    kind=record.kind,
                    tenant=record.tenant,
                    members=dict(record.members),
                    payloads={"arguments": {"bytes": 7}} if record.kind == "intent" else {},
                    line=b"",
                )
            )
            for tenant, more in self._listening:
                if tenant == record.tenant:
                    more.set()

    @property
    def listening(self):
        return len(self._listening)

    async def calls(self, person, *, tool="", subject="", effect="", before=None, limit=50):
        self._may_break()
        wanted = {"tool": tool, "subject": subject, "effect": effect}
        found = [
            entry
            for entry in reversed(self.entries)
            if (entry.kind, entry.tenant) == ("intent", person.tenant)
            and (before is None or entry.seq < before)
            and all(entry.members.get(name) == value for name, value in wanted.items() if value)
        ]
        page, more = found[:limit], len(found) > limit
        return CallPage(
            calls=tuple(
                call_row(self._of(person, entry.members["call"].__eq__), self._redaction) for entry in page
            ),
            before=page[-1].seq if more else None,
            behind_entries=self.behind[0],
            behind_reason=self.behind[1],
        )

    async def call(self, person, prefix):
        self._may_break()
        entries = self._of(person, lambda call: call.startswith(prefix))
        ids = sorted({entry.members["call"] for entry in entries})
        if not ids:
            raise UnknownHold("no such call")
        if len(ids) > 1 and prefix not in ids:
            raise AmbiguousHold("several", candidates=tuple(ids), next_step="give more of the id")
        call = prefix if prefix in ids else ids[0]
        return call_story(self._of(person, call.__eq__), hold=None, view=self.view, redaction=self._redaction)

    @contextmanager
    def live(self, person):
        listener = (person.tenant, asyncio.Event())
        self._listening.append(listener)
        try:
            yield self._more(listener[1])
        finally:
            self._listening.remove(listener)

    async def _more(self, more):
        while True:
            await more.wait()
            more.clear()
            self._may_break()
            yield

    def _of(self, person, fits):
        return tuple(
            entry
            for entry in self.entries
            if entry.tenant == person.tenant and fits(entry.members.get("call", ""))
        )

    def _may_break(self):
        if self.broken is not None:
            raise self.broken
