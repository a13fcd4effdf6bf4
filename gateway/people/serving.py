"""One request on its way through the guards to a row of the table, and back as an answer or a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.responses import Response

from durable.errors import DurableError
from gateway.core.strict_json import read_json
from gateway.errors import GatewayError, InvalidParams
from gateway.people.authentication import session_of
from gateway.people.errors import PeopleRefusal, face, fault
from gateway.people.guards import FORM, JSON, check_origin
from gateway.people.login import HOW_TO_LOG_IN
from gateway.people.models import Answer
from gateway.people.pages.forms import PageForm
from gateway.people.table import HTML, Access, Inquiry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.people.authentication import Authentication, Known
    from gateway.people.errors import Told
    from gateway.people.form_tokens import FormTokens
    from gateway.people.guards import Asgi, Door, Head, Receive, Scope, Send
    from gateway.people.models import Asked, ErrorAnswer
    from gateway.people.pages.rendering import Pages
    from gateway.people.table import Operation

FIELDS_MAX = 16
PROBLEMS_MAX = 3


class Serving:
    """What every row has in common."""

    def __init__(
        self,
        door: Door,
        authentication: Authentication,
        *,
        pages: Pages,
        tokens: FormTokens,
        failed: Callable[[str, BaseException], None],
    ) -> None:
        """``failed`` is told where and of what error that nobody expected."""
        self._door = door
        self._authentication = authentication
        self._pages = pages
        self._tokens = tokens
        self._failed = failed

    def at(self, operations: Mapping[str, Operation]) -> Endpoint:
        """What serves one path: its operations by verb."""
        return Endpoint(self, operations)

    async def serve(self, operation: Operation | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; None: the path has no such verb."""
        head: Head = scope["toolgate.head"]
        try:
            answer = await self._answer(operation, scope, receive, head)
        except (PeopleRefusal, GatewayError, DurableError) as error:
            answer = self.refusal(error, html=operation is not None and operation.gives == HTML)
        except Exception as error:  # noqa: BLE001 - whatever it was, the other side is told nothing of it
            self._failed(f"people port: {scope['method']} {scope['path'][:100]}", error)
            answer = self._drawn(fault(), html=operation is not None and operation.gives == HTML)
        await answer(scope, receive, send)

    def refusal(self, error: Told, *, html: bool = False) -> Response:
        """An error as JSON, or as a page where a person sees it."""
        return self._drawn(face(error), html=html)

    def _drawn(self, told: tuple[int, ErrorAnswer, dict[str, str]], *, html: bool) -> Response:
        status, body, headers = told
        if not html:
            return _json(body, status, headers)
        detail = body.error
        if detail.code == "unauthenticated":
            return self._pages.message("Not logged in", HOW_TO_LOG_IN, status=status)
        return self._pages.message(
            "That did not work",
            f"{detail.message} ({detail.code}).",
            detail.next,
            status=status,
            headers=headers,
        )

    async def _answer(self, operation: Operation | None, scope: Scope, receive: Receive, head: Head) -> Asgi:
        if operation is None:
            raise PeopleRefusal(
                "method_not_allowed", "not with this verb", headers={"allow": scope["toolgate.allow"]}
            )
        query = _query(operation, head)
        if operation.access is Access.LOGIN and _led_here(operation, head):
            return self._pages.message("toolgate", "One moment.", refresh_to=_own_address(scope, head))
        changes = operation.verb == "POST"
        if changes or operation.access is not Access.ANYONE:
            check_origin(head, strictly=changes and operation.access is Access.ANYONE)
        who = None if operation.access is Access.ANYONE else self._who(operation, head)
        body = None
        if operation.body is not None:
            text = await self._door.body(
                head, receive, media=operation.takes, form_bytes_max=operation.form_bytes_max
            )
            body = _body(operation, text)
            if isinstance(body, PageForm) and who is not None:
                self._tokens.check(who, body.token)
        found = await operation.run(
            Inquiry(
                scope=scope, head=head, who=who, path=scope.get("path_params", {}), query=query, body=body
            )
        )
        return _json(found, operation.status, {}) if isinstance(found, Answer) else found

    def _who(self, operation: Operation, head: Head) -> Known:
        if operation.access is Access.LOGIN and "authorization" in head.headers:
            raise PeopleRefusal("login_only", "pages are for a browser with a login", next_step=HOW_TO_LOG_IN)
        if operation.access is Access.LOGIN and session_of(head) is None:
            # Who follows a link without a login, as previews in chats do, has not failed at anything.
            raise PeopleRefusal("unauthenticated", "nobody is logged in here", next_step=HOW_TO_LOG_IN)
        who = self._authentication.known(head)
        if who.session and operation.access is Access.BEARER:
            raise PeopleRefusal(
                "bearer_only", "a login cannot ask for this", next_step="send a reviewer's token"
            )
        if who.session and operation.verb == "POST":
            check_origin(head, strictly=True)
        return who


