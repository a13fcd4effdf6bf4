"""What the state machine is made of: scripts and model side by side, and what is always true of both."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from durable.pins.pin import PinKey
from tests.unit.durable.holds import kit
from tests.unit.durable.holds.kit import KEY, REAL, TENANT, Database
from tests.unit.durable.holds.model import FINAL, NEVER_RAN, Call

PEOPLE = {
    **dict.fromkeys(("ann", "ANN", "ben", "cat"), "lead"),
    "boss": "boss",
    "rex": "lead",
    "zoe": "clerk",
    "eve": "lead",
}


@dataclass(eq=False)
class Attempt:
    """One process's right to run a hold once, and how far it has come: begun, intended, sent, known."""

    hold: str
    fence: int
    run: int
    at: str = "begun"
    ended: str = ""


class World(RuleBasedStateMachine):
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

    # What is done to both, and has to come to the same.

    def say(self, hold: str, name: str, verdict: str, *, stale: bool = False, crash: bool = False) -> None:
        call = self.calls[hold]
        shown = "something else" if stale else self.get(hold).seen
        about = (hold, self.person(name), verdict)
        did, _ = self.tried(self.s.deciding.decide, *about, seen=shown, reason="", key=KEY, crash=crash)
        # What crashes before its commit has not happened.
        model = copy.deepcopy(call) if crash else call
        self.agree(did, not stale and model.decide(name, verdict, self.db.now_ms), "decide", *about, call)

    def approve(self, hold: str, people: list[str]) -> None:
        for name in people:
            if self.calls[hold].status == "held" and name not in self.calls[hold].said:
                self.say(hold, name, "approve")

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
        self.check_approvals(hold, call)
        known = max((one.fence for one in self.log.get(hold, ())), default=0)
        assert after.fence > known, "a fence was used twice"
        attempt = Attempt(hold, call.fence, call.run)
        self.running.append(attempt)
        self.begun_since += self.backup is not None
        return attempt

    def check_approvals(self, hold: str, call: Call) -> None:
        """Nothing runs without enough different people who may say so; counted from the rows alone."""
        said = self.db.rows(
            "SELECT person FROM hold_vote v JOIN hold h ON v.hold = h.id AND v.round = h.round "
            "WHERE h.id = :hold AND verdict = 'approve'",
            hold=hold,
        )
        people = {row["person"].lower() for row in said if call.may(row["person"])}
        assert len(people) >= call.quorum, f"{hold} runs without its approvals"

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
            "kept back": {"pin": PinKey(tenant="", upstream="payments", kind="tool", name="never pinned")},
        }.get(drift, {})
        return kit.now_of(row, *people, of=self.s, **{"requirement": self.asked(call), **changes})

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

    def drop(self, attempt: Attempt) -> None:
        attempt.ended = "not_sent"
        self.running.remove(attempt)
        call, about = self.calls[attempt.hold], (attempt.hold, attempt.fence)
        did, _ = self.tried(self.s.executing.give_back, *about, reason="down", again_ms=5)
        self.agree(did, call.unsent(attempt.fence), "give back", *about, call)

    def sweep(self) -> None:
        self.db.run(self.s.sweeping.sweep)
        for call in self.calls.values():
            call.sweep(self.db.now_ms)

    def recover(self) -> None:
        self.running = []
        for hold in {**self.calls, **self.log}:
            fence, ended, logged = 0, "", None
            if hold in self.log:
                last = max(self.log[hold], key=lambda attempt: attempt.fence)
                fence, ended = last.fence, last.ended
                outcome = kit.outcome_of(ended, self.s) if ended in FINAL else None
                logged = self.s.recovering.Logged(fence=fence, ended=ended, outcome=outcome)
            did, _ = self.tried(self.s.recovering.recover, hold, logged)
            self.agree(did, True, "recover", hold, logged)
            if hold in self.calls:
                self.calls[hold].recover(fence, ended, self.db.now_ms)

    # What is always true.

    @invariant()
    def the_rows_are_what_the_model_says(self):
        rows = self.db.rows(
            "SELECT id, status, round, fence, attempts, expires_ms, escalated, decided_ms FROM hold"
        )
        assert {row["id"] for row in rows} == set(self.calls)
        for row in rows:
            call = self.calls[row["id"]]
            expected = (
                *(call.status, call.round, call.fence, call.attempts, call.expires, int(call.told)),
                call.decided,
            )
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
        assert counted == ([held, held] if counted or held else [])

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
