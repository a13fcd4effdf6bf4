"""Stand-ins for the ports of held calls, and the whole flow of them over a store in memory."""

from __future__ import annotations

import asyncio
import datetime
import json
from functools import partial

from durable.holds.hold import Person
from durable.stores.memory import MemoryStore
from gateway.approval import Approval
from gateway.core.definition import Kind
from gateway.core.pin_states import kept_back
from gateway.desk import Trail
from gateway.downstream.delivery import Delivery
from gateway.errors import ApprovalsUnavailable, CannotHold, PayloadGone
from gateway.holding.attempt import Attempts
from gateway.holding.callers import Callers
from gateway.holding.clockwork import Clockwork
from gateway.holding.context import Contexts
from gateway.holding.desk import ReviewersDesk
from gateway.holding.editing import Editing
from gateway.holding.keys import IdempotencyKeys
from gateway.holding.reevaluation import Reevaluation
from gateway.holding.relay import EventRelay
from gateway.holding.rule_places import held_by
from gateway.holding.settings import ApprovalSettings
from gateway.passage.forwarding import Forwarding
from gateway.passage.subject_matter import SubjectMatter
from policies.model import EngineHealth, Places

KEY = b"k" * 32


class NobodyDecides:
    """No held calls and no keys: whatever policy holds is refused."""

    async def hold(self, passage, decision):
        raise CannotHold("nobody can decide here")

    async def taken_up(self, passage):
        return None

    async def begun_before(self, passage):
        return None

    async def reserve(self, passage):
        return None

    async def settle(self, passage, outcome):
        return None

    async def repeated(self, passage, earlier):
        raise AssertionError("no key was ever taken")


class TrailPayloads:
    """Reads back what a ``JournalTrail`` was given; ``gone`` are subjects that were erased,
    ``stuck`` says that the disk does not answer."""

    def __init__(self, trail):
        self._trail = trail
        self.gone = set()
        self.stuck = False
        self.altered = {}

    async def read(self, tenant, subject, commitment):
        if self.stuck:
            raise ApprovalsUnavailable("a stored value cannot be read at the moment")
        if subject in self.gone:
            raise PayloadGone("erased")
        place = commitment["payload"]
        if place in self.altered:
            return self.altered[place]
        seq, _, name = place.partition("-")
        record = self._trail.records[int(seq)]
        (body,) = [one.body for one in record.payloads if one.name == name and one.subject == subject]
        return body


class People:
    """Reviewers and callers who can be taken away."""

    def __init__(self, *people, principals=()):
        self.everybody = list(people)
        self.principals = list(principals)

    def people(self, tenant):
        return tuple(one for one in self.everybody if one.tenant == tenant)

    def current(self, tenant, subject_type, subject_id, agent):
        wanted = (tenant, subject_type, subject_id, agent)
        return next((one for one in self.principals if one.key == wanted), None)


class PlainRedaction:
    """Hides nothing but the word ``hunter2``."""

    def view(self, value):
        return json.loads(json.dumps(value).replace("hunter2", "[REDACTED]"))

    def shown(self, value):
        text = json.dumps(value)
        found = (("", "password"),) if "hunter2" in text else ()
        return json.loads(text.replace("hunter2", "[REDACTED]")), found

    def text(self, value):
        return value.replace("hunter2", "[REDACTED]")


def person(name="lea@example.com", *names, tenant="acme", **members):
    return Person(id=name, tenant=tenant, names=frozenset(names or ("refund-lead",)), **members)


LEA = person()
MAX = person("max@example.com")


class WrittenRules:
    """Where rules stand in a policy, by package and code; it is the revision that the verdicts name."""

    def __init__(self):
        self.written = {}
        self.revision = "r1"

    def places(self, rule, code):
        return self.written.get((rule, code), Places())

    def health(self):
        return EngineHealth(loaded=True, revision=self.revision)


class Surroundings:
    """What sessions and the log would say of a held call; keeps which session was asked about."""

    def __init__(self):
        self.labels = frozenset()
        self.way = Trail()
        self.asked = []

    async def labels_of(self, key):
        self.asked.append(key)
        return self.labels

    async def way_to(self, hold):
        return self.way


