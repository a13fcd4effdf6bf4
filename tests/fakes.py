"""Stand-ins for the ports. Each does what its port promises, and writes what it was asked into one journal."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.bridge.inputs import InputAnswer, InputAsk, without_words
from gateway.core.call import Call, canonical_call
from gateway.core.content import ANSWERS, NOTHING, ContentFinding, Observations
from gateway.core.decision import refusal
from gateway.core.definition import Definition, Kind, Listed, RefusedDefinition, parse_definition
from gateway.core.distinct import refused
from gateway.core.obligations import Treatment
from gateway.core.pin_states import Judged, kept_back
from gateway.core.principal import Caller, Principal, Subject
from gateway.core.record import Record, Recorded
from gateway.core.seal import Seal
from gateway.core.strict_json import read_json
from gateway.enforcement import Enforcement, EnforcementSettings
from gateway.errors import AuditUnwritable, GatewayError, UpstreamError
from gateway.inputs.rounds import InputRounds
from gateway.inputs.values import RoundSettings
from gateway.passage.passage import NOBODY, AgentSide
from gateway.ports import (
    AskSink,
    Listing,
    Notice,
    NoticeSink,
    Reply,
    Screened,
    ScreenedAsk,
    Send,
    ServerFacts,
    UpstreamHealth,
)
from policies.model import Denial, Duty, HoldRule, Verdict
from tests.held_fakes import NobodyDecides
from tests.telemetry_fakes import KeptTelemetry

NO_ANSWERS: Mapping[str, bytes] = {}
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


def listed(members: Any) -> Listed:
    """One element of a list, as an upstream connection hands it on."""
    return Listed(raw=json.dumps(members).encode(), value=members)


def definition(name: str = "refund_order", *, upstream: str = "orders", **members: Any) -> Definition:
    return defined(tool_members(name, **members), upstream=upstream)


def defined(members: Any, kind: Kind = Kind.TOOL, *, upstream: str = "orders") -> Definition:
    found = parse_definition(upstream, listed(members), kind=kind)
    assert isinstance(found, Definition), found
    return found


def sent_arguments(send: Send) -> bytes:
    """The arguments of a ``tools/call`` byte for byte as they are put on the wire."""
    return bytes(send.params["arguments"])


def call_of(arguments: dict[str, Any], *, tool: str = "refund_order", upstream: str = "orders") -> Call:
    """A canonical ``tools/call``."""
    return canonical_call("tools/call", upstream, tool, arguments)


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

    async def append(self, *records: Record) -> tuple[Recorded, ...]:
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise AuditUnwritable("the audit log cannot take the record")
        return self._keep(records)

    def enqueue(self, *records: Record) -> None:
        self._keep(records)

    def _keep(self, records: tuple[Record, ...]) -> tuple[Recorded, ...]:
        first = len(self.records)
        for record in records:
            self.records.append(record)
            said = record.members.get("effect") or record.members.get("status") or record.members.get("code")
            self.journal.append(f"{record.kind}:{said}" if said else record.kind)
        return tuple(
            Recorded(
                seq=seq, payloads={one.name: {"payload": f"{seq}-{one.name}"} for one in record.payloads}
            )
            for seq, record in enumerate(records, first)
        )

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

    def rules_out(self, evaluation: Mapping[str, Any], *, unknown: tuple[str, ...]) -> bool:
        return False


def ok(text: str = "done", **members: Any) -> Reply:
    result = {"content": [{"type": "text", "text": text}], **members}
    return Reply(result=json.dumps(result).encode(), is_error=bool(members.get("isError")))


@dataclass
class ScriptedUpstream:
    """A tool server that answers what the script says: a reply, an error, or "never"."""

    id: str = "orders"
    reply: Reply | UpstreamError | str = field(default_factory=ok)
    listing: list[Any] | UpstreamError = field(default_factory=lambda: [tool_members()])
    others: dict[Kind, list[Any]] = field(default_factory=dict)
    """Elements of the lists other than tools."""
    failed: dict[Kind, str] = field(default_factory=dict)
    capabilities: dict[str, Any] = field(default_factory=lambda: {"tools": {}})
    journal: Journal = field(default_factory=Journal)
    notices: tuple[Notice, ...] = ()
    asks: tuple[InputAsk, ...] = ()
    """What it asks in the middle of a call, before 2026-07-28."""
    answers: list[InputAnswer] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    """Replies to be given before ``reply``, in order."""
    era: str = "modern"
    subscribed: list[str] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    listed: int = 0
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a call has arrived."""

    async def start(self, events: Any) -> None:
        self.events = events

    async def list_definitions(
        self, *, deadline_s: float, kinds: frozenset[Kind] = frozenset(Kind)
    ) -> Listing:
        self.listed += 1
        self.journal.append("list")
        if isinstance(self.listing, UpstreamError):
            raise self.listing
        elements = {kind: tuple(map(_as_listed, found)) for kind, found in self.others.items()}
        elements[Kind.TOOL] = tuple(map(_as_listed, self.listing))
        return Listing(era=self.era, elements=elements, failed=self.failed, capabilities=self.capabilities)

    async def call(
        self,
        send: Send,
        *,
        deadline_s: float,
        on_notice: NoticeSink | None = None,
        on_ask: AskSink | None = None,
    ) -> Reply:
        self.sends.append(send)
        self.journal.append("forward")
        self.entered.set()
        for notice in self.notices:
            if on_notice is not None:
                await on_notice(notice)
        for ask in self.asks:
            if on_ask is not None:
                self.answers.append(await on_ask(ask))
        if self.replies:
            return self.replies.pop(0)
        if self.reply == "never":
            await asyncio.Event().wait()
        if isinstance(self.reply, UpstreamError):
            raise self.reply
        assert isinstance(self.reply, Reply)
        return self.reply

    async def subscribe(self, uri: str, *, deadline_s: float) -> None:
        self.subscribed.append(uri)

    def unsubscribe(self, uri: str) -> None:
        self.subscribed.remove(uri)

    def health(self) -> UpstreamHealth:
        return UpstreamHealth(state="ready", era=self.era)

    async def aclose(self) -> None:
        self.journal.append("closed")


