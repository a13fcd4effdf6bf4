"""The ``toolgate`` command. Verbs load only when they are called, so that ``--help`` is instant."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from gateway.errors import GatewayError

VERBS = {
    "serve": ("gateway.cli.serve", "serve", "Run the gateway."),
    "demo": ("gateway.cli.demo", "demo", "Watch an agent being governed; two minutes, nothing to set up."),
    "init": ("gateway.cli.init", "init", "Write a toolgate.yaml and a policy to start from."),
    "scan": ("gateway.cli.scan", "scan", "Look for poison in what servers offer, before anybody uses them."),
    "config": ("gateway.cli.config", "config", "Check, show and describe the configuration."),
    "call": ("gateway.cli.call", "call", "Call a tool through the running gateway, as an agent would."),
    "approvals": ("gateway.cli.approvals.commands", "approvals", "Look at held calls and decide them."),
    "tools": ("gateway.cli.tools", "tools", "Look at what upstreams list, and pin it."),
    "upstreams": ("gateway.cli.upstreams", "upstreams", "How tool servers stand, how long calls take."),
    "trust": ("gateway.cli.trust", "trust", "Pin everything new and clean of one upstream."),
    "audit": ("gateway.cli.audit", "audit", "Read the audit log."),
    "stdio": ("gateway.cli.stdio", "stdio", "Offer the gateway to a client that only speaks stdio."),
    "token": ("gateway.cli.token", "token", "Make an access token for an agent."),
    "reviewer": ("gateway.cli.reviewer", "reviewer", "Make a token for a person who decides held calls."),
    "login": ("gateway.cli.login", "login", "Print a link that logs you in to the people port, once."),
}

EXIT_PROBLEM = 2
EXIT_MISTAKE = 70
"""EX_SOFTWARE of BSD sysexits: not the user's doing."""
TRACE_VARIABLE = "TOOLGATE_TRACE"


class Verbs(click.Group):
    """A group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order a newcomer meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in VERBS:
            return None
        module, name, _ = VERBS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Summaries come from the table, so that help imports no verb."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, summary) for verb, (_, _, summary) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="toolgate", message="toolgate %(version)s")
def toolgate() -> None:
    """The gateway between AI agents and the tools they call."""


def main(arguments: list[str] | None = None) -> Any:
    """Entry point: a refusal is a sentence and exit code 2, never a stack trace."""
    try:
        return toolgate.main(args=arguments, prog_name="toolgate")
    except GatewayError as error:
        say_problem(error.reason, error.next_step)
        sys.exit(EXIT_PROBLEM)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does; that is no error of ours.
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:
        if os.environ.get(TRACE_VARIABLE):
            raise
        say_problem(
            f"a mistake in toolgate itself: {type(error).__name__}: {error}",
            f"report it with the output of {TRACE_VARIABLE}=1 and the same command",
        )
        sys.exit(EXIT_MISTAKE)


def say_problem(reason: str, next_step: str = "") -> None:
    """What happened and why, then the next thing to type; on stderr."""
    for line in reason.splitlines():
        click.echo(f"error: {line}", err=True)
    if next_step:
        click.echo(f"next:  {next_step}", err=True)
