"""One listing, from an upstream's lists to the catalogue. Each definition stands or falls alone.

A definition that parses, whose schema compiles and whose name nobody can mix up is held against its pin;
what is pinned is offered, in the form that was pinned. Each change is recorded with its digests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from durable.pins.state import State
from gateway.core.catalogue_record import catalogue_records, recorded_digests
from gateway.core.definition import Definition, Kind, RefusedDefinition, parse_definition
from gateway.core.distinct import distinct, refused
from gateway.core.pin_states import CODES, UNKEPT, untrusted
from gateway.core.strict_json import read_json
from gateway.core.varying import NOTHING_VARIES
from gateway.errors import GatewayError
from gateway.ports import ServerFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.definition import Listed
    from gateway.core.varying import Varying
    from gateway.ports import AuditTrail, Listing, Pins, Upstream


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
WITHDRAWN = "it is another one than was offered, and nothing can be said of its pin at the moment"

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
        pins: Pins,
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
        self._pins = pins
        self._read_param_headers = read_param_headers
        self._report = report
        self._arrived = arrived
        self._settle_s = settle_s
        self._retry_s = retry_s
        self._touched = touched
        self._pending = {name: _Pending(settle_s) for name in upstreams}
        self._listed: dict[str, _Known] = {}
        """What each upstream listed, before its pins were asked."""
        self._known: dict[str, _Known] = {}
        """What came of it."""
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

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
        """Fetch, read, hold against the pins, record, replace. On failure the last good catalogue stays.

        Args:
            upstream: its id.
            due: the capabilities whose lists were announced to have changed, or ``EVERYTHING``.

        Raises:
            UpstreamError: no usable listing.
            AuditUnwritable: the change could not be recorded, so it does not take effect.
            ApprovalsUnavailable: the pins could not be read.
        """
        facts = self._facts[upstream]
        announced = frozenset(kind for kind in Kind if kind.capability in due)
        kinds = frozenset(Kind) if EVERYTHING in due else announced
        listing = await self._upstreams[upstream].list_definitions(
            deadline_s=facts.list_deadline_s, kinds=kinds
        )
        tools_before = self._tools(upstream)
        async with self._one_at_a_time[upstream]:
            before = self._listed.get(upstream, _NOTHING_KNOWN)
            self._listed[upstream] = self._read(upstream, facts, listing, before, kinds)
            if not await self._admit(upstream, failed=tuple(listing.failed.values())):
                self._touched(upstream, announced)
        if self._tools(upstream) != tools_before:
            # A definition that speaks of another upstream's tools can be told only once those are known.
            for other in self._listed.keys() - {upstream}:
                await self.judge_again(other)

    async def judge_again(self, upstream: str) -> None:
        """Hold what was listed last against its pins as they are now; raises as ``refresh`` does."""
        async with self._one_at_a_time[upstream]:
            if upstream in self._listed:
                await self._admit(upstream)

    async def _admit(self, upstream: str, *, failed: tuple[str, ...] = ()) -> bool:
        """Put into effect what the pins say of the list; False if nothing changes."""
        listed, before = self._listed[upstream], self._known.get(upstream, _NOTHING_KNOWN)
        others = frozenset[str]().union(*(self._tools(one) for one in self._listed if one != upstream))
        others -= self._tools(upstream)
        try:
            judged = await self._pins.judge(upstream, listed.definitions, listed.server.instructions, others)
            known = _Known(
                judged.offered,
                (*listed.refused, *judged.refused),
                replace(listed.server, instructions=judged.instructions),
            )
            same = before.identity == known.identity
            if same and before.varying == known.varying:
                return False
            if not same:
                await self._audit.append(
                    *catalogue_records(upstream, before.digests, known.digests, known.refused)
                )
        except GatewayError:
            self._withdraw_changed(upstream, listed, before)
            raise
        self._known[upstream] = known
        self._replace(upstream, known.definitions, known.refused, known.server)
        if not same:
            self._tell(upstream, known, failed)
        return True

    def _tell(self, upstream: str, known: _Known, failed: tuple[str, ...]) -> None:
        """What the operator hears; what only waits for their word has a sentence of its own."""
        new = sum(one.code == CODES[State.NEW] for one in known.refused)
        others = len(known.refused) > new
        self._report(upstream, _told(known, failed), problem=others or bool(failed))
        if new:
            self._report(upstream, untrusted(upstream, new), problem=True)

    def _withdraw_changed(self, upstream: str, listed: _Known, before: _Known) -> None:
        """What is listed in another form than it is offered in is kept back while nobody can say more."""
        now = {(one.kind, one.name): one for one in listed.definitions}
        changed = {
            key: now[key]
            for one in before.definitions
            if (key := (one.kind, one.name)) in now and now[key].digest != one.digest
        }
        if not changed:
            return
        known = before._replace(
            definitions=tuple(one for one in before.definitions if (one.kind, one.name) not in changed),
            refused=(*before.refused, *(refused(one, UNKEPT, WITHDRAWN) for one in changed.values())),
        )
        self._known[upstream] = known
        self._replace(upstream, known.definitions, known.refused, known.server)

    def _tools(self, upstream: str) -> frozenset[str]:
        listed = self._listed.get(upstream, _NOTHING_KNOWN)
        return frozenset(one.name for one in listed.definitions if one.kind is Kind.TOOL)

    def _read(
        self,
        upstream: str,
        facts: UpstreamFacts,
        listing: Listing,
        before: _Known,
        kinds: frozenset[Kind],
    ) -> _Known:
        definitions: list[Definition] = []
        without: list[RefusedDefinition] = []
        for kind in Kind:
            if kind in listing.failed or kind not in kinds:
                # Its last good list stays, as all of them do when the upstream does not answer.
                definitions += [one for one in before.definitions if one.kind is kind]
                without += [one for one in before.refused if one.kind is kind]
                continue
            found = [
                self._read_one(upstream, facts, kind, listed) for listed in listing.elements.get(kind, ())
            ]
            without += [one for one in found if isinstance(one, RefusedDefinition)]
            kept, ambiguous = distinct([one for one in found if isinstance(one, Definition)])
            definitions += kept[: facts.tools_max]
            without += [
                refused(one, "catalogue_full", f"over {facts.tools_max} {kind.member}")
                for one in kept[facts.tools_max :]
            ]
            without += ambiguous
        server = ServerFacts(
            era=listing.era, capabilities=listing.capabilities, instructions=listing.instructions
        )
        return _Known(tuple(definitions), tuple(without), server)

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
    """What one listing came to, before its pins were asked or after."""

    definitions: tuple[Definition, ...]
    refused: tuple[RefusedDefinition, ...]
    server: ServerFacts

    @property
    def digests(self) -> dict[str, str]:
        """By what the log calls them."""
        return recorded_digests(self.definitions)

    @property
    def varying(self) -> dict[str, Varying]:
        """What resources say about their content; passed on, and recorded nowhere."""
        return {one.name: one.varying for one in self.definitions if one.varying != NOTHING_VARIES}

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


def _told(known: _Known, failed: tuple[str, ...]) -> str:
    """What is offered, and what is not for another reason than that nobody has looked at it."""
    counts = Counter(one.kind for one in known.definitions)
    what = ", ".join(f"{counts[kind]} {_WORDS[kind]}" for kind in Kind if counts[kind])
    others = [one for one in known.refused if one.code != CODES[State.NEW]]
    told = "".join(f"; not offered: {one.name} ({one.reason})" for one in others[:TOLD_MAX])
    told += "".join(f"; {reason}" for reason in failed)
    return f"{what or 'no tools'} offered{told}"
