"""Who a request of the people port speaks for: a reviewer's token, or a login made with one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from gateway.errors import Unauthenticated
from gateway.people.errors import PeopleRefusal
from gateway.people.sessions import COOKIE, SECURE_COOKIE, PersonKey

if TYPE_CHECKING:
    from durable.holds.hold import Person
    from gateway.people.failures import Failures
    from gateway.people.guards import Head
    from gateway.people.sessions import ReviewerSessions

BY_ITSELF = "toolgate-by-itself"
"""Header of what a page asks for without anybody having done anything."""

_NEXT = "send 'Authorization: Bearer <reviewer token>', or log in with a link from: toolgate login"


class Reviewers(Protocol):
    """Who may decide held calls, as of now."""

    def authenticate(self, authorization: str | None) -> Person:
        """The reviewer of one ``Authorization`` header value; raises Unauthenticated."""
        ...

    def is_agents(self, authorization: str) -> bool:
        """Whether the value looks like an agent's access token; whether it is one is not said."""
        ...

    def person(self, tenant: str, person_id: str) -> Person | None:
        """The reviewer as they are now, or None if they are none any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An authenticated request."""

    person: Person
    session: str = field(default="", repr=False)
    """The cookie's value; empty where a token was sent."""
    authorization: str = field(default="", repr=False)
    """The header's value; empty where a cookie was sent."""

    @property
    def key(self) -> PersonKey:
        """Who it is, for what is kept by person."""
        return PersonKey(self.person.tenant, self.person.id)


class Authentication:
    """From headers to a person. There is no fallback: a wrong token is not made good by a cookie."""

    def __init__(self, reviewers: Reviewers, sessions: ReviewerSessions, failures: Failures) -> None:
        """Take who there is, who is logged in, and who counts what fails."""
        self._reviewers = reviewers
        self._sessions = sessions
        self._failures = failures

    def known(self, head: Head) -> Known:
        """The person behind a request.

        Raises:
            PeopleRefusal: nobody's; in the same words whatever was wrong, except for an agent's token.
        """
        authorization = head.headers.get("authorization")
        if authorization is not None:
            return Known(person=self._by_token(head, authorization), authorization=authorization)
        session = session_of(head)
        # A page that keeps itself in step is no use of the login: nobody need be there.
        by_itself = head.verb == "GET" and BY_ITSELF in head.headers
        person = None if session is None else self._by_session(session, use=not by_itself)
        if session is None or person is None:
            raise self._refused(head)
        return Known(person=person, session=session)

    def still(self, known: Known) -> Person | None:
        """The same person again a while later, without counting it as a use; None: not any more."""
        if known.session:
            return self._by_session(known.session, use=False)
        try:
            return self._reviewers.authenticate(known.authorization)
        except Unauthenticated:
            return None

    def _by_token(self, head: Head, authorization: str) -> Person:
        try:
            return self._reviewers.authenticate(authorization)
        except Unauthenticated as error:
            if self._reviewers.is_agents(authorization):
                refusal = PeopleRefusal(
                    "agent_token",
                    "an agent's access token is no credential here",
                    next_step="a person decides, with a reviewer's token",
                )
                raise self._failures.failed(head.address, refusal) from error
            raise self._refused(head) from error

    def _by_session(self, value: str, *, use: bool) -> Person | None:
        who = self._sessions.find(value, use=use)
        if who is None:
            return None
        person = self._reviewers.person(who.tenant, who.id)
        if person is None:
            self._sessions.end(value)
            return None
        return replace(person, how="session")

    def _refused(self, head: Head) -> PeopleRefusal:
        refusal = PeopleRefusal(
            "unauthenticated",
            "no valid reviewer credential",
            next_step=_NEXT,
            headers={"www-authenticate": 'Bearer realm="toolgate people"'},
        )
        return self._failures.failed(head.address, refusal)


def cookie_name(*, secure: bool) -> str:
    """Of the login, for an encrypted connection or a plain one."""
    return SECURE_COOKIE if secure else COOKIE


def session_of(head: Head) -> str | None:
    """What the browser brought as its login, if it brought exactly one."""
    wanted = cookie_name(secure=head.secure)
    pairs = (pair.partition("=") for pair in head.headers.get("cookie", "").split(";"))
    values = [value.strip() for name, _, value in pairs if name.strip() == wanted]
    return values[0] if len(values) == 1 and values[0] else None
