"""A desk over the real scripts in a store in memory: what it does not do is run calls."""

from __future__ import annotations

import datetime
import hashlib
import json
from contextlib import contextmanager
from dataclasses import replace

from durable.holds import deciding, executing, filing, finding, mover, reviewing
from durable.holds.hold import Arguments, Outcome, Person, Requester, Requirement, Why
from durable.holds.refusals import NotEligible, UnknownHold
from durable.holds.rules import why_not_eligible
from durable.holds.status import Status
from durable.stores.memory import MemoryStore
from gateway.core.days import days_until
from gateway.desk import HoldSheet, RulePlace
from gateway.errors import InvalidArguments, InvalidParams

KEY = b"k" * 32
NOON_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
CAPS = filing.Caps(per_agent=10_000, per_tenant=100_000)


def digest(*parts):
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def arguments_of(value):
    text = json.dumps(value)
    return Arguments(digest=digest(text), size_bytes=len(text), payload={"commitment": digest("salt", text)})


def requirement(**changes):
    asked = Requirement(
        groups=(("refund-lead",),),
        quorum=1,
        ttl_ms=HOUR_MS,
        risk=3,
        reasons=(Why(code="over_limit", why="above 100 EUR", rule="refunds.rego:12"),),
        show=("/amount",),
    )
    return replace(asked, **changes)


class CountedTx:
    """A transaction whose statements are counted: how much work a request is to the store."""

    def __init__(self, tx, desk):
        self._tx = tx
        self._desk = desk
        self.now_ms = tx.now_ms
        self.wake = tx.wake

    def rows(self, sql, /, **values):
        self._desk.statements += 1
        return self._tx.rows(sql, **values)

    def execute(self, sql, /, **values):
        self._desk.statements += 1
        return self._tx.execute(sql, **values)


