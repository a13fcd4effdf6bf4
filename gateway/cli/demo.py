"""``toolgate demo``: the whole product in two minutes; real gateway, real servers, real client."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gateway.cli.demonstration.story import Line


@click.command()
@click.option("--once", is_flag=True, help="no pauses, check every line, exit 0 or 1")
@click.option("--keep", is_flag=True, help="leave the demo's folder behind")
def demo(*, once: bool, keep: bool) -> None:
    """Start a gateway with two upstreams, let an agent call tools, and show what happens to each call."""
    from gateway.cli.demonstration.reviewer import Reviewer
    from gateway.cli.demonstration.stage import stage
    from gateway.cli.demonstration.story import tell

    async def run() -> list[Line]:
        async with stage(keep=keep) as scene:
            lines = await tell(scene, pause_s=0.0 if once else 0.7)
            if not once:
                reviewer = Reviewer(scene.people_url, scene.reviewer_token)
                await _stay(scene.introduction(await reviewer.login_link()))
            return lines

    lines = asyncio.run(run())
    unexpected = [line for line in lines if not line.as_expected]
    if unexpected:
        click.echo(f"{len(unexpected)} of {len(lines)} lines were not as expected", err=True)
        sys.exit(1)
    click.echo(f"all {len(lines)} lines as expected")


async def _stay(introduction: str) -> None:
    click.echo(introduction)
    if not sys.stdin.isatty():
        return
    click.echo("The gateway stays up until you press Enter.")
    await asyncio.to_thread(sys.stdin.readline)
