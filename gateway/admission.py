"""One listing, from an upstream's ``tools/list`` to the catalogue. Each definition stands or falls alone.

Every definition that parses and whose schema compiles is admitted as listed, and each change is
recorded with its digests. Pins and quarantine attach here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from gateway.core.definition import RefusedDefinition, ToolDefinition, parse_definition
from gateway.core.naming import look_alikes
from gateway.core.record import Record
from gateway.core.strict_json import read_json
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ports import AuditTrail, ToolListing, Upstream


class Report(Protocol):
    """Tells the operator one sentence about an upstream."""

    def __call__(self, upstream: str, sentence: str, *, problem: bool) -> None:
        """``problem`` says whether it needs a look."""
        ...


TOLD_MAX = 5
"""Refused definitions named in one report; all are in the record."""
CHANGES_PER_RECORD = 200
"""With names and digests of full length this stays below one entry of the log (64 KiB)."""

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
        replace: Callable[[str, tuple[ToolDefinition, ...], tuple[RefusedDefinition, ...]], None],
        audit: AuditTrail,
        read_param_headers: Callable[[Mapping[str, Any]], ParamHeaders],
        report: Report,
        arrived: Callable[[str], None],
        settle_s: float = 5.0,
        retry_s: tuple[float, float] = (0.5, 30.0),
    ) -> None:
        """Take ports.

        After one refresh, further change notices wait ``settle_s``, so that a storm costs one list.
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
        self._changed = {name: asyncio.Event() for name in upstreams}
        self._known: dict[str, _Known] = {}

    def changed(self, upstream: str) -> None:
        """An upstream said that its list changed, or was (re)connected."""
        self._changed[upstream].set()

    async def keep(self, upstream: str) -> None:
        """List now and after every change, for ever; one of these runs for each upstream."""
        pause_s, longest_s = self._retry_s
        event = self._changed[upstream]
        while True:
            event.clear()
            try:
                await self.refresh(upstream)
            except GatewayError as error:
                self._arrived(upstream)
                self._report(upstream, error.reason, problem=True)
                await _first(event, pause_s)
                pause_s = min(pause_s * 2, longest_s)
                continue
            self._arrived(upstream)
            pause_s = self._retry_s[0]
            # The pause first: a change after a quiet time shows at once, a storm costs one list a pause.
            await asyncio.sleep(self._settle_s)
            await event.wait()

    async def refresh(self, upstream: str) -> None:
        """Fetch, read, record, replace. On failure the last good catalogue stays.

        Raises:
            UpstreamError: no usable listing.
            AuditUnwritable: the change could not be recorded, so it does not take effect.
        """
        facts = self._facts[upstream]
        listing = await self._upstreams[upstream].list_tools(deadline_s=facts.list_deadline_s)
        tools, refused = self._read(upstream, facts, listing)
        known = _Known({tool.name: tool.digest for tool in tools}, refused)
        before = self._known.get(upstream)
        if before == known:
            return
        await self._audit.append(*_records(upstream, before.digests if before else {}, known))
        self._known[upstream] = known
        self._replace(upstream, tools, refused)
        told = "".join(f"; not offered: {item.name} ({item.reason})" for item in refused[:TOLD_MAX])
        self._report(upstream, f"{len(tools)} tools offered{told}", problem=bool(refused))

    def _read(
        self, upstream: str, facts: UpstreamFacts, listing: ToolListing
    ) -> tuple[tuple[ToolDefinition, ...], tuple[RefusedDefinition, ...]]:
        tools: list[ToolDefinition] = []
        refused: list[RefusedDefinition] = []
        for element in listing.tools:
            found = self._read_one(upstream, facts, element)
            if isinstance(found, RefusedDefinition):
                refused.append(found)
            else:
                tools.append(found)
        distinct, ambiguous = _distinct(tools)
        refused += [
            _refused(upstream, tool.name, "catalogue_full", f"over {facts.tools_max} tools")
            for tool in distinct[facts.tools_max :]
        ]
        return tuple(distinct[: facts.tools_max]), (*refused, *ambiguous)

    def _read_one(
        self, upstream: str, facts: UpstreamFacts, element: Any
    ) -> ToolDefinition | RefusedDefinition:
        if isinstance(element, bytes):
            try:
                element = read_json(element)
            except GatewayError as error:
                return _refused(upstream, "(unreadable)", "definition_malformed", error.reason)
        name = element.get("name") if isinstance(element, dict) else None
        labels = tuple(
            label
            for label, names in (("idempotent", facts.idempotent), ("read_only", facts.read_only))
            if isinstance(name, str) and name in names
        )
        try:
            param_headers = self._read_param_headers(element) if isinstance(element, dict) else {}
        except GatewayError as error:
            return _refused(upstream, str(name)[:128], "definition_header", error.reason)
        return parse_definition(upstream, element, labels=labels, param_headers=param_headers)


class _Known(NamedTuple):
    digests: dict[str, str]
    refused: tuple[RefusedDefinition, ...]


def _distinct(tools: list[ToolDefinition]) -> tuple[list[ToolDefinition], list[RefusedDefinition]]:
    """Tools whose names nobody can mix up; which one an agent gets must not depend on list order."""
    definitions: dict[str, set[str]] = {}
    names: dict[str, set[str]] = {}
    for tool in tools:
        definitions.setdefault(tool.name, set()).add(tool.digest)
        for key in look_alikes(tool.name):
            names.setdefault(key, set()).add(tool.name)
    kept: dict[str, ToolDefinition] = {}
    refused: dict[str, RefusedDefinition] = {}
    for tool in tools:
        alike = set[str]().union(*(names[key] for key in look_alikes(tool.name))) - {tool.name}
        if len(definitions[tool.name]) > 1:
            reason = "listed more than once, with different definitions"
            refused[tool.name] = _refused(tool.upstream, tool.name, "definition_duplicate", reason)
        elif alike:
            reason = f"can be taken for {min(alike)}"
            refused[tool.name] = _refused(tool.upstream, tool.name, "definition_look_alike", reason)
        else:
            kept[tool.name] = tool
    return list(kept.values()), list(refused.values())


def _records(upstream: str, before: dict[str, str], known: _Known) -> list[Record]:
    """What changed, in records that each fit one entry of the log."""
    after = known.digests
    changes: list[tuple[str, str, str]] = [
        *(("added", name, digest) for name, digest in after.items() if name not in before),
        *(("changed", n, digest) for n, digest in after.items() if n in before and before[n] != digest),
        *(("removed", name, "") for name in before if name not in after),
        *(("refused", item.name, item.code) for item in known.refused),
    ]
    records = []
    for start in range(0, max(1, len(changes)), CHANGES_PER_RECORD):
        members: dict[str, Any] = {"upstream": upstream, "added": {}, "changed": {}}
        members |= {"removed": [], "refused": []}
        for change, name, value in changes[start : start + CHANGES_PER_RECORD]:
            if change == "removed":
                members["removed"].append(name)
            elif change == "refused":
                members["refused"].append({"name": name, "code": value})
            else:
                members[change][name] = value
        records.append(Record(kind="catalogue", tenant="", members=members))
    return records


def _refused(upstream: str, name: str, code: str, reason: str) -> RefusedDefinition:
    return RefusedDefinition(upstream=upstream, name=name, code=code, reason=reason)


async def _first(event: asyncio.Event, pause_s: float) -> None:
    try:
        async with asyncio.timeout(pause_s):
            await event.wait()
    except TimeoutError:
        return
