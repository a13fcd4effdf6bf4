"""One held call as a reviewer reads it, top to bottom: nothing hidden, nothing left out silently."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from rich.text import Text

from gateway.cli.approvals.arguments import show_arguments, show_changes
from gateway.cli.approvals.paper import ALARM_STYLE, RISK_STYLE, Paper, shown
from gateway.cli.approvals.said import show_asked, show_statement
from gateway.core.visible_text import pieces, visible
from gateway.people.sheet.looking import Arguments, arguments_of
from gateway.people.sheet.wording import (
    SEEN_CHARACTERS_MIN,
    clock,
    deciders,
    short,
    span,
    waited_s,
)

if TYPE_CHECKING:
    from gateway.people.models import HoldRow, Why
    from gateway.people.sheet_models import HoldSheetModel

WAITS = frozenset({"held", "approved"})
ALARMING_FACTS = frozenset({"near_value", "definition_changed", "larger_number", "first_host"})
"""Of what is unusual: what nobody may miss."""
_TOLD_ELSEWHERE = frozenset({"status", "how", "names", "single_user"})
"""Of an event's details: the kind says it, or the votes do."""


def sheet_lines(sheet: HoldSheetModel, *, width: int, full: bool = False) -> list[Text]:
    """The whole sheet.

    Args:
        sheet: as the people port gave it.
        width: columns.
        full: long values whole, not only their ends; and the text of the rules that hold it.
    """
    paper = Paper(width)
    arguments = arguments_of(sheet)
    _status(paper, sheet)
    paper.heading(shown(sheet.sentence, "bold"))
    _arguments(paper, sheet, arguments, full=full)
    _why(paper, sheet, full=full)
    show_statement(paper, sheet, full=full)
    if sheet.original_text:
        show_changes(paper, sheet, arguments, full=full)
    _similar(paper, sheet)
    _trail(paper, sheet)
    _findings(paper, sheet)
    _next(paper, sheet, arguments)
    return paper.lines


def _status(paper: Paper, sheet: HoldSheetModel) -> None:
    row = sheet.hold
    paper.heading(
        Text.assemble(
            (row.status.value.upper().replace("_", " "), "bold"),
            f"  {visible(row.id)}  risk ",
            (row.risk.upper(), RISK_STYLE[row.risk]),
            f"  round {row.round}" if row.round > 1 else "",
        )
    )
    paper.row(
        "who", shown(f"agent {row.requester.agent}, for {row.requester.subject_type} {row.requester.subject}")
    )
    paper.row("client", shown(row.client + " (so it says)" if row.client else "does not say what it is"))
    waited = waited_s(row)
    since = f"since {clock(row.created)}" + (f", {span(waited)}" if waited else "")
    paper.row("waiting" if row.status.value in WAITS else "held", since)
    if row.status.value == "held":
        paper.row(
            "time left", f"{span(row.expires_in_s)}, until {clock(row.expires)}; then it is denied by itself"
        )
    elif row.status.value == "approved" and row.approved_until:
        paper.row("approval", f"can be used until {clock(row.approved_until)}; then it expires")
    if row.status.value in WAITS:
        if row.kept_back:
            told = f"does not run before its definition is pinned; {row.kept_back}"
            paper.row("kept back", shown(told, ALARM_STYLE))
        paper.row("caller", _caller(sheet))
        paper.row(
            "decided by",
            deciders(row) + (f"; {row.approvals} said yes in this round" if row.approvals else ""),
        )
        if sheet.escalate_to:
            now = "now also" if sheet.escalated else "later also"
            paper.row("", shown(f"{now} {', '.join(sheet.escalate_to)}"))
    if row.claimed_by:
        paper.row("claimed by", shown(row.claimed_by))
    show_asked(paper, sheet)
    if row.single_user:
        paper.row("you", "are the only reviewer here and stand for every role; it is recorded like that")
    _ended(paper, row)


def _caller(sheet: HoldSheetModel) -> str:
    count = sheet.callers_waiting
    waits = "nobody waits at this moment"
    if count:
        waits = "the agent still waits" if count == 1 else f"the agent still waits, with {count} requests"
    if sheet.hold.on_approval == "grant":
        return f"{waits}; once approved, the agent's identical call runs it, one time"
    return f"{waits}; once approved, the gateway runs it and keeps the result for the agent"


