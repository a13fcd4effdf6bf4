"""``toolgate reviewer new``: a token for a person who decides held calls, printed once and stored nowhere."""

from __future__ import annotations

import json
import secrets
import sys
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_option, json_option
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.identity.settings import ReviewerSettings


@click.group()
def reviewer() -> None:
    """Make a token for a person who decides held calls."""


@reviewer.command()
@click.option("--id", "person", help="of the person, for example lea@example.com")
@click.option("--role", "roles", multiple=True, help="what rules call for with `by`; repeatable")
@click.option("--local", is_flag=True, help="for the one person of a single-user installation")
@click.option("--replace", is_flag=True, help="with --local: in place of the token there is")
@config_option
@json_option
def new(
    person: str | None,
    roles: tuple[str, ...],
    config_path: Path,
    *,
    local: bool,
    replace: bool,
    as_json: bool,
) -> None:
    """Print a new reviewer token, and the lines that go into toolgate.yaml.

    The file holds the token's hash only. With --local nothing goes into the file: the hash is written
    into the data directory, and holds once the gateway is started again. Run this yourself, never an
    agent: whoever has the token decides.
    """
    from gateway.identity.reviewers import new_reviewer_token
    from gateway.identity.tokens import token_hash

    if not (as_json or sys.stdout.isatty()):
        raise ConfigurationError(
            "the token would be written where it stays",
            next_step="run it in a terminal, or with --json for a script",
        )
    token = new_reviewer_token(secrets.token_bytes(32))
    hashed = token_hash(token)
    told: dict[str, Any] = {"token": token, "token_hash": hashed}
    if local:
        if person is not None or roles:
            raise ConfigurationError(
                "--local is for the one person, who stands for every role; leave the rest out"
            )
        lines = _kept(config_path, hashed, replace=replace)
    else:
        made = _settings(person, hashed, roles)
        told |= {"id": made.id, "roles": list(made.roles)}
        lines = _lines(made)
    if as_json:
        click.echo(json.dumps(told))
        return
    click.echo(f"token (shown this once, stored nowhere): {token}")
    click.echo("\n".join(lines))


def _settings(person: str | None, hashed: str, roles: tuple[str, ...]) -> ReviewerSettings:
    from pydantic import ValidationError

    from gateway.identity.settings import ReviewerSettings

    if person is None:
        raise ConfigurationError(
            "a reviewer is a person with an id",
            next_step="toolgate reviewer new --id lea@example.com --role refund-lead; alone here: --local",
        )
    try:
        return ReviewerSettings(id=person, token=hashed, roles=roles)
    except ValidationError as error:
        first = error.errors()[0]
        message = str(first["msg"]).removeprefix("Value error, ")
        raise ConfigurationError(f"--{first['loc'][0]}: {message}") from error


def _lines(made: ReviewerSettings) -> list[str]:
    roles = f", roles: {json.dumps(list(made.roles))}" if made.roles else ""
    return [
        "",
        "paste into toolgate.yaml, then start the gateway again:",
        "",
        "reviewers:",
        f"  - {{id: {json.dumps(made.id)}, token: {json.dumps(made.token)}{roles}}}",
    ]


def _kept(config_path: Path, hashed: str, *, replace: bool) -> list[str]:
    from gateway.cli.variables import AnyVariable
    from gateway.config.loading import load_configuration
    from gateway.data import prepare_directory
    from gateway.reviewer_token import read_reviewer_hash, write_reviewer_hash

    configuration = load_configuration(config_path, environ=AnyVariable())
    if configuration.settings.reviewers:
        raise ConfigurationError(
            f"{config_path} names its reviewers, so there is no single local one",
            next_step="toolgate reviewer new --id lea@example.com --role refund-lead",
        )
    prepare_directory(configuration.data)
    if not replace and read_reviewer_hash(configuration.data) is not None:
        raise ConfigurationError(
            "there is a reviewer token already; a new one ends it",
            next_step="toolgate reviewer new --local --replace",
        )
    write_reviewer_hash(configuration.data, hashed)
    return ["", f"its hash is in {configuration.data}; it holds once the gateway is started again"]
