"""What agents do now, and one call from intent to outcome."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from durable.holds.refusals import UnknownHold
from gateway.people.call_models import CallsQuery
from gateway.people.calls import READS_LOG, page_model, story_model
from gateway.people.table import HTML, Access, Operation

if TYPE_CHECKING:
    from gateway.desk import ActivityDesk
    from gateway.people.guards import Asgi
    from gateway.people.pages.frame import Frame
    from gateway.people.table import Inquiry

# What a call's own lines say already, or nobody reads.
_TOLD = frozenset({"call", "method", "tool", "upstream", "subject", "agent"})
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class Activity:
    """The pages."""

    def __init__(self, frame: Frame, desk: ActivityDesk) -> None:
        """Take whom to ask."""
        self._frame = frame
        self._desk = desk

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        return (
            Operation(
                name="activity_page", verb="GET", path="/activity", access=Access.LOGIN, gives=HTML,
                summary="Page: what agents do", run=self._list, query=CallsQuery, own_codes=READS_LOG,
            ),
            Operation(
                name="call_page", verb="GET", path="/calls/{call}", access=Access.LOGIN, gives=HTML,
                summary="Page: a call from intent to outcome", run=self._call,
                own_codes=READS_LOG | {"unknown_hold", "ambiguous_hold"},
            ),
        )  # fmt: skip

    async def _list(self, asked: Inquiry) -> Asgi:
        query = asked.asked(CallsQuery)
        page = await self._desk.calls(
            asked.known.person,
            tool=query.tool.strip(),
            subject=query.subject.strip(),
            effect=query.effect,
            before=query.before,
            limit=query.limit,
        )
        return await self._frame.answer(
            asked, "activity.html", place="activity", title="Activity", query=query, page=page_model(page)
        )

    async def _call(self, asked: Inquiry) -> Asgi:
        prefix = asked.path["call"]
        if not _ID.fullmatch(prefix):
            raise UnknownHold("no call is called like that")
        story = story_model(await self._desk.call(asked.known.person, prefix))
        told = [
            (
                entry,
                [
                    (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
                    for name, value in entry.members.items()
                    if name not in _TOLD
                ],
            )
            for entry in story.entries
        ]
        return await self._frame.answer(
            asked,
            "call.html",
            place="activity",
            title=f"{story.call.target or story.call.method}",
            story=story,
            row=story.call,
            entries=told,
        )
