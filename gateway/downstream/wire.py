"""HTTP towards agents, before any JSON: hosts, origins, headers, content type, bounded body.

Everything here is decided from the raw ASGI scope; no framework rebuilds URLs from headers.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway.downstream.errors import WireRefusal
from gateway.errors import HeaderMismatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from gateway.downstream.settings import WireSettings

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# A second copy of one of these is read differently by different software.
_ONCE = frozenset(
    {
        b"host",
        b"origin",
        b"authorization",
        b"content-type",
        b"content-encoding",
        b"content-length",
        b"transfer-encoding",
        b"accept",
    }
)
_ROUTING = frozenset({b"mcp-method", b"mcp-name", b"mcp-protocol-version", b"mcp-session-id"})
_CLOSE = ((b"connection", b"close"),)
_JSON_TYPES = frozenset(
    {b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP request whose headers passed."""

    verb: str
    path: bytes
    headers: dict[bytes, bytes]
    """Lowercase names; values stripped; each name once."""
    ip: str


class Wire:
    """The agent port's door: who may even speak to it."""

    def __init__(self, settings: WireSettings, *, listen_host: str, listen_port: int) -> None:
        """Work out the allowed Host and Origin values once."""
        self._settings = settings
        names = {listen_host, *(("localhost", "127.0.0.1", "[::1]") if _is_loopback(listen_host) else ())}
        self._hosts = {f"{name}:{listen_port}".lower() for name in names} | {
            host.lower() for host in settings.allowed_hosts
        }
        if listen_port in {80, 443}:
            self._hosts |= {name.lower() for name in names}
        self._origins = {origin for one in settings.allowed_origins if (origin := _origin(one)) is not None}

    def open(self, scope: Scope) -> HttpRequest:
        """Check the head of a request.

        Raises:
            WireRefusal: with the HTTP status that says what is wrong.
            HeaderMismatch: a routing header is repeated.
        """
        raw: list[tuple[bytes, bytes]] = scope["headers"]
        if len(raw) > self._settings.header_fields_max:
            raise WireRefusal(431, f"more than {self._settings.header_fields_max} header fields")
        if sum(len(name) + len(value) + 4 for name, value in raw) > self._settings.header_bytes_max:
            raise WireRefusal(431, f"more than {self._settings.header_bytes_max} bytes of headers")
        headers = {name: value.strip(b" \t") for name, value in raw}
        if len(headers) != len(raw):
            _refuse_repeats(raw)
        if b"transfer-encoding" in headers and b"content-length" in headers:
            raise WireRefusal(400, "both Content-Length and Transfer-Encoding", headers=_CLOSE)
        if headers.get(b"host", b"").decode("latin-1").lower() not in self._hosts:
            raise WireRefusal(421, "this Host is not served here")
        if scope.get("query_string"):
            # Where tokens and session ids end up in logs; nothing here is ever read from it.
            raise WireRefusal(400, "this endpoint takes no query string")
        origin = headers.get(b"origin")
        if origin is not None and _origin(origin.decode("latin-1")) not in self._origins:
            raise WireRefusal(403, "this Origin may not call")
        client = scope.get("client")
        path = scope.get("raw_path") or scope["path"].encode()
        return HttpRequest(verb=scope["method"], path=path, headers=headers, ip=client[0] if client else "")

    async def body(self, request: HttpRequest, receive: Receive) -> bytes:
        """Read a POST body within its bounds.

        Raises:
            WireRefusal: 415 content type or encoding, 413 size, 408 time, 400 hung up.
        """
        if request.headers.get(b"content-type", b"").lower() not in _JSON_TYPES:
            raise WireRefusal(415, "the Content-Type must be application/json")
        if request.headers.get(b"content-encoding", b"identity") != b"identity":
            raise WireRefusal(415, "a compressed body is not accepted")
        bytes_max = self._settings.body_bytes_max
        declared = request.headers.get(b"content-length", b"0")
        if declared.isdigit() and (len(declared) > 15 or int(declared) > bytes_max):
            raise _too_large(bytes_max)
        try:
            async with asyncio.timeout(self._settings.body_timeout_s):
                return await _whole(receive, bytes_max)
        except TimeoutError as error:
            raise WireRefusal(408, "the body did not arrive in time", headers=_CLOSE) from error


async def _whole(receive: Receive, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise WireRefusal(400, "the client hung up before the body was complete")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise _too_large(bytes_max)
        if not message.get("more_body"):
            # The usual case: one message holds the whole body.
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


def _too_large(bytes_max: int) -> WireRefusal:
    return WireRefusal(413, f"the body is over {bytes_max} bytes", headers=_CLOSE)


def _refuse_repeats(raw: list[tuple[bytes, bytes]]) -> None:
    counts = Counter(name for name, _ in raw)
    for name, count in counts.items():
        if count == 1:
            continue
        if name in _ROUTING or name.startswith(b"mcp-param-"):
            raise HeaderMismatch(f"{name.decode('latin-1')} is given {count} times")
        if name in _ONCE or name.startswith(b"toolgate-"):
            raise WireRefusal(400, f"{name.decode('latin-1')} is given {count} times")


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1", "[::1]"} or host.startswith("127.")


def _origin(text: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin (RFC 6454 section 6.2), or None if it is anything else."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    if host is None or parts.scheme not in {"http", "https"} or text != f"{parts.scheme}://{parts.netloc}":
        return None
    if "@" in parts.netloc:
        return None
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80)
