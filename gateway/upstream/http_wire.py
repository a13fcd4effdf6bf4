"""One JSON-RPC request over one POST: the answer as JSON or out of an event stream. No era yet."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NoReturn

import yarl

from gateway.egress import Destination
from gateway.errors import MalformedMessage, UpstreamGarbled, UpstreamGone, UpstreamRefused
from gateway.upstream.messages import answer_to, read_error, read_off_loop
from gateway.upstream.sse import SseParser

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.egress import Egress, HttpAnswer
    from gateway.upstream.messages import Answer, Message
    from gateway.upstream.party import Party
    from gateway.upstream.settings import UpstreamSettings

    OnMessage = Callable[[Message], Awaitable[None]]

EVENT_STREAM = "text/event-stream"
POST_HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}

SILENCE_S = 300.0
"""A stream that stays open but says nothing for this long may be dead; it is opened anew."""

STREAM_EVENT_BYTES_MAX = 1 << 20
"""Of one event on a stream that stays open; notifications are small."""


class StreamPaused(UpstreamGone):
    """The stream ended before the answer, and named an event from which it can be resumed."""

    def __init__(self, reason: str, *, last_id: str, retry_s: float | None) -> None:
        super().__init__(reason, sent=True)
        self.last_id = last_id
        self.retry_s = retry_s


class HttpWire:
    """The endpoint of one upstream, with its credentials and bounds."""

    def __init__(self, party: Party, settings: UpstreamSettings, egress: Egress) -> None:
        assert settings.url is not None
        self.party = party
        self.settings = settings
        self._egress = egress
        self._numbers = itertools.count(1)
        self._destination = Destination(
            party=self.party,
            next_step=f"start it, or fix `url` under upstreams.{party.upstream}",
            url=yarl.URL(settings.url),
            headers=dict(settings.headers),
            connect_timeout_s=settings.connect_timeout_s,
        )

    def number(self) -> int:
        """A request id; never used twice, whatever session or era."""
        return next(self._numbers)

    async def ask(
        self,
        number: int,
        body: bytes,
        *,
        headers: Mapping[str, str],
        deadline_s: float | None,
        on_message: OnMessage | None = None,
        strict: bool = True,
    ) -> Answer:
        """POST a request and wait for its answer.

        Args:
            number: the request's id.
            body: the request.
            headers: of this request, beside the credentials.
            deadline_s: for the whole answer; None for a subscription.
            on_message: gets what else the stream carries, in order.
            strict: as for ``read_message``.

        Raises:
            UpstreamError: of every kind but ``UpstreamNeedsInput``.
        """
        bytes_max = None if deadline_s is None else self.settings.answer_bytes_max
        async with self._egress.exchange(
            self._destination,
            "POST",
            headers=headers,
            deadline_s=deadline_s,
            body=body,
            body_bytes_max=bytes_max,
        ) as answer:
            kind = answer.media_type
            if answer.status == 200 and kind == "application/json":
                return await self._read(number, await answer.read(), answer, strict=strict)
            if answer.status == 200 and kind == EVENT_STREAM:
                idle_s = SILENCE_S if deadline_s is None else None
                return await self._from_stream(number, answer, on_message, strict=strict, idle_s=idle_s)
            return await self._from_failure(number, answer, kind)

    async def resume(
        self, number: int, *, headers: Mapping[str, str], deadline_s: float, on_message: OnMessage | None
    ) -> Answer:
        """GET the rest of a paused stream; ``headers`` name the last event seen."""
        async with self._egress.exchange(
            self._destination,
            "GET",
            headers=headers,
            deadline_s=deadline_s,
            body_bytes_max=self.settings.answer_bytes_max,
        ) as answer:
            if answer.status != 200 or answer.media_type != EVENT_STREAM:
                raise UpstreamGone(f"{self.party} did not resume the stream it paused", sent=True)
            return await self._from_stream(number, answer, on_message, strict=True)

    async def tell(self, body: bytes, *, headers: Mapping[str, str], deadline_s: float) -> int:
        """POST a notification or one of our answers; returns the HTTP status."""
        async with self._egress.exchange(
            self._destination,
            "POST",
            headers=headers,
            deadline_s=deadline_s,
            body=body,
            body_bytes_max=self.settings.answer_bytes_max,
        ) as answer:
            answer.enough()
            return answer.status

    async def end(self, *, headers: Mapping[str, str], deadline_s: float) -> None:
        """DELETE a session."""
        async with self._egress.exchange(
            self._destination, "DELETE", headers=headers, deadline_s=deadline_s, body_bytes_max=1 << 16
        ) as answer:
            answer.enough()

    async def listen(
        self, *, headers: Mapping[str, str], on_message: OnMessage, opened: Callable[[], None]
    ) -> float | None:
        """Read the GET stream until it ends or is silent for too long; ``opened`` is called once it is there.

        Returns:
            The pause the server asks for before the next attempt, in seconds, or None.

        Raises:
            UpstreamRefused: there is no such stream (405), or we may not have it.
        """
        parser = SseParser(event_bytes_max=STREAM_EVENT_BYTES_MAX)
        async with self._egress.exchange(
            self._destination, "GET", headers=headers, deadline_s=None, body_bytes_max=None
        ) as answer:
            if answer.status != 200 or answer.media_type != EVENT_STREAM:
                raise UpstreamRefused(f"{self.party} offers no event stream", sent=True, status=answer.status)
            opened()
            try:
                async for chunk in answer.chunks(idle_s=SILENCE_S):
                    for event in parser.feed(chunk):
                        if event.data:
                            await on_message(await self._message(event.data))
            except MalformedMessage as error:
                raise self._garbled(error) from error
        return parser.retry_s

    async def _read(self, number: int, body: bytes, answer: HttpAnswer, *, strict: bool = True) -> Answer:
        try:
            message = await self._message(body, strict=strict)
        except MalformedMessage as error:
            raise self._garbled(error) from error
        return answer_to(number, message, party=self.party, status=answer.status, headers=answer.headers)

    async def _message(self, body: bytes, *, strict: bool = True) -> Message:
        return await read_off_loop(body, elements_max=self.settings.answer_elements_max, strict=strict)

    async def _from_stream(
        self,
        number: int,
        answer: HttpAnswer,
        on_message: OnMessage | None,
        *,
        strict: bool,
        idle_s: float | None = None,
    ) -> Answer:
        parser = SseParser(event_bytes_max=self.settings.answer_bytes_max)
        found: Answer | None = None
        async for chunk in answer.chunks(idle_s=idle_s):
            try:
                for event in parser.feed(chunk):
                    if not event.data or event.name != "message":
                        continue
                    message = await self._message(event.data, strict=strict)
                    if message.method is not None:
                        if on_message is not None:
                            await on_message(message)
                    elif found is not None:
                        raise UpstreamGarbled(f"{self.party} answered one question twice", sent=True)
                    else:
                        found = answer_to(
                            number, message, party=self.party, status=answer.status, headers=answer.headers
                        )
            except MalformedMessage as error:
                raise self._garbled(error) from error
            if found is not None:
                answer.enough()
                return found
        if parser.last_id:
            raise StreamPaused(
                f"{self.party} ended the stream before the answer",
                last_id=parser.last_id,
                retry_s=parser.retry_s,
            )
        raise UpstreamGone(f"{self.party} ended the stream before the answer", sent=True)

    async def _from_failure(self, number: int, answer: HttpAnswer, kind: str) -> Answer:
        """Anything but 200 with an answer: an error of ours in a body, or a refusal."""
        status = answer.status
        if status < 300:
            self._not_mcp(status, kind)
        words = ""
        if kind == "application/json":
            try:
                message = await self._message(await answer.read())
            except MalformedMessage:
                message = None
            if message is not None and message.error is not None:
                if message.id == number:
                    return answer_to(number, message, party=self.party, status=status, headers=answer.headers)
                words = f": {self.party.says(read_error(message.error).message)}"
        raise UpstreamRefused(
            f"{self.party} answered HTTP {status}{words}",
            sent=True,
            next_step=self._remedy(status),
            status=status,
        )

    def _not_mcp(self, status: int, kind: str) -> NoReturn:
        if kind in {"text/html", "application/xhtml+xml"}:
            raise UpstreamGarbled(
                f"{self.party} answered with a web page, not with MCP",
                sent=True,
                next_step="check the path in `url`, and whether a login page stands in front of it",
            )
        what = f"content type {self.party.says(kind, chars_max=60)!r}" if kind else "nothing"
        raise UpstreamGarbled(f"{self.party} answered HTTP {status} with {what}, not with MCP", sent=True)

    def _garbled(self, error: MalformedMessage) -> UpstreamGarbled:
        return UpstreamGarbled(
            f"{self.party} sent an unusable answer: {self.party.says(error.reason)}", sent=True
        )

    @staticmethod
    def _remedy(status: int) -> str:
        if status in {401, 403}:
            return "check the credentials in its `headers`"
        if status in {404, 405}:
            return "check the path in its `url`"
        return "look into that server's own log"
