"""What goes over the people port about how reviewing goes. See ``models.py`` for what all of it shares."""

from __future__ import annotations

from pydantic import Field

from gateway.desk import REVIEWING_DAYS_DEFAULT, REVIEWING_DAYS_MAX
from gateway.people.models import Answer, Asked, Time


class ReviewingQuery(Asked):
    """Of how many days, today among them."""

    days: int = Field(REVIEWING_DAYS_DEFAULT, ge=1, le=REVIEWING_DAYS_MAX)


class ReviewingCounts(Answer):
    """How many calls were held, and how they stand by now. The rest of `held` still waits."""

    held: int
    approved: int
    """They may run, run, or ran."""
    denied: int
    expired: int
    """Nobody decided in time, or an approval was not used."""
    other: int
    """Withdrawn by agent or reviewer, or overtaken: nothing ran."""


class ReviewingDay(ReviewingCounts):
    """The calls that came in on one day."""

    date: str
    """In the gateway's zone: `2026-09-21`."""
    start: Time


class DeciderModel(Answer):
    """How often somebody said yes and no; a no to what was approved already is not among them."""

    person: str
    yes: int
    no: int


class OpenCalls(Answer):
    """What waits for a person now, whenever it came in."""

    high: int
    medium: int
    low: int
    oldest: str
    """Id of the one that has waited longest; empty: none waits."""
    oldest_since: Time | None
    oldest_waits_s: int


class ReviewingModel(Answer):
    """How reviewing goes in the tenant."""

    days: list[ReviewingDay]
    """In order, the last one is today."""
    total: ReviewingCounts
    """Of all these days."""
    approval_rate: float | None
    """Of those approved or denied; null where none was."""
    timed: int
    """Of how many decided calls, the latest, the next two tell."""
    median_ms: int | None
    """From the call to the word that first decided it."""
    p90_ms: int | None
    """Nine of ten were decided by then."""
    deciders: list[DeciderModel]
    """Who said something on these days, who said most first; at most 20."""
    open: OpenCalls
