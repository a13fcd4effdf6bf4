"""One listing, from an upstream's ``tools/list`` to the catalogue. Each definition stands or falls alone.

Every definition that parses and whose schema compiles is admitted as listed, and each change is
recorded with its digests. Pins and quarantine attach here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gateway.core.definition import RefusedDefinition, ToolDefinition, parse_definition
from gateway.core.strict_json import read_json
from gateway.errors import GatewayError
from gateway.ports import Record

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
        self._settle_s = settle_s
        self._retry_s = retry_s
        self._changed = {name: asyncio.Event() for name in upstreams}
        self._known: dict[str, dict[str, str]] = {}

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
                self._report(upstream, error.reason, problem=True)
                await _first(event, pause_s)
                pause_s = min(pause_s * 2, longest_s)
                continue
            pause_s = self._retry_s[0]
            await event.wait()
            await asyncio.sleep(self._settle_s)

    async def refresh(self, upstream: str) -> None:
        """Fetch, read, record, replace. On failure the last good catalogue stays.

        Raises:
            UpstreamError: no usable listing.
            AuditUnwritable: the change could not be recorded, so it does not take effect.
        """
        facts = self._facts[upstream]
        listing = await self._upstreams[upstream].list_tools(deadline_s=facts.list_deadline_s)
        tools, refused = self._read(upstream, facts, listing)
        known = {tool.name: tool.digest for tool in tools}
        before = self._known.get(upstream)
        if before == known:
            return
        await self._record(upstream, before or {}, known, refused)
        self._known[upstream] = known
        self._replace(upstream, tools, refused)
        told = "".join(f"; not offered: {item.name} ({item.reason})" for item in refused[:TOLD_MAX])
        self._report(upstream, f"{len(tools)} tools offered{told}", problem=bool(refused))

    def _read(
        self, upstream: str, facts: UpstreamFacts, listing: ToolListing
    ) -> tuple[tuple[ToolDefinition, ...], tuple[RefusedDefinition, ...]]:
        tools: dict[str, ToolDefinition] = {}
        refused: list[RefusedDefinition] = []
        for element in listing.tools:
            found = self._read_one(upstream, facts, element)
            if isinstance(found, RefusedDefinition):
                refused.append(found)
            elif found.name in tools:
                # Never last-wins: which one an agent would get must not depend on list order.
                refused.append(_refused(upstream, found.name, "definition_duplicate", "listed twice"))
            elif len(tools) >= facts.tools_max:
                refused.append(
                    _refused(upstream, found.name, "catalogue_full", f"over {facts.tools_max} tools")
                )
            else:
                tools[found.name] = found
        return tuple(tools.values()), tuple(refused)

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
            if name in names
        )
        try:
            param_headers = self._read_param_headers(element) if isinstance(element, dict) else {}
        except GatewayError as error:
            return _refused(upstream, str(name)[:128], "definition_header", error.reason)
        return parse_definition(upstream, element, labels=labels, param_headers=param_headers)

    async def _record(
        self,
        upstream: str,
        before: dict[str, str],
        after: dict[str, str],
        refused: tuple[RefusedDefinition, ...],
    ) -> None:
        members = {
            "upstream": upstream,
            "added": {name: digest for name, digest in after.items() if name not in before},
            "changed": {n: d for n, d in after.items() if n in before and before[n] != d},
            "removed": [name for name in before if name not in after],
            "refused": [{"name": item.name, "code": item.code} for item in refused],
        }
        await self._audit.append(Record(kind="catalogue", tenant="", members=members))


def _refused(upstream: str, name: str, code: str, reason: str) -> RefusedDefinition:
    return RefusedDefinition(upstream=upstream, name=name, code=code, reason=reason)


async def _first(event: asyncio.Event, pause_s: float) -> None:
    try:
        async with asyncio.timeout(pause_s):
            await event.wait()
    except TimeoutError:
        return
