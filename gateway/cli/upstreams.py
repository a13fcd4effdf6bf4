"""``toolgate upstreams``: how every tool server stands, and how long its calls take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.cli.approvals.access import TOKEN_CAUTION, at_the_people_port, emit

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.approvals.client import PeoplePort
    from gateway.cli.approvals.terminal import Terminal

    OpenPort = Callable[[Terminal], PeoplePort]


@click.command(
    help=f"""Every upstream: its connection, how long its last calls took, and its definitions by state.

Times are of the last 256 calls that were let through since the gateway started: half of them took no longer
than p50, nineteen of twenty no longer than p95. --json prints one upstream a line.

{TOKEN_CAUTION}"""
)
@at_the_people_port
def upstreams(open_port: OpenPort, *, as_json: bool) -> None:
    """List them."""
    from gateway.cli.approvals.client import read
    from gateway.cli.approvals.terminal import terminal
    from gateway.cli.upstreams_showing import problems, table
    from gateway.people.call_models import UpstreamList

    screen = terminal()
    answer = open_port(screen).get("/upstreams")
    found = read(UpstreamList, answer).upstreams
    if as_json:
        for row in answer["upstreams"]:
            emit(row)
    elif found:
        screen.print(table(found))
        screen.lines(problems(found))
    else:
        screen.say("none")
