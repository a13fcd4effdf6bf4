"""Copies of the scripts with one thing wrong in each. The files themselves are never touched."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

from tests.unit.durable.holds.kit import ROOT, scripts_of

PACKAGE = "durable.holds"


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is wrong, and how: ``(module, text, other text)``; each text stands in its module exactly once."""

    name: str
    changes: tuple[tuple[str, str, str], ...]


def mutant(name: str, *changes: tuple[str, str, str]) -> Mutant:
    return Mutant(name, changes)


MUTANTS = (
    mutant(
        "a double send: what is not idempotent is run again when its lease is lost",
        ("sweeping", "if hold.idempotent and tx.now_ms <", "if tx.now_ms <"),
        ("executing", "if not hold.idempotent or hold.status is not", "if hold.status is not"),
    ),
    mutant(
        "a double send: what is not idempotent is run again at start",
        ("recovering", "    if hold.idempotent and tx.now_ms <", "    if tx.now_ms <"),
        ("executing", "if not hold.idempotent or hold.status is not", "if hold.status is not"),
    ),
    mutant(
        "a new attempt has no new fence", ("executing", "fence=hold.fence + 1,", "fence=max(hold.fence, 1),")
    ),
    mutant(
        "an end of an old attempt is heard",
        ("executing", "if hold.fence != fence:", "if hold.fence < fence:"),
    ),
    mutant(
        "a decision after the end counts",
        ("deciding", "if hold.status is Status.HELD and tx.now_ms >= hold.expires_ms:", "if False:"),
    ),
    mutant(
        "a decision in the last millisecond's successor counts",
        ("deciding", "and tx.now_ms >= hold.expires_ms:", "and tx.now_ms > hold.expires_ms:"),
    ),
    mutant(
        "people approve what their own agents ask for",
        ("rules", "if same_human(person.id, hold.requester):", "if False:"),
        ("rules", "if own and not (", "if False and not ("),
    ),
    mutant(
        "one person's two spellings are two votes",
        ("rules", "approving[vote.person.casefold()]", "approving[vote.person]"),
    ),
    mutant(
        "one vote less is enough",
        ("rules", "len(approving) < requirement.quorum", "len(approving) + 1 < requirement.quorum"),
    ),
    mutant("the wider circle decides before it was told", ("rules", "    if escalated:\n", "    if True:\n")),
    mutant(
        "another tenant's people decide",
        ("mover", 'found[0]["tenant"] != tenant', "False"),
        ("rules", "if person.tenant != hold.tenant:", "if False:"),
    ),
    mutant("a claim keeps nobody away", ("deciding", 'hold.claimed_by not in {"", person.id}', "False")),
    mutant(
        "who may not decide asks others to",
        (
            "deciding",
            "person.tenant)\n    problem = why_not_eligible(",
            "person.tenant)\n    problem = False and why_not_eligible(",
        ),
    ),
    mutant(
        "somebody is asked who may not decide",
        ("deciding", "problem = why_not_eligible(hold, whom, escalated=escalated(tx, hold))", 'problem = ""'),
    ),
    mutant(
        "people ask themselves",
        ("deciding", "if whom.id.casefold() == person.id.casefold():", "if whom.id == person.id:"),
    ),
    mutant(
        "what has expired is asked about",
        ("deciding", "    if tx.now_ms >= hold.expires_ms:\n", "    if False:\n"),
    ),
    mutant(
        "who asks a colleague keeps the call",
        ("deciding", "its_own = hold.claimed_by == person.id", "its_own = False"),
    ),
    mutant(
        "to ask a colleague is to approve",
        (
            "deciding",
            '        "asked",\n        actor=person.id,',
            "        Status.APPROVED,\n        actor=person.id,",
        ),
    ),
    mutant(
        "a later decision hides when the first was made",
        (
            "deciding",
            "decided_ms=hold.decided_ms or tx.now_ms,\n            approved_until_ms",
            "decided_ms=tx.now_ms,\n            approved_until_ms",
        ),
    ),
    mutant("what was seen is not compared", ("deciding", "if seen != hold.seen:", "if False:")),
    mutant(
        "a denial does not take an approval back",
        ("deciding", 'takes_back = verdict == "deny" and', "takes_back = False and"),
    ),
    mutant(
        "a yes cannot be taken back while others are asked",
        ("deciding", 'if said is not None and verdict == "approve":', "if said is not None:"),
    ),
    mutant(
        "a new round keeps the old votes",
        ("deciding", "WHERE hold = :hold AND round = :round ORDER", "WHERE hold = :hold ORDER"),
    ),
    mutant("a new round is the old one", ("deciding", '"round": hold.round + 1,', '"round": hold.round,')),
    mutant(
        "a new round has no new time",
        ("deciding", "expires_ms = tx.now_ms + requirement.ttl_ms", "expires_ms = hold.expires_ms"),
    ),
    mutant(
        "a changed definition is not looked at",
        ("executing", "    if now.definition_digest != hold.definition_digest:\n", "    if False:\n"),
    ),
    mutant(
        "a pin is not looked at where it counts",
        ("executing", "    if now.pin is not None and not in_force(", "    if False and not in_force("),
    ),
    mutant("a stricter policy is not looked at", ("executing", "    if now.stricter:\n", "    if False:\n")),
    mutant(
        "a denial at the start is not looked at", ("executing", "    if now.denied:\n", "    if False:\n")
    ),
    mutant(
        "stored bytes are not compared",
        ("executing", "if now.arguments_digest != hold.arguments.digest:", "if False:"),
    ),
    mutant(
        "rights that were lost still count",
        (
            "executing",
            "satisfied(asked, hold.requester, votes, now.people,",
            "satisfied(asked, hold.requester, votes, None,",
        ),
    ),
    mutant(
        "an approval is good for ever", ("executing", "if tx.now_ms >= hold.approved_until_ms:", "if False:")
    ),
    mutant("two who read the same version both begin", ("executing", " or hold.version != version:", ":")),
    mutant(
        "an end hides that it was sent",
        ("status", "if wanted in NEVER_RAN and attempts else", "if False else"),
    ),
    mutant(
        "what was not sent counts as sent",
        ("executing", "attempts=hold.attempts - 1,", "attempts=hold.attempts,"),
    ),
    mutant(
        "what was sent counts as not sent",
        (
            "executing",
            "attempts=hold.attempts + 1,\n        owner=owner,",
            "attempts=hold.attempts,\n        owner=owner,",
        ),
    ),
    mutant(
        "a late result is lost",
        (
            "status",
            "S.OUTCOME_UNKNOWN: frozenset({S.SUCCEEDED, S.FAILED, S.HELD}),",
            "S.OUTCOME_UNKNOWN: frozenset({S.HELD}),",
        ),
    ),
    mutant(
        "an end is exchanged for another",
        ("status", "S.SUCCEEDED: frozenset[Status](),", "S.SUCCEEDED: frozenset({S.FAILED}),"),
    ),
    mutant(
        "an event without rows to be told",
        (
            "mover",
            "for channel in (LOG, WEBHOOKS):",
            "for channel in (LOG, WEBHOOKS) if hold.version != 3 else (LOG,):",
        ),
    ),
    mutant(
        "a change without its event",
        (
            "mover",
            "    note(tx, moved, kind, actor=actor, details=details)\n",
            '    if kind != "cancelled":\n        note(tx, moved, kind, actor=actor, details=details)\n',
        ),
    ),
    mutant(
        "who no longer waits is counted for ever",
        (
            "mover",
            "        count_waiting(tx, after, 1 if after.status is Status.HELD else -1)",
            "        count_waiting(tx, after, 1 if after.status is Status.HELD else 0)",
        ),
    ),
    mutant(
        "a restored older database runs what has run",
        (
            "recovering",
            "if logged is not None and (logged.fence > hold.fence or _has_run(hold, logged)):",
            "if False:",
        ),
    ),
    mutant(
        "an unsent attempt hides a sent one from a restored database",
        ("recovering", "logged.fence == hold.fence + 1", "logged.fence > hold.fence"),
    ),
    mutant(
        "at start nobody asks the log",
        ("recovering", '    if said is None or said.ended == "not_sent":\n', "    if True:\n"),
    ),
    mutant(
        "an approval that nobody uses never ends",
        (
            "sweeping",
            "AND (status <> 'approved' OR approved_until_ms <= :now_ms)",
            "AND status <> 'approved'",
        ),
    ),
    mutant(
        "what nobody decides never ends",
        ("sweeping", "    if tx.now_ms >= hold.expires_ms:\n", "    if False:\n"),
    ),
    mutant(
        "an identical call finds an end that was collected",
        ("filing", "stays = hold.status is Status.DENIED and", "stays = bool(hold.status) and"),
    ),
    mutant(
        "an edit is an approval",
        (
            "deciding",
            '        "edited",\n        actor=person.id,',
            "        Status.APPROVED,\n        actor=person.id,",
        ),
    ),
)


