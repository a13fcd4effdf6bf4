"""``toolgate config check | show | schema``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from gateway.cli.options import config_option

if TYPE_CHECKING:
    from pathlib import Path

SECRET_SHOWN = "(set)"


@click.group()
def config() -> None:
    """Check, show and describe the configuration."""


@config.command()
@config_option
def check(config_path: Path) -> None:
    """Read the file, compile the policy, and say whether `serve` would start."""
    import asyncio

    from gateway.app import check_policy
    from gateway.config.loading import load_configuration

    configuration = load_configuration(config_path)
    loaded = asyncio.run(check_policy(configuration))
    for notice in configuration.notices:
        click.echo(f"note: {notice}")
    settings = configuration.settings
    click.echo(
        f"ok: {len(settings.upstreams)} upstreams, {len(settings.agents)} agents, mode {settings.mode}"
    )
    click.echo(
        f"ok: policy {loaded.revision[:12]} with {len(loaded.packages)} rule packages ({loaded.compiler})"
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
    value["data"] = str(configuration.data)
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


@config.command()
def schema() -> None:
    """Print the JSON Schema of toolgate.yaml, for editors."""
    from gateway.config.settings import Settings

    click.echo(json.dumps(Settings.model_json_schema(by_alias=True), indent=2))
