"""``toolgate tools``: what upstreams list, what of it is pinned, and what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gateway.cli.approvals.access import TOKEN_CAUTION, at_the_people_port, emit
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.cli.approvals.client import PeoplePort
    from gateway.cli.approvals.terminal import Terminal
    from gateway.people.definition_models import DefinitionSheetModel

    OpenPort = Callable[[Terminal], PeoplePort]

KINDS = ("tool", "prompt", "resource", "resource_template", "instructions")
STATES = ("new", "pinned", "drifted", "quarantined", "unpinned")

_target = click.argument("target", metavar="UPSTREAM/NAME")
_kind = click.option(
    "--kind", type=click.Choice(KINDS), help="where several kinds have one of this name; see `ls`"
)


@click.group(
    help=f"""Definitions of tools, prompts, resources, and what servers say of themselves.

Agents are offered what is pinned, in the form that was pinned. What an upstream changes is not offered until
somebody has looked at it and pins it again. Exit codes: 0 done; 2 a problem, nothing was changed; 3 somebody
or something was first.

{TOKEN_CAUTION}"""
)
def tools() -> None:
    """Hold the verbs."""


@tools.command()
@click.argument("upstream", required=False)
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="only these; repeatable")
@at_the_people_port
def ls(upstream: str | None, states: tuple[str, ...], open_port: OpenPort, *, as_json: bool) -> None:
    """List definitions, of one UPSTREAM or of all."""
    from gateway.cli.approvals.client import read
    from gateway.cli.approvals.terminal import terminal
    from gateway.cli.tools_showing import table
    from gateway.people.definition_models import DefinitionRow

    screen = terminal()
    found = list(_rows(open_port(screen), upstream, states))
    if as_json:
        for row in found:
            emit(row)
    elif found:
        screen.print(table([read(DefinitionRow, row) for row in found]))
    else:
        screen.say("none")


@tools.command()
@_target
@_kind
@at_the_people_port
def show(target: str, kind: str | None, open_port: OpenPort, *, as_json: bool) -> None:
    """Show a definition, what was found in it, and what differs from its pin."""
    from gateway.cli.approvals.client import read
    from gateway.cli.approvals.terminal import terminal
    from gateway.cli.tools_showing import sheet_lines
    from gateway.people.definition_models import DefinitionSheetModel

    screen = terminal()
    answer = _sheet(open_port(screen), target, kind)
    if as_json:
        emit(answer)
    else:
        screen.lines(sheet_lines(read(DefinitionSheetModel, answer), width=screen.width))


@tools.command()
@_target
@_kind
@at_the_people_port
def diff(target: str, kind: str | None, open_port: OpenPort, *, as_json: bool) -> None:
    """Show only what differs from the pinned form, word by word."""
    from gateway.cli.approvals.client import read
    from gateway.cli.approvals.terminal import terminal
    from gateway.cli.tools_showing import diff_lines
    from gateway.people.definition_models import DefinitionSheetModel

    screen = terminal()
    answer = _sheet(open_port(screen), target, kind)
    if as_json:
        emit({name: answer[name] for name in ("definition", "changes", "changes_left_out", "findings")})
    else:
        screen.lines(diff_lines(read(DefinitionSheetModel, answer), width=screen.width))


@tools.command()
@_target
@_kind
@click.option("--seen", default="", help="the listed_digest you have looked at; refused if it changed since")
@click.option("--yes", is_flag=True, help="without a question; needs --seen")
@click.option("--reason", default="", help="recorded")
@at_the_people_port
def pin(
    target: str, kind: str | None, seen: str, reason: str, open_port: OpenPort, *, yes: bool, as_json: bool
) -> None:
    """Show a definition, ask, and pin exactly what was shown. Needs the role operator."""
    from gateway.cli.approvals.client import read
    from gateway.cli.approvals.terminal import terminal
    from gateway.cli.tools_showing import sheet_lines
    from gateway.people.definition_models import DefinitionSheetModel

    if (yes or as_json) and not seen:
        raise ConfigurationError(
            "without a question it has to be said what was looked at", next_step="add --seen LISTED_DIGEST"
        )
    screen = terminal()
    port = open_port(screen)
    sheet = read(DefinitionSheetModel, _sheet(port, target, kind))
    if not as_json:
        screen.lines(sheet_lines(sheet, width=screen.width))
    if not (yes or as_json) and not _agrees(screen, sheet):
        raise ConfigurationError("not pinned; nothing was changed")
    body = {**_which(target, kind), "digest": seen or sheet.definition.listed_digest, "reason": reason}
    answer = port.post("/definitions/pin", body)
    _end(screen, answer, "pinned", as_json=as_json)


@tools.command()
@_target
@_kind
@click.option("--reason", default="", help="recorded")
@at_the_people_port
def unpin(target: str, kind: str | None, reason: str, open_port: OpenPort, *, as_json: bool) -> None:
    """Take a pin back: it is not offered any more. Needs the role operator."""
    from gateway.cli.approvals.terminal import terminal

    screen = terminal()
    answer = open_port(screen).post("/definitions/unpin", {**_which(target, kind), "reason": reason})
    _end(screen, answer, "unpinned", as_json=as_json)


def _rows(port: PeoplePort, upstream: str | None, states: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    from gateway.cli.approvals.client import read
    from gateway.people.definition_models import PAGE_DEFINITIONS_MAX, DefinitionPage

    offset: int | None = 0
    while offset is not None:
        query: dict[str, str | int] = {"limit": PAGE_DEFINITIONS_MAX, "offset": offset}
        if upstream is not None:
            query["upstream"] = upstream
        if states:
            query["state"] = ",".join(dict.fromkeys(states))
        page = port.get("/definitions", query)
        yield from page["definitions"]
        offset = read(DefinitionPage, page).next


def _sheet(port: PeoplePort, target: str, kind: str | None) -> Any:
    return port.get("/definitions/one", _which(target, kind))


def _which(target: str, kind: str | None) -> dict[str, str]:
    upstream, slash, name = target.partition("/")
    if not (upstream and slash and name):
        raise ConfigurationError(
            "a definition is named UPSTREAM/NAME", next_step="list them with: toolgate tools ls"
        )
    which = {"upstream": upstream, "name": name}
    return which if kind is None else {**which, "kind": kind}


def _agrees(screen: Terminal, sheet: DefinitionSheetModel) -> bool:
    """Enter never pins; what a scanner has found has to be typed."""
    if not screen.interactive:
        raise ConfigurationError("nobody is there to ask", next_step="add --seen LISTED_DIGEST --yes")
    name = sheet.definition.name
    if any(one.severity == "quarantine" for one in sheet.findings):
        return screen.ask("Something was found in it. To pin it all the same type its name: ") == name
    return screen.ask("Pin it as shown? [y/N] ").casefold() in {"y", "yes"}


def _end(screen: Terminal, answer: Any, verb: str, *, as_json: bool) -> None:
    from gateway.cli.approvals.client import read
    from gateway.core.visible_text import visible
    from gateway.people.definition_models import PinAnswer

    if as_json:
        emit(answer)
        return
    row = read(PinAnswer, answer).definition
    screen.say(f"{verb}: {visible(row.upstream)}/{visible(row.name)}", "bold")
