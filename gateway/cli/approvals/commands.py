"""``toolgate approvals``: look at held calls and decide them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.approvals.access import TOKEN_CAUTION, at_the_people_port, emit
from gateway.cli.approvals.stats import stats
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.approvals.client import PeoplePort
    from gateway.cli.approvals.terminal import Terminal

    OpenPort = Callable[[Terminal], PeoplePort]

LIMIT_MAX = 10_000

_hold = click.argument("hold", metavar="ID")
_seen = click.option(
    "--seen", default="", help="what you have looked at, as `show` prints it; refused if it changed since"
)


@click.group(
    help=f"""Held calls: look at them and decide.

ID is the beginning of an id, as long as it is the only one. Exit codes: 0 done; 2 a problem, nothing was
decided; 3 somebody or something was first.

{TOKEN_CAUTION}"""
)
def approvals() -> None:
    """Hold the verbs."""


approvals.add_command(stats)


@approvals.command()
@click.option("--status", default="held", show_default=True, help="one or more, by comma; or all")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, LIMIT_MAX), help="how many calls"
)
@click.option("--all", "unfolded", is_flag=True, help="nearly identical calls one by one")
@at_the_people_port
def ls(status: str, limit: int, open_port: OpenPort, *, unfolded: bool, as_json: bool) -> None:
    """List held calls, the most dangerous and urgent first."""
    from gateway.cli.approvals.client import read
    from gateway.cli.approvals.listing import EVERY_STATUS, folded, holds, table
    from gateway.cli.approvals.terminal import terminal
    from gateway.people.models import HoldRow

    screen = terminal()
    found, more = holds(open_port(screen), status=EVERY_STATUS if status == "all" else status, limit=limit)
    if as_json:
        for row in found:
            emit(row)
        return
    rows = [read(HoldRow, row) for row in found]
    if rows:
        shown = [(row, 1) for row in rows] if unfolded else folded(rows)
        screen.print(table(shown, several_statuses=status == "all" or "," in status))
        if len(shown) < len(rows):
            screen.say("xN: so many nearly identical calls of one session; --all shows each", "dim")
    else:
        screen.say("none")
    if more:
        screen.say(f"there are more: --limit {min(2 * limit, LIMIT_MAX)}", "dim")


@approvals.command()
@_hold
@click.option("--full", is_flag=True, help="long values whole, and the text of the rules")
@at_the_people_port
def show(hold: str, open_port: OpenPort, *, full: bool, as_json: bool) -> None:
    """Show exactly what would run, and why it waits. Looking is recorded."""
    from gateway.cli.approvals.client import read
    from gateway.cli.approvals.showing import sheet_lines
    from gateway.cli.approvals.terminal import terminal
    from gateway.people.sheet_models import HoldSheetModel

    screen = terminal()
    sheet = open_port(screen).sheet(hold)
    if as_json:
        emit(sheet)
    else:
        screen.lines(sheet_lines(read(HoldSheetModel, sheet), width=screen.width, full=full))


@approvals.command()
@_hold
@_seen
@click.option("--yes", is_flag=True, help="without a question; needs --seen, and a risk that is not high")
@click.option("--confirm", default="", metavar="VALUE", help="in place of typing it; needs --seen")
@click.option("--characters-seen", is_flag=True, help="I have looked at the characters that hide or mislead")
@click.option("--reason", default="", help="recorded with your yes")
@click.option("--full", is_flag=True, help="show long values whole, and the text of the rules")
@at_the_people_port
def approve(hold: str, open_port: OpenPort, *, full: bool, as_json: bool, **said: Any) -> None:
    """Show one held call, ask, and say yes to exactly what was shown.

    Pressing Enter never approves. For a high risk the object has to be typed: the value of the first
    argument that the rule wants looked at, or the name of the tool. Calls are approved one at a time.
    """
    from gateway.cli.approvals import approving
    from gateway.cli.approvals.terminal import terminal

    consent = approving.Consent(**said)
    if as_json and not consent.seen:
        raise ConfigurationError("--json shows no sheet to decide by: it needs --seen")
    screen = terminal()
    answer = approving.approve(open_port(screen), screen, hold, consent, full=full)
    _end(screen, answer, approving.told(answer), as_json=as_json)


@approvals.command()
@_hold
@_seen
@click.option("--reason", default="", help="the agent is told it, too")
@at_the_people_port
def deny(hold: str, seen: str, reason: str, open_port: OpenPort, *, as_json: bool) -> None:
    """Say no. The agent gets the reason, and is told not to work around it."""
    from gateway.cli.approvals import approving
    from gateway.cli.approvals.terminal import terminal
    from gateway.core.visible_text import visible

    screen = terminal()
    port = open_port(screen)
    sheet = approving.sheet_as_seen(port, hold, seen)
    if not as_json:
        screen.say(visible(sheet.sentence))
    words = _words(screen, reason, "--reason", "Why not? ")
    answer = approving.decide(port, sheet, "deny", words)
    _end(screen, answer, approving.told(answer), as_json=as_json)


@approvals.command()
@_hold
@_seen
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="/NAME=VALUE",
    help="a JSON Pointer and JSON, or text; repeatable",
)
@click.option(
    "--file", "path", type=click.Path(path_type=Path, dir_okay=False), help="a JSON object: all arguments"
)
@click.option("--reason", default="", help="recorded with the edit")
@at_the_people_port
def edit(
    hold: str,
    seen: str,
    settings: tuple[str, ...],
    path: Path | None,
    reason: str,
    open_port: OpenPort,
    *,
    as_json: bool,
) -> None:
    """Put other arguments in place of the agent's; without --set or --file your $EDITOR opens.

    They are checked as a call's are, policy decides on them again, and another round of approvals begins.
    The agent's own arguments can no longer run; both are kept.
    """
    from gateway.cli.approvals import approving, editing
    from gateway.cli.approvals.client import id_in_path, read
    from gateway.cli.approvals.terminal import terminal
    from gateway.people.models import HoldRow

    if settings and path is not None:
        raise ConfigurationError("--set and --file exclude each other")
    screen = terminal()
    port = open_port(screen)
    sheet = approving.sheet_as_seen(port, hold, seen)
    approving.refuse_unless_held(sheet)
    if path is not None:
        arguments = editing.from_file(path)
    elif settings:
        arguments = editing.edited(sheet, settings)
    elif screen.interactive and not as_json:
        arguments = editing.in_editor(sheet, screen, os.environ)
    else:
        raise ConfigurationError(
            "an editor needs a terminal", next_step="use --set /NAME=VALUE or --file FILE"
        )
    if arguments == editing.arguments_now(sheet):
        raise ConfigurationError("nothing is different; nothing was sent")
    editing.refuse_markers(sheet, arguments)
    body = {"arguments": arguments, "seen": sheet.seen, "reason": reason}
    row = read(HoldRow, port.post(f"/holds/{id_in_path(sheet.hold.id)}/edit", body))
    if as_json:
        emit(port.sheet(row.id))
    else:
        _offer(port, screen, row.id)


def _offer(port: PeoplePort, screen: Terminal, hold_id: str) -> None:
    """Show what was edited, and ask whether it may run like that."""
    from gateway.cli.approvals import approving
    from gateway.cli.approvals.showing import sheet_lines
    from gateway.people.sheet.looking import arguments_of

    sheet = approving.sheet_as_seen(port, hold_id, "")
    screen.lines(sheet_lines(sheet, width=screen.width))
    screen.say("edited: another round of approvals has begun", "bold")
    arguments = arguments_of(sheet)
    if not screen.interactive or sheet.hold.status.value != "held" or approving.obstacle_to(sheet, arguments):
        return
    if approving.agrees(screen, approving.Consent(), sheet, arguments):
        screen.say(approving.told(approving.decide(port, sheet, "approve", "")), "bold")
    else:
        screen.say("not approved; it waits as it was edited")


@approvals.command()
@_hold
@at_the_people_port
def claim(hold: str, open_port: OpenPort, *, as_json: bool) -> None:
    """Tell the other reviewers that you are looking at it."""
    from gateway.cli.approvals.client import id_in_path, read
    from gateway.cli.approvals.terminal import terminal
    from gateway.people.models import HoldRow
    from gateway.people.sheet.wording import clock, short
    from gateway.people.sheet_models import HoldSheetModel

    screen = terminal()
    port = open_port(screen)
    found = read(HoldSheetModel, port.sheet(hold)).hold
    answer = port.post(f"/holds/{id_in_path(found.id)}/claim", {})
    row = read(HoldRow, answer)
    until = f" until {clock(row.claimed_until)}" if row.claimed_until else ""
    _end(screen, answer, f"claimed by you{until}: {short(row.id)}", as_json=as_json)


@approvals.command()
@_hold
@click.argument("person", metavar="PERSON")
@click.option("--note", default="", help="what they should know; recorded")
@at_the_people_port
def ask(hold: str, person: str, note: str, open_port: OpenPort, *, as_json: bool) -> None:
    """Have another reviewer look at it. That decides nothing; what you have claimed you let go of."""
    from gateway.cli.approvals.client import id_in_path, read
    from gateway.cli.approvals.terminal import terminal
    from gateway.core.visible_text import visible
    from gateway.people.sheet.wording import short
    from gateway.people.sheet_models import HoldSheetModel

    screen = terminal()
    port = open_port(screen)
    found = read(HoldSheetModel, port.sheet(hold)).hold
    answer = port.post(f"/holds/{id_in_path(found.id)}/ask", {"whom": person, "note": note})
    _end(screen, answer, f"asked {visible(person)}: {short(found.id)}; it waits as before", as_json=as_json)


@approvals.command()
@_hold
@click.option(
    "--outcome",
    required=True,
    type=click.Choice(["succeeded", "failed", "held"]),
    help="what you found out; held: let it be run again, after new approvals",
)
@click.option("--evidence", default="", help="how you know; recorded")
@at_the_people_port
def resolve(hold: str, outcome: str, evidence: str, open_port: OpenPort, *, as_json: bool) -> None:
    """Say what became of a call whose outcome is unknown."""
    from gateway.cli.approvals.client import id_in_path, read
    from gateway.cli.approvals.terminal import terminal
    from gateway.people.sheet_models import HoldSheetModel

    screen = terminal()
    port = open_port(screen)
    found = read(HoldSheetModel, port.sheet(hold)).hold
    words = _words(screen, evidence, "--evidence", "How do you know? ")
    answer = port.post(f"/holds/{id_in_path(found.id)}/resolve", {"outcome": outcome, "evidence": words})
    _end(screen, answer, _moved(answer), as_json=as_json)


@approvals.command()
@at_the_people_port
def watch(open_port: OpenPort, *, as_json: bool) -> None:
    """Follow held calls as they change, one line each, until Ctrl-C."""
    from gateway.cli.approvals.client import read
    from gateway.cli.approvals.terminal import terminal
    from gateway.cli.approvals.watching import Watch, line_of
    from gateway.people.models import HoldRow

    def changed(row: dict[str, Any]) -> None:
        if as_json:
            emit(row)
        else:
            click.echo(line_of(read(HoldRow, row)))

    port = open_port(terminal())
    watching = Watch(port, changed=changed, note=lambda text: click.echo(f"note: {text}", err=True))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(watching.run())


@approvals.group()
def grants() -> None:
    """Approvals that wait for their agent to use them."""


@grants.command("ls")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 200), help="how many")
@at_the_people_port
def grants_ls(limit: int, open_port: OpenPort, *, as_json: bool) -> None:
    """List them."""
    from gateway.cli.approvals.client import read
    from gateway.cli.approvals.listing import table
    from gateway.cli.approvals.terminal import terminal
    from gateway.people.models import GrantPage

    screen = terminal()
    answer = open_port(screen).get("/grants", {"limit": limit})
    rows = read(GrantPage, answer).grants
    if as_json:
        for row in answer["grants"]:
            emit(row)
    elif rows:
        screen.print(table([(row, 1) for row in rows], several_statuses=False))
    else:
        screen.say("none")


@grants.command()
@_hold
@click.option("--reason", default="", help="recorded")
@at_the_people_port
def revoke(hold: str, reason: str, open_port: OpenPort, *, as_json: bool) -> None:
    """Take one back that was not used yet."""
    from gateway.cli.approvals.client import id_in_path, read
    from gateway.cli.approvals.terminal import terminal
    from gateway.people.sheet_models import HoldSheetModel

    screen = terminal()
    port = open_port(screen)
    found = read(HoldSheetModel, port.sheet(hold)).hold
    answer = port.post(f"/grants/{id_in_path(found.id)}/revoke", {"reason": reason})
    _end(screen, answer, _moved(answer), as_json=as_json)


def _words(screen: Terminal, given: str, option: str, question: str) -> str:
    """What has to be said in words, from the command line or the terminal."""
    words = given.strip() or (screen.ask(question) if screen.interactive else "")
    if not words:
        raise ConfigurationError(f"{option} is needed; nothing was sent", next_step=f"add {option} TEXT")
    return words


def _moved(answer: Any) -> str:
    from gateway.cli.approvals.client import read
    from gateway.core.visible_text import visible
    from gateway.people.models import HoldRow
    from gateway.people.sheet.wording import short

    row = read(HoldRow, answer)
    return f"{row.status.value.replace('_', ' ')}: {short(row.id)} {visible(row.target)}"


def _end(screen: Terminal, answer: Any, sentence: str, *, as_json: bool) -> None:
    if as_json:
        emit(answer)
    else:
        screen.say(sentence, "bold")
