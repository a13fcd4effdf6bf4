"""What the forms of a held call's page do. Each says no again where the page would have said it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse

from durable.errors import DurableError
from durable.holds.status import Status
from gateway.core.strict_json import read_json
from gateway.errors import GatewayError, InvalidParams
from gateway.people.errors import PeopleRefusal, refusal_text
from gateway.people.guards import FORM
from gateway.people.pages.editing import editable
from gateway.people.pages.forms import (
    AskForm,
    ClaimForm,
    DecideForm,
    EditForm,
    ResolveForm,
    UndoForm,
)
from gateway.people.pages.hold import hold_id
from gateway.people.pages.reasons import told
from gateway.people.pages.second_thoughts import Word
from gateway.people.sheet.looking import arguments_of, confirmation
from gateway.people.table import DECIDES, HTML, LOOKS, MOVES, Access, Operation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.desk import Desk
    from gateway.people.guards import Asgi
    from gateway.people.models import Asked
    from gateway.people.pages.forms import PageForm
    from gateway.people.pages.frame import Frame
    from gateway.people.pages.hold import HoldPage
    from gateway.people.pages.second_thoughts import SecondThoughts
    from gateway.people.sheet_models import HoldSheetModel
    from gateway.people.table import Inquiry

DECISION_FORM_BYTES_MAX = 32_768
EDIT_FORM_BYTES_MAX = 1 << 20

_OPEN_TO = {"approve": {Status.HELD}, "deny": {Status.HELD, Status.APPROVED}}
"""What a word can still be about: an approval that was not used yet can be taken back."""


class Deciding:
    """The forms."""

    def __init__(self, frame: Frame, desk: Desk, page: HoldPage, thoughts: SecondThoughts) -> None:
        """``page`` is what they stand on."""
        self._frame = frame
        self._desk = desk
        self._page = page
        self._thoughts = thoughts

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        return (
            self._form("decide_form", "decide", "Approve or deny; can be taken back for some seconds",
                       self._decide, DecideForm, DECIDES | LOOKS),
            self._form("undo_form", "undo", "Take back a decision that has not taken effect",
                       self._undo, UndoForm, LOOKS),
            self._form("claim_form", "claim", "Say that I am looking at it", self._claim, ClaimForm, MOVES),
            self._form("ask_form", "ask", "Ask another approver", self._ask, AskForm, MOVES),
            self._form("resolve_form", "resolve", "Say what became of a call whose outcome was lost",
                       self._resolve, ResolveForm, MOVES),
            Operation(
                name="edit_page", verb="GET", path="/holds/{hold}/edit", access=Access.LOGIN, gives=HTML,
                summary="Page: other arguments for a held call; looking is recorded", run=self._edit_page,
                own_codes=LOOKS,
            ),
            self._form(
                "edit_form", "edit", "Put other arguments in place; another round begins", self._edit,
                EditForm,
                DECIDES | LOOKS | {"invalid_arguments", "invalid_params", "policy_unavailable"},
                form_bytes_max=EDIT_FORM_BYTES_MAX,
            ),
        )  # fmt: skip

    def _form(
        self,
        name: str,
        verb: str,
        summary: str,
        run: Callable[[Inquiry], Awaitable[Asgi]],
        body: type[Asked],
        codes: frozenset[str],
        *,
        form_bytes_max: int = DECISION_FORM_BYTES_MAX,
    ) -> Operation:
        return Operation(
            name=name, verb="POST", path=f"/holds/{{hold}}/{verb}", summary=f"Form: {summary}", run=run,
            access=Access.LOGIN, body=body, takes=FORM, form_bytes_max=form_bytes_max, gives=HTML, status=303,
            own_codes=codes | {"unknown_route"},
        )  # fmt: skip

    async def _decide(self, asked: Inquiry) -> Asgi:
        form = asked.asked(DecideForm)
        sheet = await self._page.sheet(asked)
        problem = _why_not(sheet, form, me=asked.known.person.id)
        if problem:
            return await self._page.drawn(asked, sheet, problem=problem, form=form)
        reason = told(form.named, form.reason) if form.verdict == "deny" else form.reason
        self._thoughts.give(
            asked.known, sheet.hold.id, Word(verdict=form.verdict, seen=form.seen, reason=reason)
        )
        return _back(sheet.hold.id)

    async def _undo(self, asked: Inquiry) -> Asgi:
        hold = await self._desk.find(asked.known.person, hold_id(asked))
        if self._thoughts.take_back(asked.known, hold.id):
            return _back(hold.id)
        return await self._page.drawn(
            asked,
            await self._page.sheet(asked),
            problem="There is nothing to take back: your decision has taken effect, or you made none.",
        )

    async def _claim(self, asked: Inquiry) -> Asgi:
        return await self._try(asked, self._desk.claim(asked.known.person, hold_id(asked)))

    async def _ask(self, asked: Inquiry) -> Asgi:
        form = asked.asked(AskForm)
        wish = self._desk.ask(asked.known.person, hold_id(asked), form.whom, note=form.note)
        return await self._try(asked, wish, form)

    async def _resolve(self, asked: Inquiry) -> Asgi:
        form = asked.asked(ResolveForm)
        wish = self._desk.resolve(asked.known.person, hold_id(asked), form.outcome, evidence=form.evidence)
        return await self._try(asked, wish, form)

    async def _try(self, asked: Inquiry, wish: Awaitable[Any], form: PageForm | None = None) -> Asgi:
        """Do it, or say on the page itself why it was not done: what the person wrote stays there."""
        try:
            await wish
        except (PeopleRefusal, GatewayError, DurableError) as error:
            return await self._page.drawn(
                asked, await self._page.sheet(asked), problem=refusal_text(error), form=form
            )
        return _back(hold_id(asked))

    async def _edit_page(self, asked: Inquiry) -> Asgi:
        sheet = await self._page.sheet(asked)
        return await self._editor(asked, sheet, editable(sheet.arguments_text))

    async def _edit(self, asked: Inquiry) -> Asgi:
        form = asked.asked(EditForm)
        try:
            value = read_json(form.arguments.encode("utf-8", "surrogatepass"))
            if not isinstance(value, dict):
                raise InvalidParams("the arguments have to be a JSON object")
            await self._desk.edit(
                asked.known.person, hold_id(asked), value, seen=form.seen, reason=form.reason
            )
        except (GatewayError, DurableError) as error:
            sheet = await self._page.sheet(asked)
            return await self._editor(
                asked, sheet, form.arguments, problem=refusal_text(error), reason=form.reason
            )
        return _back(hold_id(asked))

    async def _editor(
        self, asked: Inquiry, sheet: HoldSheetModel, text: str, *, problem: str = "", reason: str = ""
    ) -> Asgi:
        return await self._frame.answer(
            asked,
            "edit.html",
            place="queue",
            title=f"Edit: {sheet.hold.tool} on {sheet.hold.upstream}",
            status=422 if problem else 200,
            sheet=sheet,
            row=sheet.hold,
            obstacle=arguments_of(sheet).obstacle,
            text=text,
            reason=reason,
            problem=problem,
        )


def _why_not(sheet: HoldSheetModel, form: DecideForm, *, me: str) -> str:
    """Why this word cannot count, as far as that can be said at once; empty if it may."""
    row = sheet.hold
    if row.status not in _OPEN_TO[form.verdict]:
        by = f" by {row.reason_by}" if row.reason_by else ""
        return f"Nothing is left to decide: it is {row.status.value.replace('_', ' ')}{by} already."
    if sheet.may_decide:
        return f"You may not decide it: {sheet.may_decide}."
    if form.seen != sheet.seen:
        return "It has changed since you were shown it. Look at it again: this is how it stands now."
    if form.verdict == "deny":
        return ""
    if row.claimed_by not in {"", me}:
        return (
            f"{row.claimed_by} is looking at it. To approve it all the same, say first that you look at it."
        )
    arguments = arguments_of(sheet)
    if arguments.obstacle:
        return f"Nobody can approve what nobody can look at: {arguments.obstacle}."
    if arguments.alarms and form.noticed != "yes":
        return "Say first that you have read what was made visible in the arguments."
    wanted, what = confirmation(sheet, arguments)
    if row.risk == "high" and form.typed.strip() != wanted:
        return f"To approve a call of high risk, type {what} exactly as it is shown."
    return ""


def _back(hold: str) -> Asgi:
    """To the page, by GET: reloading it repeats nothing."""
    return RedirectResponse(f"/holds/{hold}", status_code=303)
