"""What can become of a pin, as a table. What has no row here cannot happen."""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(enum.StrEnum):
    """Of one definition of one upstream. It is offered only while ``PINNED``."""

    NEW = "new"
    """Listed, and nobody has said anything about it."""
    PINNED = "pinned"
    DRIFTED = "drifted"
    """Pinned once, and listed in another form since."""
    QUARANTINED = "quarantined"
    """A scanner found something in it, and no person has said that it may be used all the same."""
    UNPINNED = "unpinned"
    """A person took the pin back."""


class Event(enum.StrEnum):
    """What moves it."""

    APPROVED = "approved"
    """A person vouches for the listed form; of a new and clean one the gateway may, if it is told to."""
    CHANGED = "changed"
    FINDING = "finding"
    WITHDRAWN = "withdrawn"


# Nothing but an approval leads to PINNED, and nothing leads back to NEW: what was pinned once can never
# again be taken for something seen for the first time. A second reviewer's click has no row and is an error.
TRANSITIONS: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        (State.NEW, Event.APPROVED): State.PINNED,
        (State.NEW, Event.FINDING): State.QUARANTINED,
        (State.PINNED, Event.CHANGED): State.DRIFTED,
        (State.PINNED, Event.WITHDRAWN): State.UNPINNED,
        # Only where nobody but the gateway vouched for it: newer rules see more than those of the first day.
        (State.PINNED, Event.FINDING): State.QUARANTINED,
        (State.DRIFTED, Event.APPROVED): State.PINNED,
        (State.DRIFTED, Event.FINDING): State.QUARANTINED,
        (State.QUARANTINED, Event.APPROVED): State.PINNED,
        (State.UNPINNED, Event.APPROVED): State.PINNED,
    }
)