def _as_listed(element: Any) -> Listed:
    """Bytes are read as an upstream connection reads them; what that refuses has no value."""
    if not isinstance(element, bytes):
        return listed(element)
    try:
        return Listed(raw=element, value=read_json(element))
    except GatewayError:
        return Listed(raw=element)


class EverythingPinned:
    """Pins as if a person had vouched for everything there ever is."""

    async def judge(
        self, upstream: str, definitions: tuple[Definition, ...], instructions: str, others: frozenset[str]
    ) -> Judged:
        return Judged(offered=definitions, refused=(), instructions=instructions)


class FixedCatalogue:
    """Offers what it was built with; every upstream that offers something has announced everything."""

    version = 1

    def __init__(self, *definitions: Definition) -> None:
        self.definitions = definitions
        self.not_pinned: tuple[RefusedDefinition, ...] = ()

    def find(self, kind: Kind, upstream: str, name: str) -> Definition | None:
        wanted = (kind, upstream, name)
        found = [one for one in self.definitions if (one.kind, one.upstream, one.name) == wanted]
        return found[0] if found else None

    def keep_back(self, code: str, one: Definition, *, pinned: str = "") -> None:
        """It is listed in this form, and not offered."""
        wanted = (one.kind, one.upstream, one.name)
        self.definitions = tuple(
            each for each in self.definitions if (each.kind, each.upstream, each.name) != wanted
        )
        self.not_pinned = (refused(one, code, "for people", pinned=pinned),)

    def kept_back(self, kind: Kind, upstream: str, name: str) -> RefusedDefinition | None:
        wanted = (kind, upstream, name)
        found = [one for one in self.not_pinned if (one.kind, one.upstream, one.name) == wanted]
        return found[0] if found else None

    def resource(self, upstream: str, uri: str) -> Definition | None:
        blocked = self.kept_back(Kind.RESOURCE, upstream, uri)
        if blocked is not None:
            raise kept_back(blocked.code, f"resource {upstream}/{uri}")
        found = self.find(Kind.RESOURCE, upstream, uri)
        templates = [one for one in self.offered(Kind.TEMPLATE, upstream) if one.pattern.stands_for(uri)]
        return found or (templates[0] if templates else None)

    def offered(self, kind: Kind, upstream: str | None) -> tuple[Definition, ...]:
        return tuple(one for one in self.definitions if one.kind is kind and upstream in {None, one.upstream})

    def server(self, upstream: str) -> ServerFacts | None:
        if not any(one.upstream == upstream for one in (*self.definitions, *self.not_pinned)):
            return None
        capabilities = {"tools": {}, "prompts": {}, "resources": {"subscribe": True}, "completions": {}}
        return ServerFacts(era="modern", capabilities=capabilities)

    def refused(self) -> tuple[RefusedDefinition, ...]:
        return self.not_pinned


