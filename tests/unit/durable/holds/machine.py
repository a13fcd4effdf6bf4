"""The scripts against the model: whatever people, agents, clocks, crashes and restored copies do."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.unit.durable.holds import kit
from tests.unit.durable.holds.kit import KEY, REAL, TENANT, Database
from tests.unit.durable.holds.model import CLAIM_MS, FINAL, NEVER_RAN, Call

PEOPLE = {
    **dict.fromkeys(("ann", "ANN", "ben", "cat"), "lead"),
    "boss": "boss",
    "rex": "lead",
    "zoe": "clerk",
    "eve": "lead",
}
CALLS_MAX = 5
PER_AGENT = 3
DRIFT = ("bytes", "call", "deny", "definition", "stricter", "quorum", "revoked", "allow")

rarely = st.sampled_from([False] * 6 + [True])
picks = st.integers(0, 99)
names = st.sampled_from(list(PEOPLE))
leads = st.permutations(["ann", "ANN", "ben", "cat"])


def having(*statuses: str) -> Any:
    """Only where some hold has one of these."""
    return precondition(lambda self: any(call.status in statuses for call in self.calls.values()))


@dataclass(eq=False)
class Attempt:
    """One process's right to run a hold once, and how far it has come: begun, intended, sent, known."""

    hold: str
    fence: int
    run: int
    at: str = "begun"
    ended: str = ""


