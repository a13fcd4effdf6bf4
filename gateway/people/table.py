"""One row for each thing that people can ask: routes and the OpenAPI document come from it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

from gateway.people.guards import FORM_BYTES_MAX, JSON

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.people.authentication import Known
    from gateway.people.guards import Asgi, Head, Scope
    from gateway.people.models import Answer, Asked

HTML = "text/html"
EVENTS = "text/event-stream"
ASSET = "*/*"
"""Style, script or picture of a page; its own type is the file's."""

_Model = TypeVar("_Model")

ALWAYS = frozenset(
    {"repeated_header", "invalid_query", "wrong_host", "method_not_allowed", "internal_failure"}
)
AUTHENTICATED = frozenset({"unauthenticated", "agent_token", "wrong_origin", "too_many_failures"})
WITH_BODY = frozenset({"malformed_message", "invalid_body", "body_timeout", "body_too_large", "content_type"})
STORED = frozenset({"holds_unavailable", "audit_unavailable"})
ONE_HOLD = STORED | {"unknown_hold"}
LOOKS = ONE_HOLD | {"ambiguous_hold", "payload_erased", "payload_missing", "payload_altered", "payload_gone"}
MOVES = ONE_HOLD | {"hold_not_eligible", "hold_wrong_status", "hold_changed"}
DECIDES = MOVES | {"hold_seen_stale", "hold_already_voted", "hold_claimed"}


class Access(enum.Enum):
    """Who may ask."""

    ANYONE = "anyone"
    PERSON = "person"
    """A reviewer, by token or login."""
    BEARER = "bearer"
    """A reviewer, by token only."""
    LOGIN = "login"
    """A reviewer in a browser: by login only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """One request that passed every guard."""

    scope: Scope
    head: Head
    who: Known | None
    path: Mapping[str, str]
    query: Asked | None
    body: Asked | None

    @property
    def known(self) -> Known:
        """Who asks, where the row says that somebody must be known."""
        assert self.who is not None
        return self.who

    def asked(self, kind: type[_Model]) -> _Model:
        """Body or query, which is of the kind the row says."""
        found = self.body if isinstance(self.body, kind) else self.query
        assert isinstance(found, kind)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What can be asked, by whom, with what, and what comes back."""

    name: str
    verb: Literal["GET", "POST"]
    path: str
    summary: str
    run: Callable[[Inquiry], Awaitable[Answer | Asgi]]
    access: Access = Access.PERSON
    query: type[Asked] | None = None
    body: type[Asked] | None = None
    takes: str = JSON
    """Content type of the body, if there is one."""
    form_bytes_max: int = FORM_BYTES_MAX
    """Of a body that is a form."""
    answers: type[Answer] | None = None
    """None: not one of our models; ``gives`` says what it is."""
    gives: str = JSON
    status: int = 200
    also: tuple[int, ...] = ()
    """Other statuses with an answer of the same kind."""
    own_codes: frozenset[str] = field(default=frozenset())
    """Of refusals, beyond those that its access and its body bring with them."""

    @property
    def in_document(self) -> bool:
        """Whether the OpenAPI document tells of it: pages and what they are drawn with are no API."""
        return self.access is not Access.LOGIN and self.gives != ASSET

    @property
    def codes(self) -> frozenset[str]:
        """Every code this can be refused with that is worth telling beforehand."""
        return (
            ALWAYS
            | self.own_codes
            | (frozenset() if self.access is Access.ANYONE else AUTHENTICATED)
            | ({"bearer_only"} if self.access is Access.BEARER else frozenset())
            | ({"login_only"} if self.access is Access.LOGIN else frozenset())
            | ({"wrong_form"} if self.access is Access.LOGIN and self.body is not None else frozenset())
            | (frozenset() if self.body is None else WITH_BODY)
        )
