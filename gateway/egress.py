"""The only outgoing HTTP client.

It follows no redirect, keeps no cookie, reads no proxy variable, unpacks nothing, and pins each
host's address. Every failure says whether the request may have left: a connection that was never
established carried nothing; after that, nobody on this side can know.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import select
import socket
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import urlsplit
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import BaseModel, ConfigDict, Field

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
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
    from types import TracebackType

    import yarl
    from aiohttp.tracing import Trace

RESOLVE_S = 5.0
DRAIN_S = 1.0
DRAIN_BYTES_MAX = 64 << 10

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One endpoint, and how errors speak about it."""

    party: str
    """As in ``upstream 'orders'``."""
    next_step: str
    """What a person does when it cannot be reached."""
    url: yarl.URL
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Credentials of this destination; no other request carries them."""
    connect_timeout_s: float = 5.0


class StartTask(Protocol):
    """``Background.start``: runs what may outlive the exchange."""

    def __call__(self, coro: Coroutine[Any, Any, None], name: str) -> object:
        """Start it, or close it unstarted."""
        ...


class _Journey:
    """How far one request has come."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


_JOURNEY: ContextVar[_Journey] = ContextVar("journey")


class PinningResolver(AbstractResolver):
    """Resolves a host once and keeps the answer, so that a name cannot move between two calls."""

    def __init__(
        self, resolver: AbstractResolver, *, clock: Callable[[], float], pin_s: float, pins_max: int
    ) -> None:
        self._resolver = resolver
        self._clock = clock
        self._pin_s = pin_s
        self._pins_max = pins_max
        self._pins: dict[tuple[str, int, int], tuple[float, list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The pinned addresses, or those found now."""
        key = (host, port, int(family))
        now = self._clock()
        if (pin := self._pins.get(key)) is not None and now < pin[0]:
            return list(pin[1])
        async with asyncio.timeout(RESOLVE_S):
            found = await self._resolver.resolve(host, port, family)
        self._pins.pop(key, None)
        while len(self._pins) >= self._pins_max:
            del self._pins[next(iter(self._pins))]
        self._pins[key] = (now + self._pin_s, found)
        return list(found)

    def forget(self, host: str) -> None:
        """Ask anew next time: nothing answered where the host was pinned, it may have moved."""
        for key in [key for key in self._pins if key[0] == host]:
            del self._pins[key]

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._resolver.close()


class _Connector(aiohttp.TCPConnector):
    """Marks the moment from which a request may be on its way, and hands out only quiet connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._used: WeakSet[Any] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the base class's signature
    ) -> aiohttp.connector.Connection:
        """A connection on which nothing waits to be read.

        A pooled connection that has something to say was closed by the other side, and a request
        written into it would have an unknown outcome; or it holds an answer to nobody's question,
        which would be read as the answer to this one.
        """
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or protocol not in self._used:
                break
            if not protocol.should_close and _is_quiet(connection.transport):
                break
            connection.close()
        if protocol is not None:
            self._used.add(protocol)
        _JOURNEY.get().sent = True
        return connection


def _is_quiet(transport: asyncio.Transport | None) -> bool:
    """Whether the kernel holds neither bytes nor an end of stream for this socket."""
    socket_ = transport.get_extra_info("socket") if transport is not None else None
    if socket_ is None:
        return False
    poll = select.poll()
    poll.register(socket_.fileno(), select.POLLIN)
    return not poll.poll(0)


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
        connector = _Connector(
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
        journey = _Journey()
        _JOURNEY.set(journey)
        try:
            async with asyncio.timeout(deadline_s) as limit:
                response = await self._request(destination, method, headers, body, journey)
                answer = HttpAnswer(response, destination, body_bytes_max)
                try:
                    _refuse_detours(answer, destination)
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
        journey: _Journey,
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
            f"{destination.party} cannot be reached at {_origin(str(destination.url))}: {_cause(error)}",
            sent=False,
            next_step=destination.next_step,
        )


async def _within(idle_s: float, content: aiohttp.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(idle_s):
            return await content.readany()
    except TimeoutError:
        return b""


def _refuse_detours(answer: HttpAnswer, destination: Destination) -> None:
    if 300 <= answer.status < 400:
        target = _origin(answer.headers.get("Location", ""))
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


def _origin(url: str) -> str:
    """Scheme, host and port for an error text; paths and queries may hold secrets."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}"[:128] if parts.hostname else "another place"
    except ValueError:
        return "another place"


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
