"""Upstreams on a terminal. What they say of themselves is made visible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from gateway.cli.approvals.paper import shown
from gateway.cli.tools_showing import STATE_STYLE as DEFINITION_STYLE

if TYPE_CHECKING:
    from gateway.people.call_models import UpstreamModel

STATE_STYLE = {"ready": "green", "connecting": "yellow", "down": "bold red", "closed": "magenta"}


def table(rows: list[UpstreamModel]) -> Table:
    """One row for each."""
    found = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("upstream", "state", "era"):
        found.add_column(name, no_wrap=True)
    for name in ("p50", "p95", "calls", "failed"):
        found.add_column(name, no_wrap=True, justify="right")
    found.add_column("definitions", overflow="fold")
    for row in rows:
        latency = row.latency
        failed = sum(latency.errors.values())
        found.add_row(
            shown(row.id),
            shown(row.state, STATE_STYLE.get(row.state, "")),
            shown(f"{row.era or '-'} {row.transport}"),
            Text(_time(latency.p50_ms)),
            Text(_time(latency.p95_ms)),
            Text(str(latency.calls)),
            Text(str(failed), "bold red" if failed else ""),
            _definitions(row),
        )
    return found


def problems(rows: list[UpstreamModel]) -> list[Text]:
    """Why those that are not ready are not."""
    return [
        Text(f"{row.id}: ", "bold") + shown(row.reason or row.state) for row in rows if row.state != "ready"
    ]


def _definitions(row: UpstreamModel) -> Text:
    counted = [(state, count) for state, count in row.definitions.items() if count]
    words = [Text(f"{count} {state}", DEFINITION_STYLE.get(state, "")) for state, count in counted]
    return Text(", ").join(words) if words else Text("none")


def _time(ms: float | None) -> str:
    if ms is None:
        return "-"
    return f"{ms:.1f} ms" if ms < 1_000 else f"{ms / 1_000:.1f} s"
