"""How every verb of people reaches the people port: its options, the token, and refusals told in one way."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from gateway.cli.options import config_option, json_option

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.approvals.client import PeoplePort
    from gateway.cli.approvals.terminal import Terminal
    from gateway.people.models import ErrorDetail

_Verb = TypeVar("_Verb", bound=Callable[..., Any])

TOKEN_CAUTION = """\
Your reviewer token comes from TOOLGATE_REVIEWER_TOKEN, or is asked for. Never keep it in an environment in
which agents run, nor in a file they can read: whoever has it decides in your name. An agent's own token is
refused."""

_url_option = click.option(
    "--url",
    envvar="TOOLGATE_PEOPLE_URL",
    help="the people port, for example https://toolgate.example.com; by default listen.people of --config",
)


def at_the_people_port(verb: _Verb) -> _Verb:
    """Give a verb the shared options; it is called with ``open_port`` in their place, and ``as_json``."""

    @functools.wraps(verb)
    def run(*args: Any, config_path: Path, url: str | None, as_json: bool, **kwargs: Any) -> Any:
        from gateway.cli.approvals.client import TurnedAway

        opened = functools.partial(_open, config_path, url)
        try:
            return verb(*args, open_port=opened, as_json=as_json, **kwargs)
        except TurnedAway as refusal:
            _say(refusal.detail, as_json=as_json)
            sys.exit(refusal.exit_code)

    decorated: _Verb = config_option(_url_option(json_option(cast("_Verb", run))))
    return decorated


def emit(value: Any) -> None:
    """One JSON object in one line; all of it ASCII, so that nothing in it acts on a terminal."""
    click.echo(json.dumps(value))


def _open(config_path: Path, url: str | None, terminal: Terminal) -> PeoplePort:
    from gateway.cli.approvals.client import (
        AGENT_TOKEN_VARIABLE,
        TOKEN_VARIABLE,
        PeoplePort,
        checked_token,
        people_url,
    )

    origin = people_url(config_path, url)
    token = os.environ.get(TOKEN_VARIABLE, "")
    if token and os.environ.get(AGENT_TOKEN_VARIABLE):
        click.echo(
            f"note: {TOKEN_VARIABLE} stands in one environment with an agent's token; an agent that runs "
            "here can decide in your name",
            err=True,
        )
    if not token and terminal.typing:
        token = terminal.ask_hidden("Reviewer token (it is not shown): ")
    return PeoplePort(origin, checked_token(token))


def _say(detail: ErrorDetail, *, as_json: bool) -> None:
    from gateway.cli import say_problem
    from gateway.core.visible_text import visible

    lines = [visible(detail.message)]
    if detail.status:
        by = f", by {visible(detail.by)}" if detail.by else ""
        lines.append(f"it is {visible(detail.status).replace('_', ' ')} now{by}")
    lines += [f"candidate: {visible(one)}" for one in detail.candidates or []]
    if as_json:
        emit({"error": detail.model_dump(mode="json", exclude_none=True)})
    say_problem("\n".join(lines), visible(detail.next))
