"""``toolgate login``: a one-time link that opens the people port in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.cli.approvals.access import TOKEN_CAUTION, at_the_people_port, emit

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.approvals.client import PeoplePort
    from gateway.cli.approvals.terminal import Terminal


@click.command(help=f"Print a link that logs you in to the people port, once.\n\n{TOKEN_CAUTION}")
@at_the_people_port
def login(open_port: Callable[[Terminal], PeoplePort], *, as_json: bool) -> None:
    """Ask the people port for it."""
    from gateway.cli.approvals.client import read
    from gateway.cli.approvals.terminal import terminal
    from gateway.core.visible_text import visible
    from gateway.people.models import LoginLink
    from gateway.people.sheet.wording import span

    screen = terminal()
    answer = open_port(screen).post("/login-links", {})
    if as_json:
        emit(answer)
        return
    link = read(LoginLink, answer)
    screen.say(visible(link.url))
    screen.say(f"Good once, for {span(link.expires_in_s)}. Whoever opens it is you: give it to nobody.")