def _ended(paper: Paper, row: HoldRow) -> None:
    if row.reason or row.reason_by:
        paper.row("because", shown(f"{row.reason or '(no reason given)'}  ({row.reason_by or 'gateway'})"))
    if row.outcome is not None:
        words = {
            "result": "it ran" + ("; the tool reports an error" if row.outcome.is_error else ""),
            "error": "the upstream answered with an error",
            "unknown": "it was sent, or may have been, and nobody knows what came of it",
            "none": "it never ran",
        }[row.outcome.kind]
        paper.row("outcome", shown(words + (f" ({row.outcome.code})" if row.outcome.code else "")))


def _arguments(paper: Paper, sheet: HoldSheetModel, arguments: Arguments, *, full: bool) -> None:
    row = sheet.hold
    size = len(sheet.arguments_text.encode("utf-8", "replace"))
    hidden = " after hiding secrets" if sheet.redactions else ""
    paper.heading(Text.assemble(("What would run: ", "bold"), shown(f"{row.method} {row.target}", "bold")))
    if sheet.definition_title:
        paper.note(shown(f"called by its server: {sheet.definition_title}"))
    if arguments.obstacle:
        paper.alarm(f"cannot be looked at, so nobody can approve it: {visible(arguments.obstacle)}")
    if sheet.arguments_text:
        digest = hashlib.sha256(sheet.arguments_text.encode("utf-8", "replace")).hexdigest()
        paper.note(f"{size:,} bytes of JSON{hidden}, SHA-256 {digest}")
    show_arguments(paper, sheet, arguments, full=full)


def _why(paper: Paper, sheet: HoldSheetModel, *, full: bool) -> None:
    row = sheet.hold
    paper.heading(Text.assemble(("Risk: ", "bold"), (row.risk, RISK_STYLE[row.risk])))
    _unusual(paper, sheet)
    for reason in row.reasons:
        paper.row("why", shown(f"{reason.why or reason.code}  ({reason.code}, {reason.rule})"))
        _places(paper, sheet, reason, full=full)
    if sheet.places_left_out:
        paper.note(f"{sheet.places_left_out:,} more rules could be meant, and are not listed")
    if sheet.policy_moved:
        again = ", and asked again before it runs" if row.status.value in WAITS else ""
        moved = "the policy has changed since this call was held: rules are shown as they read now"
        paper.note(moved + again, "bold yellow")
    count = max(row.group_size, len(sheet.group))
    if count > 1:
        others = ", ".join(short(one.id) for one in sheet.group if one.id != row.id)
        told = f"{count} nearly identical calls of this session wait; each is decided alone"
        paper.row("alike", told + (f": {others}" if others else ""))


def _unusual(paper: Paper, sheet: HoldSheetModel) -> None:
    """In what it differs from what ran before."""
    if sheet.unusual and sheet.compared:
        calls = "the one earlier held call" if sheet.compared == 1 else f"{sheet.compared} earlier held calls"
        paper.note(f"differs from {calls} of this tool that ran")
    for one in sheet.unusual:
        text = f"{one.pointer}  {one.text}" if one.pointer else one.text
        if one.code in ALARMING_FACTS:
            paper.alarm(visible(text))
        else:
            paper.row("unusual", shown(text))


def _places(paper: Paper, sheet: HoldSheetModel, reason: Why, *, full: bool) -> None:
    """Where the rule stands that said so; with ``full`` what it says."""
    places = [one for one in sheet.places if (one.rule, one.code) == (reason.rule, reason.code)]
    if not places:
        paper.note("no rule is listed that says so in the policy in force")
    for place in places:
        perhaps = "" if place.certain else "perhaps, for its code is worked out: "
        paper.note(shown(f"{perhaps}{place.file}:{place.row}", "dim"))
        for line in place.text.split("\n") if full else ():
            # How far a line is indented means nothing in Rego; everything else in it is shown as it is.
            bare = line.lstrip("\t")
            paper.value(pieces("  " * (len(line) - len(bare)) + bare or " "), Text("    "))


