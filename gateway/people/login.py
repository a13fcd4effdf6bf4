"""Logging in with a one-time link. Looking at the link does nothing: chats and mail programs do that, too.

A link is made with a reviewer's token, is good once and for a short while, and turns into a login only by the
button of its page. What is made here is recorded before it is good for anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from gateway.core.record import Record
from gateway.people.authentication import cookie_name, session_of
from gateway.people.errors import PeopleRefusal
from gateway.people.guards import FORM
from gateway.people.models import Empty, LoginForm, LoginLink, LoginQuery
from gateway.people.sessions import PersonKey
from gateway.people.table import HTML, Access, Operation

if TYPE_CHECKING:
    from durable.holds.hold import Person
    from gateway.people.authentication import Reviewers
    from gateway.people.failures import Failures
    from gateway.people.guards import Head
    from gateway.people.pages.rendering import Pages
    from gateway.people.sessions import LoginCodes, ReviewerSessions
    from gateway.people.settings import PeopleSettings
    from gateway.people.table import Inquiry
    from gateway.ports import AuditTrail

HOME, LOGIN, LOGOUT = "/", "/login", "/logout"

_CODE = re.compile(r"[0-9a-f]{64}")
HOW_TO_LOG_IN = "Make a link in a terminal with: toolgate login"


class Login:
    """Links, the page behind them, and what becomes of a login."""

    def __init__(
        self,
        settings: PeopleSettings,
        *,
        reviewers: Reviewers,
        codes: LoginCodes,
        sessions: ReviewerSessions,
        failures: Failures,
        audit: AuditTrail,
        pages: Pages,
    ) -> None:
        """Take who there is, what is kept of logins, and how pages are made."""
        self._settings = settings
        self._reviewers = reviewers
        self._codes = codes
        self._sessions = sessions
        self._failures = failures
        self._audit = audit
        self._pages = pages

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        return (
            Operation(
                name="make_login_link", verb="POST", path="/api/v1/login-links", access=Access.BEARER,
                summary="A link that logs me in once, for a browser of mine", run=self._link,
                body=Empty, answers=LoginLink, own_codes=frozenset({"audit_unavailable"}),
            ),
            Operation(
                name="login_page", verb="GET", path=LOGIN, access=Access.ANYONE,
                summary="A page with one button; does not use the link up", run=self._page,
                query=LoginQuery, gives=HTML,
            ),
            Operation(
                name="log_in", verb="POST", path=LOGIN, access=Access.ANYONE,
                summary="Turn a login code into a login", run=self._enter, body=LoginForm, takes=FORM,
                gives=HTML, status=303,
                own_codes=frozenset(
                    {"login_refused", "too_many_failures", "wrong_origin", "audit_unavailable"}
                ),
            ),
            Operation(
                name="log_out", verb="POST", path=LOGOUT, access=Access.ANYONE, summary="End this login",
                run=self._leave, body=Empty, takes=FORM, gives=HTML, status=303,
                own_codes=frozenset({"wrong_origin"}),
            ),
        )  # fmt: skip

    async def link(self, person: Person, origin: str, *, how: str) -> LoginLink:
        """A link that logs this person in once; ``how`` they proved who they are.

        Raises:
            AuditUnwritable: it could not be recorded, so it was not made.
        """
        who = PersonKey(person.tenant, person.id)
        await self._audit.append(_record("login_link", who, person, how=how))
        code = self._codes.make(who)
        origin = self._settings.public_url or origin
        return LoginLink(url=f"{origin}{LOGIN}?code={code}", expires_in_s=int(self._settings.login_code_s))

    async def _link(self, asked: Inquiry) -> LoginLink:
        return await self.link(asked.known.person, asked.head.own_origin, how="token")

    async def _page(self, asked: Inquiry) -> Response:
        code = asked.asked(LoginQuery).code
        if code is not None and _CODE.fullmatch(code):
            # The same page whether the code is good or not: it tells nobody anything.
            return self._pages.message(
                "Log in to toolgate",
                "This link logs a reviewer in, once. Opening this page has not used it up.",
                form={"action": LOGIN, "label": "Log in", "fields": {"code": code}},
            )
        person = self._logged_in(asked.head)
        if person is None:
            return self._pages.message("Not logged in", HOW_TO_LOG_IN)
        return self._pages.message(
            "Logged in",
            f"You are {person.id} (tenant {person.tenant}).",
            form={"action": LOGOUT, "label": "Log out", "fields": {}},
        )

    async def _enter(self, asked: Inquiry) -> Response:
        head = asked.head
        # Used up before anything is awaited: of two who press the button, one is too late.
        who = self._codes.use_up(asked.asked(LoginForm).code)
        person = None if who is None else self._reviewers.person(who.tenant, who.id)
        if who is None or person is None:
            refusal = PeopleRefusal(
                "login_refused", "this link is used up or too old", next_step=HOW_TO_LOG_IN
            )
            raise self._failures.failed(head.address, refusal)
        await self._audit.append(_record("login", who, person, how="link"))
        before = session_of(head)
        if before is not None:
            self._sessions.end(before)
        return _redirected(head, self._sessions.begin(who), to=HOME)

    async def _leave(self, asked: Inquiry) -> Response:
        session = session_of(asked.head)
        who = None if session is None else self._sessions.end(session)
        if who is not None:
            self._audit.enqueue(Record(kind="logout", tenant=who.tenant, members={"person": who.id}))
        return _redirected(asked.head, None, to=LOGIN)

    def _logged_in(self, head: Head) -> Person | None:
        session = session_of(head)
        who = None if session is None else self._sessions.find(session, use=False)
        return None if who is None else self._reviewers.person(who.tenant, who.id)


def _record(kind: str, who: PersonKey, person: Person, *, how: str) -> Record:
    members = {"person": who.id, "how": how, "single_user": person.sole}
    return Record(kind=kind, tenant=who.tenant, members=members)


def _redirected(head: Head, session: str | None, *, to: str) -> Response:
    """To a page, with a login or without: by a cookie that no script and no other site can use."""
    secure = "; Secure" if head.secure else ""
    value = f"{session}" if session is not None else "gone; Max-Age=0"
    cookie = f"{cookie_name(secure=head.secure)}={value}; Path=/; HttpOnly; SameSite=Strict{secure}"
    return RedirectResponse(to, status_code=303, headers={"set-cookie": cookie})
