"""``toolgate config check | show | schema``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from gateway.cli.options import config_option, json_option
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config.loading import Configuration

SECRET_SHOWN = "(set)"


@click.group()
def config() -> None:
    """Check, show and describe the configuration."""


@config.command()
@config_option
def check(config_path: Path) -> None:
    """Read the file, compile the policy, and say whether `serve` would start."""
    import asyncio

    from gateway.assembly.policy import check_policy
    from gateway.config.loading import load_configuration

    configuration = load_configuration(config_path)
    loaded = asyncio.run(check_policy(configuration))
    _check_approvers(configuration)
    _check_engines(configuration)
    for notice in configuration.notices:
        click.echo(f"note: {notice}")
    settings = configuration.settings
    click.echo(
        f"ok: {len(settings.upstreams)} upstreams, {len(settings.agents)} agents, mode {settings.mode}"
    )
    click.echo(
        f"ok: policy {loaded.revision[:12]} with {len(loaded.packages)} rule packages ({loaded.compiler})"
    )


def _check_engines(configuration: Configuration) -> None:
    """Recognisers and a model that are wanted have to be there.

    Raises:
        ConfigurationError: one is not.
    """
    from gateway.assembly.content import checked_pipeline
    from gateway.content.engines import parts_of

    content = configuration.settings.content
    if content.scan and (content.recognizers or content.names_model):
        checked_pipeline(parts_of((), bytes(32), content.recognizers, content.names_model))


def _check_approvers(configuration: Configuration) -> None:
    """A call that is held for somebody who does not exist can only be denied: better to know now.

    Raises:
        ConfigurationError: every place in the policy that names nobody who is there.
    """
    from gateway.assembly.policy import policy_source
    from policies.approvers import named_approvers
    from policies.sources import read_source

    reviewers = configuration.settings.reviewers
    if not reviewers:
        return  # The one person there is stands for every name.
    there = {name for one in reviewers for name in (one.id, *one.roles, *one.groups)}
    source = policy_source(configuration)
    lines = [
        f"{source / named.file}:{named.row}: nobody is called {' or '.join(named.names)}, "
        "so no call that this rule holds could ever be approved"
        for named in named_approvers(read_source(source))
        if there.isdisjoint(named.names)
    ]
    if lines:
        raise ConfigurationError(
            "\n".join(lines), next_step="give a reviewer that role in the configuration, or name another"
        )


@config.command()
@config_option
def show(config_path: Path) -> None:
    """Print every setting in force, defaults included, secrets left out."""
    from gateway.config.loading import load_configuration

    configuration = load_configuration(config_path)
    value = configuration.settings.model_dump(mode="json", by_alias=True)
    for upstream in value["upstreams"].values():
        upstream["headers"] = dict.fromkeys(upstream["headers"], SECRET_SHOWN)
        upstream["env"] = dict.fromkeys(upstream["env"], SECRET_SHOWN)
    for hook in value["webhooks"].values():
        # Of a chat the address itself is the secret.
        hook |= {name: SECRET_SHOWN for name in ("url", "secret", "previous_secret") if hook.get(name)}
    value["data"] = str(configuration.data)
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


@config.command()
@json_option
@config_option
def recognizers(config_path: Path, *, as_json: bool) -> None:
    """List what can find personal data besides our own forms, whether it is live, and what is switched on."""
    from gateway.config.loading import load_configuration
    from gateway.content.presidio import live_recognizers
    from gateway.content.presidio_recognizers import RECOGNIZERS

    content = load_configuration(config_path).settings.content
    ids = {row.name: row.id for row in RECOGNIZERS}
    rows = [
        {
            "id": ids.get(one.name, ""),
            "name": one.name,
            "kind": one.kind,
            "live": one.live,
            "on": ids.get(one.name) in content.recognizers,
            "reason": one.reason,
        }
        for one in live_recognizers()
    ]
    if as_json:
        for row in [*rows, {"names_model": content.names_model or None}]:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    for row in sorted(rows, key=lambda one: (not one["live"], one["name"])):
        state = "on" if row["on"] else "off" if row["live"] else "-"
        click.echo(f"{state:4}{row['id'] or row['name']:34}{row['kind']:14}{row['reason']}")
    click.echo("switch some on with content.recognizers: [ID, ...]")
    model = content.names_model
    click.echo(f"names and addresses: {model or 'not looked for; content.names_model names a model'}")


@config.command()
def schema() -> None:
    """Print the JSON Schema of toolgate.yaml, for editors."""
    from gateway.config.settings import Settings

    click.echo(json.dumps(Settings.model_json_schema(by_alias=True), indent=2))
