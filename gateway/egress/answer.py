"""What comes back: status, headers and a body that is read within its bound or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp

from gateway.egress.destination import origin_of
from gateway.errors import UpstreamGarbled, UpstreamGone, UpstreamRefused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping

    from gateway.egress.destination import Destination

DRAIN_S = 1.0
DRAIN_BYTES_MAX = 64 << 10


class StartTask(Protocol):
    """``Background.start``: runs what may outlive the exchange."""

    def __call__(self, coro: Coroutine[Any, Any, None], name: str) -> object:
        """Start it, or close it unstarted."""
        ...


class HttpAnswer:
    """Status, headers and a bounded body."""

    __slots__ = ("_body_bytes_max", "_destination", "_ended", "_response", "headers", "status")

    def __init__(
        self, response: aiohttp.ClientResponse, destination: Destination, body_bytes_max: int | None
    ) -> None:
        self._response = response
        self._destination = destination
        self._body_bytes_max = body_bytes_max
        self._ended = False
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def media_type(self) -> str:
        """Lower case, without parameters; empty when there is none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self, *, idle_s: float | None = None) -> AsyncIterator[bytes]:
        """The body as it arrives; ends early once nothing came for ``idle_s`` seconds.

        Raises:
            UpstreamGarbled: more than the bound.
            UpstreamGone: the connection ended before the body did.
        """
        limit = self._body_bytes_max
        length = self._response.content_length
        if limit is not None and length is not None and length > limit:
            raise self._too_large(limit)
        received = 0
        content = self._response.content
        while True:
            try:
                chunk = await (content.readany() if idle_s is None else _within(idle_s, content))
            except (aiohttp.ClientError, OSError) as error:
                raise UpstreamGone(
                    f"{self._destination.party} ended the connection before its answer was complete",
                    sent=True,
                ) from error
            if not chunk:
                return
            received += len(chunk)
            if limit is not None and received > limit:
                raise self._too_large(limit)
            yield chunk

    def enough(self) -> None:
        """Nothing more is needed of the body; its end is awaited elsewhere, to reuse the connection."""
        self._ended = True

    def _too_large(self, limit: int) -> UpstreamGarbled:
        return UpstreamGarbled(
            f"{self._destination.party} sent an answer larger than {limit} bytes",
            sent=True,
            next_step="ask the tool for less, or raise `answer_bytes_max`",
        )

    def settle(self, start_task: StartTask) -> None:
        """Give the connection back, or cut it: an unread rest must never be read as a later answer."""
        if self._response.content.at_eof():
            self._response.release()
        elif self._ended:
            start_task(self._drain(), "egress: read the end of an answer")
        else:
            self._response.close()

    async def _drain(self) -> None:
        unread = 0
        try:
            async with asyncio.timeout(DRAIN_S):
                while chunk := await self._response.content.readany():
                    unread += len(chunk)
                    if unread > DRAIN_BYTES_MAX:
                        break
        except (TimeoutError, aiohttp.ClientError, OSError):
            pass  # The answer was complete; only the connection is lost.
        finally:
            self._response.close()


async def _within(idle_s: float, content: aiohttp.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(idle_s):
            return await content.readany()
    except TimeoutError:
        return b""


def refuse_detours(answer: HttpAnswer, destination: Destination) -> None:
    """Raise for an answer that leads elsewhere, or that would have to be unpacked."""
    if 300 <= answer.status < 400:
        target = origin_of(answer.headers.get("Location", ""))
        raise UpstreamRefused(
            f"{destination.party} answered {answer.status}, a redirect to {target}, which is not followed",
            sent=True,
            next_step="set `url` to where it lives now, if you trust that place",
            status=answer.status,
        )
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", ""}:
        raise UpstreamGarbled(
            f"{destination.party} packed its answer as {encoding[:32]!r} although asked not to", sent=True
        )
