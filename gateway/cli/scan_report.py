"""What a scan of one server came to: as lines for people, as rows for scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.cli.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scanners.definitions.finding import DefinitionFinding

_PLURALS = {
    "tool": "tools",
    "prompt": "prompts",
    "resource": "resources",
    "resource_template": "resource templates",
}
NAME_CHARACTERS_MAX = 80
"""Of a definition's name in a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One finding, and the definition that it is about."""

    kind: str
    name: str
    finding: DefinitionFinding

    @property
    def place(self) -> str:
        """The definition and the place in it."""
        name = f"{self.kind} {self.name[:NAME_CHARACTERS_MAX]}" if self.name else self.kind
        return f"{name} {self.finding.pointer}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """One server: what it lists and what was found in it."""

    name: str
    origin: str
    counts: Mapping[str, int] = field(default_factory=dict)
    """By kind; a kind that it has none of is missing."""
    reported: tuple[Reported, ...] = ()
    problem: str = ""
    """Why it, or a list of it, could not be scanned."""

    @property
    def alarming(self) -> bool:
        """Whether something was found that nobody should be offered unseen."""
        return any(one.finding.severity == "quarantine" for one in self.reported)


def lines_of(report: ServerReport) -> Iterator[str]:
    """For a terminal: nothing from a server can move its cursor."""
    offered = ", ".join(f"{count} {_PLURALS.get(kind, kind)}" for kind, count in report.counts.items())
    bad = {(one.kind, one.name) for one in report.reported if one.finding.severity == "quarantine"}
    if report.problem:
        yield safe(f"{report.name}: NOT SCANNED: {report.problem}")
    if report.counts or not report.problem:
        told = (
            f"{len(bad)} to be kept from agents"
            if bad
            else "nothing found"
            if not report.reported
            else "notes only"
        )
        yield safe(f"{report.name}: {offered or 'offers nothing'}; {told}")
    for one in report.reported:
        word = "FOUND" if one.finding.severity == "quarantine" else "note "
        yield safe(f"  {word} {one.place}: {one.finding.reason} ({one.finding.rule})")
        if one.finding.excerpt:
            yield safe(f"        {one.finding.excerpt}")


def rows_of(report: ServerReport) -> Iterator[dict[str, Any]]:
    """One row for each finding, then one for the server."""
    for one in report.reported:
        finding = one.finding
        yield {
            "server": report.name,
            "kind": one.kind,
            "name": one.name,
            "rule": finding.rule,
            "severity": finding.severity,
            "reason": finding.reason,
            "pointer": finding.pointer,
            "excerpt": finding.excerpt,
        }
    row: dict[str, Any] = {"server": report.name, "scanned": dict(report.counts)}
    row["findings"] = sum(one.finding.severity == "quarantine" for one in report.reported)
    row["notes"] = len(report.reported) - row["findings"]
    if report.problem:
        row["problem"] = report.problem
    yield row
