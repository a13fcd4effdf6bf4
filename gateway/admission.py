"""One listing, from an upstream's lists to the catalogue. Each definition stands or falls alone.

Every definition that parses and whose schema compiles is admitted as listed, and each change is
recorded with its digests. Pins and quarantine attach here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from gateway.core.definition import Definition, Kind, RefusedDefinition, parse_definition
from gateway.core.naming import look_alikes
from gateway.core.record import Record
from gateway.core.strict_json import read_json
from gateway.errors import GatewayError
from gateway.ports import ServerFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.definition import Listed
    from gateway.ports import AuditTrail, Listing, Upstream


class Report(Protocol):
    """Tells the operator one sentence about an upstream."""

    def __call__(self, upstream: str, sentence: str, *, problem: bool) -> None:
        """``problem`` says whether it needs a look."""
        ...


EVERYTHING = ""
BURST = 3.0
"""Changes of one list that are followed at once; further ones once in each pause."""
TOLD_MAX = 5
"""Refused definitions named in one report; all are in the record."""
CHANGES_PER_RECORD = 200
"""With names and digests of full length this stays below one entry of the log (64 KiB)."""
RECORDED_NAME_CHARACTERS_MAX = 160

ParamHeaders = Mapping[tuple[str, ...], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFacts:
    """What the operator declared about one upstream."""

    read_only: frozenset[str] = frozenset()
    idempotent: frozenset[str] = frozenset()
    list_deadline_s: float = 15.0
    tools_max: int = 1000


class Admission:
    """Keeps the catalogue in step with the upstreams."""

    def __init__(
        self,
        *,
        upstreams: Mapping[str, Upstream],
        facts: Mapping[str, UpstreamFacts],
        replace: Callable[[str, tuple[Definition, ...], tuple[RefusedDefinition, ...], ServerFacts], None],
        touched: Callable[[str, frozenset[Kind]], None],
        audit: AuditTrail,
        read_param_headers: Callable[[Mapping[str, Any]], ParamHeaders],
        report: Report,
        arrived: Callable[[str], None],
        settle_s: float = 5.0,
        retry_s: tuple[float, float] = (0.5, 30.0),
    ) -> None:
        """Take ports.

        After a few changes of a list, further ones wait ``settle_s`` each, so that a storm is cheap.
        ``retry_s`` is the first and the longest pause after a failed listing.
        """
        self._upstreams = upstreams
        self._facts = facts
        self._replace = replace
        self._audit = audit
        self._read_param_headers = read_param_headers
        self._report = report
        self._arrived = arrived
        self._settle_s = settle_s
        self._retry_s = retry_s
        self._touched = touched
        self._pending = {name: _Pending(settle_s) for name in upstreams}
        self._known: dict[str, _Known] = {}

    def changed(self, upstream: str, capability: str = "") -> None:
        """An upstream said that what this capability lists changed; empty: it was (re)connected."""
        self._pending[upstream].note(capability)

    async def keep(self, upstream: str) -> None:
        """List now and after every change, for ever; one of these runs for each upstream."""
        pause_s, longest_s = self._retry_s
        pending = self._pending[upstream]
        pending.note(EVERYTHING)
        while True:
            due = await pending.next()
            try:
                await self.refresh(upstream, due)
            except GatewayError as error:
                self._arrived(upstream)
                self._report(upstream, error.reason, problem=True)
                pending.failed(due, pause_s)
                pause_s = min(pause_s * 2, longest_s)
                continue
            self._arrived(upstream)
            pause_s = self._retry_s[0]

    async def refresh(self, upstream: str, due: frozenset[str] = frozenset({EVERYTHING})) -> None:
        """Fetch, read, record, replace. On failure the last good catalogue stays.

        Args:
            upstream: its id.
            due: the capabilities whose lists were announced to have changed, or ``EVERYTHING``.

        Raises:
            UpstreamError: no usable listing.
            AuditUnwritable: the change could not be recorded, so it does not take effect.
        """
        facts = self._facts[upstream]
        announced = frozenset(kind for kind in Kind if kind.capability in due)
        kinds = frozenset(Kind) if EVERYTHING in due else announced
        listing = await self._upstreams[upstream].list_definitions(
            deadline_s=facts.list_deadline_s, kinds=kinds
        )
        before = self._known.get(upstream, _NOTHING_KNOWN)
        known = self._read(upstream, facts, listing, before, kinds)
        if before.identity == known.identity:
            self._touched(upstream, announced)
            return
        await self._audit.append(*_records(upstream, before.digests, known))
        self._known[upstream] = known
        self._replace(upstream, known.definitions, known.refused, known.server)
        counts = Counter(one.kind for one in known.definitions)
        what = ", ".join(f"{counts[kind]} {_WORDS[kind]}" for kind in Kind if counts[kind])
        told = "".join(f"; not offered: {item.name} ({item.reason})" for item in known.refused[:TOLD_MAX])
        told += "".join(f"; {reason}" for reason in listing.failed.values())
        problem = bool(known.refused or listing.failed)
        self._report(upstream, f"{what or 'no tools'} offered{told}", problem=problem)

    def _read(
        self,
        upstream: str,
        facts: UpstreamFacts,
        listing: Listing,
        before: _Known,
        kinds: frozenset[Kind],
    ) -> _Known:
        definitions: list[Definition] = []
        refused: list[RefusedDefinition] = []
        for kind in Kind:
            if kind in listing.failed or kind not in kinds:
                # Its last good list stays, as all of them do when the upstream does not answer.
                definitions += [one for one in before.definitions if one.kind is kind]
                refused += [one for one in before.refused if one.kind is kind]
                continue
            found = [
                self._read_one(upstream, facts, kind, listed) for listed in listing.elements.get(kind, ())
            ]
            refused += [one for one in found if isinstance(one, RefusedDefinition)]
            distinct, ambiguous = _distinct([one for one in found if isinstance(one, Definition)])
            definitions += distinct[: facts.tools_max]
            refused += [
                _refused(one, "catalogue_full", f"over {facts.tools_max} {kind.member}")
                for one in distinct[facts.tools_max :]
            ]
            refused += ambiguous
        server = ServerFacts(
            era=listing.era, capabilities=listing.capabilities, instructions=listing.instructions
        )
        return _Known(tuple(definitions), tuple(refused), server)

    def _read_one(
        self, upstream: str, facts: UpstreamFacts, kind: Kind, listed: Listed
    ) -> Definition | RefusedDefinition:
        if listed.value is None:
            return self._unreadable(upstream, kind, listed)
        if kind is not Kind.TOOL:
            return parse_definition(upstream, listed, kind=kind)
        name = listed.value.get("name") if isinstance(listed.value, dict) else None
        labels = tuple(
            label
            for label, names in (("idempotent", facts.idempotent), ("read_only", facts.read_only))
            if isinstance(name, str) and name in names
        )
        try:
            param_headers = self._read_param_headers(listed.value) if isinstance(listed.value, dict) else {}
        except GatewayError as error:
            return RefusedDefinition(
                upstream=upstream, name=str(name)[:128], code="definition_header", reason=error.reason
            )
        return parse_definition(upstream, listed, labels=labels, param_headers=param_headers)

    @staticmethod
    def _unreadable(upstream: str, kind: Kind, listed: Listed) -> RefusedDefinition:
        reason = "not readable"
        try:
            read_json(listed.raw)
        except GatewayError as error:
            reason = error.reason
        return RefusedDefinition(
            upstream=upstream, name="(unreadable)", code="definition_malformed", reason=reason, kind=kind
        )


class _Pending:
    """Which lists of one upstream are to be fetched again, and from when on.

    A few changes after a quiet time show at once; a storm of one list costs one fetch for each pause.
    """

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._noted: set[str] = set()
        self._not_before_s: dict[str, float] = {}
        self._retry_at_s = 0.0
        """After a failure nothing is tried before, unless the upstream says something."""
        self._credit: dict[str, tuple[float, float]] = {}
        """By list: fetches that may follow each other at once, and when that was counted."""
        self._woken = asyncio.Event()

    def note(self, capability: str) -> None:
        """It changed."""
        self._noted.add(capability)
        # It speaks: what was tried in vain may work now.
        self._retry_at_s = 0.0
        self._woken.set()

    def failed(self, due: frozenset[str], pause_s: float) -> None:
        """Fetching did not work; once more after a pause, or when something changes."""
        self._noted |= due
        self._retry_at_s = asyncio.get_running_loop().time() + pause_s

    async def next(self) -> frozenset[str]:
        """What is to be fetched now."""
        while True:
            self._woken.clear()
            now_s = asyncio.get_running_loop().time()
            not_before = self._not_before_s
            waits = {one: max(not_before.get(one, now_s), self._retry_at_s) - now_s for one in self._noted}
            due = frozenset(one for one, wait_s in waits.items() if wait_s <= 0)
            if due:
                taken = self._noted if EVERYTHING in due else due
                self._noted = self._noted - taken
                for one in due:
                    self._spend(one, now_s)
                return frozenset(taken)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(waits.values(), default=None)):
                    await self._woken.wait()

    def _spend(self, capability: str, now_s: float) -> None:
        """One fetch; credit grows back by one in each pause, up to ``BURST``."""
        credit, counted_at_s = self._credit.get(capability, (BURST, now_s))
        credit = min(credit + (now_s - counted_at_s) / self._settle_s, BURST) - 1
        self._credit[capability] = (credit, now_s)
        if credit < 1:
            self._not_before_s[capability] = now_s + (1 - credit) * self._settle_s


class _Known(NamedTuple):
    """What one listing came to."""

    definitions: tuple[Definition, ...]
    refused: tuple[RefusedDefinition, ...]
    server: ServerFacts

    @property
    def digests(self) -> dict[str, str]:
        """By what the log calls them: tools by name, other kinds with the kind in front."""
        return {_recorded_name(one.kind, one.name): one.digest for one in self.definitions}

    @property
    def identity(self) -> tuple[Any, ...]:
        """Equal for equal lists: definitions count by their digests."""
        return (self.digests, self.refused, self.server)


_NOTHING_KNOWN = _Known((), (), ServerFacts(era=""))
_WORDS = {
    Kind.TOOL: "tools",
    Kind.PROMPT: "prompts",
    Kind.RESOURCE: "resources",
    Kind.TEMPLATE: "resource templates",
}


def _recorded_name(kind: Kind, name: str) -> str:
    return name if kind is Kind.TOOL else f"{kind.value}:{name}"


def _distinct(found: list[Definition]) -> tuple[list[Definition], list[RefusedDefinition]]:
    """Definitions whose names nobody can mix up; which one an agent gets must not depend on list order."""
    digests: dict[str, set[str]] = {}
    names: dict[str, set[str]] = {}
    for one in found:
        digests.setdefault(one.name, set()).add(one.digest)
        for key in _alike_keys(one):
            names.setdefault(key, set()).add(one.name)
    kept: dict[str, Definition] = {}
    refused: dict[str, RefusedDefinition] = {}
    for one in found:
        alike = set[str]().union(*(names[key] for key in _alike_keys(one))) - {one.name}
        if len(digests[one.name]) > 1:
            reason = "listed more than once, with different definitions"
            refused[one.name] = _refused(one, "definition_duplicate", reason)
        elif alike:
            refused[one.name] = _refused(one, "definition_look_alike", f"can be taken for {min(alike)}")
        else:
            kept[one.name] = one
    return list(kept.values()), list(refused.values())


def _alike_keys(one: Definition) -> tuple[str, ...]:
    # URIs are opaque and case-sensitive; people and models pick tools and prompts by how they look.
    return look_alikes(one.name) if one.kind in {Kind.TOOL, Kind.PROMPT} else (one.name,)


def _records(upstream: str, before: dict[str, str], known: _Known) -> list[Record]:
    """What changed, in records that each fit one entry of the log."""
    after = known.digests
    changes: list[tuple[str, str, str]] = [
        *(("added", name, digest) for name, digest in after.items() if name not in before),
        *(("changed", n, digest) for n, digest in after.items() if n in before and before[n] != digest),
        *(("removed", name, "") for name in before if name not in after),
        *(("refused", _recorded_name(item.kind, item.name), item.code) for item in known.refused),
    ]
    records = []
    for start in range(0, max(1, len(changes)), CHANGES_PER_RECORD):
        members: dict[str, Any] = {"upstream": upstream, "added": {}, "changed": {}}
        members |= {"removed": [], "refused": []}
        for change, name, value in changes[start : start + CHANGES_PER_RECORD]:
            shown = name[:RECORDED_NAME_CHARACTERS_MAX]
            if change == "removed":
                members["removed"].append(shown)
            elif change == "refused":
                members["refused"].append({"name": shown, "code": value})
            else:
                members[change][shown] = value
        records.append(Record(kind="catalogue", tenant="", members=members))
    return records


def _refused(one: Definition, code: str, reason: str) -> RefusedDefinition:
    return RefusedDefinition(upstream=one.upstream, name=one.name, code=code, reason=reason, kind=one.kind)
