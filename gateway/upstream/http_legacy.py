"""Revisions 2024-11-05 to 2025-11-25 over HTTP: a session per caller, opened by ``initialize``."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any

from gateway.core.canonical import canonical_json
from gateway.errors import UpstreamError, UpstreamGarbled, UpstreamRefused, UpstreamTimeout
from gateway.upstream import messages
from gateway.upstream.http_wire import EVENT_STREAM, POST_HEADERS, StreamPaused
from gateway.upstream.incoming import Incoming
from gateway.upstream.link import list_params, passes
from gateway.upstream.probe import read_initialize
from gateway.upstream.sessions import Session, SessionTable
from gateway.upstream.subscribing import Subscribing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from gateway.background import Background
    from gateway.ports import AskSink, NoticeSink, Reply, Send
    from gateway.upstream.http_wire import HttpWire, OnMessage
    from gateway.upstream.link import LinkEvents
    from gateway.upstream.messages import Answer, Message
    from gateway.upstream.settings import UpstreamSettings

COURTESY_S = 5.0
"""For messages whose loss harms nobody: cancellations, answers to pings, the end of a session."""

FAREWELL_S = 2.0
"""For ending all sessions when the gateway stops."""

STREAM_OPEN_S = 2.0
"""For a caller's stream to be open before its first call is sent."""

STREAM_PAUSE_S = 0.5
"""Between two GET streams of a caller's session; it doubles while they break."""
STREAM_PAUSE_MAX_S = 60.0

RESUMES_MAX = 20
RESUME_PAUSE_S = 1.0

_SESSION_ID = re.compile(r"[!-~]{1,1024}")

# The server understood the method; a 404 with one of these is an answer, not a lost session.
_PROCESSED = frozenset({messages.METHOD_NOT_FOUND, messages.INVALID_PARAMS})


def _nobody_hears(_: int) -> AbstractContextManager[None]:
    return contextlib.nullcontext()


def _level(level: str) -> Callable[[int], bytes]:
    return lambda number: messages.request(number, "logging/setLevel", {"level": level})


