"""``toolgate trust``: pin everything new and clean of one upstream, after a look at what that is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from gateway.cli.approvals.access import at_the_people_port, emit
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.approvals.client import PeoplePort
    from gateway.cli.approvals.terminal import Terminal
    from gateway.people.definition_models import TrustModel

    OpenPort = Callable[[Terminal], PeoplePort]

NAMED_MAX = 12
"""Names in the summary; ``toolgate tools ls`` has them all."""
NAME_CHARACTERS_MAX = 60


@click.command()
@click.argument("upstream")
@click.option("--yes", is_flag=True, help="without a question")
@click.option("--seen", default="", help="of the summary you have looked at; refused if it changed since")
@at_the_people_port
def trust(upstream: str, seen: str, open_port: OpenPort, *, yes: bool, as_json: bool) -> None:
    """Pin every definition of UPSTREAM that is new and in which nothing was found.

    What changed since it was pinned, or has something in it, is never pinned like this: look at each with
    `toolgate tools diff` or `show`. Needs the role operator.
    """
    from gateway.cli.approvals.client import read
    from gateway.cli.approvals.terminal import terminal
    from gateway.people.definition_models import TrustModel

    screen = terminal()
    port = open_port(screen)
    answer = port.get("/definitions/trust", {"upstream": upstream})
    summary = read(TrustModel, answer)
    if not as_json:
        for line in summary_lines(summary):
            screen.say(line)
    if not summary.clean:
        if as_json:
            emit(answer)
        return
    if not yes:
        if as_json or not screen.interactive:
            raise ConfigurationError("nobody was asked; nothing was changed", next_step="add --yes")
        if screen.ask(f"Pin these {len(summary.clean)}? [y/N] ").casefold() not in {"y", "yes"}:
            raise ConfigurationError("nothing was changed")
    done = port.post("/definitions/trust", {"upstream": upstream, "seen": seen or summary.seen})
    if as_json:
        emit(done)
    else:
        screen.say(f"{len(summary.clean)} pinned; {read(TrustModel, done).counts['pinned']} are now", "bold")


def summary_lines(summary: TrustModel) -> list[str]:
    """At most ten lines: what would be pinned, what not, and how to look at that."""
    from gateway.core.visible_text import visible

    upstream, counts = visible(summary.upstream), summary.counts
    kinds = Counter(row.kind.replace("_", " ") for row in summary.clean)
    names = [visible(row.name)[:NAME_CHARACTERS_MAX] for row in summary.clean[:NAMED_MAX]]
    more = f", and {len(summary.clean) - NAMED_MAX} more" if len(summary.clean) > NAMED_MAX else ""
    told = [f"{upstream}: {sum(counts.values())} definitions, {counts['pinned']} pinned"]
    if summary.clean:
        what = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        told += [f"new and clean, would be pinned: {len(summary.clean)} ({what})"]
        told += [f"  {', '.join(names)}{more}"]
    else:
        told += ["nothing is new and clean: there is nothing to pin"]
    for state, verb in (("drifted", "diff"), ("quarantined", "show"), ("unpinned", "show")):
        if counts[state]:
            told.append(f"{state}, would stay as they are: {counts[state]}")
            told.append(f"  toolgate tools ls {upstream} --state {state}, then: toolgate tools {verb} ...")
    return told