def _similar(paper: Paper, sheet: HoldSheetModel) -> None:
    paper.heading("Earlier decisions about this tool")
    if not sheet.similar:
        paper.note("none")
    for one in sheet.similar:
        which = "THIS VERY CALL  " if one.same else ""
        because = f": {one.reason}" if one.reason else ""
        who = f"{short(one.id)} of {one.subject}, by {one.by or 'gateway'}"
        paper.row(one.status.value, shown(f"{which}{clock(one.updated)}  {who}{because}"))


def _trail(paper: Paper, sheet: HoldSheetModel) -> None:
    paper.heading("What happened so far")
    session = (sheet.hold.session or "none") + _workflow(sheet.hold.workflow)
    paper.row("session", shown(session).append_text(_labels(sheet.trail.labels)))
    if sheet.trail.problem:
        paper.row("log", shown(f"could not be asked: {sheet.trail.problem}", "bold yellow"))
    for step in sheet.trail.steps:
        ended = f", {step.status}" if step.status else ", no end is known"
        what = f"{clock(step.at)}  {step.method} {step.target}  {step.effect}{ended}"
        paper.row("before", shown(what).append_text(shown(_counted(step.found), "bold yellow")))
    for event in sheet.events:
        told = {name: value for name, value in event.details.items() if name not in _TOLD_ELSEWHERE}
        details = "  " + json.dumps(told, ensure_ascii=False) if told else ""
        paper.row(
            f"{event.seq}",
            shown(f"{clock(event.at)}  {event.kind} by {event.actor}, round {event.round}{details}"),
        )
    for vote in sheet.votes:
        alone = ", the only reviewer" if vote.single_user else ""
        because = f": {vote.reason}" if vote.reason else ""
        names = f" as {', '.join(vote.names)}" if vote.names else ""
        paper.row(
            vote.verdict,
            shown(
                f"{clock(vote.at)}  {vote.person}{names}{alone}, round {vote.round}, by {vote.how}{because}"
            ),
        )


def _labels(labels: list[str]) -> Text:
    return shown(f"  labels {', '.join(labels)}", "bold yellow") if labels else Text()


def _counted(found: dict[str, int]) -> str:
    counts = ", ".join(f"{kind} {count:,}" for kind, count in found.items())
    return f"  found {counts}" if counts else ""


def _workflow(workflow: dict[str, Any]) -> str:
    return f"  workflow {json.dumps(workflow, ensure_ascii=False)}" if workflow else ""


def _findings(paper: Paper, sheet: HoldSheetModel) -> None:
    if not (sheet.redactions or sheet.trail.found):
        return
    paper.heading("Found in the arguments")
    for kind, count in sheet.trail.found.items():
        paper.row("kind", shown(f"{kind}, {count:,} time{'s' if count > 1 else ''}"))
    if sheet.trail.found_by:
        paper.note(shown(f"by {', '.join(sheet.trail.found_by)}", "dim"))
    for one in sheet.redactions:
        paper.row("at", shown(f"{one.pointer or '(the whole)'}  {one.kind}"))


def _next(paper: Paper, sheet: HoldSheetModel, arguments: Arguments) -> None:
    row, beginning = sheet.hold, short(sheet.hold.id)
    command = f"toolgate approvals {{}} {beginning}"
    paper.heading("What to type next")
    if row.status.value == "held":
        if sheet.may_decide:
            paper.note(shown(f"you may not decide it: {sheet.may_decide}"))
            return
        if not arguments.obstacle:
            paper.note(f"{command.format('approve')} --seen {sheet.seen[:SEEN_CHARACTERS_MIN]}", "")
        paper.note(f"{command.format('deny')} --reason TEXT", "")
        paper.note(f"{command.format('edit')} --set /NAME=VALUE", "")
        paper.note(command.format("claim"), "")
        if sheet.colleagues:
            paper.note(f"{command.format('ask')} PERSON --note TEXT", "")
            paper.note(shown(f"PERSON is one of: {', '.join(sheet.colleagues)}", "dim"))
    elif row.status.value == "outcome_unknown":
        paper.note(f"{command.format('resolve')} --outcome succeeded|failed|held --evidence TEXT", "")
    elif row.status.value == "approved":
        # A no takes back what has not been used.
        revoke = f"toolgate approvals grants revoke {beginning}"
        paper.note(revoke if row.on_approval == "grant" else f"{command.format('deny')} --reason TEXT", "")
    else:
        paper.note("nothing is left to decide")
