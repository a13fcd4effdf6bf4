"""Small words that several verbs share: time, ids, people. Pure."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from gateway.core.visible_text import visible

if TYPE_CHECKING:
    from gateway.people.models import HoldRow

ID_CHARACTERS = 12
"""Of an id where it is to be typed again: random, so more of it is hardly ever needed."""
SEEN_CHARACTERS_MIN = 16
"""Of the 64 that a decision carries; a shorter beginning says too little about what was seen."""


def span(seconds: int) -> str:
    """A length of time, to two units."""
    if seconds <= 0:
        return "over"
    units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)]
    told: list[str] = []
    left = seconds
    for name, size in units:
        if (count := left // size) or told:
            told.append(f"{count} {name}" if count else "")
            left -= count * size
        if len(told) == 2:
            break
    return " ".join(part for part in told if part)


def clock(time: str) -> str:
    """An RFC 3339 time to the second."""
    return visible(time.partition(".")[0].removesuffix("Z") + "Z").replace("T", " ")


def short(hold_id: str) -> str:
    """The beginning of an id."""
    return visible(hold_id[:ID_CHARACTERS])


def shortest(ids: list[str], least: int = 8) -> int:
    """How many characters tell these ids apart."""
    most = max(map(len, ids), default=least)
    for length in range(least, most):
        if len({one[:length] for one in ids}) == len(set(ids)):
            return length
    return most


def waited_s(row: HoldRow) -> int | None:
    """How long it has been there, by the gateway's clock; None where that cannot be told from the row."""
    if not row.expires_in_s:
        return None
    expires, created = _time(row.expires), _time(row.created)
    if expires is None or created is None:
        return None
    return max(0, int((expires - created).total_seconds()) - row.expires_in_s)


def who(row: HoldRow) -> str:
    """The agent, and for whom."""
    return visible(f"{row.requester.agent} for {row.requester.subject}")


def deciders(row: HoldRow) -> str:
    """Who has to agree."""
    groups = " and ".join(
        "one of " + ", ".join(group) if len(group) > 1 else group[0] for group in row.by if group
    )
    number = f"{row.quorum} different people" if row.quorum > 1 else "one person"
    return visible(f"{number}: {groups}" if groups else number)


def _time(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
