"""``toolgate stdio``: the gateway for clients that only speak stdio.

Joins the running gateway, or starts one in this process when none answers. Lines in, HTTP out, and
back; both eras, told apart as the HTTP endpoint does: by the body.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING

import click

from gateway.cli.options import config_option

if TYPE_CHECKING:
    from pathlib import Path

LINE_BYTES_MAX = (1 << 20) + 1024


@click.command()
@config_option
@click.option("--upstream", help="offer only this upstream, with its own tool names")
@click.option("--token", envvar="TOOLGATE_TOKEN", help="access token; by default the local agent's")
def stdio(config_path: Path, upstream: str | None, token: str | None) -> None:
    """Relay MCP between stdin/stdout and the gateway; starts one if none is running."""
    from gateway.config.loading import load_configuration

    configuration = load_configuration(config_path)

    async def run() -> None:
        from gateway.cli.connection import connection_from
        from gateway.cli.relay import Relay, standard_streams

        async with contextlib.AsyncExitStack() as stack:
            if not await _reachable(configuration.settings.listen.agents):
                from gateway.app import Gateway
                from gateway.telemetry.logs import start_logging

                logger = start_logging(level="warning", stream=sys.stderr)
                await stack.enter_async_context(Gateway(configuration, logger=logger, environ=os.environ))
            connection = connection_from(config_path, token)
            path = f"/s/{upstream}/mcp" if upstream else "/mcp"
            lines, write = await standard_streams(LINE_BYTES_MAX)
            relay = await stack.enter_async_context(Relay(connection.destination(path), write))
            await relay.run(lines)

    asyncio.run(run())


async def _reachable(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(2.0):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
