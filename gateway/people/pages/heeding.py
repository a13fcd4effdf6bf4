"""What nobody may miss about a held call, before they read any of it. Pure: facts that others established."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.people.sheet.looking import Arguments
    from gateway.people.sheet_models import HoldSheetModel

ALARMS_MAX = 3
"""Kinds of hidden characters that are named one by one."""

KEPT_BACK = {
    "definition_drifted": "Its tool's definition has changed since it was pinned.",
    "definition_quarantined": "A scanner found something in its tool's definition.",
    "definition_unpinned": "The pin of its tool's definition was taken back.",
    "definition_new": "Nobody has pinned its tool's definition yet.",
}
"""By code; the page of definitions tells more."""

LABELS = {
    "untrusted-content": "This session has read content that nobody vouches for.",
    "private-data": "This session has read personal data.",
    "secret-seen": "A secret has passed through this session.",
}
TELLING = frozenset(
    {"near_value", "definition_changed", "larger_number", "first_host", "much_longer", "denied_before"}
)
"""Of what is unusual: what deserves a look before anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warning:  # noqa: A001 - the word of the page
    """One of them."""

    text: str
    anchor: str
    """Id of the part of the page that tells more."""


def kept_back_text(kept_back: str) -> str:
    """A sentence about why a definition is kept back; as it was given, if its code has none."""
    return KEPT_BACK.get(kept_back.partition(":")[0], kept_back)


def warnings_of(sheet: HoldSheetModel, arguments: Arguments) -> tuple[Warning, ...]:
    """The most telling first."""
    return tuple(_found(sheet, arguments))


def _found(sheet: HoldSheetModel, arguments: Arguments) -> Iterator[Warning]:
    if arguments.obstacle:
        yield Warning(
            text=f"It cannot be looked at, so nobody can approve it: {arguments.obstacle}", anchor="arguments"
        )
    if sheet.hold.kept_back:
        yield Warning(
            text=f"{kept_back_text(sheet.hold.kept_back)} The call does not run before somebody pins it.",
            anchor="definition",
        )
    for one in sheet.unusual:
        if one.code in TELLING and not (one.code == "definition_changed" and sheet.hold.kept_back):
            yield Warning(text=one.text, anchor="risk")
    yield from _hidden(arguments)
    for label in sheet.trail.labels:
        yield Warning(text=LABELS.get(label, f"This session is labelled {label}."), anchor="trail")


def _hidden(arguments: Arguments) -> Iterator[Warning]:
    told = sorted(arguments.alarms.items(), key=lambda one: (-one[1], one[0]))
    if not told:
        return
    names = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in told[:ALARMS_MAX])
    more = f", and {len(told) - ALARMS_MAX} more kinds" if len(told) > ALARMS_MAX else ""
    places = sum(arguments.alarms.values())
    yield Warning(
        text=f"Hides or misleads in {places} {'place' if places == 1 else 'places'}, made visible below: "
        f"{names}{more}",
        anchor="arguments",
    )
