"""What every page for a person has around it: who they are, where they are, how much waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.people.presenting import time_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from gateway.desk import Desk
    from gateway.people.form_tokens import FormTokens
    from gateway.people.pages.rendering import Pages
    from gateway.people.table import Inquiry

PLACES = (
    ("queue", "/", "Queue"),
    ("tools", "/tools", "Tools"),
    ("activity", "/activity", "Activity"),
    ("upstreams", "/upstreams", "Upstreams"),
    ("reviewing", "/reviewing", "Reviewing"),
)


class Frame:
    """Puts it there."""

    def __init__(self, pages: Pages, desk: Desk, tokens: FormTokens, *, now_ms: Callable[[], int]) -> None:
        """``now_ms`` is the wall clock."""
        self._pages = pages
        self._desk = desk
        self._tokens = tokens
        self._now_ms = now_ms

    def now(self) -> str:
        """RFC 3339."""
        return time_text(self._now_ms())

    async def answer(
        self, asked: Inquiry, template: str, *, place: str, title: str, status: int = 200, **values: Any
    ) -> Response:
        """A page for the person who asks.

        Args:
            asked: the request.
            template: file name.
            place: which of ``PLACES`` it belongs to.
            title: of the page; plain text.
            status: of HTTP.
            values: what the template needs.
        """
        known = asked.known
        return self._pages.answer(
            template,
            status=status,
            me=known.person,
            token=self._tokens.of(known),
            waiting=await self._desk.held_count(known.person),
            places=PLACES,
            place=place,
            title=title,
            now=self.now(),
            **values,
        )
