"""The people port as one ASGI application: health, the JSON API, the pages, and logging in."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route, Router

from gateway.people.api import PREFIX, Api
from gateway.people.authentication import Authentication
from gateway.people.calls import Calls
from gateway.people.definitions import Definitions
from gateway.people.errors import PeopleRefusal
from gateway.people.events import EventStreams
from gateway.people.failures import Failures
from gateway.people.form_tokens import KEY_BYTES, FormTokens
from gateway.people.guards import HEADERS, Door
from gateway.people.health import health_app
from gateway.people.login import Login
from gateway.people.openapi import document
from gateway.people.pages.composition import page_operations
from gateway.people.pages.rendering import Pages
from gateway.people.pages.second_thoughts import SecondThoughts
from gateway.people.presenting import Presenter
from gateway.people.serving import Serving
from gateway.people.sessions import LoginCodes, ReviewerSessions
from gateway.people.table import Access, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from gateway.desk import Desks
    from gateway.people.authentication import Reviewers
    from gateway.people.guards import Asgi, Message, Receive, Scope, Send
    from gateway.people.health import Readiness
    from gateway.people.settings import PeopleSettings
    from gateway.people.table import Inquiry
    from gateway.ports import AuditTrail


class PeopleApp:
    """What the people port serves. ``close`` before the port is told to stop: it ends the event streams."""

    def __init__(
        self,
        operations: Iterable[Operation],
        *,
        door: Door,
        serving: Serving,
        streams: EventStreams,
        login: Login,
    ) -> None:
        """``operations`` are everything there is."""
        self.login = login
        self.operations = tuple(operations)
        self._door = door
        self._serving = serving
        self._streams = streams
        by_path: dict[str, dict[str, Operation]] = defaultdict(dict)
        for operation in self.operations:
            by_path[operation.path][operation.verb] = operation
        # Without redirects: a framework would make their address up from the Host header.
        self._router = Router(
            routes=[Route(path, serving.at(by_verb)) for path, by_verb in by_path.items()],
            redirect_slashes=False,
            default=self._nothing_there,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; every answer has the headers that keep browsers strict."""
        if scope["type"] != "http":
            return

        async def strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in _HEADERS if pair[0] not in given),
                ]
            await send(message)

        try:
            scope["toolgate.head"] = self._door.open(scope)
        except PeopleRefusal as refusal:
            await self._serving.refusal(refusal)(scope, receive, strictly)
            return
        await self._router(scope, receive, strictly)

    def close(self) -> None:
        """End every event stream; the gateway shuts down."""
        self._streams.close()

    async def _nothing_there(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The same for everybody: which paths there are is no secret, and no credential was looked at.
        refusal = PeopleRefusal(
            "unknown_route", "nothing is served here", next_step="see /api/v1/openapi.json"
        )
        await self._serving.refusal(refusal)(scope, receive, send)


_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


def people_app(
    desks: Desks,
    reviewers: Reviewers,
    audit: AuditTrail,
    settings: PeopleSettings,
    *,
    readiness: Readiness,
    conditions: Readiness,
    version: str,
    listen_host: str,
    listen_port: int,
    clock_s: Callable[[], float],
    now_ms: Callable[[], int],
    random_bytes: Callable[[int], bytes],
    start_task: Callable[[Coroutine[Any, Any, None], str], object],
    refused: Callable[[str], None],
    failed: Callable[[str, BaseException], None],
) -> PeopleApp:
    """Put the people port together.

    Args:
        desks: what people can do and read.
        reviewers: who may.
        audit: where logins are recorded.
        settings: bounds, and the address people use.
        readiness: every part that a call needs, with what is wrong with it.
        conditions: what deserves a look although calls work.
        version: of toolgate.
        listen_host: as the port is bound.
        listen_port: as the port is bound.
        clock_s: only goes on.
        now_ms: the wall clock, milliseconds since the Unix epoch.
        random_bytes: a cryptographic source.
        start_task: owns what goes on after a request was answered.
        refused: told the code of each failed authentication.
        failed: told where and of what error that nobody expected.
    """
    door = Door(settings, listen_host=listen_host, listen_port=listen_port)
    sessions = ReviewerSessions(settings, clock_s=clock_s, random_bytes=random_bytes)
    failures = Failures(per_minute_max=settings.failures_per_minute_max, clock_s=clock_s, refused=refused)
    authentication = Authentication(reviewers, sessions, failures)
    presenter = Presenter(desks.holds, now_ms=now_ms)
    streams = EventStreams(settings, authentication)
    pages = Pages(random_bytes=random_bytes)
    codes = LoginCodes(settings, clock_s=clock_s, random_bytes=random_bytes)
    login = _login(settings, reviewers, codes, sessions, failures, audit, pages)
    tokens = FormTokens(random_bytes(KEY_BYTES))
    thoughts = SecondThoughts(
        desks.holds, authentication, undo_s=settings.undo_s, clock_s=clock_s, start_task=start_task
    )
    described = (
        *_health_operations(health_app(readiness, conditions, version=version, allowed_hosts=door.hosts)),
        *_api(desks, presenter, streams),
        *login.operations(),
        *page_operations(pages, desks, presenter, tokens=tokens, thoughts=thoughts, now_ms=now_ms),
    )
    serving = Serving(door, authentication, pages=pages, tokens=tokens, failed=failed)
    return PeopleApp(
        _with_document(described, version=version), door=door, serving=serving, streams=streams, login=login
    )


def _login(
    settings: PeopleSettings,
    reviewers: Reviewers,
    codes: LoginCodes,
    sessions: ReviewerSessions,
    failures: Failures,
    audit: AuditTrail,
    pages: Pages,
) -> Login:
    return Login(
        settings,
        reviewers=reviewers,
        codes=codes,
        sessions=sessions,
        failures=failures,
        audit=audit,
        pages=pages,
    )


def _api(desks: Desks, presenter: Presenter, streams: EventStreams) -> tuple[Operation, ...]:
    return (
        *Api(desks.holds, presenter, streams).operations(),
        *Definitions(desks.definitions).operations(),
        *Calls(desks.activity, desks.upstreams, streams).operations(),
    )


def _health_operations(health: Asgi) -> tuple[Operation, ...]:
    async def run(_: Inquiry) -> Asgi:
        return health

    alive = Operation(
        name="healthz",
        verb="GET",
        path="/healthz",
        summary="The process answers",
        run=run,
        access=Access.ANYONE,
    )
    ready = Operation(
        name="readyz",
        verb="GET",
        path="/readyz",
        summary="Whether a call can be made, and which part is missing if not (503)",
        run=run,
        access=Access.ANYONE,
        also=(503,),
    )
    return alive, ready


def _with_document(described: tuple[Operation, ...], *, version: str) -> tuple[Operation, ...]:
    """The operations and the document about them all, itself among them."""

    async def run(_: Inquiry) -> Asgi:
        return JSONResponse(found)

    row = Operation(
        name="openapi",
        verb="GET",
        path=f"{PREFIX}/openapi.json",
        summary="This document",
        run=run,
        access=Access.ANYONE,
    )
    operations = (*described, row)
    found = document(operations, version=version)
    return operations
