"""One held call: everything a person decides by, in the order in which they need it."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from durable.errors import DurableError
from gateway.errors import GatewayError
from gateway.people.definitions import sheet_model
from gateway.people.errors import PeopleRefusal, refusal_text
from gateway.people.pages.forms import AskForm, DecideForm, ResolveForm
from gateway.people.pages.heeding import kept_back_text, warnings_of
from gateway.people.pages.reasons import NAMED_REASONS
from gateway.people.pages.values import arguments_view, changes_view
from gateway.people.sheet.looking import arguments_of, confirmation
from gateway.people.table import HTML, LOOKS, Access, Operation

if TYPE_CHECKING:
    from gateway.desk import DefinitionsDesk, Desk
    from gateway.people.definition_models import DefinitionSheetModel
    from gateway.people.guards import Asgi
    from gateway.people.pages.forms import PageForm
    from gateway.people.pages.frame import Frame
    from gateway.people.pages.second_thoughts import SecondThoughts
    from gateway.people.presenting import Presenter
    from gateway.people.sheet_models import HoldSheetModel
    from gateway.people.table import Inquiry

REFRESH_AFTER_S = 1.0
"""How long after a decision was to take effect a page without a script looks what became of it."""

_ID = re.compile(r"[A-Za-z0-9]{4,64}")
_METHOD_KINDS = {"tools/call": "tool", "prompts/get": "prompt", "resources/read": "resource"}


class HoldPage:
    """The page of one held call."""

    def __init__(
        self,
        frame: Frame,
        desk: Desk,
        definitions: DefinitionsDesk,
        presenter: Presenter,
        thoughts: SecondThoughts,
    ) -> None:
        """Take whom to ask, and how to say it."""
        self._frame = frame
        self._desk = desk
        self._definitions = definitions
        self._presenter = presenter
        self._thoughts = thoughts

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        return (
            Operation(
                name="hold_page", verb="GET", path="/holds/{hold}", access=Access.LOGIN, gives=HTML,
                summary="Page: a held call; looking is recorded", run=self._page,
                own_codes=LOOKS | {"unknown_route"},
            ),
        )  # fmt: skip

    async def _page(self, asked: Inquiry) -> Asgi:
        return await self.drawn(asked, await self.sheet(asked))

    async def sheet(self, asked: Inquiry) -> HoldSheetModel:
        """What there is to say about the call that the address names; looking is recorded."""
        person = asked.known.person
        return self._presenter.sheet(await self._desk.sheet(person, hold_id(asked)), person)

    async def drawn(
        self, asked: Inquiry, sheet: HoldSheetModel, *, problem: str = "", form: PageForm | None = None
    ) -> Asgi:
        """The page; with what was wrong with a form, and what stood in it."""
        known, row = asked.known, sheet.hold
        arguments = arguments_of(sheet)
        waiting = self._thoughts.waiting(row.id)
        failed = self._thoughts.failed(known, row.id)
        mine, left_s = next((pair for pair in waiting if pair[0].by == known.person.id), (None, 0.0))
        typed, typed_what = confirmation(sheet, arguments)
        return await self._frame.answer(
            asked,
            "hold.html",
            place="queue",
            title=f"{row.tool} on {row.upstream}",
            status=422 if problem else 200,
            # Nobody else's page is loaded again: something may be written there.
            refresh_s=left_s + REFRESH_AFTER_S if mine else None,
            left_s=left_s,
            sheet=sheet,
            row=row,
            arguments=arguments,
            view=arguments_view(sheet, arguments),
            changes=changes_view(sheet, arguments) if sheet.original_text else (),
            warnings=warnings_of(sheet, arguments),
            digest=hashlib.sha256(sheet.arguments_text.encode("utf-8", "replace")).hexdigest(),
            size_bytes=len(sheet.arguments_text.encode("utf-8", "replace")),
            kept_back=kept_back_text(row.kept_back),
            definition=await self._definition(sheet),
            pending=[(one.by, one.word.verdict, left) for one, left in waiting],
            mine=mine,
            undo_s=self._thoughts.undo_s,
            failed="" if failed is None else f"Your decision came to nothing: {refusal_text(failed)}",
            problem=problem,
            form=form if isinstance(form, DecideForm) else None,
            ask_form=form if isinstance(form, AskForm) else None,
            resolve_form=form if isinstance(form, ResolveForm) else None,
            typed=typed if row.risk == "high" else "",
            typed_what=typed_what,
            reasons=NAMED_REASONS,
        )

    async def _definition(self, sheet: HoldSheetModel) -> DefinitionSheetModel | None:
        """What differs between the pinned and the listed form, where that is why it is kept back."""
        row = sheet.hold
        kind = _METHOD_KINDS.get(row.method)
        if kind is None or not row.kept_back:
            return None
        try:
            return sheet_model(await self._definitions.sheet(row.upstream, row.tool, kind))
        except (GatewayError, DurableError):
            return None


def hold_id(asked: Inquiry) -> str:
    """Of the address; refuses what can be none."""
    found = asked.path["hold"]
    if not _ID.fullmatch(found):
        raise PeopleRefusal("unknown_route", "nothing is served here")
    return found
