"""The scripts against the model: whatever people, agents, clocks, crashes and restored copies do."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.unit.durable.holds import kit
from tests.unit.durable.holds.kit import KEY, TENANT
from tests.unit.durable.holds.model import CLAIM_MS, FINAL
from tests.unit.durable.holds.world import PEOPLE, World

CALLS_MAX = 5
PER_AGENT = 3
DRIFT = ("bytes", "call", "deny", "definition", "stricter", "quorum", "revoked", "allow", "kept back")

rarely = st.sampled_from([False] * 6 + [True])
picks = st.integers(0, 99)
names = st.sampled_from(list(PEOPLE))
leads = st.permutations(["ann", "ANN", "ben", "cat"])


def having(*statuses: str) -> Any:
    """Only where some hold has one of these."""
    return precondition(lambda self: any(call.status in statuses for call in self.calls.values()))


class HoldMachine(World):
    """Everything that can happen, in any order."""

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
        filing = kit.filing(number, self.s, id=hold, requirement=self.asked(new), idempotent=idempotent)
        filing = replace(filing, requester=kit.requester("rex", "rex-agent", self.s))
        # With a definition that has changed, the agent's identical call has another digest, and so has its hold.
        drifted = self.db.rows("SELECT attach_key FROM hold WHERE id = :id", id=known)
        if drifted and drifted[0]["attach_key"]:
            filing = replace(filing, call_digest=drifted[0]["attach_key"])
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

    @rule(pick=picks, name=names)
    @having("held")
    def claim(self, pick, name):
        hold, call = self.choose(pick, "held")
        did, _ = self.tried(self.s.deciding.claim, hold, self.person(name))
        self.agree(did, call.may(name) and call.status == "held", "claim", hold, name)
        if did:
            call.claim = (name, self.db.now_ms + CLAIM_MS)

    @rule(pick=picks, name=names, whom=names, claims=st.booleans())
    @having("held")
    def ask(self, pick, name, whom, claims):
        """One who has it on the desk, or has not, wants a colleague to look at it."""
        hold, call = self.choose(pick, "held")
        if claims and call.may(name) and call.status == "held":
            self.db.run(self.s.deciding.claim, hold, self.person(name))
            call.claim = (name, self.db.now_ms + CLAIM_MS)
        about = (hold, self.person(name), self.person(whom))
        did, after = self.tried(self.s.deciding.ask, *about, "look at it")
        self.agree(did, call.ask(name, whom, self.db.now_ms), "ask", *about, call)
        if did:
            assert after.claimed_by == call.claim[0]

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

    @rule(pick=picks, steps=st.integers(1, 4), good=st.booleans())
    @precondition(lambda self: self.running)
    def go_on(self, pick, steps, good):
        self.advance(self.running[pick % len(self.running)], steps, good=good)

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