class HeldFlow:
    """Approval, keys, desk and clockwork over the ports of a ``tests.fakes.Desk``."""

    def __init__(self, desk, store, *, principals, people=(LEA, MAX), settings=None, payloads=None):
        self.desk, self.store = desk, store
        self.people = People(*people, principals=principals)
        self.payloads = payloads or TrailPayloads(desk.audit)
        self.relay = EventRelay(store, desk.audit)
        self.resolved = []
        self.settings = settings or ApprovalSettings()
        self.ids = iter(f"hold{number:016d}" for number in range(10_000))
        self.matter = matter = SubjectMatter(desk.catalogue, {"orders": desk.upstream})
        self.pinned_as = None
        """The pin that has to be in force for whatever runs."""
        self.rules = WrittenRules()
        self.surroundings = Surroundings()
        shared = {
            "principals": self.people,
            "definition_of": matter.of,
            "policy": desk.policy,
            "policy_deadline_s": 0.25,
            "screen": desk.screen,
            "clock_us": desk.clock.us,
            "zone": datetime.UTC,
        }
        self.attempts = Attempts(
            store=store,
            relay=self.relay,
            audit=desk.audit,
            forwarding=Forwarding(
                {"orders": desk.upstream},
                desk.rounds,
                desk.telemetry,
                screen=desk.screen,
                deadline_s={"orders": 5.0},
            ),
            telemetry=desk.telemetry,
            back_off_max_ms=60_000,
            monotonic_s=desk.clock.s,
            new_call_id=desk.new_call_id,
        )
        self.approval = Approval(
            store=store,
            audit=desk.audit,
            reviewers=self.people,
            redaction=PlainRedaction(),
            screen=desk.screen,
            reevaluation=Reevaluation(
                payloads=self.payloads,
                reviewers=self.people,
                pin_of=lambda definition: self.pinned_as,
                reachable=lambda upstream: True,
                **shared,
            ),
            attempts=self.attempts,
            kept_back=self.why_kept_back,
            settings=self.settings,
            call_deadline_s={"orders": 5.0},
            key=KEY,
            owner="this-process",
            new_hold_id=lambda: next(self.ids),
        )
        self.callers = Callers(
            store=store,
            payloads=self.payloads,
            relay=self.relay,
            execute=self.approval.execute,
            start_task=start,
            key=KEY,
        )
        self.keys = IdempotencyKeys(store, self.payloads, owner="this-process")
        self.clockwork = Clockwork(store, self.approval.execute, start, executions_max=4)
        self.reviewers = ReviewersDesk(
            store=store,
            audit=desk.audit,
            payloads=self.payloads,
            reviewers=self.people,
            redaction=PlainRedaction(),
            relay=self.relay,
            editing=Editing(audit=desk.audit, redaction=PlainRedaction(), **shared),
            callers_waiting=self.callers.callers_waiting,
            kept_back=self.why_kept_back,
            title_of=lambda hold: "",
            contexts=Contexts(
                store=store,
                redaction=PlainRedaction(),
                definition_of=lambda hold: desk.catalogue.find(Kind.TOOL, hold.upstream, hold.name),
                kept_back=self.why_kept_back,
                labels_of=self.surroundings.labels_of,
                way_to=self.surroundings.way_to,
                held_by=partial(held_by, self.rules),
            ),
            resolve_call=None,
            resolve_attempts=self.resolve_attempts,
            erase_subject=self.erase,
            inspectable=self.settings.inspectable,
            zone=datetime.UTC,
            key=KEY,
        )
        desk.connect(self)

    def why_kept_back(self, hold):
        refused = self.matter.refused(hold.method, hold.upstream, hold.name)
        return "" if refused is None else f"{refused.code}: {refused.reason}"

    def kept_back_of(self, hold):
        refused = self.matter.refused(hold.method, hold.upstream, hold.name)
        return None if refused is None else kept_back(refused.code, hold.target)

    async def resolve_attempts(self, tenant, hold_id, members):
        self.resolved.append((hold_id, members))

    async def erase(self, tenant, subject, members):
        self.payloads.gone.add(subject)

    async def approve(self, hold, who=LEA, **members):
        return (
            await self.reviewers.decide(
                who, hold.id, "approve", **{"seen": hold.seen, "reason": "", **members}
            )
        ).hold

    async def deny(self, hold, who=LEA, reason="no"):
        return (await self.reviewers.decide(who, hold.id, "deny", seen=hold.seen, reason=reason)).hold


def delivery_over(held, answers, seal, task_ids, *, kept_back_of=lambda hold: None, **settings):
    """How agents wait, over the flow; links lead nowhere."""
    return Delivery(
        held,
        answers,
        seal=seal,
        task_ids=task_ids,
        settings=ApprovalSettings(**settings),
        link_of=lambda hold: f"http://people/holds/{hold.id}",
        has_output_schema=lambda hold: False,
        kept_back_of=kept_back_of,
    )


async def held_flow(desk, *, principals, **members):
    """The flow over a new store in memory, on the desk's own clock."""
    store = await MemoryStore.open(clock_ms=lambda: desk.clock.now_us // 1000)
    return HeldFlow(desk, store, principals=principals, **members)


def start(coro, name):
    return asyncio.ensure_future(coro)
