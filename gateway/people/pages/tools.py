"""Definitions: what is pinned, what is kept back and why, what changed, and the word that puts it in use."""

from __future__ import annotations

import json
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse

from durable.errors import DurableError
from durable.pins.state import State
from gateway.errors import GatewayError
from gateway.people.definition_models import (
    PAGE_DEFINITIONS_MAX,
    DefinitionQuery,
    DefinitionsQuery,
    TrustQuery,
)
from gateway.people.definitions import ONE, PINS, needed, row, sheet_model, states_of, trust_model
from gateway.people.errors import refusal_text
from gateway.people.guards import FORM
from gateway.people.pages.forms import PinForm, TrustForm, UnpinForm
from gateway.people.pages.rendering import address
from gateway.people.table import HTML, STORED, Access, Operation

if TYPE_CHECKING:
    from gateway.desk import DefinitionsDesk
    from gateway.people.guards import Asgi
    from gateway.people.pages.frame import Frame
    from gateway.people.table import Inquiry

FORM_BYTES_MAX = 32_768
# What wants a person first.
_ORDER = (State.DRIFTED, State.QUARANTINED, State.NEW, State.UNPINNED, State.PINNED)


SAID = {
    "drifted": "has changed since it was pinned: look at what changed",
    "quarantined": "a scanner found something in it",
    "new": "nobody has looked at it yet",
    "unpinned": "its pin was taken back",
}


class Tools:
    """The pages and their forms."""

    def __init__(self, frame: Frame, desk: DefinitionsDesk) -> None:
        """Take whom to ask."""
        self._frame = frame
        self._desk = desk

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        return (
            Operation(
                name="tools_page", verb="GET", path="/tools", access=Access.LOGIN, gives=HTML,
                summary="Page: definitions and their pins", run=self._list, query=DefinitionsQuery,
                own_codes=STORED,
            ),
            Operation(
                name="tool_page", verb="GET", path="/tools/one", access=Access.LOGIN, gives=HTML,
                summary="Page: a definition, with what differs from its pin", run=self._one,
                query=DefinitionQuery, own_codes=ONE,
            ),
            Operation(
                name="trust_page", verb="GET", path="/tools/trust", access=Access.LOGIN, gives=HTML,
                summary="Page: what trusting an upstream would pin", run=self._summary, query=TrustQuery,
                own_codes=ONE,
            ),
            Operation(
                name="pin_form", verb="POST", path="/tools/pin", access=Access.LOGIN, gives=HTML, status=303,
                summary="Form: vouch for the form that is listed", run=self._pin, body=PinForm, takes=FORM,
                form_bytes_max=FORM_BYTES_MAX, own_codes=PINS,
            ),
            Operation(
                name="unpin_form", verb="POST", path="/tools/unpin", access=Access.LOGIN, gives=HTML,
                status=303, summary="Form: take a pin back", run=self._unpin, body=UnpinForm, takes=FORM,
                form_bytes_max=FORM_BYTES_MAX, own_codes=PINS,
            ),
            Operation(
                name="trust_form", verb="POST", path="/tools/trust", access=Access.LOGIN, gives=HTML,
                status=303, summary="Form: pin everything new and clean of an upstream", run=self._trust,
                body=TrustForm, takes=FORM, own_codes=PINS,
            ),
        )  # fmt: skip

    async def _list(self, asked: Inquiry) -> Asgi:
        query = asked.asked(DefinitionsQuery)
        found = await self._desk.page(
            upstream=query.upstream,
            states=states_of(query.state),
            limit=PAGE_DEFINITIONS_MAX,
            offset=query.offset,
        )
        rows = sorted(
            map(row, found), key=lambda one: (one.upstream, _ORDER.index(one.state), one.kind, one.name)
        )
        return await self._frame.answer(
            asked,
            "tools.html",
            place="tools",
            title="Tools",
            query=query,
            said=SAID,
            states=[(state.value, label) for state, label in _LABELS.items()],
            upstreams=[
                (upstream, list(some), Counter(one.state.value for one in rows if one.upstream == upstream))
                for upstream, some in groupby(rows, key=lambda one: one.upstream)
            ],
            next=query.offset + PAGE_DEFINITIONS_MAX if len(found) == PAGE_DEFINITIONS_MAX else None,
        )

    async def _one(self, asked: Inquiry) -> Asgi:
        query = asked.asked(DefinitionQuery)
        return await self._drawn(
            asked, needed("upstream", query.upstream), needed("name", query.name), query.kind
        )

    async def _drawn(
        self,
        asked: Inquiry,
        upstream: str,
        name: str,
        kind: str | None,
        *,
        problem: str = "",
        reason: str = "",
    ) -> Asgi:
        sheet = sheet_model(await self._desk.sheet(upstream, name, kind))
        return await self._frame.answer(
            asked,
            "tool.html",
            place="tools",
            title=f"{name} of {upstream}",
            status=422 if problem else 200,
            sheet=sheet,
            said=SAID,
            row=sheet.definition,
            listed=json.dumps(sheet.listed, ensure_ascii=False, indent=2),
            pinned=None if sheet.pinned is None else json.dumps(sheet.pinned, ensure_ascii=False, indent=2),
            problem=problem,
            reason=reason,
        )

    async def _summary(self, asked: Inquiry) -> Asgi:
        upstream = needed("upstream", asked.asked(TrustQuery).upstream)
        summary = trust_model(await self._desk.summary(upstream))
        return await self._frame.answer(
            asked, "trust.html", place="tools", title=f"Trust {upstream}", summary=summary
        )

    async def _pin(self, asked: Inquiry) -> Asgi:
        wish = asked.asked(PinForm)
        try:
            await self._desk.pin(
                asked.known.person,
                wish.upstream,
                wish.name,
                wish.kind,
                digest=wish.digest,
                reason=wish.reason,
            )
        except (GatewayError, DurableError) as error:
            return await self._refused(asked, wish, error)
        return _to_one(wish)

    async def _unpin(self, asked: Inquiry) -> Asgi:
        wish = asked.asked(UnpinForm)
        try:
            await self._desk.unpin(
                asked.known.person, wish.upstream, wish.name, wish.kind, reason=wish.reason
            )
        except (GatewayError, DurableError) as error:
            return await self._refused(asked, wish, error)
        return _to_one(wish)

    async def _refused(
        self, asked: Inquiry, wish: PinForm | UnpinForm, error: GatewayError | DurableError
    ) -> Asgi:
        return await self._drawn(
            asked, wish.upstream, wish.name, wish.kind, problem=refusal_text(error), reason=wish.reason
        )

    async def _trust(self, asked: Inquiry) -> Asgi:
        wish = asked.asked(TrustForm)
        await self._desk.trust(asked.known.person, wish.upstream, seen=wish.seen)
        return RedirectResponse(str(address("/tools", upstream=wish.upstream)), status_code=303)


_LABELS = {
    State.DRIFTED: "Changed",
    State.QUARANTINED: "Kept back",
    State.NEW: "New",
    State.UNPINNED: "Taken back",
    State.PINNED: "Pinned",
}


def _to_one(wish: PinForm | UnpinForm) -> Asgi:
    place = address("/tools/one", upstream=wish.upstream, name=wish.name, kind=wish.kind)
    return RedirectResponse(place.unescape(), status_code=303)
