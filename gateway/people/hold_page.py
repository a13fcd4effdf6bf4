"""Where links to a held call lead: how to decide it. It says the same whether there is such a call or not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.people.errors import PeopleRefusal
from gateway.people.pages import page
from gateway.people.table import HTML, Access, Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from gateway.people.table import Inquiry

_ID = re.compile(r"[A-Za-z0-9]{4,64}")


class HoldPage:
    """A page without data: nobody need be logged in, and a preview of it decides nothing."""

    def __init__(self, nonce: Callable[[], str]) -> None:
        """``nonce``: new for every page."""
        self._nonce = nonce

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        return (
            Operation(
                name="hold_page", verb="GET", path="/holds/{hold}", access=Access.ANYONE,
                summary="How to look at a held call and decide it; no data", run=self._page, gives=HTML,
                own_codes=frozenset({"unknown_route"}),
            ),
        )  # fmt: skip

    async def _page(self, asked: Inquiry) -> Response:
        hold = asked.path["hold"]
        if not _ID.fullmatch(hold):
            raise PeopleRefusal("unknown_route", "nothing is served here")
        return page(
            f"Held call {hold}",
            "An agent's call may wait here for a person to decide it. Look at it and decide in a terminal:",
            f"toolgate approvals show {hold}",
            f"toolgate approvals approve {hold}",
            f"toolgate approvals deny {hold} --reason ...",
            nonce=self._nonce(),
        )
