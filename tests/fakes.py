"""Stand-ins for the ports. Each does what its port promises, and writes what it was asked into one journal."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.core.definition import RefusedDefinition, ToolDefinition, parse_definition
from gateway.core.principal import Caller, Principal, Subject
from gateway.core.record import Record
from gateway.enforcement import Enforcement, EnforcementSettings
from gateway.errors import AuditUnwritable, UpstreamError
from gateway.ports import CallEnd, ProgressSink, ToolListing, ToolReply, ToolSend, UpstreamHealth
from policies.model import Denial, Duty, HoldRule, Verdict

NOON_US = 1_790_000_000_000_000
"""2026-09-21 14:13:20 UTC, a Monday."""

ANA = Principal(subject=Subject(id="ana@example.com", roles=("support",)), agent="desk", tenant="acme")
BEN = Principal(subject=Subject(id="ben@example.com", roles=("support",)), agent="desk", tenant="acme")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "amount": {"type": "number"}},
    "required": ["order_id"],
}


def tool_members(name: str = "refund_order", **members: Any) -> dict[str, Any]:
    """One element of a ``tools/list``."""
    return {"name": name, "inputSchema": SCHEMA, **members}


def definition(name: str = "refund_order", *, upstream: str = "orders", **members: Any) -> ToolDefinition:
    found = parse_definition(upstream, tool_members(name, **members))
    assert isinstance(found, ToolDefinition), found
    return found


def caller(principal: Principal = ANA, **members: Any) -> Caller:
    return Caller(principal=principal, **members)


def verdict(
    *,
    allow: bool = False,
    denials: tuple[Denial, ...] = (),
    holds: tuple[HoldRule, ...] = (),
    duties: tuple[Duty, ...] = (),
) -> Verdict:
    by = ("toolgate.rules.support",) if allow else ()
    return Verdict(allow=allow, allowed_by=by, denials=denials, holds=holds, duties=duties, revision="r1")


def hold_rule(code: str = "over_limit") -> HoldRule:
    return HoldRule(
        code=code,
        by=("refund-lead",),
        quorum=1,
        ttl_s=60,
        risk=None,
        why="above 100 EUR",
        show=("/amount",),
        on_approval="execute",
        rule="toolgate.rules.support",
    )


ALLOWED = verdict(allow=True)
DENIED = verdict(denials=(Denial(code="foreign_currency", message="EUR only", would_pass="EUR"),))
HELD = verdict(allow=True, holds=(hold_rule(),))


class HandClock:
    """Stands still until a test moves it; seconds and microseconds agree."""

    def __init__(self, now_us: int = NOON_US) -> None:
        self.now_us = now_us

    def us(self) -> int:
        return self.now_us

    def s(self) -> float:
        return self.now_us / 1_000_000

    def forward(self, seconds: float) -> None:
        self.now_us += int(seconds * 1_000_000)


class Counted:
    """Ids in order: ``call-1``, ``call-2``."""

    def __init__(self, prefix: str = "call-") -> None:
        self._prefix = prefix
        self._last = 0

    def __call__(self) -> str:
        self._last += 1
        return f"{self._prefix}{self._last}"


class Journal(list[str]):
    """What happened, in order, over all stand-ins that share it."""


class JournalTrail:
    """An audit trail in memory; ``fails`` makes every append fail, ``gate`` makes it wait."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = Journal() if journal is None else journal
        self.records: list[Record] = []
        self.fails = False
        self.gate: asyncio.Event | None = None

    async def append(self, *records: Record) -> tuple[int, ...]:
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise AuditUnwritable("the audit log cannot take the record")
        return self._keep(records)

    def enqueue(self, *records: Record) -> None:
        self._keep(records)

    def _keep(self, records: tuple[Record, ...]) -> tuple[int, ...]:
        first = len(self.records)
        for record in records:
            self.records.append(record)
            said = record.members.get("effect") or record.members.get("status") or record.members.get("code")
            self.journal.append(f"{record.kind}:{said}" if said else record.kind)
        return tuple(range(first, len(self.records)))

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        return [record.members for record in self.records if record.kind == kind]


