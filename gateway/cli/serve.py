"""``toolgate serve``: run until a signal says stop."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import signal
import sys
from typing import TYPE_CHECKING

import click

from gateway.cli.options import config_option

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.app import Gateway, Started
    from gateway.config.loading import Configuration

EXIT_SECOND_SIGNAL = 130


@click.command()
@config_option
@click.option(
    "--log-level", default="info", show_default=True, type=click.Choice(["debug", "info", "warning", "error"])
)
def serve(config_path: Path, log_level: str) -> None:
    """Run the gateway until Ctrl-C or SIGTERM; a second one ends it at once."""
    from gateway.config.loading import load_configuration
    from gateway.telemetry.logs import start_logging

    configuration = load_configuration(config_path)
    logger = start_logging(level=log_level)
    shown_once = new_local_reviewer(configuration)

    async def run() -> None:
        from gateway.app import Gateway

        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _on_signal, stop)
        async with Gateway(configuration, logger=logger, environ=os.environ) as gateway:
            # Only a terminal is shown it: output that goes into a file could be read by an agent.
            login = await gateway.login_link() if sys.stdout.isatty() else ""
            announce(gateway, configuration, shown_once, login)
            # What is alive now lives as long as the process: a collection in the middle of a call
            # need not look at it again.
            gc.freeze()
            await stop.wait()
            click.echo("stopping: no new calls; waiting for running ones", err=True)

    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def _on_signal(stop: asyncio.Event) -> None:
    if stop.is_set():
        # The operator means it. Everything that was acknowledged is already on disk.
        os._exit(EXIT_SECOND_SIGNAL)
    stop.set()


def new_local_reviewer(configuration: Configuration) -> str:
    """In single-user mode, the first time on a terminal: the one person's token, which is written nowhere.

    Only a terminal is shown it: output that goes into a file could be read by an agent.
    """
    from gateway.data import prepare_directory
    from gateway.identity.reviewers import new_reviewer_token
    from gateway.identity.tokens import token_hash
    from gateway.reviewer_token import read_reviewer_hash, write_reviewer_hash

    if configuration.settings.reviewers or configuration.shadow or not sys.stdout.isatty():
        return ""
    prepare_directory(configuration.data)
    if read_reviewer_hash(configuration.data) is not None:
        return ""
    token = new_reviewer_token(secrets.token_bytes(32))
    write_reviewer_hash(configuration.data, token_hash(token))
    return token


def announce(gateway: Gateway, configuration: Configuration, shown_once: str, login: str = "") -> None:
    """What an operator needs in the first ten seconds, on stdout."""
    started = gateway.started
    lines = []
    if configuration.shadow:
        lines.append("SHADOW MODE: every call is evaluated and recorded, none is blocked.")
    lines += [f"note: {notice}" for notice in configuration.notices]
    lines.append(f"agents: {started.agents_url}/mcp")
    lines.append(f"people: {started.people_url}")
    lines.append(f"log in: {login} (once)" if login else "log in: toolgate login")
    policy = started.policy
    lines.append(f"policy: {policy.revision[:12]} ({', '.join(policy.packages)}; {policy.compiler})")
    lines.append(f"data:   {configuration.data}")
    if started.unresolved_calls:
        lines.append(
            f"note: {started.unresolved_calls} earlier calls may have happened without a recorded outcome; "
            "list them with: toolgate audit unresolved"
        )
    lines += _approvals(started, shown_once)
    header = ""
    if started.token_file is not None:
        made = "made just now" if started.token_created else "kept from the last start"
        lines.append(f"token:  {started.token_file} ({made})")
        header = f' --header "Authorization: Bearer $(cat {started.token_file})"'
    elif configuration.settings.agents:
        header = ' --header "Authorization: Bearer <token>"'
    lines += [
        "",
        "paste into a terminal:",
        f"  claude mcp add --transport http toolgate {started.agents_url}/mcp{header}",
    ]
    click.echo("\n".join(lines))
    sys.stdout.flush()


def _approvals(started: Started, shown_once: str) -> list[str]:
    lines = []
    if shown_once:
        lines += [
            "you:    your reviewer token, shown this once and kept nowhere. It decides held calls, so",
            f"        put it where no agent can read it:  {shown_once}",
        ]
    elif not started.reviewer_known:
        lines.append(
            "note: nobody can decide held calls yet; make your token with: toolgate reviewer new --local"
        )
    if started.open_holds:
        lines.append(
            f"note: {started.open_holds} held calls are open: toolgate approvals ls --status held,approved"
        )
    if started.unknown_holds:
        lines.append(
            f"note: of {started.unknown_holds} held calls nobody knows what came of them: "
            "toolgate approvals ls --status outcome_unknown"
        )
    return lines