class LegacyHttp:
    """Requests, lists and listens within sessions."""

    def __init__(
        self,
        wire: HttpWire,
        settings: UpstreamSettings,
        background: Background,
        *,
        client: Mapping[str, str],
        clock: Callable[[], float],
    ) -> None:
        self._wire = wire
        self._settings = settings
        self._background = background
        self._client = client
        self._clock = clock
        self._sessions = SessionTable(
            sessions_max=settings.sessions_max,
            idle_s=settings.session_idle_s,
            clock=clock,
            incoming=self._incoming,
        )
        # Lists, subscribes and carries the stream; calls without a key use it too.
        self._control = Session(self._incoming, {})
        self.renewed = asyncio.Event()
        """Set when the control session was opened."""
        self.subscribing = Subscribing(wire.party, self._ask_control, background.start, self._updated)
        """Of the control session; whoever subscribed hears of it from there."""
        self._events: LinkEvents | None = None

    def _incoming(self, session: Session) -> Incoming:
        def tell(body: bytes) -> None:
            self._courtesy(session, body, "answer a request of the server")

        return Incoming(self._wire.party, self._background.start, tell)

    async def initialize(self) -> Answer:
        """Start over: end every session and open the control session."""
        self._control.close()
        self._end(self._sessions.clear())
        return await self._handshake(self._control, self._settings.list_timeout_s)

    async def list_page(self, method: str, cursor: str | None, *, deadline_s: float) -> Answer:
        """One page of a list."""

        def body(number: int) -> bytes:
            return messages.request(number, method, list_params(cursor))

        return await self._ask(self._control, body, deadline_s=deadline_s, strict=False)

    async def call(
        self, send: Send, *, deadline_s: float, on_notice: NoticeSink | None, on_ask: AskSink | None
    ) -> Reply:
        """One request in its key's session; leaving early sends ``notifications/cancelled``."""

        def body(number: int) -> bytes:
            return messages.request_for(number, send, {})

        shared = not send.session_key or (self._control.peer is not None and self._control.id is None)
        if shared:
            session = self._control
        else:
            # By all that was declared: two clients of one principal may be able to answer different things.
            told = dict(send.capabilities) if send.asks else {}
            session = self._sessions.take((*send.session_key, canonical_json(told).decode()), told)
        if shared and send.session_key:
            on_ask = None

        def hears(number: int) -> AbstractContextManager[None]:
            return session.incoming.calling(number, send.session_key, on_notice, on_ask)

        end_at_s = self._clock() + deadline_s
        session.in_flight += 1
        try:
            if send.log_level:
                await self._lower_level(session, send.log_level, deadline_s)
            answer = await self._ask(session, body, deadline_s=end_at_s - self._clock(), hears=hears)
        finally:
            session.in_flight -= 1
            if not shared:
                self._end(self._sessions.surplus())
        return messages.reply_of(answer, send, era="legacy", party=self._wire.party)

    async def _lower_level(self, session: Session, level: str, deadline_s: float) -> None:
        """Have the server log from the lowest level up that anybody in this session asked for."""
        end_at_s = self._clock() + deadline_s
        await self._open(session, deadline_s)

        async def tell(wanted: str, within_s: float) -> None:
            await self._ask(session, _level(wanted), deadline_s=within_s)

        if session.peer is not None and session.peer.offers("logging"):
            remaining_s = max(end_at_s - self._clock(), 0.001)
            await session.log_level.lower_to(level, tell, deadline_s=remaining_s, party=self._wire.party)

    async def _ask_control(self, method: str, params: dict[str, Any], deadline_s: float) -> Answer:
        def body(number: int) -> bytes:
            return messages.request(number, method, params)

        return await self._ask(self._control, body, deadline_s=deadline_s)

    def listen_for(self, events: LinkEvents) -> None:
        """Whom to tell of changes, whichever session hears of them."""
        self._events = events
        self._control.incoming.events = events

    def _updated(self, uri: str) -> None:
        if self._events is not None:
            self._events.resource_updated(uri)

    async def open(self) -> None:
        """Make sure that the control session is there."""
        await self._open(self._control, self._settings.list_timeout_s)

    async def listen(self, opened: Callable[[], None]) -> float | None:
        """Read the control session's GET stream until it ends; ``opened()`` is called once it is there.

        Returns:
            The pause before the next attempt that the server asks for, in seconds.

        Raises:
            UpstreamRefused: the server has no such stream.
        """
        return await self._read_stream(self._control, opened=opened)

    async def _read_stream(self, session: Session, *, opened: Callable[[], None]) -> float | None:
        used, headers = session.id, {"Accept": EVENT_STREAM, **session.headers}
        try:
            return await self._wire.listen(headers=headers, on_message=session.incoming.take, opened=opened)
        except UpstreamRefused as refusal:
            if refusal.status != 404 or used is None:
                raise
            if session.id == used:
                session.close()
            return None

    async def _follow(self, session: Session, opened: asyncio.Event) -> None:
        """Read a caller's own stream while its session lasts: the server may log or ask there."""
        pause_s = STREAM_PAUSE_S
        try:
            while session.id is not None:
                asked_s: float | None = None
                try:
                    asked_s = await self._read_stream(session, opened=opened.set)
                    pause_s = STREAM_PAUSE_S
                except UpstreamError as error:
                    if isinstance(error, UpstreamRefused) and not passes(error):
                        return  # It has no such stream; then it says everything on those of the calls.
                    pause_s = min(pause_s * 2, STREAM_PAUSE_MAX_S)
                await asyncio.sleep(min(max(asked_s or 0, pause_s), STREAM_PAUSE_MAX_S))
        finally:
            opened.set()

    async def aclose(self) -> None:
        """End all sessions on the server."""
        sessions = [*self._sessions.clear(), self._control]
        for session in sessions:
            session.leave_stream()
        try:
            async with asyncio.timeout(FAREWELL_S):
                await asyncio.gather(*(self._farewell(session) for session in sessions))
        except TimeoutError:
            return  # The server forgets them by itself.

    async def _ask(
        self,
        session: Session,
        body: Callable[[int], bytes],
        *,
        deadline_s: float,
        hears: Callable[[int], AbstractContextManager[None]] = _nobody_hears,
        strict: bool = True,
    ) -> Answer:
        """Ask within a session; one that the server forgot is opened anew, once.

        Args:
            session: whose session.
            body: the request with this number.
            deadline_s: for everything.
            hears: while inside, what the server says about the request with this number has an audience.
            strict: as for ``read_message``.

        A 404 for a session id means that the request was not processed, so this is no second send.
        """
        end_at_s = self._clock() + deadline_s
        for last in (False, True):
            await self._open(session, end_at_s - self._clock())
            used, number = session.id, self._wire.number()
            try:
                with hears(number):
                    answer = await self._exchange(
                        session, number, body(number), end_at_s - self._clock(), strict=strict
                    )
            except UpstreamRefused as refusal:
                if last or refusal.status != 404 or used is None:
                    raise
            else:
                error = answer.error_object
                forgotten = answer.status == 404 and used is not None and error is not None
                if last or not forgotten or (error is not None and error.code in _PROCESSED):
                    return answer
            if session.id == used:
                session.close()
        raise AssertionError("the second round returns or raises")

    async def _exchange(
        self, session: Session, number: int, body: bytes, deadline_s: float, *, strict: bool
    ) -> Answer:
        async def receiver(message: Message) -> None:
            await session.incoming.take(message, number)

        end_at_s = self._clock() + deadline_s
        headers = {**POST_HEADERS, **session.headers}
        try:
            try:
                return await self._wire.ask(
                    number, body, headers=headers, deadline_s=deadline_s, on_message=receiver, strict=strict
                )
            except StreamPaused as pause:
                return await self._resume(session, number, pause, end_at_s, receiver)
        except asyncio.CancelledError:
            self._cancel(session, number)
            raise
        except UpstreamTimeout as late:
            if late.sent:
                self._cancel(session, number)
            raise

    async def _resume(
        self, session: Session, number: int, pause: StreamPaused, end_at_s: float, receiver: OnMessage
    ) -> Answer:
        """Follow a stream that the server closes on purpose while it works (2025-11-25, polling)."""
        for _ in range(RESUMES_MAX):
            remaining_s = end_at_s - self._clock()
            pause_s = min(RESUME_PAUSE_S if pause.retry_s is None else pause.retry_s, max(remaining_s, 0))
            await asyncio.sleep(pause_s)
            headers = {"Accept": EVENT_STREAM, "Last-Event-ID": pause.last_id, **session.headers}
            try:
                return await self._wire.resume(
                    number,
                    headers=headers,
                    deadline_s=max(end_at_s - self._clock(), 0.001),
                    on_message=receiver,
                )
            except StreamPaused as again:
                pause = again
        raise pause

    async def _open(self, session: Session, deadline_s: float) -> None:
        """Make sure the session is open. What fails here has not sent the caller's request."""
        if session.peer is not None:
            return
        try:
            async with asyncio.timeout(deadline_s), session.opening:
                if session.peer is None:
                    answer = await self._handshake(session, min(deadline_s, self._settings.list_timeout_s))
                    read_initialize(answer, self._wire.party)
        except TimeoutError as error:
            raise UpstreamTimeout(f"{self._wire.party} did not open a session in time", sent=False) from error
        except UpstreamError as error:
            error.sent = False
            raise

    async def _handshake(self, session: Session, deadline_s: float) -> Answer:
        number = self._wire.number()
        params = {
            "protocolVersion": messages.LEGACY_VERSION,
            "capabilities": dict(session.capabilities),
            "clientInfo": self._client,
        }
        body = messages.request(number, "initialize", params)
        answer = await self._wire.ask(number, body, headers=POST_HEADERS, deadline_s=deadline_s)
        if answer.error is not None:
            return answer
        session_id = answer.headers.get("Mcp-Session-Id")
        if session_id is not None and not _SESSION_ID.fullmatch(session_id):
            raise UpstreamGarbled(f"{self._wire.party} named a session id that HTTP cannot carry", sent=True)
        session.open(read_initialize(answer, self._wire.party), session_id)
        try:
            await self._tell(session, messages.notification("notifications/initialized"), deadline_s)
        except BaseException:
            session.close()
            raise
        await self._opened(session)
        return answer

    async def _opened(self, session: Session) -> None:
        """What a session needs beside the handshake, each time it is opened."""
        if told := session.log_level.told:
            # The session before this one was told, and the call that is about to be sent counts on it.
            number = self._wire.number()
            try:
                await self._exchange(session, number, _level(told)(number), COURTESY_S, strict=True)
            except UpstreamError:
                session.log_level.told = ""  # The next call tells it.
        if session is self._control:
            self.renewed.set()
            self.subscribing.again()
            return
        session.incoming.events = self._events
        if session.capabilities and session.id is not None:
            opened = asyncio.Event()
            session.stream = self._background.start(
                self._follow(session, opened), f"{self._wire.party}: a caller's stream"
            )
            # What a server asks while nobody listens there, some servers throw away.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STREAM_OPEN_S):
                    await opened.wait()

    async def _tell(self, session: Session, body: bytes, deadline_s: float) -> None:
        await self._wire.tell(body, headers={**POST_HEADERS, **session.headers}, deadline_s=deadline_s)

    def _cancel(self, session: Session, number: int) -> None:
        params: dict[str, Any] = {"requestId": number, "reason": "The caller no longer waits."}
        self._courtesy(session, messages.notification("notifications/cancelled", params), "cancel a call")

    def _courtesy(self, session: Session, body: bytes, purpose: str) -> None:
        async def deliver() -> None:
            try:
                await self._tell(session, body, COURTESY_S)
            except UpstreamError:
                return  # Best effort by its nature.

        self._background.start(deliver(), f"{self._wire.party}: {purpose}")

    def _end(self, sessions: list[Session]) -> None:
        for session in sessions:
            session.leave_stream()
            if session.id is not None:
                self._background.start(self._farewell(session), f"{self._wire.party}: end a session")

    async def _farewell(self, session: Session) -> None:
        if session.id is None:
            return
        try:
            await self._wire.end(headers=session.headers, deadline_s=COURTESY_S)
        except UpstreamError:
            return  # The server forgets it by itself.
