"""What agent and reviewers say beside the call: the agent's statement, and who was asked to look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from gateway.cli.approvals.paper import LABEL_COLUMNS, shown
from gateway.core.visible_text import pieces
from gateway.people.sheet.looking import ends
from gateway.people.sheet.wording import clock

if TYPE_CHECKING:
    from gateway.cli.approvals.paper import Paper
    from gateway.people.sheet_models import HoldSheetModel

ASKED_SHOWN_MAX = 5


def show_asked(paper: Paper, sheet: HoldSheetModel) -> None:
    """Who was asked in this round, the latest last."""
    earlier = len(sheet.asked) - ASKED_SHOWN_MAX
    if earlier > 0:
        paper.row("asked", f"{earlier:,} times before; see what happened so far")
    for one in sheet.asked[-ASKED_SHOWN_MAX:]:
        note = f": {one.note}" if one.note else ""
        paper.row("asked", shown(f"{one.whom}, by {one.by}, {clock(one.at)}{note}"))


def show_statement(paper: Paper, sheet: HoldSheetModel, *, full: bool) -> None:
    """The agent's own words, every line of them behind the rule, so that none passes for ours."""
    said = sheet.statement
    if said is None:
        return
    paper.heading("Written by the agent, checked by nobody")
    for label, text in (
        ("recommends", said.recommendation),
        ("reasons", said.reasons),
        ("risks", said.risks),
    ):
        if text:
            _words(paper, label, text, full=full)


def _words(paper: Paper, label: str, text: str, *, full: bool) -> None:
    head, tail = (len(text), len(text)) if full else ends(text)
    paper.value(pieces(text[:head]), Text(f"  {label:<{LABEL_COLUMNS}} "))
    if head < len(text):
        left_out = f"{tail - head:,} of {len(text):,} characters are not shown here; --full shows them"
        paper.note(left_out, "bold yellow")
        paper.value(pieces(text[tail:]), Text(" " * (LABEL_COLUMNS + 3)))