class ScriptedPolicy:
    """Gives the verdict it was built with, or raises it; keeps what it was asked."""

    def __init__(self, answer: Verdict | Exception = ALLOWED, journal: Journal | None = None) -> None:
        self.answer = answer
        self.asked: list[Mapping[str, Any]] = []
        self._journal = journal

    async def evaluate(self, evaluation: Mapping[str, Any], *, deadline_s: float) -> Verdict:
        if self._journal is not None:
            self._journal.append("policy")
        self.asked.append(evaluation)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def ok(text: str = "done", **members: Any) -> ToolReply:
    result = {"content": [{"type": "text", "text": text}], **members}
    return ToolReply(result=json.dumps(result).encode(), is_error=bool(members.get("isError")))


@dataclass
class ScriptedUpstream:
    """A tool server that answers what the script says: a reply, an error, or "never"."""

    id: str = "orders"
    reply: ToolReply | UpstreamError | str = field(default_factory=ok)
    listing: list[Any] | UpstreamError = field(default_factory=lambda: [tool_members()])
    journal: Journal = field(default_factory=Journal)
    progress: tuple[dict[str, Any], ...] = ()
    sends: list[ToolSend] = field(default_factory=list)
    listed: int = 0
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a call has arrived."""

    async def start(self, on_tools_changed: Any) -> None:
        self.on_tools_changed = on_tools_changed

    async def list_tools(self, *, deadline_s: float) -> ToolListing:
        self.listed += 1
        self.journal.append("list")
        if isinstance(self.listing, UpstreamError):
            raise self.listing
        return ToolListing(tools=tuple(self.listing), era="modern")

    async def call_tool(
        self, send: ToolSend, *, deadline_s: float, on_progress: ProgressSink | None = None
    ) -> ToolReply:
        self.sends.append(send)
        self.journal.append("forward")
        self.entered.set()
        for params in self.progress:
            if on_progress is not None:
                await on_progress(params)
        if self.reply == "never":
            await asyncio.Event().wait()
        if isinstance(self.reply, UpstreamError):
            raise self.reply
        assert isinstance(self.reply, ToolReply)
        return self.reply

    def health(self) -> UpstreamHealth:
        return UpstreamHealth(state="ready")

    async def aclose(self) -> None:
        self.journal.append("closed")


class FixedCatalogue:
    """Offers what it was built with."""

    def __init__(self, *definitions: ToolDefinition) -> None:
        self.definitions = definitions

    def find(self, upstream: str, tool: str) -> ToolDefinition | None:
        found = [one for one in self.definitions if (one.upstream, one.name) == (upstream, tool)]
        return found[0] if found else None

    def offered(self, upstream: str | None) -> tuple[ToolDefinition, ...]:
        return tuple(one for one in self.definitions if upstream in {None, one.upstream})

    def refused(self) -> tuple[RefusedDefinition, ...]:
        return ()


class KeptTelemetry:
    """Keeps how calls ended."""

    def __init__(self) -> None:
        self.ends: list[CallEnd] = []

    def call_started(self, method: str, tool: str, caller: Caller) -> Any:
        return tool

    def outgoing(self, span: Any, caller: Caller) -> Mapping[str, str]:
        return dict(caller.trace)

    def call_ended(self, span: Any, end: CallEnd) -> None:
        self.ends.append(end)


class Desk:
    """One enforcement flow with stand-ins all round; change its parts before calling ``handle``."""

    def __init__(
        self,
        answer: Verdict | Exception = ALLOWED,
        reply: ToolReply | UpstreamError | str | None = None,
        *,
        shadow: bool = False,
        offered: tuple[ToolDefinition, ...] | None = None,
    ) -> None:
        self.journal = Journal()
        self.audit = JournalTrail(self.journal)
        self.policy = ScriptedPolicy(answer, self.journal)
        self.upstream = ScriptedUpstream(reply=ok() if reply is None else reply, journal=self.journal)
        self.telemetry = KeptTelemetry()
        self.clock = HandClock()
        self.catalogue = FixedCatalogue(*((definition(),) if offered is None else offered))
        self.enforcement = Enforcement(
            catalogue=self.catalogue,
            policy=self.policy,
            audit=self.audit,
            upstreams={"orders": self.upstream},
            telemetry=self.telemetry,
            settings=EnforcementSettings(call_deadline_s={"orders": 5.0}, shadow=shadow, zone=datetime.UTC),
            clock_us=self.clock.us,
            monotonic_s=self.clock.s,
            new_call_id=Counted(),
        )

    async def refund(self, principal: Principal = ANA, **arguments: Any) -> Any:
        given = arguments or {"order_id": "A-1", "amount": 40}
        return await self.enforcement.handle("orders", "refund_order", given, caller(principal))
