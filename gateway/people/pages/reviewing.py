"""How reviewing itself goes: how much is held, how much of it is waved through, how long people take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable.holds.hold import RISK_NAMES
from gateway.people.pages.charts import chart_of
from gateway.people.reviewing_models import ReviewingQuery
from gateway.people.sheet.wording import span
from gateway.people.table import HTML, STORED, Access, Operation

if TYPE_CHECKING:
    from gateway.desk import Desk
    from gateway.people.guards import Asgi
    from gateway.people.pages.frame import Frame
    from gateway.people.table import Inquiry

WAVED_THROUGH = 0.98
"""Where nearly everything is approved, people may no longer look, or the rule may hold too much."""
WAVED_THROUGH_CALLS_MIN = 20


class ReviewingPage:
    """The page."""

    def __init__(self, frame: Frame, desk: Desk) -> None:
        """Take whom to ask."""
        self._frame = frame
        self._desk = desk

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        return (
            Operation(
                name="reviewing_page", verb="GET", path="/reviewing", access=Access.LOGIN, gives=HTML,
                summary="Page: how reviewing goes", run=self._page, query=ReviewingQuery, own_codes=STORED,
            ),
        )  # fmt: skip

    async def _page(self, asked: Inquiry) -> Asgi:
        days = asked.asked(ReviewingQuery).days
        found = await self._desk.reviewing(asked.known.person, days)
        total, rate = found.total, found.total.approval_rate
        decided = total.approved + total.denied
        return await self._frame.answer(
            asked,
            "reviewing.html",
            place="reviewing",
            title="Reviewing",
            days=days,
            found=found,
            rate="" if rate is None else f"{rate:.0%}",
            waved_through=rate is not None and rate >= WAVED_THROUGH and decided >= WAVED_THROUGH_CALLS_MIN,
            per_day=f"{total.held / len(found.days):.1f}",
            median=_span(found.median_ms),
            slowest=_span(found.p90_ms),
            open_by_risk=[(RISK_NAMES[risk], count) for risk, count in found.open.by_risk if count],
            chart=chart_of(found.days),
        )


def _span(length_ms: int | None) -> str:
    if length_ms is None:
        return "no call was decided"
    return span(max(1, length_ms // 1_000))
