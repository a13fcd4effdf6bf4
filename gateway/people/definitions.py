"""The JSON API of definitions: look, compare, pin, take back. No GET changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable.pins.state import State
from gateway.core.pin_states import why_blocked
from gateway.people.definition_models import (
    EVERY_STATE,
    ChangeModel,
    DefinitionPage,
    DefinitionQuery,
    DefinitionRow,
    DefinitionSheetModel,
    DefinitionsQuery,
    FindingModel,
    PinAnswer,
    PinRequest,
    TrustModel,
    TrustQuery,
    TrustRequest,
    UnpinRequest,
    WordModel,
)
from gateway.people.errors import PeopleRefusal
from gateway.people.presenting import time_text
from gateway.people.sheet_models import Redaction
from gateway.people.table import STORED, Operation

if TYPE_CHECKING:
    from durable.pins.pin import Pin
    from gateway.desk import DefinitionsDesk, DefinitionSheet, TrustSummary
    from gateway.people.table import Inquiry

PREFIX = "/api/v1"
ONE = STORED | {"unknown_definition", "ambiguous_definition", "pin_unreadable"}
PINS = ONE | {"hold_not_eligible", "pin_stale", "pin_wrong_state", "approvals_unavailable"}


class Definitions:
    """What the rows of the table run."""

    def __init__(self, desk: DefinitionsDesk) -> None:
        """Take whom to ask."""
        self._desk = desk

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        base = f"{PREFIX}/definitions"
        return (
            Operation(
                name="list_definitions", verb="GET", path=base, summary="A page of the definitions",
                run=self._page, query=DefinitionsQuery, answers=DefinitionPage, own_codes=STORED,
            ),
            Operation(
                name="show_definition", verb="GET", path=f"{base}/one",
                summary="Everything about a definition, with what differs from its pin",
                run=self._sheet, query=DefinitionQuery, answers=DefinitionSheetModel, own_codes=ONE,
            ),
            Operation(
                name="pin", verb="POST", path=f"{base}/pin", summary="Vouch for the form that is listed",
                run=self._pin, body=PinRequest, answers=PinAnswer, own_codes=PINS,
            ),
            Operation(
                name="unpin", verb="POST", path=f"{base}/unpin", summary="Take a pin back",
                run=self._unpin, body=UnpinRequest, answers=PinAnswer, own_codes=PINS,
            ),
            Operation(
                name="trust_summary", verb="GET", path=f"{base}/trust",
                summary="What trusting an upstream would pin",
                run=self._summary, query=TrustQuery, answers=TrustModel, own_codes=ONE,
            ),
            Operation(
                name="trust", verb="POST", path=f"{base}/trust",
                summary="Pin everything new and clean of an upstream; answers with what is left",
                run=self._trust, body=TrustRequest, answers=TrustModel, own_codes=PINS,
            ),
        )  # fmt: skip

    async def _page(self, asked: Inquiry) -> DefinitionPage:
        query = asked.asked(DefinitionsQuery)
        found = await self._desk.page(
            upstream=query.upstream, states=states_of(query.state), limit=query.limit + 1, offset=query.offset
        )
        more = len(found) > query.limit
        return DefinitionPage(
            definitions=[row(one) for one in found[: query.limit]],
            next=query.offset + query.limit if more else None,
        )

    async def _sheet(self, asked: Inquiry) -> DefinitionSheetModel:
        query = asked.asked(DefinitionQuery)
        sheet = await self._desk.sheet(
            needed("upstream", query.upstream), needed("name", query.name), query.kind
        )
        return sheet_model(sheet)

    async def _pin(self, asked: Inquiry) -> PinAnswer:
        wish = asked.asked(PinRequest)
        pin = await self._desk.pin(
            asked.known.person, wish.upstream, wish.name, wish.kind, digest=wish.digest, reason=wish.reason
        )
        return PinAnswer(definition=row(pin))

    async def _unpin(self, asked: Inquiry) -> PinAnswer:
        wish = asked.asked(UnpinRequest)
        pin = await self._desk.unpin(
            asked.known.person, wish.upstream, wish.name, wish.kind, reason=wish.reason
        )
        return PinAnswer(definition=row(pin))

    async def _summary(self, asked: Inquiry) -> TrustModel:
        upstream = needed("upstream", asked.asked(TrustQuery).upstream)
        return trust_model(await self._desk.summary(upstream))

    async def _trust(self, asked: Inquiry) -> TrustModel:
        wish = asked.asked(TrustRequest)
        return trust_model(await self._desk.trust(asked.known.person, wish.upstream, seen=wish.seen))


def row(pin: Pin) -> DefinitionRow:
    """A pin as it stands in lists."""
    return DefinitionRow(
        upstream=pin.key.upstream,
        kind=pin.key.kind,
        name=pin.key.name,
        state=pin.state,
        digest=pin.digest,
        listed_digest=pin.listed_digest,
        pinned_by=pin.pinned_by,
        pinned=time_text(pin.pinned_ms) if pin.pinned_ms else None,
        first_use=pin.first_use,
        reason=pin.reason,
        why="" if pin.state is State.PINNED else why_blocked(pin)[1],
        rules=sorted({one.rule for one in pin.findings}),
        updated=time_text(pin.updated_ms),
    )


def sheet_model(sheet: DefinitionSheet) -> DefinitionSheetModel:
    """Everything about one definition."""
    return DefinitionSheetModel(
        definition=row(sheet.pin),
        listed=dict(sheet.listed),
        pinned=None if sheet.pinned is None else dict(sheet.pinned),
        findings=[
            FindingModel(
                rule=one.rule,
                reason=one.reason,
                pointer=one.pointer,
                excerpt=one.excerpt,
                severity=one.severity,
            )
            for one in sheet.findings
        ],
        changes=[
            ChangeModel(
                pointer=one.pointer,
                place=one.place,
                what=one.what,
                before=one.before,
                after=one.after,
                words=[WordModel(op=word.op, text=word.text) for word in one.words],
            )
            for one in sheet.diff.changes
        ],
        changes_left_out=sheet.diff.left_out,
        redactions=[Redaction(pointer=pointer, kind=kind) for pointer, kind in sheet.redactions],
        served=sheet.served,
    )


def trust_model(summary: TrustSummary) -> TrustModel:
    """What trusting an upstream would pin."""
    return TrustModel(
        upstream=summary.upstream,
        clean=[row(one) for one in summary.clean],
        counts={state.value: summary.counts.get(state, 0) for state in State},
        seen=summary.seen,
    )


def needed(member: str, value: str | None) -> str:
    """A member of a query that cannot be left out."""
    if value is None:
        raise PeopleRefusal("invalid_query", f"{member}: it is needed", next_step="see /api/v1/openapi.json")
    return value


def states_of(text: str | None) -> tuple[State, ...]:
    """The states that a query names; all, if it names none."""
    if text is None:
        return EVERY_STATE
    names = tuple(dict.fromkeys(text.split(",")))
    unknown = [name for name in names if name not in frozenset(State)]
    if unknown:
        raise PeopleRefusal(
            "invalid_query",
            f"state: no state is called {unknown[0]!r}",
            next_step=f"one of {', '.join(State)}",
        )
    return tuple(map(State, names))
