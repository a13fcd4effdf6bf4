"""Definitions on a terminal: lists, sheets, differences. Everything foreign is made visible."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from gateway.cli.approvals.paper import Paper, quoted, shown
from gateway.core.visible_text import ALARMING, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.core.visible_text import Piece
    from gateway.people.definition_models import ChangeModel, DefinitionRow, DefinitionSheetModel

STATE_STYLE = {
    "pinned": "green",
    "new": "yellow",
    "drifted": "bold red",
    "quarantined": "bold red",
    "unpinned": "magenta",
}
VALUE_CHARACTERS_MAX = 6_000
"""Of a definition on a terminal; ``--json`` has all of it."""


def table(rows: list[DefinitionRow]) -> Table:
    """One row for each definition."""
    found = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    found.add_column("state", no_wrap=True)
    found.add_column("kind", no_wrap=True)
    for name in ("definition", "why it is not offered"):
        found.add_column(name, overflow="fold")
    for row in rows:
        found.add_row(
            Text(row.state.value, STATE_STYLE[row.state.value]),
            Text(row.kind.replace("_", " ")),
            shown(f"{row.upstream}/{row.name}"),
            shown(row.why),
        )
    return found


def sheet_lines(sheet: DefinitionSheetModel, *, width: int) -> list[Text]:
    """What it is, what was found in it, what differs, and how it is listed now."""
    paper, row = Paper(width), sheet.definition
    paper.heading(shown(f"{row.kind.replace('_', ' ')} {row.upstream}/{row.name}", "bold"))
    paper.row("state", Text(row.state.value, STATE_STYLE[row.state.value]))
    if row.why:
        paper.row("why", shown(row.why))
    if row.pinned:
        verb = "unpinned" if row.state.value == "unpinned" else "pinned"
        by = "the gateway, on first use" if row.first_use else row.pinned_by
        paper.row(verb, shown(f"by {by}, {row.pinned}" + (f": {row.reason}" if row.reason else "")))
    paper.row("offered", "yes" if sheet.served else "no")
    _findings(paper, sheet)
    if sheet.pinned is not None:
        _changes(paper, sheet)
    text = json.dumps(sheet.listed, ensure_ascii=False, indent=1)
    paper.heading("as it is listed now")
    if ALARMING & {piece.kind for piece in pieces(text[:VALUE_CHARACTERS_MAX])}:
        paper.alarm("characters that hide or mislead are in it; they are shown as escapes")
    paper.value(pieces(text[:VALUE_CHARACTERS_MAX]), Text("  "))
    if len(text) > VALUE_CHARACTERS_MAX:
        paper.note(f"{len(text) - VALUE_CHARACTERS_MAX} more characters: --json has all of it")
    return paper.lines


def diff_lines(sheet: DefinitionSheetModel, *, width: int) -> list[Text]:
    """Only what differs from the pinned form."""
    paper = Paper(width)
    if sheet.pinned is None:
        paper.heading("it was never pinned, so there is nothing to compare it with")
    else:
        _changes(paper, sheet)
    _findings(paper, sheet)
    return paper.lines


def _findings(paper: Paper, sheet: DefinitionSheetModel) -> None:
    if not sheet.findings:
        return
    paper.heading("found in it")
    for finding in sheet.findings:
        style = "bold red" if finding.severity == "quarantine" else "yellow"
        paper.row(finding.severity, shown(f"{finding.reason} ({finding.rule})", style))
        if finding.excerpt:
            paper.value(pieces(finding.excerpt), shown(f"    {finding.pointer or '/'} "))


def _changes(paper: Paper, sheet: DefinitionSheetModel) -> None:
    if not sheet.changes:
        same = sheet.definition.digest == sheet.definition.listed_digest
        paper.heading(
            "nothing differs from the pinned form"
            if same
            else "it differs from the pinned form only in what is not shown"
        )
        return
    paper.heading("what differs from the pinned form")
    for change in sheet.changes:
        paper.row(change.what, shown(change.place, "bold"))
        for lead, text in _sides(change):
            paper.value(text, lead)
    if sheet.changes_left_out:
        paper.note(f"and {sheet.changes_left_out} more changes")


def _sides(change: ChangeModel) -> Iterator[tuple[Text, tuple[Piece, ...]]]:
    if change.words:
        for word in change.words:
            mark, style = {"same": ("  ", ""), "removed": ("- ", "red"), "added": ("+ ", "green")}[word.op]
            yield Text(f"    {mark}", style), quoted(word.text)
        return
    if change.before:
        yield Text("    - ", "red"), quoted(change.before)
    if change.after:
        yield Text("    + ", "green"), quoted(change.after)
