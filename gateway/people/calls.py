"""The JSON API of calls and upstreams: everything here only looks, and nothing sealed is opened."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from durable.holds.refusals import UnknownHold
from gateway.people.call_models import (
    CallPageModel,
    CallRowModel,
    CallsQuery,
    CallStoryModel,
    FoundModel,
    LatencyModel,
    LinkedHoldModel,
    LogEntryModel,
    ReasonModel,
    UpstreamList,
    UpstreamModel,
)
from gateway.people.events import CallNews
from gateway.people.presenting import time_text
from gateway.people.table import EVENTS, Operation

if TYPE_CHECKING:
    from gateway.core.activity import CallPage, CallRow, CallStory, Found, Latency, UpstreamStanding
    from gateway.desk import ActivityDesk, UpstreamsDesk
    from gateway.people.events import EventStreams
    from gateway.people.guards import Asgi
    from gateway.people.table import Inquiry

PREFIX = "/api/v1"
READS_LOG = frozenset({"audit_unavailable", "audit_index_unavailable"})

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class Calls:
    """What the rows of the table run."""

    def __init__(self, desk: ActivityDesk, upstreams: UpstreamsDesk, streams: EventStreams) -> None:
        """Take whom to ask."""
        self._desk = desk
        self._upstreams_desk = upstreams
        self._streams = streams
        self._news = CallNews(desk)

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        calls = f"{PREFIX}/calls"
        return (
            Operation(
                name="list_calls", verb="GET", path=calls, summary="A page of the calls, newest first",
                run=self._calls, query=CallsQuery, answers=CallPageModel, own_codes=READS_LOG,
            ),
            Operation(
                name="show_call", verb="GET", path=f"{calls}/{{call}}",
                summary="Everything the log says about a call, by id or a unique beginning of it",
                run=self._call, answers=CallStoryModel,
                own_codes=READS_LOG | {"unknown_hold", "ambiguous_hold"},
            ),
            Operation(
                name="watch_calls", verb="GET", path=f"{PREFIX}/activity/events",
                summary="Server-sent events: `reload` (there is more to read; twice a second at most)",
                run=self._events, gives=EVENTS, own_codes=frozenset({"overloaded", "draining"}),
            ),
            Operation(
                name="list_upstreams", verb="GET", path=f"{PREFIX}/upstreams",
                summary="Every upstream: its connection, its definitions, how long its calls take",
                run=self._upstreams, answers=UpstreamList, own_codes=frozenset({"holds_unavailable"}),
            ),
        )  # fmt: skip

    async def _calls(self, asked: Inquiry) -> CallPageModel:
        query = asked.asked(CallsQuery)
        page = await self._desk.calls(
            asked.known.person,
            tool=query.tool,
            subject=query.subject,
            effect=query.effect,
            before=query.before,
            limit=query.limit,
        )
        return page_model(page)

    async def _call(self, asked: Inquiry) -> CallStoryModel:
        prefix = asked.path["call"]
        if not _ID.fullmatch(prefix):
            raise UnknownHold("no call is called like that")
        return story_model(await self._desk.call(asked.known.person, prefix))

    async def _events(self, asked: Inquiry) -> Asgi:
        return self._streams.open(asked.known, self._news)

    async def _upstreams(self, asked: Inquiry) -> UpstreamList:
        found = await self._upstreams_desk.upstreams()
        return UpstreamList(upstreams=[upstream_model(one) for one in found])


def page_model(page: CallPage) -> CallPageModel:
    """A page of calls."""
    return CallPageModel(
        calls=[call_model(row) for row in page.calls],
        next=page.before,
        behind_entries=page.behind_entries,
        behind_reason=page.behind_reason,
    )


def call_model(row: CallRow) -> CallRowModel:
    """A call as it stands in lists."""
    return CallRowModel(
        call=row.call,
        seq=row.seq,
        at=time_text(row.at_ms),
        method=row.method,
        target=row.target,
        subject=row.subject,
        agent=row.agent,
        client=row.client,
        effect=row.effect,
        would=row.would,
        code=row.code,
        status=row.status,
        duration_ms=None if row.duration_us is None else row.duration_us / 1_000,
        is_error=row.is_error,
        hold=row.hold,
        found=dict(row.found),
    )


def story_model(story: CallStory) -> CallStoryModel:
    """Everything about one call."""
    hold = story.hold
    return CallStoryModel(
        call=call_model(story.row),
        entries=[
            LogEntryModel(
                seq=one.seq,
                at=time_text(one.at_ms),
                kind=one.kind,
                members=dict(one.members),
                sealed_bytes=dict(one.sealed_bytes),
            )
            for one in story.entries
        ],
        left_out=story.left_out,
        reasons=[ReasonModel(code=code, rule=rule) for code, rule in story.reasons],
        revision=story.revision,
        definition=story.definition,
        session=story.session,
        workflow=dict(story.workflow),
        before=_found(story.before),
        after=_found(story.after),
        hold=None
        if hold is None
        else LinkedHoldModel(
            id=hold.id, status=hold.status, requested_by=hold.requested_by, ran_as=hold.ran_as
        ),
        view=story.view,
    )


def upstream_model(one: UpstreamStanding) -> UpstreamModel:
    """One upstream."""
    return UpstreamModel(
        id=one.id,
        state=one.state,
        reason=one.reason,
        era=one.era,
        protocol_version=one.protocol_version,
        server=one.server,
        transport=one.transport,
        in_flight=one.in_flight,
        definitions={state.value: count for state, count in one.definitions.items()},
        latency=_latency(one.latency),
    )


def _found(found: Found) -> FoundModel:
    return FoundModel(counts=dict(found.counts), rules=list(found.rules), allowed=dict(found.allowed))


def _latency(latency: Latency) -> LatencyModel:
    return LatencyModel(
        calls=latency.calls,
        p50_ms=_ms(latency.p50_s),
        p95_ms=_ms(latency.p95_s),
        errors=dict(latency.errors),
        newest_age_s=latency.newest_age_s,
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1_000, 3)
