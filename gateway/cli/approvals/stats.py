"""``toolgate approvals stats``: how reviewing goes, as a small table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.cli.approvals.access import at_the_people_port, emit
from gateway.desk import REVIEWING_DAYS_DEFAULT, REVIEWING_DAYS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.table import Table

    from gateway.cli.approvals.client import PeoplePort
    from gateway.cli.approvals.terminal import Terminal
    from gateway.people.reviewing_models import ReviewingModel

_COUNTS = ("held", "approved", "denied", "expired", "other")


@click.command()
@click.option(
    "--days",
    default=REVIEWING_DAYS_DEFAULT,
    show_default=True,
    type=click.IntRange(1, REVIEWING_DAYS_MAX),
    help="of how many days, today among them",
)
@at_the_people_port
def stats(days: int, open_port: Callable[[Terminal], PeoplePort], *, as_json: bool) -> None:
    """Tell how reviewing goes: what became of the calls of each day, how long it took, who decides.

    A call counts on the day it came in, as it stands now; `other` was withdrawn or overtaken, and the rest
    of `held` still waits. Days are those of the gateway's zone.
    """
    from gateway.cli.approvals.client import read
    from gateway.cli.approvals.terminal import terminal
    from gateway.people.reviewing_models import ReviewingModel

    screen = terminal()
    answer = open_port(screen).get("/reviewing", {"days": days})
    if as_json:
        emit(answer)
        return
    found = read(ReviewingModel, answer)
    if found.total.held:
        screen.print(day_table(found))
    for sentence in sentences(found):
        screen.say(sentence)
    if found.deciders:
        screen.print(decider_table(found))


def day_table(found: ReviewingModel) -> Table:
    """A row for each day on which calls came in, and their sum."""
    table = _table("day", *_COUNTS)
    for day in found.days:
        if day.held:
            table.add_row(day.date, *(str(getattr(day, name)) for name in _COUNTS))
    table.add_row("in all", *(str(getattr(found.total, name)) for name in _COUNTS), style="bold")
    return table


def decider_table(found: ReviewingModel) -> Table:
    """Who said how often what."""
    from gateway.cli.approvals.paper import shown

    table = _table("reviewer", "yes", "no")
    for one in found.deciders:
        table.add_row(shown(one.person), str(one.yes), str(one.no))
    return table


def sentences(found: ReviewingModel) -> Iterator[str]:
    """What is no table: how many were approved, how long it takes, what waits."""
    from durable.holds.reviewing import TIMED_MAX
    from gateway.people.sheet.wording import clock, short, span

    quiet = sum(not day.held for day in found.days)
    if quiet == len(found.days):
        yield f"no call was held in {_days(quiet)}"
    elif quiet:
        yield f"without a held call, and not listed: {_days(quiet)}"
    if found.approval_rate is not None:
        said = found.total.approved + found.total.denied
        yield f"approved: {found.approval_rate:.0%} of {said:,} that people decided"
    if found.median_ms is not None and found.p90_ms is not None:
        latest = f" (of the latest {found.timed:,})" if found.timed == TIMED_MAX else ""
        half, most = _took(found.median_ms), _took(found.p90_ms)
        yield f"decided: half within {half}, nine of ten within {most}{latest}"
    now = found.open
    waits = now.high + now.medium + now.low
    if not waits or now.oldest_since is None:
        yield "waiting now: none"
        return
    by_risk = f"{now.high:,} high, {now.medium:,} medium, {now.low:,} low"
    age = span(max(now.oldest_waits_s, 1))
    yield f"waiting now: {by_risk}; longest {short(now.oldest)}, {age}, since {clock(now.oldest_since)}"


def _took(took_ms: int) -> str:
    from gateway.people.sheet.wording import span

    return span(-(-took_ms // 1_000)) if took_ms else "no time"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _table(first: str, *counts: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(first, overflow="fold")
    for name in counts:
        table.add_column(name, justify="right", no_wrap=True)
    return table
