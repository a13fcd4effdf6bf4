"""Every page put together, and the rows of the table that they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.people.pages.activity import Activity
from gateway.people.pages.assets import Assets
from gateway.people.pages.deciding import Deciding
from gateway.people.pages.frame import Frame
from gateway.people.pages.hold import HoldPage
from gateway.people.pages.queue import Queue
from gateway.people.pages.reviewing import ReviewingPage
from gateway.people.pages.tools import Tools
from gateway.people.pages.upstreams import Upstreams

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.desk import Desks
    from gateway.people.form_tokens import FormTokens
    from gateway.people.pages.rendering import Pages
    from gateway.people.pages.second_thoughts import SecondThoughts
    from gateway.people.presenting import Presenter
    from gateway.people.table import Operation


def page_operations(
    pages: Pages,
    desks: Desks,
    presenter: Presenter,
    *,
    tokens: FormTokens,
    thoughts: SecondThoughts,
    now_ms: Callable[[], int],
) -> tuple[Operation, ...]:
    """The rows of all pages and of their forms."""
    desk = desks.holds
    frame = Frame(pages, desk, tokens, now_ms=now_ms)
    hold = HoldPage(frame, desk, desks.definitions, presenter, thoughts)
    return (
        *Assets().operations(),
        *Queue(frame, desk, presenter).operations(),
        *hold.operations(),
        *Deciding(frame, desk, hold, thoughts).operations(),
        *Tools(frame, desks.definitions).operations(),
        *Activity(frame, desks.activity).operations(),
        *Upstreams(frame, desks.upstreams).operations(),
        *ReviewingPage(frame, desk).operations(),
    )
