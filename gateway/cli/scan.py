"""``toolgate scan [FILE|URL...]``: what servers say to a model, looked at once, before anybody uses them."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.options import DEFAULT_FILE, json_option
from gateway.cli.text import safe
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.cli.scan_report import ServerReport
    from gateway.cli.scan_targets import Target

EXIT_NOT_SCANNED = 2
EXIT_FINDINGS = 3
DEFAULT_FILES = (DEFAULT_FILE, ".mcp.json", ".cursor/mcp.json", ".vscode/mcp.json")
"""Looked for in the current folder when nothing is named."""


@click.command()
@click.argument("sources", nargs=-1, metavar="[FILE|URL]...")
@click.option("--yes", is_flag=True, help="start the commands that the files name without asking")
@click.option(
    "--sarif", type=click.Path(path_type=Path, dir_okay=False), help="also write a SARIF 2.1.0 file"
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME=VALUE",
    help="sent to the servers that are given as URLs",
)
@click.option(
    "--timeout",
    "deadline_s",
    type=click.FloatRange(min=1, max=600),
    default=60.0,
    show_default=True,
    help="seconds for each server to start and to list what it offers",
)
@json_option
def scan(
    sources: tuple[str, ...],
    sarif: Path | None,
    headers: tuple[str, ...],
    deadline_s: float,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """List what servers offer and look for instructions, hidden text, look-alikes and bombs in it.

    A FILE is a toolgate.yaml or any client's mcpServers file; without one, the first that is found here. No
    tool is called. Exit code 0: nothing that should be kept from agents; 3: something was found; 2: a server
    could not be scanned, and nothing was found in the others.
    """
    from gateway.cli.scan_listing import reports_of
    from gateway.cli.scan_report import lines_of, rows_of
    from gateway.cli.scan_targets import targets_of

    targets, notices = targets_of(sources or (_default_file(),), headers)
    for notice in notices:
        click.echo(f"note: {safe(notice)}", err=True)
    refused = () if yes else _refused(targets)
    reports = asyncio.run(
        reports_of([one for one in targets if one not in refused], deadline_s=deadline_s)
    ) + [_not_started(one) for one in refused]
    for report in reports:
        if as_json:
            for row in rows_of(report):
                click.echo(json.dumps(row))  # ASCII: names are hostile
        else:
            for line in lines_of(report):
                click.echo(line)
    if sarif is not None:
        _write(sarif, reports)
    if any(report.alarming for report in reports):
        sys.exit(EXIT_FINDINGS)
    if any(report.problem for report in reports):
        sys.exit(EXIT_NOT_SCANNED)


def _default_file() -> str:
    for name in DEFAULT_FILES:
        if Path(name).exists():
            return name
    raise ConfigurationError(
        f"nothing to scan: none of {', '.join(DEFAULT_FILES)} is here",
        next_step="name a file or a server: toolgate scan FILE|URL",
    )


def _refused(targets: list[Target]) -> tuple[Target, ...]:
    """Those whose command the person does not want to be started."""
    commands = [target for target in targets if target.settings.command]
    if commands and not sys.stdin.isatty():
        shown = "\n".join(f"{target.name}: {_command(target)}" for target in commands)
        raise ConfigurationError(
            f"to scan these, their commands have to be started:\n{shown}",
            next_step="read them, then run the same command with --yes",
        )
    return tuple(
        target
        for target in commands
        if not click.confirm(f"{target.name}: start {_command(target)} ?", default=False, err=True)
    )


def _command(target: Target) -> str:
    return safe(shlex.join([*target.settings.command, *target.settings.args]))


def _not_started(target: Target) -> ServerReport:
    from gateway.cli.scan_report import ServerReport

    return ServerReport(name=target.name, origin=target.origin, problem="its command was not started")


def _write(path: Path, reports: list[ServerReport]) -> None:
    from gateway.cli.scan_sarif import sarif_of

    try:
        path.write_text(json.dumps(sarif_of(reports), indent=1) + "\n", "utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from error
