"""``toolgate audit resolve | erase``: what people write into the log, through the people port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.cli.approvals.access import at_the_people_port, emit

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.approvals.client import PeoplePort
    from gateway.cli.approvals.terminal import Terminal

    OpenPort = Callable[[Terminal], PeoplePort]


@click.command()
@click.argument("call")
@click.option("--outcome", required=True, type=click.Choice(["succeeded", "failed"]))
@click.option("--evidence", required=True, help="how you know")
@at_the_people_port
def resolve(call: str, outcome: str, evidence: str, open_port: OpenPort, *, as_json: bool) -> None:
    """Say what became of a CALL that `audit unresolved` lists. Needs the role operator."""
    from gateway.cli.approvals.client import id_in_path
    from gateway.cli.approvals.terminal import terminal

    answer = open_port(terminal()).post(
        f"/calls/{id_in_path(call)}/resolve", {"outcome": outcome, "evidence": evidence}
    )
    if as_json:
        emit(answer)
    else:
        click.echo(f"call {answer['call'][:12]}: {outcome}, in your name")


@click.command()
@click.argument("subject")
@click.option("--reason", default="", help="why, for the log")
@click.confirmation_option(
    prompt="Stored arguments and results of this subject can never be read again. Erase?"
)
@at_the_people_port
def erase(subject: str, reason: str, open_port: OpenPort, *, as_json: bool) -> None:
    """Destroy what opens the stored values of a SUBJECT. Needs the role operator."""
    from gateway.cli.approvals.terminal import terminal

    answer = open_port(terminal()).post("/subjects/erase", {"subject": subject, "reason": reason})
    if as_json:
        emit(answer)
    else:
        click.echo(f"erased what opens the stored values of {subject}; the entries stay")