class ScriptDesk:
    """Fits ``gateway.desk.Desk``."""

    def __init__(self, store, now):
        self.store = store
        self.now = now
        self.values = {}
        self.read = []
        self.erased = []
        self.statements = 0
        self.broken = None
        self.waiting = {}
        self.unpinned = {}
        self.revision = "r1"
        """Of the policy in force."""
        self.people = lambda tenant: ()

    @classmethod
    async def open(cls):
        now = [NOON_MS]
        return cls(await MemoryStore.open(clock_ms=lambda: now[0]), now)

    async def held_count(self, person):
        return await self.store.read(mover.waiting, person.tenant, None)

    # What the other side of the gateway would do.

    async def file(self, number=1, *, tenant="acme", subject="ana@example.com", asked=None, **changes):
        """A call of this number is held."""
        value = {"order_id": f"o-{number}", "amount": 120 + number}
        hold_id = changes.pop("id", None) or digest(tenant, number)[:32]
        self.values[hold_id] = [value]
        held = filing.Filing(
            id=hold_id,
            tenant=tenant,
            requester=Requester(subject_type="user", subject_id=subject, agent="desk"),
            session="s1",
            workflow={"id": "w1"},
            client="client 1.0",
            method="tools/call",
            upstream="payments",
            name="refund",
            call_id=digest("call", number)[:24],
            call_digest=digest(tenant, "call", number),
            group_key="g1",
            idempotency_key="",
            arguments=arguments_of(value),
            view={"amount": value["amount"]},
            definition_digest=digest("definition"),
            revision="r1",
            requirement=requirement(**(asked or {})),
            idempotent=False,
            send_key="send",
            **changes,
        )
        return (await self.store.run(filing.file_hold, held, key=KEY, caps=CAPS))[0]

    async def lose(self, hold_id):
        """An approved call is begun, and nobody ever hears what came of it."""
        hold = await self.store.read(finding.one, hold_id)
        now = executing.Now(
            arguments_digest=hold.arguments.digest,
            call_digest=hold.call_digest,
            definition_digest=hold.definition_digest,
            revision=hold.revision,
            denied="",
            requirement=None,
            stricter="",
            people={
                vote.person: Person(id=vote.person, tenant=hold.tenant, names=vote.names, sole=vote.sole)
                for vote in (await self.store.read(finding.story, hold)).votes
            },
        )
        begun = await self.store.run(
            executing.begin, hold_id, hold.version, now, owner="p1", lease_ms=60_000, key=KEY
        )
        lost = Outcome(kind="unknown", code="lease_lost")
        return await self.store.run(executing.finish, hold_id, begun.fence, Status.OUTCOME_UNKNOWN, lost)

    async def now_is(self, hold_id):
        return await self.store.read(finding.one, hold_id)

    async def dump(self):
        """Every row there is: equal before and after means that nothing happened."""
        tables = ("hold", "hold_vote", "hold_event", "hold_waiting")
        return await self.store.read(
            lambda tx: [tx.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]
        )

    # What people can do.

    async def queue(self, person, *, statuses, limit, after=None):
        return await self._read(finding.page, person.tenant, statuses=statuses, limit=limit, after=after)

    async def find(self, person, prefix):
        return await self._read(finding.of_prefix, person.tenant, prefix)

    async def sheet(self, person, prefix):
        hold = await self.find(person, prefix)
        self.read.append((person.id, hold.id))
        story = await self._read(finding.story, hold)
        values = self.values[hold.id]
        shown = values[-1] | {"note": "[redacted: token]"}
        return HoldSheet(
            story=story,
            arguments=shown,
            arguments_text=json.dumps(shown, separators=(",", ":")),
            redactions=(("/note", "token"),),
            original_text=json.dumps(values[0]) if story.hold.original else "",
            similar=await self._read(finding.similar, hold),
            group=tuple(await self._read(finding.group, hold.tenant, hold.group_key, limit=50)),
            callers_waiting=self.callers_waiting(hold.id),
            sentence=self.sentence(story.hold),
            definition_title="Refund an order",
            uninspectable="",
            may_decide=why_not_eligible(story.hold, person, escalated=story.escalated),
            colleagues=self._others(person, story.hold, story.escalated),
            places=tuple(
                RulePlace(rule=one.rule, code=one.code, file="r.rego", row=3, text="hold ...", certain=True)
                for one in story.hold.requirement.reasons
            ),
            policy_moved=story.hold.revision != self.revision,
        )

    async def decide(self, person, hold_id, verdict, *, seen, reason):
        return await self._run(deciding.decide, hold_id, person, verdict, seen=seen, reason=reason, key=KEY)

    async def claim(self, person, hold_id):
        return await self._run(deciding.claim, hold_id, person)

    async def ask(self, person, hold_id, whom, *, note):
        everybody = {one.id.casefold(): one for one in self.people(person.tenant)}
        return await self._run(deciding.ask, hold_id, person, everybody.get(whom.casefold()), note)

    async def colleagues(self, person, hold):
        escalated = await self._read(deciding.escalated, hold)
        return self._others(person, hold, escalated)

    def _others(self, person, hold, escalated):
        return tuple(
            one.id
            for one in self.people(hold.tenant)
            if hold.status is Status.HELD
            and one.id != person.id
            and not why_not_eligible(hold, one, escalated=escalated)
        )

    async def reviewing(self, person, days):
        spans = days_until(self.now[0], days, datetime.UTC)
        return await self._read(reviewing.reviewing, person.tenant, spans)

    async def edit(self, person, hold_id, arguments, *, seen, reason):
        hold = await self.find(person, hold_id)
        if not isinstance(arguments.get("amount"), int | float):
            raise InvalidArguments("amount is missing", next_step="give an amount")
        if arguments["amount"] > 1_000:
            raise InvalidParams("policy denies the edited call: too_much")
        change = deciding.Edit(
            arguments=arguments_of(arguments),
            view=arguments,
            call_digest=digest("edited", arguments),
            revision="r1",
            requirement=hold.requirement,
        )
        edited = await self._run(deciding.edit, hold_id, person, change, seen=seen, reason=reason, key=KEY)
        self.values[hold_id].append(arguments)
        return edited

    async def resolve(self, person, hold_id, outcome, *, evidence):
        return await self._run(deciding.resolve, hold_id, person, outcome, evidence=evidence, key=KEY)

    async def resolve_call(self, person, call, outcome, *, evidence):
        if not (person.sole or "operator" in person.names):
            raise NotEligible("saying what became of a call needs the role operator")
        raise UnknownHold("no such call")

    async def grants(self, person, *, limit):
        approved = await self.queue(person, statuses=(Status.APPROVED,), limit=limit)
        return [hold for hold in approved if hold.requirement.on_approval == "grant"]

    async def revoke(self, person, hold_id, *, reason):
        return await self._run(deciding.cancel, hold_id, tenant=person.tenant, actor=person.id, reason=reason)

    async def erase(self, person, subject, *, reason):
        if not (person.sole or "operator" in person.names):
            raise NotEligible("erasing needs the role operator")
        self.erased.append((person.tenant, subject, reason))

    @contextmanager
    def watch(self, person):
        with self.store.watch() as changes:
            yield self._own(person, changes)

    async def _own(self, person, changes):
        async for hold_id in changes:
            hold = await self.store.read(finding.one, hold_id) if hold_id else None
            if not hold_id or (hold is not None and hold.tenant == person.tenant):
                yield hold_id

    def kept_back(self, hold):
        return self.unpinned.get(hold.target, "")

    def callers_waiting(self, hold_id):
        return self.waiting.get(hold_id, 0)

    def sentence(self, hold):
        return f"{hold.name} in {hold.upstream} for {hold.requester.subject_id}"

    async def _read(self, script, *args, **kwargs):
        return await self.store.read(self._counted(script), *args, **kwargs)

    async def _run(self, script, *args, **kwargs):
        return await self.store.run(self._counted(script), *args, **kwargs)

    def _counted(self, script):
        if self.broken is not None:
            raise self.broken

        def counted(tx, *args, **kwargs):
            return script(CountedTx(tx, self), *args, **kwargs)

        return counted
