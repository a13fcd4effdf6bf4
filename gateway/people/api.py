"""The JSON API: each function asks the desk one thing. No GET decides anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from durable.holds.refusals import UnknownHold
from durable.holds.status import Status
from gateway.people.errors import PeopleRefusal
from gateway.people.events import HoldChanges
from gateway.people.models import (
    AskRequest,
    CallResolved,
    CallResolveRequest,
    DecisionAnswer,
    DecisionRequest,
    EditRequest,
    Empty,
    Erased,
    EraseRequest,
    GrantPage,
    GrantsQuery,
    HoldPage,
    HoldRow,
    HoldsQuery,
    Me,
    ResolveRequest,
    RevokeRequest,
    Waiting,
)
from gateway.people.reviewing_models import ReviewingModel, ReviewingQuery
from gateway.people.sheet_models import HoldSheetModel
from gateway.people.table import DECIDES, EVENTS, LOOKS, MOVES, STORED, Operation

if TYPE_CHECKING:
    from durable.holds.hold import Hold
    from gateway.desk import Desk
    from gateway.people.events import EventStreams
    from gateway.people.guards import Asgi
    from gateway.people.presenting import Presenter
    from gateway.people.table import Inquiry

PREFIX = "/api/v1"

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_CURSOR = re.compile(r"([0-9]{1,2})-([0-9]{1,15})-([A-Za-z0-9_.:-]{1,128})")


class Api:
    """What the rows of the table run."""

    def __init__(self, desk: Desk, presenter: Presenter, streams: EventStreams) -> None:
        """Take whom to ask and how to say it."""
        self._desk = desk
        self._presenter = presenter
        self._streams = streams
        self._changes = HoldChanges(desk, presenter)

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        return (*self._reading(), *self._deciding())

    def _reading(self) -> tuple[Operation, ...]:
        holds = f"{PREFIX}/holds"
        return (
            Operation(
                name="me", verb="GET", path=f"{PREFIX}/me", summary="Who I am here", run=self._me, answers=Me
            ),
            Operation(
                name="list_holds", verb="GET", path=holds, summary="A page of the queue", run=self._holds,
                query=HoldsQuery, answers=HoldPage, own_codes=STORED,
            ),
            Operation(
                name="count_waiting", verb="GET", path=f"{PREFIX}/waiting", summary="How many calls wait",
                run=self._waiting, answers=Waiting, own_codes=STORED,
            ),
            Operation(
                name="show_hold", verb="GET", path=f"{holds}/{{hold}}",
                summary="Everything about a hold, by id or a unique beginning of it; looking is recorded",
                run=self._sheet, answers=HoldSheetModel,
                own_codes=LOOKS,
            ),
            Operation(
                name="list_grants", verb="GET", path=f"{PREFIX}/grants",
                summary="Approvals that wait for their caller to use them", run=self._grants,
                query=GrantsQuery, answers=GrantPage, own_codes=STORED,
            ),
            Operation(
                name="show_reviewing", verb="GET", path=f"{PREFIX}/reviewing",
                summary="How reviewing goes: by day, how long it takes, who decides, what waits",
                run=self._reviewing, query=ReviewingQuery, answers=ReviewingModel, own_codes=STORED,
            ),
            Operation(
                name="watch_holds", verb="GET", path=f"{PREFIX}/events",
                summary="Server-sent events: `hold` (one that changed), `reload` (some may have been missed)",
                run=self._events, gives=EVENTS, own_codes=frozenset({"overloaded", "draining"}),
            ),
        )  # fmt: skip

    def _deciding(self) -> tuple[Operation, ...]:
        hold = f"{PREFIX}/holds/{{hold}}"
        return (
            Operation(
                name="decide", verb="POST", path=f"{hold}/decision", summary="Approve or deny",
                run=self._decide, body=DecisionRequest, answers=DecisionAnswer, own_codes=DECIDES,
            ),
            Operation(
                name="claim", verb="POST", path=f"{hold}/claim", summary="Say that I am looking at it",
                run=self._claim, body=Empty, answers=HoldRow, own_codes=MOVES,
            ),
            Operation(
                name="ask_colleague", verb="POST", path=f"{hold}/ask",
                summary="Have a colleague look at it; decides nothing", run=self._ask,
                body=AskRequest, answers=HoldRow, own_codes=MOVES | {"hold_not_askable"},
            ),
            Operation(
                name="edit", verb="POST", path=f"{hold}/edit",
                summary="Put other arguments in place; another round of approvals begins", run=self._edit,
                body=EditRequest, answers=HoldRow,
                own_codes=DECIDES | {"invalid_arguments", "invalid_params", "policy_unavailable"},
            ),
            Operation(
                name="resolve", verb="POST", path=f"{hold}/resolve",
                summary="Say what became of a call whose outcome was lost", run=self._resolve,
                body=ResolveRequest, answers=HoldRow, own_codes=MOVES,
            ),
            Operation(
                name="revoke_grant", verb="POST", path=f"{PREFIX}/grants/{{hold}}/revoke",
                summary="Take an unused approval back", run=self._revoke,
                body=RevokeRequest, answers=HoldRow, own_codes=MOVES,
            ),
            Operation(
                name="resolve_call", verb="POST", path=f"{PREFIX}/calls/{{call}}/resolve",
                summary="Say what became of an ordinary call without an outcome in the log",
                run=self._resolve_call, body=CallResolveRequest, answers=CallResolved,
                own_codes=MOVES,
            ),
            Operation(
                name="erase_subject", verb="POST", path=f"{PREFIX}/subjects/erase",
                summary="Destroy what opens a subject's stored values", run=self._erase,
                body=EraseRequest, answers=Erased, own_codes=STORED | {"hold_not_eligible"},
            ),
        )  # fmt: skip

    async def _me(self, asked: Inquiry) -> Me:
        person = asked.known.person
        return Me(
            id=person.id, tenant=person.tenant, names=sorted(person.names), sole=person.sole, how=person.how
        )

    async def _holds(self, asked: Inquiry) -> HoldPage:
        query, person = asked.asked(HoldsQuery), asked.known.person
        holds = await self._desk.queue(
            person, statuses=_statuses(query.status), limit=query.limit, after=after_of(query.after)
        )
        more = len(holds) >= query.limit
        return HoldPage(
            holds=[self._presenter.row(hold, person) for hold in holds],
            next=cursor_of(holds[-1]) if more else None,
        )

    async def _waiting(self, asked: Inquiry) -> Waiting:
        return Waiting(waiting=await self._desk.held_count(asked.known.person))

    async def _sheet(self, asked: Inquiry) -> HoldSheetModel:
        person = asked.known.person
        return self._presenter.sheet(await self._desk.sheet(person, _id(asked)), person)

    async def _grants(self, asked: Inquiry) -> GrantPage:
        person = asked.known.person
        grants = await self._desk.grants(person, limit=asked.asked(GrantsQuery).limit)
        return GrantPage(grants=[self._presenter.row(hold, person) for hold in grants])

    async def _reviewing(self, asked: Inquiry) -> ReviewingModel:
        days = asked.asked(ReviewingQuery).days
        return self._presenter.reviewing(await self._desk.reviewing(asked.known.person, days))

    async def _events(self, asked: Inquiry) -> Asgi:
        return self._streams.open(asked.known, self._changes)

    async def _decide(self, asked: Inquiry) -> DecisionAnswer:
        word, person = asked.asked(DecisionRequest), asked.known.person
        decided = await self._desk.decide(
            person, _id(asked), word.verdict, seen=word.seen, reason=word.reason
        )
        return DecisionAnswer(hold=self._presenter.row(decided.hold, person), counted=decided.counted)

    async def _claim(self, asked: Inquiry) -> HoldRow:
        person = asked.known.person
        return self._presenter.row(await self._desk.claim(person, _id(asked)), person)

    async def _ask(self, asked: Inquiry) -> HoldRow:
        wish, person = asked.asked(AskRequest), asked.known.person
        return self._presenter.row(
            await self._desk.ask(person, _id(asked), wish.whom, note=wish.note), person
        )

    async def _edit(self, asked: Inquiry) -> HoldRow:
        change, person = asked.asked(EditRequest), asked.known.person
        edited = await self._desk.edit(
            person, _id(asked), change.arguments, seen=change.seen, reason=change.reason
        )
        return self._presenter.row(edited, person)

    async def _resolve(self, asked: Inquiry) -> HoldRow:
        found, person = asked.asked(ResolveRequest), asked.known.person
        hold = await self._desk.resolve(person, _id(asked), found.outcome, evidence=found.evidence)
        return self._presenter.row(hold, person)

    async def _resolve_call(self, asked: Inquiry) -> CallResolved:
        found, person = asked.asked(CallResolveRequest), asked.known.person
        call = await self._desk.resolve_call(
            person, _id(asked, "call"), found.outcome, evidence=found.evidence
        )
        return CallResolved(call=call, outcome=found.outcome)

    async def _revoke(self, asked: Inquiry) -> HoldRow:
        person = asked.known.person
        hold = await self._desk.revoke(person, _id(asked), reason=asked.asked(RevokeRequest).reason)
        return self._presenter.row(hold, person)

    async def _erase(self, asked: Inquiry) -> Erased:
        wish = asked.asked(EraseRequest)
        await self._desk.erase(asked.known.person, wish.subject, reason=wish.reason)
        return Erased(subject=wish.subject)


def _id(asked: Inquiry, of: str = "hold") -> str:
    found = asked.path[of]
    if not _ID.fullmatch(found):
        raise UnknownHold(f"no {of} is called like that")
    return found


def _statuses(text: str) -> tuple[Status, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    unknown = [name for name in names if name not in frozenset(Status)]
    if unknown:
        raise PeopleRefusal(
            "invalid_query",
            f"status: no status is called {unknown[0]!r}",
            next_step=f"one of {', '.join(Status)}",
        )
    return tuple(map(Status, names))


def cursor_of(hold: Hold) -> str:
    """Where the page ends that ends with this hold."""
    return f"{hold.requirement.risk}-{hold.expires_ms}-{hold.id}"


def after_of(text: str | None) -> tuple[int, int, str] | None:
    """Risk, expiry and id out of a cursor; refuses what is none."""
    if text is None:
        return None
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise PeopleRefusal("invalid_query", "after: not the `next` of a page", next_step="begin without it")
    return int(found[1]), int(found[2]), found[3]