class Endpoint:
    """One path."""

    def __init__(self, serving: Serving, operations: Mapping[str, Operation]) -> None:
        """``operations`` by verb."""
        self._serving = serving
        self._operations = operations
        self._allow = ", ".join(sorted(operations))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the row of the verb and serve it."""
        verb = scope["method"]
        operation = self._operations.get("GET" if verb == "HEAD" else verb)
        if verb == "HEAD" and operation is not None and operation.access is not Access.ANYONE:
            operation = None
        scope["toolgate.allow"] = self._allow
        await self._serving.serve(operation, scope, receive, send)


def _led_here(operation: Operation, head: Head) -> bool:
    """Whether another site's link led here: a browser then keeps the login back, for that first request."""
    site = head.headers.get("sec-fetch-site")
    return operation.verb == "GET" and site in {"cross-site", "same-site"}


def _own_address(scope: Scope, head: Head) -> str:
    query = head.query.decode("ascii", "replace")
    return str(scope["path"]) + (f"?{query}" if query else "")


def _query(operation: Operation, head: Head) -> Asked | None:
    if operation.query is None:
        if head.query:
            # Where tokens end up in other people's logs; nothing here is ever read from it.
            raise PeopleRefusal("invalid_query", "this takes no query string")
        return None
    return _model(operation.query, _fields(head.query, "invalid_query"), "invalid_query", strict=False)


def _body(operation: Operation, body: bytes) -> Asked:
    assert operation.body is not None
    if operation.takes == FORM:
        return _model(operation.body, _fields(body, "invalid_body"), "invalid_body", strict=False)
    try:
        value = read_json(body)
    except InvalidParams as error:
        raise PeopleRefusal("invalid_body", error.reason, next_step=error.next_step) from error
    return _model(operation.body, value, "invalid_body", strict=True)


def _fields(text: bytes, code: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(text),
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError as error:
        raise PeopleRefusal(code, "not well-formed name=value pairs") from error
    if len(dict(pairs)) != len(pairs):
        raise PeopleRefusal(code, "a name stands there twice")
    return dict(pairs)


def _model(kind: type[Asked], value: Any, code: str, *, strict: bool) -> Asked:
    try:
        return kind.model_validate(value, strict=strict)
    except ValidationError as error:
        raise PeopleRefusal(code, _problems(error), next_step="see /api/v1/openapi.json") from error


def _problems(error: ValidationError) -> str:
    """What does not fit, without the values: they may be secrets in the wrong place."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    texts = [
        f"{'.'.join(str(part)[:64] for part in one['loc']) or 'body'}: {one['msg']}"
        for one in found[:PROBLEMS_MAX]
    ]
    return "; ".join(texts)


def _json(answer: Answer, status: int, headers: Mapping[str, str]) -> Response:
    text = answer.model_dump_json(exclude_none=status >= 400)
    return Response(text, status, dict(headers), JSON)
