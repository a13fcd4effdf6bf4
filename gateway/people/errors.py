"""How every refusal reads to people: the only place of this port that knows HTTP statuses.

Matched by ``code``; README.md lists all of them, and a test holds the two together.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from durable.errors import DurableError
from durable.holds.refusals import AmbiguousHold, UnknownHold, WrongStatus
from gateway.errors import GatewayError, InternalFailure
from gateway.people.models import ErrorAnswer, ErrorDetail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STATUS: Mapping[str, int] = MappingProxyType(
    {
        "invalid_body": 400,
        "invalid_query": 400,
        "malformed_message": 400,
        "repeated_header": 400,
        "unauthenticated": 401,
        "agent_token": 403,
        "bearer_only": 403,
        "login_only": 403,
        "hold_not_eligible": 403,
        "login_refused": 403,
        "wrong_form": 403,
        "wrong_origin": 403,
        "unknown_definition": 404,
        "unknown_hold": 404,
        "unknown_route": 404,
        "method_not_allowed": 405,
        "body_timeout": 408,
        "ambiguous_definition": 409,
        "ambiguous_hold": 409,
        "hold_already_voted": 409,
        "hold_changed": 409,
        "hold_claimed": 409,
        "hold_not_askable": 409,
        "hold_refused": 409,
        "hold_seen_stale": 409,
        "hold_unreadable": 409,
        "hold_wrong_status": 409,
        "payload_altered": 409,
        "payload_missing": 409,
        "pin_refused": 409,
        "pin_stale": 409,
        "pin_unreadable": 409,
        "pin_wrong_state": 409,
        "payload_erased": 410,
        "payload_gone": 410,
        "body_too_large": 413,
        "content_type": 415,
        "wrong_host": 421,
        "invalid_arguments": 422,
        "invalid_params": 422,
        "too_many_failures": 429,
        "gateway_error": 500,
        "internal_failure": 500,
        "approvals_unavailable": 503,
        "audit_index_unavailable": 503,
        "audit_unavailable": 503,
        "draining": 503,
        "durable_error": 503,
        "holds_unavailable": 503,
        "overloaded": 503,
        "policy_unavailable": 503,
    }
)
"""An error without a row has the status of the nearest of its bases that has one."""

_RETRY_S = 1
_UNKNOWN = ErrorDetail(
    code=UnknownHold.code, message="no such hold", next="list them with: toolgate approvals ls"
)
"""The same for what does not exist and for what is another tenant's, whichever query found out."""


class PeopleRefusal(Exception):
    """The request is turned away before the desk is asked, or where the port itself has reached a bound."""

    def __init__(
        self,
        code: str,
        reason: str,
        *,
        next_step: str = "",
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep why (one sentence) and what to do about it; ``status`` is the table's if not given."""
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.next_step = next_step
        self.status = STATUS[code] if status is None else status
        self.headers = dict(headers or {})


Told = PeopleRefusal | GatewayError | DurableError
"""Every error that has a face of its own; anything else is a fault of the gateway."""


def face(error: Told) -> tuple[int, ErrorAnswer, dict[str, str]]:
    """Status, body and further headers of a refusal."""
    status = error.status if isinstance(error, PeopleRefusal) else _status(error)
    headers = error.headers if isinstance(error, PeopleRefusal) else {}
    if status == STATUS["overloaded"]:
        headers = {"retry-after": str(_RETRY_S), **headers}
    return status, ErrorAnswer(error=_detail(error)), headers


def refusal_text(error: Told) -> str:
    """A refusal as a page says it, in a sentence or two."""
    detail = face(error)[1].error
    return " ".join(part for part in (f"{detail.message} ({detail.code}).", detail.next) if part)


def fault() -> tuple[int, ErrorAnswer, dict[str, str]]:
    """What is said about an error that nobody expected: nothing of it."""
    return face(
        InternalFailure(
            "the gateway failed at this", next_step="the operator finds the cause in the gateway's log"
        )
    )


def _status(error: Told) -> int:
    return next(STATUS[code] for code in _codes(type(error)) if code in STATUS)


def _codes(kind: type[BaseException]) -> Iterator[str]:
    for one in kind.__mro__:
        code = vars(one).get("code")
        if isinstance(code, str):
            yield code


def _detail(error: Told) -> ErrorDetail:
    if isinstance(error, UnknownHold):
        return _UNKNOWN
    detail = ErrorDetail(code=error.code, message=error.reason, next=error.next_step)
    if isinstance(error, WrongStatus):
        return detail.model_copy(update={"status": error.status, "by": error.by or None})
    if isinstance(error, AmbiguousHold):
        return detail.model_copy(update={"candidates": list(error.candidates)})
    return detail
