"""``toolgate call UPSTREAM/TOOL key=value``: one call through policy and log, from the terminal."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_option, json_option
from gateway.cli.text import safe
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

EXIT_TOOL_ERROR = 1


@click.command()
@click.argument("tool", metavar="UPSTREAM/TOOL")
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--token", envvar="TOOLGATE_TOKEN", help="access token; by default the local agent's")
@config_option
@json_option
def call(
    tool: str, arguments: tuple[str, ...], token: str | None, config_path: Path, *, as_json: bool
) -> None:
    """Call a tool through the running gateway, as an agent would.

    A VALUE that is JSON is sent as JSON (numbers, true, lists); anything else is text. Use KEY='"5"'
    to send the text 5. Exit code 0: it ran; 1: denied, held or failed; 2: no gateway, bad input.
    """
    from gateway.cli.connection import connection_from

    upstream, separator, name = tool.partition("/")
    if not separator or not name:
        raise ConfigurationError(
            f"{tool!r} is not UPSTREAM/TOOL", next_step="toolgate call orders/get_order order_id=A-1001"
        )
    parsed = dict(_pair(one) for one in arguments)
    connection = connection_from(config_path, token)
    said_so: list[bool] = []

    def waits() -> None:
        if not said_so:
            click.echo("waiting for a person's approval; Ctrl-C stops waiting, not the call", err=True)
            said_so.append(True)

    answer = asyncio.run(connection.call(upstream, name, parsed, on_wait=waits))
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        _print(answer)
    command = _next_command(upstream, name, answer)
    if command:
        click.echo(f"for the operator of this gateway: {command}", err=True)
    if "error" in answer or answer["result"].get("isError"):
        sys.exit(EXIT_TOOL_ERROR)


def _pair(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ConfigurationError(f"{text!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _next_command(upstream: str, tool: str, answer: dict[str, Any]) -> str:
    """What a person does about a tool that is kept back. Agents are not told; this is a terminal."""
    from gateway.core.pin_states import BLOCKED, next_command, tool_key
    from gateway.downstream.answers import META_FAILURE
    from gateway.downstream.hold_words import META_HOLD

    told = answer.get("result", {}).get("_meta", {})
    code = told.get(META_FAILURE, {}).get("code") or told.get(META_HOLD, {}).get("kept_back", {}).get("code")
    return next_command(code, tool_key(upstream, tool)) if code in BLOCKED else ""


def _print(answer: dict[str, Any]) -> None:
    if "error" in answer:
        click.echo(_shown(f"error {answer['error'].get('code')}: {answer['error'].get('message')}"), err=True)
        return
    result = answer["result"]
    for block in result.get("content", []):
        shown = block.get("text") if block.get("type") == "text" else json.dumps(block, ensure_ascii=False)
        click.echo(_shown(str(shown)), err=bool(result.get("isError")))
    if "structuredContent" in result and not result.get("content"):
        click.echo(_shown(json.dumps(result["structuredContent"], indent=2, ensure_ascii=False)))


def _shown(text: str) -> str:
    """Line breaks and tabs are the tool's own layout."""
    return safe(text, keep="\n\t")
