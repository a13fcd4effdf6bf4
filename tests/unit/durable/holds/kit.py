"""A database in memory whose clock stands still until a test moves it, and the values that scripts take."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from durable.stores.transaction import SnapshotTx, SqliteTx

ROOT = Path(__file__).resolve().parents[4]
SCHEMA = "".join(
    (ROOT / "durable" / "sql" / name).read_text("utf-8")
    for name in ("0001_holds.sql", "0003_pins.sql", "0005_statement.sql")
)
MODULES = (
    *("status", "hold", "refusals", "rules", "columns", "mover", "filing", "deciding", "executing"),
    *("sweeping", "outbox", "finding", "keyed", "voting", "recovering", "erasing", "reviewing"),
)
KEY = b"k" * 32
NOON_MS = 1_790_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
TENANT = "default"


def scripts_of(load: Callable[[str], ModuleType]) -> SimpleNamespace:
    """Every module of scripts, as the real ones or as copies of them."""
    return SimpleNamespace(**{name: load(name) for name in MODULES})


REAL = scripts_of(lambda name: importlib.import_module(f"durable.holds.{name}"))


@functools.cache
def empty_database() -> bytes:
    """A new one, as a file."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    stored = connection.serialize()
    connection.close()
    return stored


class Database:
    """The store around scripts, without its threads: one transaction at a time, told when to move the clock."""

    def __init__(self, stored: bytes = b"", *, now_ms: int = NOON_MS) -> None:
        self.now_ms = now_ms
        self.woken: list[str] = []
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.deserialize(stored or empty_database())
        self.connection.execute("PRAGMA foreign_keys = ON")

    def run(self, script: Callable[..., Any], *args: Any, crash: bool = False, **kwargs: Any) -> Any:
        """One transaction; ``crash`` ends the process before it is durable."""
        tx = SqliteTx(self.connection, self.now_ms)
        self.connection.execute("BEGIN")
        try:
            result = script(tx, *args, **kwargs)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("ROLLBACK" if crash else "COMMIT")
        if not crash:
            self.woken += tx.woken
        return result

    def read(self, script: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A script that has no business writing."""
        return script(SnapshotTx(self.connection, self.now_ms), *args, **kwargs)

    def rows(self, sql: str, /, **values: Any) -> list[dict[str, Any]]:
        """What anybody with the file can read..."""
        return SqliteTx(self.connection, self.now_ms).rows(sql, **values)

    def execute(self, sql: str, /, **values: Any) -> int:
        """...and write."""
        return SqliteTx(self.connection, self.now_ms).execute(sql, **values)

    def dump(self) -> list[str]:
        """Everything that there is."""
        return list(self.connection.iterdump())

    def copy(self) -> Database:
        """A backup, as of now."""
        return Database(self.connection.serialize(), now_ms=self.now_ms)

    def close(self) -> None:
        self.connection.close()


def digest(*parts: Any) -> str:
    """Stands for any digest over these."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def arguments(number: Any, of: SimpleNamespace = REAL) -> Any:
    return of.hold.Arguments(
        digest=digest("arguments", number), size_bytes=17, payload={"commitment": f"c{number}"}
    )


def requirement(of: SimpleNamespace = REAL, **changes: Any) -> Any:
    """One lead has to agree within an hour."""
    asked = of.hold.Requirement(
        groups=(("lead",),),
        quorum=1,
        ttl_ms=HOUR_MS,
        risk=2,
        reasons=(of.hold.Why(code="over_limit", why="above 100 EUR", rule="policy.rego:7"),),
        show=("/amount",),
    )
    return replace(asked, **changes)


def requester(subject: str = "rex@example.com", agent: str = "rex-agent", of: SimpleNamespace = REAL) -> Any:
    return of.hold.Requester(subject_type="user", subject_id=subject, agent=agent)


def filing(number: Any = 1, of: SimpleNamespace = REAL, **changes: Any) -> Any:
    """A refund that rex's agent asks for. Equal numbers are identical calls."""
    asked = of.filing.Filing(
        id=f"h{number}",
        tenant=TENANT,
        requester=requester(of=of),
        session="s1",
        workflow={"id": "w1"},
        client="client 1.0",
        method="tools/call",
        upstream="payments",
        name="refund",
        call_id=f"call-{number}",
        call_digest=digest("call", number, "definition"),
        group_key="g1",
        idempotency_key="",
        arguments=arguments(number, of),
        view={"amount": 120},
        definition_digest="definition",
        revision="r1",
        requirement=requirement(of),
        idempotent=False,
        send_key=f"send-{number}",
    )
    return replace(asked, **changes)


def person(name: str, *names: str, of: SimpleNamespace = REAL, **changes: Any) -> Any:
    """A reviewer; without names one of the leads."""
    someone = of.hold.Person(
        id=f"{name}@example.com", tenant=TENANT, names=frozenset(names or ("lead",)), how="token"
    )
    return replace(someone, **changes)


def now_of(hold: Any, *people: Any, of: SimpleNamespace = REAL, **changes: Any) -> Any:
    """What is true at execution where nothing changed since the approval."""
    now = of.executing.Now(
        arguments_digest=hold.arguments.digest,
        call_digest=hold.call_digest,
        definition_digest=hold.definition_digest,
        revision=hold.revision,
        denied="",
        requirement=hold.requirement,
        stricter="",
        people={someone.id: someone for someone in people},
    )
    return replace(now, **changes)


ANA, BEN, CEM = person("ana"), person("ben"), person("cem")
DAN = person("dan", "clerk")
CAPS = REAL.filing.Caps(per_agent=1000, per_tenant=1000)


class Bench(Database):
    """The database with the scripts as verbs, for tests that tell a story."""

    def file(
        self, number: Any = 1, *, asked: dict[str, Any] | None = None, caps: Any = CAPS, **changes: Any
    ) -> Any:
        """A new hold; ``asked`` are changes to what policy asks for."""
        if asked is not None:
            changes["requirement"] = requirement(**asked)
        return self.run(REAL.filing.file_hold, filing(number, **changes), key=KEY, caps=caps)[0]

    def get(self, hold: Any) -> Any:
        return self.read(REAL.finding.one, hold if isinstance(hold, str) else hold.id)

    def status(self, hold: Any) -> str:
        return str(self.get(hold).status)

    def decide(self, hold: Any, someone: Any, verdict: str = "approve", *, seen: str | None = None) -> Any:
        shown = self.get(hold).seen if seen is None else seen
        return self.run(
            REAL.deciding.decide, hold.id, someone, verdict, seen=shown, reason=f"{verdict}: because", key=KEY
        )

    def approved(self, number: Any = 1, *people: Any, **changes: Any) -> Any:
        """A hold that these people (or ana) have approved."""
        hold = self.file(number, **changes)
        for someone in people or (ANA,):
            hold = self.decide(hold, someone).hold
        assert hold.status == "approved"
        return hold

    def begin(
        self, hold: Any, *people: Any, version: int | None = None, lease_ms: int = MINUTE_MS, **now: Any
    ) -> Any:
        current = self.get(hold)
        return self.run(
            REAL.executing.begin,
            hold.id,
            current.version if version is None else version,
            now_of(current, *(people or (ANA, BEN, CEM)), **now),
            owner="p1",
            lease_ms=lease_ms,
            key=KEY,
        )

    def executing(self, number: Any = 1, **changes: Any) -> Any:
        """A hold that runs, as attempt 1."""
        hold = self.begin(self.approved(number, **changes))
        assert hold.status == "executing"
        return hold

    def finish(self, hold: Any, status: str = "succeeded", *, fence: int | None = None) -> Any:
        return self.run(
            REAL.executing.finish,
            hold.id,
            hold.fence if fence is None else fence,
            REAL.status.Status(status),
            outcome_of(status),
        )

    def sweep(self) -> Any:
        return self.run(REAL.sweeping.sweep)

    def events(self, hold: Any) -> list[str]:
        return [event.kind for event in self.read(REAL.finding.story, self.get(hold)).events]


def outcome_of(status: str, of: SimpleNamespace = REAL) -> Any:
    kind = {"succeeded": "result", "failed": "error", "outcome_unknown": "unknown"}[status]
    return of.hold.Outcome(
        kind=kind, payload=None if kind == "unknown" else {"commitment": "answer"}, call_id="a1"
    )