class Copies(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Compiles the scripts' sources, changed, under another package name."""

    def __init__(self, package: str, changes: tuple[tuple[str, str, str], ...]) -> None:
        self.package = package
        self.changes = changes

    def find_spec(
        self, fullname: str, path: object, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.package and not fullname.startswith(f"{self.package}."):
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=fullname == self.package)

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__.removeprefix(self.package).lstrip(".") or "__init__"
        source = changed(name, self.changes).replace(f"from {PACKAGE}.", f"from {self.package}.")
        exec(compile(source, f"<{self.package}.{name}>", "exec"), module.__dict__)


def changed(module: str, changes: tuple[tuple[str, str, str], ...]) -> str:
    """The source of a module with its changes."""
    source = (ROOT / "durable" / "holds" / f"{module}.py").read_text("utf-8")
    for where, old, new in changes:
        if where == module:
            assert source.count(old) == 1, f"{module}.py has {source.count(old)} times {old!r}"
            source = source.replace(old, new)
    return source


@contextmanager
def copies(name: str, *changes: tuple[str, str, str]) -> Iterator[SimpleNamespace]:
    """All scripts, with these changes, as modules that nobody else has."""
    package = f"mutated_{name}"
    finder = Copies(package, changes)
    sys.meta_path.insert(0, finder)
    try:
        yield scripts_of(lambda module: importlib.import_module(f"{package}.{module}"))
    finally:
        sys.meta_path.remove(finder)
        for module in [module for module in sys.modules if module.split(".")[0] == package]:
            del sys.modules[module]
