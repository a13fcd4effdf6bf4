"""The upstreams: whether each can be reached, how it speaks, how long its calls take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.people.calls import upstream_model
from gateway.people.table import HTML, Access, Operation

if TYPE_CHECKING:
    from gateway.desk import UpstreamsDesk
    from gateway.people.guards import Asgi
    from gateway.people.pages.frame import Frame
    from gateway.people.table import Inquiry

ERAS = {"modern": "2026-07-28", "legacy": "session era"}


class Upstreams:
    """The page."""

    def __init__(self, frame: Frame, desk: UpstreamsDesk) -> None:
        """Take whom to ask."""
        self._frame = frame
        self._desk = desk

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        return (
            Operation(
                name="upstreams_page", verb="GET", path="/upstreams", access=Access.LOGIN, gives=HTML,
                summary="Page: every upstream as it is now", run=self._page,
                own_codes=frozenset({"holds_unavailable"}),
            ),
        )  # fmt: skip

    async def _page(self, asked: Inquiry) -> Asgi:
        found = await self._desk.upstreams()
        return await self._frame.answer(
            asked,
            "upstreams.html",
            place="upstreams",
            title="Upstreams",
            upstreams=[upstream_model(one) for one in found],
            eras=ERAS,
        )
