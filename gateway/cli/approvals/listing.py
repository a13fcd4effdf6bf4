"""The queue as a table: what is most dangerous first, nearly identical calls in one row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from durable.holds.status import Status
from gateway.cli.approvals.client import read
from gateway.cli.approvals.paper import RISK_STYLE, shown
from gateway.people.models import PAGE_HOLDS_MAX, HoldPage
from gateway.people.sheet.wording import shortest, span

if TYPE_CHECKING:
    from gateway.cli.approvals.client import PeoplePort
    from gateway.people.models import HoldRow

EVERY_STATUS = ",".join(Status)
"""What ``all`` means."""


def holds(port: PeoplePort, *, status: str, limit: int) -> tuple[list[dict[str, Any]], bool]:
    """The first rows of the queue as they were answered, and whether there are more."""
    found: list[dict[str, Any]] = []
    after: str | None = None
    while len(found) < limit:
        query: dict[str, str | int] = {"status": status, "limit": min(limit - len(found), PAGE_HOLDS_MAX)}
        if after is not None:
            query["after"] = after
        page = port.get("/holds", query)
        after = read(HoldPage, page).next
        found += page["holds"]
        if after is None:
            return found, False
    return found, True


def folded(rows: list[HoldRow]) -> list[tuple[HoldRow, int]]:
    """One row for each group, with how many calls it stands for; those that no longer wait stand alone."""
    found: dict[str, tuple[HoldRow, int]] = {}
    for row in rows:
        key = row.group if row.status.value == "held" and row.group_size > 1 else row.id
        if key not in found:
            found[key] = row, row.group_size if key == row.group else 1
    return list(found.values())


def table(rows: list[tuple[HoldRow, int]], *, several_statuses: bool) -> Table:
    """Rows for a terminal; texts from elsewhere are made visible and folded, never cut."""
    length = shortest([row.id for row, _ in rows])
    found = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("id", *(["status"] if several_statuses else []), "risk", "left"):
        found.add_column(name, no_wrap=True)
    for name in ("tool", "requester", "why", "claimed by"):
        found.add_column(name, overflow="fold")
    for row, count in rows:
        cells = [shown(row.id[:length])]
        if several_statuses:
            cells.append(Text(row.status.value.replace("_", " ")))
        cells += [
            Text(row.risk, RISK_STYLE[row.risk]),
            Text(span(row.expires_in_s) if row.status.value == "held" else "-"),
            shown(row.target) + Text(f"  x{count}" if count > 1 else "", "bold"),
            shown(f"{row.requester.agent} for {row.requester.subject}"),
            shown("; ".join(reason.why or reason.code for reason in row.reasons))
            + Text("  kept back" if row.kept_back else "", "bold"),
            shown(row.claimed_by),
        ]
        found.add_row(*cells)
    return found
