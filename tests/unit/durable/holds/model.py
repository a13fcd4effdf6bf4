"""What may happen to one hold, written down a second time: short, slow and without a database."""

from __future__ import annotations

from dataclasses import dataclass, field

GRACE_MS, COLLECT_MS, CLAIM_MS = 15 * 60_000, 60 * 60_000, 10 * 60_000
NEVER_RAN = ("denied", "expired", "cancelled", "invalidated")
FINAL = (*NEVER_RAN, "succeeded", "failed")


@dataclass
class Call:
    """A hold as it has to be. ``run`` is 0, or the number of a person's wish to have it run again."""

    now: int
    ttl: int
    quorum: int
    own: bool
    """The requester's own person may say yes."""
    idempotent: bool
    escalate: int
    status: str = "held"
    round: int = 1
    run: int = 0
    fence: int = 0
    attempts: int = 0
    until: int = 0
    lease: int = 0
    kept: int = 0
    found: bool = True
    collected: bool = False
    claim: tuple[str, int] = ("", 0)
    decided: int = 0
    said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wait(self.now)

    def wait(self, now: int) -> None:
        self.expires, self.told, self.escalates = now + self.ttl, False, now + self.escalate

    def another_round(self, now: int, quorum: int | None = None) -> None:
        self.status, self.round, self.quorum = "held", self.round + 1, quorum or self.quorum
        self.until, self.said, self.claim = 0, {}, ("", 0)
        self.wait(now)

    def end(self, status: str, now: int, *, kept: int | None = None) -> None:
        self.status = "outcome_unknown" if status in NEVER_RAN and self.attempts else status
        self.claim, self.kept = ("", 0), max(self.expires, now + COLLECT_MS) if kept is None else kept

    def may(self, person: str, *, told: bool | None = None) -> bool:
        """Ann, Ben and Cat are leads, the boss is the wider circle, rex is behind the agent; eve is elsewhere."""
        name = person.lower()
        return (
            name in {"ann", "ben", "cat"}
            or (name == "boss" and (self.told if told is None else told))
            or (name == "rex" and self.own)
        )

    def may_now(self, person: str, verdict: str, now: int) -> bool:
        if not self.may(person):
            return False
        if self.status == "approved":
            return verdict == "deny"
        claimed = verdict == "approve" and self.claim[0] not in {"", person} and now < self.claim[1]
        return self.status == "held" and now < self.expires and not claimed

    def yes(self, without: str = "") -> int:
        return len({who.lower() for who in self.said} - {without})

    def decide(self, person: str, verdict: str, now: int) -> bool:
        """Whether the word is taken. One that is said again is, and changes nothing."""
        if self.said.get(person) == verdict:
            return True
        if not self.may_now(person, verdict, now):
            return False
        if self.status == "approved":
            self.end("cancelled", now)
            return True
        self.said[person] = verdict
        if verdict == "deny":
            self.decided = self.decided or now
            self.end("denied", now)
        elif self.yes() >= self.quorum:
            self.decided = self.decided or now
            self.status, self.claim, self.until = "approved", ("", 0), max(self.expires, now + GRACE_MS)
        return True

    def ask(self, person: str, whom: str, now: int) -> bool:
        """Whether a colleague is asked. It changes nothing but that the one who asks has not claimed it any more."""
        able = self.may(person) and self.may(whom) and person.lower() != whom.lower()
        if not able or self.status != "held" or now >= self.expires:
            return False
        if self.claim[0] == person:
            self.claim = ("", 0)
        return True

    def begin(self, drift: str, now: int, lease: int) -> None:
        if now >= self.until:
            self.end("expired", now)
        elif drift == "kept back":
            # It waits for its definition.
            return
        elif drift in {"bytes", "call", "deny"}:
            self.end("invalidated", now)
        elif drift in {"definition", "stricter"}:
            self.another_round(now)
        elif drift == "quorum" and self.yes() < self.quorum + 1:
            self.another_round(now, self.quorum + 1)
        elif drift == "revoked" and self.yes("ann") < self.quorum:
            self.another_round(now)
        else:
            self.status, self.fence, self.attempts = "executing", self.fence + 1, self.attempts + 1
            self.lease = now + lease

    def sweep(self, now: int) -> None:
        if self.status == "held" and now >= self.expires:
            self.end("expired", now, kept=now + COLLECT_MS)
        elif self.status == "held" and now >= self.escalates:
            self.told = True
        elif self.status == "approved" and now >= self.until:
            self.end("expired", now, kept=now + COLLECT_MS)
        elif self.status == "executing" and now >= self.lease:
            self.lose(now)
        elif self.status in FINAL and now >= self.kept:
            self.found = False

    def lose(self, now: int) -> None:
        self.status = "approved" if self.idempotent and now < self.until else "outcome_unknown"

    def finish(self, status: str, fence: int, now: int) -> bool:
        if fence != self.fence or self.status not in {"executing", "outcome_unknown", status}:
            return False
        if self.status != status:
            self.end(status, now)
        return True

    def unsent(self, fence: int) -> bool:
        if fence != self.fence or self.status != "executing":
            return False
        self.status, self.attempts = "approved", self.attempts - 1
        return True

    def collect(self, now: int) -> None:
        if self.status in FINAL and not self.collected:
            stays = self.status == "denied" and now < self.expires
            self.collected, self.found, self.kept = True, self.found and stays, self.expires

    def has_run(self, fence: int, ended: str) -> bool:
        """Whether what could run now has run, as far as the log knows."""
        if self.status != "approved" or not fence or fence != self.fence:
            return False
        return ended in {"succeeded", "failed"} or (
            ended not in {"not_sent", "reopened"} and not self.idempotent
        )

    def recover(self, fence: int, ended: str, now: int) -> None:
        """``fence`` and ``ended`` of the last attempt that the log knows; 0 if it knows none."""
        if self.status in FINAL:
            return
        if fence > self.fence or self.has_run(fence, ended):
            gap = self.status == "executing" or fence > self.fence + 1
            self.fence = fence
            if ended != "not_sent" or (gap and self.status != "outcome_unknown"):
                self.attempts, self.status = self.attempts + 1, "outcome_unknown"
                self.end(ended if ended in FINAL else "outcome_unknown", now)
        elif fence == self.fence and ended in FINAL and self.status in {"executing", "outcome_unknown"}:
            self.end(ended, now)
        elif self.status == "executing":
            if fence < self.fence or ended == "not_sent":
                self.unsent(self.fence)
            else:
                self.lose(now)
