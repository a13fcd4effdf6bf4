"""Revisions 2024-11-05 to 2025-11-25 over HTTP: a session per caller, opened by ``initialize``."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from gateway.errors import UpstreamError, UpstreamGarbled, UpstreamRefused, UpstreamTimeout
from gateway.upstream import messages
from gateway.upstream.http_wire import EVENT_STREAM, POST_HEADERS, StreamPaused
from gateway.upstream.link import list_params
from gateway.upstream.probe import read_initialize
from gateway.upstream.sessions import Session, SessionTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.background import Background
    from gateway.ports import ProgressSink, ToolReply, ToolSend
    from gateway.upstream.http_wire import HttpWire, OnMessage
    from gateway.upstream.messages import Answer, Message
    from gateway.upstream.settings import UpstreamSettings

COURTESY_S = 5.0
"""For messages whose loss harms nobody: cancellations, answers to pings, the end of a session."""

FAREWELL_S = 2.0
"""For ending all sessions when the gateway stops."""

REQUESTS_SERVED_MAX = 64
"""Requests of the server that are answered during one call; further ones are ignored."""

RESUMES_MAX = 20
RESUME_PAUSE_S = 1.0

_SESSION_ID = re.compile(r"[!-~]{1,1024}")

# The server understood the method; a 404 with one of these is an answer, not a lost session.
_PROCESSED = frozenset({messages.METHOD_NOT_FOUND, messages.INVALID_PARAMS})


class LegacyHttp:
    """Calls, lists and listens within sessions."""

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
            sessions_max=settings.sessions_max, idle_s=settings.session_idle_s, clock=clock
        )
        # Lists tools and carries the stream; calls without a key use it too.
        self._control = Session()
        self._on_changed: Callable[[], None] | None = None

    async def initialize(self) -> Answer:
        """Start over: end every session and open the control session."""
        self._control.close()
        self._end(self._sessions.clear())
        return await self._handshake(self._control, self._settings.list_timeout_s)

    async def list_page(self, cursor: str | None, *, deadline_s: float) -> Answer:
        """One page of ``tools/list``."""

        def body(number: int) -> bytes:
            return messages.request(number, "tools/list", list_params(cursor))

        return await self._ask(self._control, body, deadline_s=deadline_s, strict=False)

    async def call_tool(
        self, send: ToolSend, *, deadline_s: float, on_progress: ProgressSink | None
    ) -> ToolReply:
        """One call in its key's session; leaving early sends ``notifications/cancelled``."""

        def body(number: int) -> bytes:
            return messages.tool_call(number, send, {})

        shared = not send.session_key or (self._control.peer is not None and self._control.id is None)
        session = self._control if shared else self._sessions.take(send.session_key)
        session.in_flight += 1
        try:
            answer = await self._ask(session, body, deadline_s=deadline_s, on_progress=on_progress)
        finally:
            session.in_flight -= 1
            if not shared:
                self._end(self._sessions.surplus())
        return messages.tool_reply(answer, era="legacy", party=self._wire.party)

    async def listen(self, on_changed: Callable[[], None]) -> float | None:
        """Read the control session's GET stream until it ends.

        Returns:
            The pause before the next attempt that the server asks for, in seconds.

        Raises:
            UpstreamRefused: the server has no such stream.
        """
        self._on_changed = on_changed
        await self._open(self._control, self._settings.list_timeout_s)
        headers = {"Accept": EVENT_STREAM, **self._control.headers}
        try:
            return await self._wire.listen(headers=headers, on_message=self._receiver(self._control, 0, None))
        except UpstreamRefused as refusal:
            if refusal.status == 404 and self._control.id is not None:
                self._control.close()
                return None
            raise

    async def aclose(self) -> None:
        """End all sessions on the server."""
        sessions = [*self._sessions.clear(), self._control]
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
        on_progress: ProgressSink | None = None,
        strict: bool = True,
    ) -> Answer:
        """Ask within a session; one that the server forgot is opened anew, once.

        A 404 for a session id means that the request was not processed, so this is no second send.
        """
        end_at_s = self._clock() + deadline_s
        for last in (False, True):
            await self._open(session, end_at_s - self._clock())
            used, number = session.id, self._wire.number()
            try:
                answer = await self._exchange(
                    session, number, body(number), end_at_s - self._clock(), on_progress, strict=strict
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
        self,
        session: Session,
        number: int,
        body: bytes,
        deadline_s: float,
        on_progress: ProgressSink | None,
        *,
        strict: bool,
    ) -> Answer:
        receiver = self._receiver(session, number, on_progress)
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
            "capabilities": {},
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
        return answer

    async def _tell(self, session: Session, body: bytes, deadline_s: float) -> None:
        await self._wire.tell(body, headers={**POST_HEADERS, **session.headers}, deadline_s=deadline_s)

    def _receiver(self, session: Session, number: int, on_progress: ProgressSink | None) -> OnMessage:
        served = 0

        async def take(message: Message) -> None:
            nonlocal served
            if message.method == messages.TOOLS_CHANGED:
                if self._on_changed is not None:
                    self._on_changed()
            elif message.id is not None:
                served += 1
                if served <= REQUESTS_SERVED_MAX or number == 0:
                    self._courtesy(session, messages.reply_to(message), "answer a request of the server")
                return
            progress = messages.progress_of(message) if on_progress is not None else None
            if on_progress is not None and progress is not None and progress[0] == number:
                await on_progress(progress[1])

        return take

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
            if session.id is not None:
                self._background.start(self._farewell(session), f"{self._wire.party}: end a session")

    async def _farewell(self, session: Session) -> None:
        if session.id is None:
            return
        try:
            await self._wire.end(headers=session.headers, deadline_s=COURTESY_S)
        except UpstreamError:
            return  # The server forgets it by itself.