class HoldMachine(RuleBasedStateMachine):
    """The outside world is what a restored database does not take back: the log, and what was sent."""

    scripts: ClassVar[SimpleNamespace] = REAL
    model: ClassVar[type[Call]] = Call

    def __init__(self) -> None:
        super().__init__()
        self.s = self.scripts
        self.db = Database()
        self.calls: dict[str, Call] = {}
        self.numbers: dict[int, str] = {}
        self.ids = 0
        self.wishes = 0
        self.log: dict[str, list[Attempt]] = {}
        self.sent: list[tuple[str, int]] = []
        self.ends: dict[str, str] = {}
        self.backup: tuple[Database, Any] | None = None
        self.begun_since = 0
        self.running: list[Attempt] = []

    # What both sides are asked.

    def tried(self, script: Any, *args: Any, crash: bool = False, **kwargs: Any) -> tuple[bool, Any]:
        """Whether the script did it, and what it said."""
        try:
            return True, self.db.run(script, *args, crash=crash, **kwargs)
        except self.s.refusals.Refused:
            return False, None

    def agree(self, did: bool, expected: bool, *about: Any) -> None:
        assert did == expected, f"{about}: the scripts say {did}, the model says {expected}"

    def get(self, hold: str) -> Any:
        return self.db.read(self.s.finding.one, hold)

    def person(self, name: str) -> Any:
        tenant = "acme" if name == "eve" else TENANT
        return kit.person(name, PEOPLE[name], of=self.s, id=name, tenant=tenant)

    def choose(self, pick: int, *statuses: str) -> tuple[str, Call]:
        """Mostly a hold for which it makes a difference."""
        fit = [hold for hold, call in self.calls.items() if call.status in statuses]
        fit = fit if fit and pick % 7 else list(self.calls)
        hold = fit[pick // 7 % len(fit)]
        return hold, self.calls[hold]

    def asked(self, call: Call, **changes: Any) -> Any:
        terms = {"quorum": call.quorum, "ttl_ms": call.ttl, "self_confirm": call.own, "remind_ms": 37}
        wider = {"escalate_ms": call.escalate, "escalate_to": ("boss",)}
        return kit.requirement(self.s, **{**terms, **wider, **changes})

    # Agents.

    @rule(
        number=st.integers(1, CALLS_MAX),
        quorum=st.integers(1, 2),
        ttl=st.integers(20, 200),
        own=rarely,
        idempotent=st.booleans(),
        escalate=st.integers(1, 200),
        crash=rarely,
    )
    @precondition(lambda self: sum(call.status not in FINAL for call in self.calls.values()) <= PER_AGENT)
    def call(self, number, quorum, ttl, own, idempotent, escalate, crash):
        """The agent makes a call, perhaps one that it has made before."""
        new = self.model(self.db.now_ms, ttl, quorum, own, idempotent, escalate)
        known = self.numbers.get(number, "")
        old = self.calls.get(known)
        attached = old is not None and old.found and (old.status not in FINAL or self.db.now_ms < old.kept)
        room = sum(one.status == "held" for one in self.calls.values()) < PER_AGENT
        self.ids += 1
        hold = f"h{self.ids}"
        filing = kit.filing(
            number, self.s, id=hold, requirement=self.asked(new), idempotent=idempotent
        )
        filing = replace(filing, requester=kit.requester("rex", "rex-agent", self.s))
        caps = self.s.filing.Caps(per_agent=PER_AGENT, per_tenant=100)
        did, got = self.tried(self.s.filing.file_hold, filing, key=KEY, caps=caps, crash=crash)
        self.agree(did, attached or room, "file", hold)
        if did:
            assert (got[0].id, got[1]) == ((known, False) if attached else (hold, True))
        if did and not attached and not crash:
            self.calls[hold], self.numbers[number] = new, hold
            if old is not None:
                old.found = False

    @rule(pick=picks)
    @having("held", "approved")
    def withdraw(self, pick):
        hold, call = self.choose(pick, "held", "approved")
        did, _ = self.tried(self.s.deciding.cancel, hold, tenant=TENANT, actor="rex-agent", reason="")
        self.agree(did, call.status in {"held", "approved"}, "withdraw", hold, call)
        if did:
            call.end("cancelled", self.db.now_ms)

    @rule(pick=picks)
    @precondition(lambda self: any(call.found and call.status in FINAL for call in self.calls.values()))
    def collect(self, pick):
        hold, call = self.choose(pick, *FINAL)
        self.db.run(self.s.filing.collect, self.get(hold))
        call.collect(self.db.now_ms)

    # People.

    @rule(pick=picks, name=names, no=st.sampled_from([False, False, True]), stale=rarely, crash=rarely)
    @having("held", "approved")
    def decide(self, pick, name, no, stale, crash):
        hold, _ = self.choose(pick, "held", "approved")
        self.say(hold, name, "deny" if no else "approve", stale=stale, crash=crash)

    def say(self, hold: str, name: str, verdict: str, *, stale: bool = False, crash: bool = False) -> None:
        call = self.calls[hold]
        shown = "something else" if stale else self.get(hold).seen
        about = (hold, self.person(name), verdict)
        did, _ = self.tried(self.s.deciding.decide, *about, seen=shown, reason="", key=KEY, crash=crash)
        # What crashes before its commit has not happened.
        model = copy.deepcopy(call) if crash else call
        self.agree(did, not stale and model.decide(name, verdict, self.db.now_ms), "decide", *about, call)

    @rule(pick=picks, people=leads)
    @having("approved")
    def take_back(self, pick, people):
        hold, _ = self.choose(pick, "approved")
        self.say(hold, people[0], "deny")

    @rule(pick=picks, people=leads)
    @having("held")
    def approve_fully(self, pick, people):
        hold, _ = self.choose(pick, "held")
        self.approve(hold, people)

    def approve(self, hold: str, people: list[str]) -> None:
        for name in people:
            if self.calls[hold].status == "held" and name not in self.calls[hold].said:
                self.say(hold, name, "approve")

    @rule(pick=picks, name=names)
    @having("held")
    def claim(self, pick, name):
        hold, call = self.choose(pick, "held")
        did, _ = self.tried(self.s.deciding.claim, hold, self.person(name))
        self.agree(did, call.may(name) and call.status == "held", "claim", hold, name)
        if did:
            call.claim = (name, self.db.now_ms + CLAIM_MS)

    @rule(pick=picks, name=names, stale=rarely, crash=rarely)
    @having("held")
    def edit(self, pick, name, stale, crash):
        hold, call = self.choose(pick, "held")
        row = self.get(hold)
        change = self.s.deciding.Edit(
            arguments=kit.arguments([hold, row.version], self.s),
            view={},
            call_digest=kit.digest(hold, row.version),
            revision="r2",
            requirement=self.asked(call),
        )
        shown = "something else" if stale else row.seen
        about = (hold, self.person(name), change)
        did, _ = self.tried(self.s.deciding.edit, *about, seen=shown, reason="", key=KEY, crash=crash)
        self.agree(did, not stale and call.may_now(name, "approve", self.db.now_ms), "edit", *about, call)
        if did and not crash:
            call.another_round(self.db.now_ms)

    @rule(pick=picks, name=names, outcome=st.sampled_from(["succeeded", "failed", "held", "held"]))
    @having("outcome_unknown")
    def resolve(self, pick, name, outcome):
        hold, _ = self.choose(pick, "outcome_unknown")
        self.found_out(hold, name, outcome)

    def found_out(self, hold: str, name: str, outcome: str) -> None:
        call = self.calls[hold]
        about = (hold, self.person(name), outcome)
        did, _ = self.tried(self.s.deciding.resolve, *about, evidence="", key=KEY)
        expected = call.may(name, told=True) and call.status == "outcome_unknown"
        self.agree(did, expected, "resolve", *about, call)
        if did and outcome == "held":
            self.wishes += 1
            call.run = self.wishes
            call.another_round(self.db.now_ms)
        elif did:
            call.end(outcome, self.db.now_ms)

    # The gateway.

    @rule(pick=picks, people=leads, lease=st.integers(1, 50), steps=st.integers(0, 4))
    @having("held", "approved")
    def run(self, pick, people, lease, steps):
        """Have it approved if it is not, and go so far with it."""
        hold, _ = self.choose(pick, "held", "approved")
        self.approve(hold, people)
        attempt = self.begin(hold, "none", lease)
        if attempt is not None:
            self.advance(attempt, steps)

    @rule(pick=picks, people=leads, steps=st.integers(0, 4), unsent=st.booleans())
    @having("outcome_unknown")
    def run_again(self, pick, people, steps, unsent):
        """A person wants it run again; perhaps it cannot be sent then."""
        hold, _ = self.choose(pick, "outcome_unknown")
        self.found_out(hold, people[0], "held")
        self.approve(hold, people)
        attempt = self.begin(hold, "none", 20)
        if attempt is not None:
            self.advance(attempt, min(steps, 1) if unsent else steps)
            if unsent:
                self.drop(attempt)

    @rule(pick=picks, people=leads, drift=st.sampled_from(DRIFT), stale=rarely, crash=rarely)
    @having("held", "approved")
    def run_after_a_change(self, pick, people, drift, stale, crash):
        """Not everything is as it was when it was approved."""
        hold, _ = self.choose(pick, "held", "approved")
        self.approve(hold, people)
        self.begin(hold, drift, 20, stale=stale, crash=crash)

    def begin(
        self, hold: str, drift: str, lease: int, *, stale: bool = False, crash: bool = False
    ) -> Attempt | None:
        call, row = self.calls[hold], self.get(hold)
        about = (hold, row.version - stale, self.now(row, call, drift))
        did, after = self.tried(
            self.s.executing.begin, *about, owner="p1", lease_ms=lease, key=KEY, crash=crash
        )
        self.agree(did, call.status == "approved" and not stale, "begin", *about, call)
        if not did or crash:
            return None
        call.begin(drift, self.db.now_ms, lease)
        assert after.status == call.status, (drift, str(after.status), call)
        if call.status != "executing":
            return None
        known = max((one.fence for one in self.log.get(hold, ())), default=0)
        assert after.fence > known, "a fence was used twice"
        attempt = Attempt(hold, call.fence, call.run)
        self.running.append(attempt)
        self.begun_since += self.backup is not None
        return attempt

    def now(self, row: Any, call: Call, drift: str) -> Any:
        people = [self.person(name) for name in PEOPLE if drift != "revoked" or name.lower() != "ann"]
        other = {"definition_digest": f"{row.definition_digest}+", "call_digest": f"{row.call_digest}+"}
        changes: dict[str, Any] = {
            "bytes": {"arguments_digest": "other"},
            "call": {"call_digest": "other"},
            "deny": {"denied": "forbidden"},
            "definition": other,
            "stricter": {"stricter": "higher risk"},
            "quorum": {"requirement": self.asked(call, quorum=call.quorum + 1)},
            "allow": {"requirement": None},
        }.get(drift, {})
        return kit.now_of(row, *people, of=self.s, **{"requirement": self.asked(call), **changes})

    @rule(pick=picks, steps=st.integers(1, 4), good=st.booleans())
    @precondition(lambda self: self.running)
    def go_on(self, pick, steps, good):
        self.advance(self.running[pick % len(self.running)], steps, good=good)

    def advance(self, attempt: Attempt, steps: int, *, good: bool = True) -> None:
        """The process does what it began, however late: the intent, the call, the outcome, the row."""
        for _ in range(steps):
            if attempt.at == "begun":
                attempt.at = "intended"
                self.log.setdefault(attempt.hold, []).append(attempt)
            elif attempt.at == "intended":
                attempt.at = "sent"
                self.sent.append((attempt.hold, attempt.run))
            elif attempt.at == "sent":
                attempt.at, attempt.ended = "known", "succeeded" if good else "failed"
            else:
                self.finish(attempt, attempt.ended, attempt.fence)

    def finish(self, attempt: Attempt, status: str, fence: int) -> None:
        call, end = self.calls[attempt.hold], self.s.status.Status(status)
        about = (attempt.hold, fence, end, kit.outcome_of(status, self.s))
        did, _ = self.tried(self.s.executing.finish, *about)
        self.agree(did, call.finish(status, fence, self.db.now_ms), "finish", *about, call)

    @rule(pick=picks, off=st.sampled_from([0, 0, -1, 1]))
    @precondition(lambda self: any(attempt.at in {"sent", "known"} for attempt in self.running))
    def speak_again(self, pick, off):
        """Once more, or for another attempt, or without knowing what came of it."""
        able = [attempt for attempt in self.running if attempt.at in {"sent", "known"}]
        attempt = able[pick % len(able)]
        self.finish(attempt, attempt.ended or "outcome_unknown", attempt.fence + off)

    @rule(pick=picks)
    @precondition(lambda self: any(attempt.at in {"begun", "intended"} for attempt in self.running))
    def give_back(self, pick):
        """Nothing was sent, and this attempt is not going to."""
        able = [attempt for attempt in self.running if attempt.at in {"begun", "intended"}]
        self.drop(able[pick % len(able)])

    def drop(self, attempt: Attempt) -> None:
        attempt.ended = "not_sent"
        self.running.remove(attempt)
        call, about = self.calls[attempt.hold], (attempt.hold, attempt.fence)
        did, _ = self.tried(self.s.executing.give_back, *about, reason="down", again_ms=5)
        self.agree(did, call.unsent(attempt.fence), "give back", *about, call)

    @rule(pick=picks)
    @precondition(lambda self: any(attempt.at == "sent" for attempt in self.running))
    def try_again(self, pick):
        able = [attempt for attempt in self.running if attempt.at == "sent"]
        attempt = able[pick % len(able)]
        call, about = self.calls[attempt.hold], (attempt.hold, attempt.fence)
        did, _ = self.tried(self.s.executing.retry, *about, reason="lost", again_ms=5)
        expected = call.idempotent and call.status == "executing" and call.fence == attempt.fence
        self.agree(did, expected, "retry", *about, call)
        if did:
            call.status = "approved"

    @rule(pick=picks, lease=st.integers(1, 50))
    @precondition(lambda self: self.running)
    def renew(self, pick, lease):
        attempt = self.running[pick % len(self.running)]
        call, about = self.calls[attempt.hold], (attempt.hold, attempt.fence)
        did = self.db.run(self.s.executing.renew, *about, owner="p1", lease_ms=lease)
        self.agree(did, call.status == "executing" and call.fence == attempt.fence, "renew", *about, call)
        if did:
            call.lease = self.db.now_ms + lease

    # Time.

    @rule(pick=picks, off=st.sampled_from([-1, 0, 1]), sweeps=st.sampled_from([True, True, False]))
    @precondition(lambda self: self.calls)
    def time_passes(self, pick, off, sweeps):
        """A while, or up to one of the next moments at which something changes by itself."""
        columns = ("next_ms", "expires_ms", "approved_until_ms", "lease_ms", "claimed_until_ms")
        rows = self.db.rows(f"SELECT {', '.join(columns)} FROM hold")
        times = sorted({time for row in rows for time in row.values() if (time or 0) > self.db.now_ms})
        if times and pick % 2:
            self.db.now_ms = max(self.db.now_ms, times[pick // 2 % min(3, len(times))] + off)
        else:
            self.db.now_ms += pick // 5
        if sweeps:
            self.sweep()

    @rule(pick=picks, people=leads, off=st.sampled_from([-1, 0, 1]))
    @having("held", "approved")
    def come_in_the_last_moment(self, pick, people, off):
        """Before the sweeper."""
        hold, call = self.choose(pick, "held", "approved")
        self.db.now_ms = max(self.db.now_ms, (call.until or call.expires) + off)
        if call.status == "held":
            self.say(hold, people[0], "approve")
        else:
            self.begin(hold, "none", 20)

    def sweep(self) -> None:
        self.db.run(self.s.sweeping.sweep)
        for call in self.calls.values():
            call.sweep(self.db.now_ms)

    @rule(pick=picks, steps=st.integers(0, 4))
    @having("executing")
    def owner_sleeps(self, pick, steps):
        """The lease of what runs is lost, whoever had it may wake up again; it is run again if it can be."""
        hold, call = self.choose(pick, "executing")
        self.db.now_ms = max(self.db.now_ms, call.lease)
        self.sweep()
        attempt = self.begin(hold, "none", 20)
        if attempt is not None:
            self.advance(attempt, steps)

    # The process ends; its database may be an older one afterwards, its log never is.

    @rule()
    @precondition(lambda self: self.running)
    def crash(self):
        self.recover()

    @rule()
    @having("held", "approved", "executing", "outcome_unknown")
    @precondition(lambda self: self.backup is None or self.begun_since)
    def keep_a_copy(self):
        if self.backup is not None:
            self.backup[0].close()
        self.begun_since = 0
        self.backup = (self.db.copy(), copy.deepcopy((self.calls, self.numbers)))

    @rule()
    @precondition(lambda self: self.begun_since)
    def restore_the_copy(self):
        assert self.backup is not None
        database, known = self.backup
        now_ms = self.db.now_ms
        self.db.close()
        self.db = database.copy()
        self.db.now_ms = now_ms
        self.calls, self.numbers = copy.deepcopy(known)
        self.ends, self.begun_since = {}, 0
        self.recover()

    @rule(pick=picks, people=leads, steps=st.integers(0, 3), unsent=st.booleans())
    @having("held", "approved")
    def an_older_copy_comes_back(self, pick, people, steps, unsent):
        """In between it was run, lost, and perhaps run again."""
        hold, _ = self.choose(pick, "held", "approved")
        self.keep_a_copy()
        self.run(pick, people, 20, steps)
        self.owner_sleeps(pick, steps)
        if self.calls[hold].status == "outcome_unknown":
            self.run_again(pick, people, steps, unsent)
        self.restore_the_copy()

    def recover(self) -> None:
        self.running = []
        for hold in {**self.calls, **self.log}:
            fence, ended, logged = 0, "", None
            if hold in self.log:
                last = max(self.log[hold], key=lambda attempt: attempt.fence)
                fence, ended = last.fence, last.ended
                outcome = kit.outcome_of(ended, self.s) if ended in FINAL else None
                logged = self.s.executing.Logged(fence=fence, ended=ended, outcome=outcome)
            did, _ = self.tried(self.s.executing.recover, hold, logged)
            self.agree(did, True, "recover", hold, logged)
            if hold in self.calls:
                self.calls[hold].recover(fence, ended, self.db.now_ms)

    # What is always true.

    @invariant()
    def the_rows_are_what_the_model_says(self):
        rows = self.db.rows("SELECT id, status, round, fence, attempts, expires_ms, escalated FROM hold")
        assert {row["id"] for row in rows} == set(self.calls)
        for row in rows:
            call = self.calls[row["id"]]
            expected = (call.status, call.round, call.fence, call.attempts, call.expires, int(call.told))
            assert tuple(row.values())[1:] == expected, row["id"]

    @invariant()
    def nothing_runs_twice_or_ends_as_if_it_had_not_run(self):
        for hold, call in self.calls.items():
            sent = [run for sent_hold, run in self.sent if sent_hold == hold]
            if not call.idempotent:
                assert len(sent) == len(set(sent)), f"{hold} was sent twice"
            if sent:
                assert call.status not in NEVER_RAN, f"{hold} was sent and is {call.status}"
            assert self.ends.get(hold, call.status) == call.status, f"{hold} has two ends"
            if call.status in FINAL:
                self.ends[hold] = call.status

    @invariant()
    def every_version_has_its_event_and_its_rows_to_be_told(self):
        for row in self.db.rows(
            "SELECT id, version, "
            "(SELECT COUNT(*) || '/' || MIN(seq) || '/' || MAX(seq) FROM hold_event WHERE hold = id) AS events, "
            "(SELECT COUNT(*) FROM hold_outbox WHERE hold = id) AS untold FROM hold"
        ):
            version = row["version"]
            assert (row["events"], row["untold"]) == (f"{version}/1/{version}", 2 * version), row["id"]

    @invariant()
    def the_numbers_of_waiting_calls_are_right(self):
        held = sum(call.status == "held" for call in self.calls.values())
        counted = [row["waiting"] for row in self.db.rows("SELECT waiting FROM hold_waiting")]
        assert counted in ([held, held], [] if held == 0 else [held, held])

    def teardown(self):
        """Whatever nobody does anything about comes to an end."""
        for _ in range(4):
            self.db.now_ms += 10**10
            self.db.run(self.s.sweeping.sweep)
        still = self.db.rows("SELECT id, status FROM hold WHERE status IN ('held', 'approved', 'executing')")
        self.db.close()
        if self.backup is not None:
            self.backup[0].close()
        assert still == []