class PlainScreen:
    """Finds the word ``hunter2``, and nothing else; ``fails`` where it is to find out nothing."""

    def __init__(self) -> None:
        self.session_labels: frozenset[str] = frozenset()
        self.behind: dict[str, str] = {}
        """Placeholders and what stands behind them."""
        self.fails: GatewayError | None = None
        self.treatments: list[Treatment] = []
        """Of the questions that were looked at."""

    async def arguments(
        self, call: Call, caller: Caller, answers: Mapping[str, bytes] = NO_ANSWERS
    ) -> Observations:
        if self.fails is not None:
            raise self.fails
        found = _observed(call.arguments_json)
        return found.joined(_observed(b"".join(answers.values())).at(ANSWERS)) if answers else found

    async def labels(self, caller: Caller) -> frozenset[str]:
        return self.session_labels

    async def keep(self, call: Call, caller: Caller, *, until_ms: int) -> None:
        if self.fails is not None:
            raise self.fails

    async def restored(self, call: Call, caller: Caller, kinds: Collection[str]) -> dict[str, Any]:
        text = json.dumps(call.arguments)
        for placeholder, value in self.behind.items():
            text = text.replace(placeholder, value)
        arguments: dict[str, Any] = json.loads(text)
        return arguments

    async def reply(
        self, call: Call, caller: Caller, definition: Definition | None, reply: Reply, treatment: Treatment
    ) -> Screened:
        if reply.result is None or b"hunter2" not in reply.result:
            return Screened(reply=reply, observations=NOTHING)
        cleaned = replace(reply, result=reply.result.replace(b"hunter2", b"[REDACTED]"))
        return Screened(reply=cleaned, observations=_observed(reply.result))

    def notices(self, sink: NoticeSink | None, *, whose: Any = ()) -> NoticeSink | None:
        return sink

    async def question(self, call: Call, caller: Caller, ask: InputAsk, treatment: Treatment) -> ScreenedAsk:
        self.treatments.append(treatment)
        found = _observed(ask.raw)
        if self.fails is not None:
            refused = refusal(self.fails.code, self.fails.reason)
            return ScreenedAsk(ask=without_words(ask), observations=NOTHING, refused=refused)
        self.session_labels |= treatment.labels | ({"secret-seen"} if found.counts else set())
        raw = ask.raw.replace(b"hunter2", b"[REDACTED]")
        return ScreenedAsk(
            ask=replace(ask, raw=raw, params=json.loads(raw)),
            observations=found,
            refused=refusal("content_blocked", "kept back") if found.counts and treatment.block else None,
        )


def _observed(raw: bytes) -> Observations:
    if b"hunter2" not in raw:
        return NOTHING
    finding = ContentFinding(family="secret", kind="password", rule="plain", pointer="")
    return Observations(findings=(finding,), counts={"password": 1})


class Desk:
    """One enforcement flow with stand-ins all round; change its parts before calling ``handle``."""

    def __init__(
        self,
        answer: Verdict | Exception = ALLOWED,
        reply: Reply | UpstreamError | str | None = None,
        *,
        shadow: bool = False,
        offered: tuple[Definition, ...] | None = None,
        grants: frozenset[str] = frozenset(),
    ) -> None:
        self.journal = Journal()
        self.audit = JournalTrail(self.journal)
        self.policy = ScriptedPolicy(answer, self.journal)
        self.upstream = ScriptedUpstream(reply=ok() if reply is None else reply, journal=self.journal)
        self.telemetry = KeptTelemetry()
        self.clock = HandClock()
        self.catalogue = FixedCatalogue(*((definition(),) if offered is None else offered))
        self.seal = Seal(bytes(range(64)))
        self.new_call_id = Counted()
        self.screen = PlainScreen()
        self.hidden: set[str] = set()
        """Names that nobody is shown."""
        self.rounds = InputRounds(
            policy=self.policy,
            audit=self.audit,
            screen=self.screen,
            seal=self.seal,
            settings=RoundSettings(
                grants={"orders": grants},
                input_timeout_s={"orders": 60.0},
                policy_deadline_s=0.25,
                shadow=shadow,
                zone=datetime.UTC,
            ),
            clock_us=self.clock.us,
            new_id=Counted("round-"),
            start_task=_run,
        )
        self.enforcement = Enforcement(
            catalogue=self.catalogue,
            policy=self.policy,
            audit=self.audit,
            upstreams={"orders": self.upstream},
            telemetry=self.telemetry,
            rounds=self.rounds,
            screen=self.screen,
            held=NobodyDecides(),
            keys=NobodyDecides(),
            shows=self.shows,
            settings=EnforcementSettings(call_deadline_s={"orders": 5.0}, shadow=shadow, zone=datetime.UTC),
            clock_us=self.clock.us,
            monotonic_s=self.clock.s,
            new_call_id=self.new_call_id,
        )

    def shows(self, one: Definition, caller: Caller) -> bool:
        return one.name not in self.hidden

    def connect(self, flow: Any) -> None:
        """From now on what policy holds is held."""
        self.enforcement._held, self.enforcement._keys = flow.approval, flow.keys

    async def refund(self, principal: Principal = ANA, **arguments: Any) -> Any:
        given = arguments or {"order_id": "A-1", "amount": 40}
        return await self.enforcement.handle(call_of(given), caller(principal))

    async def ask(self, call: Call, side: AgentSide = NOBODY, **origin: Any) -> Any:
        """Any governed request."""
        return await self.enforcement.handle(call, caller(**origin), side)


def _run(coro: Any, name: str) -> asyncio.Task[None]:
    return asyncio.ensure_future(coro)
