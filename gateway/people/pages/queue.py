"""The queue: what waits for a person, risk first, then time left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from durable.holds.status import Status
from gateway.people.api import after_of, cursor_of
from gateway.people.models import Asked
from gateway.people.table import HTML, STORED, Access, Operation

if TYPE_CHECKING:
    from durable.holds.hold import Hold, Person
    from gateway.desk import Desk
    from gateway.people.guards import Asgi
    from gateway.people.pages.frame import Frame
    from gateway.people.presenting import Presenter
    from gateway.people.table import Inquiry

ROWS_MAX = 500
DESK_ROWS_MAX = 200

VIEWS: dict[str, tuple[str, tuple[Status, ...]]] = {
    "waiting": ("Waiting", (Status.HELD,)),
    "approved": ("Approved, not run yet", (Status.APPROVED, Status.EXECUTING)),
    "unknown": ("Outcome unknown", (Status.OUTCOME_UNKNOWN,)),
    "over": (
        "Over",
        (
            Status.SUCCEEDED,
            Status.FAILED,
            Status.DENIED,
            Status.EXPIRED,
            Status.CANCELLED,
            Status.INVALIDATED,
        ),
    ),
}


class QueueQuery(Asked):
    """Which part of the queue."""

    view: str = Field("waiting", pattern="^(waiting|approved|unknown|over)$")
    after: str | None = Field(None, max_length=200)


class Queue:
    """The first page."""

    def __init__(self, frame: Frame, desk: Desk, presenter: Presenter) -> None:
        """Take whom to ask, and how to say it."""
        self._frame = frame
        self._desk = desk
        self._presenter = presenter

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        return (
            Operation(
                name="queue_page", verb="GET", path="/", access=Access.LOGIN, gives=HTML,
                summary="Page: the queue", run=self._page, query=QueueQuery, own_codes=STORED,
            ),
        )  # fmt: skip

    async def _page(self, asked: Inquiry) -> Asgi:
        query, person = asked.asked(QueueQuery), asked.known.person
        name, statuses = VIEWS[query.view]
        holds = await self._holds(person, statuses, after_of(query.after))
        return await self._frame.answer(
            asked,
            "queue.html",
            place="queue",
            title="Queue" if query.view == "waiting" else name,
            views=[(key, label) for key, (label, _) in VIEWS.items()],
            view=query.view,
            rows=[self._presenter.row(hold, person) for hold in holds],
            next=cursor_of(holds[-1]) if len(holds) >= ROWS_MAX else None,
        )

    async def _holds(
        self, person: Person, statuses: tuple[Status, ...], after: tuple[int, int, str] | None
    ) -> list[Hold]:
        found: list[Hold] = []
        while len(found) < ROWS_MAX:
            limit = min(DESK_ROWS_MAX, ROWS_MAX - len(found))
            some = await self._desk.queue(person, statuses=statuses, limit=limit, after=after)
            found += some
            if len(some) < limit:
                break
            last = some[-1]
            after = (last.requirement.risk, last.expires_ms, last.id)
        return found
