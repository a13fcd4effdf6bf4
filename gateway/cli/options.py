"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

DEFAULT_FILE = "toolgate.yaml"

_Verb = TypeVar("_Verb", bound=Callable[..., Any])

config_option: Callable[[_Verb], _Verb] = click.option(
    "--config",
    "-c",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(DEFAULT_FILE),
    show_default=True,
    envvar="TOOLGATE_CONFIG",
    help="toolgate.yaml, or any client's mcpServers file",
)

json_option: Callable[[_Verb], _Verb] = click.option(
    "--json", "as_json", is_flag=True, help="one JSON object a line, for scripts"
)
