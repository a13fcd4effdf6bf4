"""The client itself: one request, one answer, every failure translated."""

from __future__ import annotations

import asyncio
import io
import os
import re
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

import aiohttp
from pydantic import BaseModel, ConfigDict, Field

from gateway.egress.answer import HttpAnswer, refuse_detours
from gateway.egress.connector import JOURNEY, Journey, PinningResolver, QuietConnector
from gateway.egress.destination import origin_of
from gateway.errors import (
    UpstreamError,
    UpstreamGarbled,
    UpstreamGone,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping
    from types import TracebackType

    from aiohttp.abc import AbstractResolver

    from gateway.egress.answer import StartTask
    from gateway.egress.destination import Destination

_LINE_BREAK = re.compile(r"[\r\n\0]")

# aiohttp warns about larger bodies given as bytes; given as a file it writes them in pieces.
_WHOLE_BODY_BYTES_MAX = 1 << 20


class EgressSettings(BaseModel):
    """Bounds shared by all destinations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connections_max: int = Field(512, ge=1, description="open connections, all hosts")
    connections_per_host_max: int = Field(256, ge=1, description="open connections to one host and port")
    # Below the 5 s after which common servers close an idle connection: a request written into
    # that closing moment has an unknown outcome.
    keepalive_s: float = Field(4, gt=0, description="an idle connection is closed after this")
    pin_s: float = Field(300, gt=0, description="how long the first address of a host is kept")
    pins_max: int = Field(1000, ge=1, description="hosts whose address is kept")


class Egress:
    """Sends requests; use as an async context manager, inside a running loop."""

    def __init__(
        self,
        settings: EgressSettings,
        *,
        clock: Callable[[], float],
        start_task: StartTask,
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """``clock`` counts seconds and never steps back; ``tls`` None means the system's trust store."""
        self._settings = settings
        self._clock = clock
        self._start_task = start_task
        self._tls = tls
        self._name_resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        self._resolver: PinningResolver | None = None

    async def __aenter__(self) -> Self:
        self._resolver = PinningResolver(
            self._name_resolver or aiohttp.ThreadedResolver(),
            clock=self._clock,
            pin_s=self._settings.pin_s,
            pins_max=self._settings.pins_max,
        )
        connector = QuietConnector(
            limit=self._settings.connections_max,
            limit_per_host=self._settings.connections_per_host_max,
            keepalive_timeout=self._settings.keepalive_s,
            ssl=True if self._tls is None else self._tls,
            resolver=self._resolver,
            use_dns_cache=False,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            raise_for_status=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cut all connections."""
        if self._session is not None:
            await self._session.close()
        if self._resolver is not None:
            await self._resolver.close()

    @asynccontextmanager
    async def exchange(
        self,
        destination: Destination,
        method: str,
        *,
        headers: Mapping[str, str],
        deadline_s: float | None,
        body: bytes = b"",
        body_bytes_max: int | None,
    ) -> AsyncIterator[HttpAnswer]:
        """One request and its answer; leaving the block early cuts the connection.

        Args:
            destination: where to, with its credentials.
            method: HTTP method.
            headers: of this request only; checked for line breaks.
            deadline_s: for everything up to the end of the block; None only for streams that stay open.
            body: request body, as sent.
            body_bytes_max: bound of the answer's body; None only for streams whose reader bounds each event.

        Raises:
            UpstreamUnreachable: no connection, nothing sent.
            UpstreamTimeout: not complete within ``deadline_s``.
            UpstreamGone: connection lost.
            UpstreamRefused: a redirect.
            UpstreamGarbled: packed, or too large.
        """
        journey = Journey()
        JOURNEY.set(journey)
        try:
            async with asyncio.timeout(deadline_s) as limit:
                response = await self._request(destination, method, headers, body, journey)
                answer = HttpAnswer(response, destination, body_bytes_max)
                try:
                    refuse_detours(answer, destination)
                    yield answer
                except BaseException:
                    response.close()
                    raise
                answer.settle(self._start_task)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise UpstreamTimeout(
                f"{destination.party} gave no complete answer within {deadline_s:g} s", sent=journey.sent
            ) from error

    async def _request(
        self,
        destination: Destination,
        method: str,
        headers: Mapping[str, str],
        body: bytes,
        journey: Journey,
    ) -> aiohttp.ClientResponse:
        if self._session is None or self._session.closed:
            raise UpstreamUnreachable(
                f"{destination.party} is not connected: the gateway is stopping", sent=False
            )
        for name, value in headers.items():
            if _LINE_BREAK.search(value):
                raise UpstreamRefused(
                    f"header {name} would contain a line break; nothing was sent", sent=False
                )
        try:
            return await self._session.request(
                method,
                destination.url,
                headers={**destination.headers, **headers, "Accept-Encoding": "identity"},
                data=(io.BytesIO(body) if len(body) > _WHOLE_BODY_BYTES_MAX else body) if body else None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=destination.connect_timeout_s),
            )
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                raise
            raise self._lost(destination, error, sent=journey.sent) from error

    def _lost(self, destination: Destination, error: Exception, *, sent: bool) -> UpstreamError:
        if sent:
            if isinstance(error, aiohttp.ClientResponseError):
                return UpstreamGarbled(f"{destination.party} does not answer in HTTP", sent=True)
            return UpstreamGone(f"{destination.party} closed the connection without an answer", sent=True)
        if self._resolver is not None and destination.url.host:
            self._resolver.forget(destination.url.host)
        return UpstreamUnreachable(
            f"{destination.party} cannot be reached at {origin_of(str(destination.url))}: {_cause(error)}",
            sent=False,
            next_step=destination.next_step,
        )


def _cause(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return "no such host"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientSSLError):
        return "TLS failed"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "no connection in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return os.strerror(number).lower() if number else "connection failed"
    return str(error)[:128] or type(error).__name__
