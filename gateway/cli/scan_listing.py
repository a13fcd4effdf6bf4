"""Servers connected once, listed once, and what they list looked at. No tool is called."""

from __future__ import annotations

import asyncio
import importlib.resources
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.background import Background
from gateway.cli.scan_report import Reported, ServerReport
from gateway.core.definition import Kind
from gateway.core.naming import look_alikes
from gateway.core.strict_json import read_json
from gateway.egress import Egress, EgressSettings
from gateway.errors import GatewayError
from gateway.redaction import redaction_of
from gateway.upstream.pool import upstream_for
from scanners.definitions.characters import shown
from scanners.definitions.finding import DefinitionFinding, excerpt
from scanners.definitions.rules import read_definition_rules
from scanners.definitions.scanner import INSTRUCTIONS, DefinitionScanner
from scanners.token_formats import read_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.cli.scan_targets import Target
    from gateway.core.definition import Listed
    from gateway.ports import Listing

UNREADABLE = "definition.unreadable"
AMBIGUOUS = "name.ambiguous"


class _Nobody:
    """Nobody listens to changes while everything is looked at once."""

    def list_changed(self, upstream: str, capability: str) -> None:
        """Let it change."""

    def resource_updated(self, upstream: str, uri: str) -> None:
        """Let it change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    target: Target
    listing: Listing | None = None
    problem: str = ""

    @property
    def tools(self) -> frozenset[str]:
        listed = self.listing.elements.get(Kind.TOOL, ()) if self.listing else ()
        return frozenset(name for one in listed if (name := _name(Kind.TOOL, one)) is not None)


async def reports_of(targets: Sequence[Target], *, deadline_s: float) -> list[ServerReport]:
    """List all servers at the same time, then look at every definition beside those of the others."""
    async with (
        Background(on_failure=lambda _name, _error: None) as background,
        Egress(EgressSettings(), clock=time.monotonic, start_task=background.start) as egress,
    ):
        answers = await asyncio.gather(
            *(_listed(target, egress, background, deadline_s=deadline_s) for target in targets)
        )
    scanner = _scanner()
    every = {answer.target.name: answer.tools for answer in answers}
    return [
        _report(
            scanner,
            answer,
            frozenset().union(*(names for other, names in every.items() if other != answer.target.name))
            - answer.tools,
        )
        for answer in answers
    ]


def _scanner() -> DefinitionScanner:
    rules = importlib.resources.files("scanners").joinpath("rules")
    return DefinitionScanner(
        read_definition_rules(rules.joinpath("definitions.toml").read_text("utf-8")),
        read_rules(rules.joinpath("tokens.toml").read_text("utf-8")),
    )


async def _listed(target: Target, egress: Egress, background: Background, *, deadline_s: float) -> _Answer:
    upstream = upstream_for(
        target.name,
        target.settings,
        egress,
        background,
        clock=time.monotonic,
        random=secrets.SystemRandom().random,
        redacted=redaction_of(target.settings.headers.values(), (), secrets.token_bytes(32)).text,
    )
    try:
        await upstream.start(_Nobody())
        listing = await upstream.list_definitions(deadline_s=deadline_s, kinds=frozenset(Kind))
    except GatewayError as error:
        return _Answer(target=target, problem=error.reason)
    finally:
        await upstream.aclose()
    return _Answer(target=target, listing=listing)


def _report(scanner: DefinitionScanner, answer: _Answer, others: frozenset[str]) -> ServerReport:
    target, listing = answer.target, answer.listing
    if listing is None:
        return ServerReport(name=target.name, origin=target.origin, problem=answer.problem)
    reported = [
        one
        for kind, elements in listing.elements.items()
        for listed in elements
        for one in _look_at(scanner, kind, listed, others)
    ]
    reported += _ambiguous(listing)
    if listing.instructions:
        reported += [
            Reported(kind=INSTRUCTIONS, name="", finding=finding)
            for finding in scanner.scan_text(listing.instructions, others=others)
        ]
    return ServerReport(
        name=target.name,
        origin=target.origin,
        counts={kind.value: len(elements) for kind, elements in listing.elements.items() if elements},
        reported=tuple(reported),
        problem="; ".join(listing.failed.values()),
    )


def _look_at(
    scanner: DefinitionScanner, kind: Kind, listed: Listed, others: frozenset[str]
) -> Iterator[Reported]:
    name = _name(kind, listed)
    if name is None:
        finding = DefinitionFinding(
            rule=UNREADABLE, reason=_why(listed, kind), pointer="", excerpt="", severity="quarantine"
        )
        yield Reported(kind=kind.value, name="(unreadable)", finding=finding)
        return
    for finding in scanner.scan(kind.value, name, listed.value, others=others):
        yield Reported(kind=kind.value, name=name, finding=finding)


def _ambiguous(listing: Listing) -> Iterator[Reported]:
    """Names of one server that can be mixed up; which one a model gets must not depend on their order."""
    for kind in (Kind.TOOL, Kind.PROMPT):
        seen: dict[str, str] = {}
        for listed in listing.elements.get(kind, ()):
            name = _name(kind, listed)
            if name is None:
                continue
            other = next((seen[key] for key in look_alikes(name) if key in seen), None)
            seen.update(dict.fromkeys(look_alikes(name), name))
            if other is not None:
                reason = "listed more than once" if other == name else f"it can be taken for {shown(other)}"
                finding = DefinitionFinding(
                    rule=AMBIGUOUS,
                    reason=reason,
                    pointer="/name",
                    excerpt=excerpt(name),
                    severity="quarantine",
                )
                yield Reported(kind=kind.value, name=name, finding=finding)


def _name(kind: Kind, listed: Listed) -> str | None:
    name = listed.value.get(kind.name_member) if isinstance(listed.value, dict) else None
    return name if isinstance(name, str) else None


def _why(listed: Listed, kind: Kind) -> str:
    try:
        read_json(listed.raw)
    except GatewayError as error:
        return error.reason
    return f"it is not an object with a {kind.name_member}"
