"""The people port's door, before anybody is asked who they are: hosts, origins, headers, bounded bodies.

A browser carries a login into every request, also into those that another page has it send. So what carries a
cookie and could change something has to say that it comes from this very origin.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.people.errors import PeopleRefusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from gateway.people.settings import PeopleSettings

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
FORM_BYTES_MAX = 4_096
QUERY_BYTES_MAX = 2_048

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""On every answer of this port."""

# A second copy of one of these is read differently by different software.
_ONCE = frozenset(
    {
        b"host",
        b"origin",
        b"authorization",
        b"cookie",
        b"content-type",
        b"content-encoding",
        b"content-length",
        b"sec-fetch-site",
    }
)
_CLOSE = {"connection": "close"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What came before the body of one request that passed."""

    verb: str
    headers: dict[str, str]
    """Lowercase names; values stripped; those that count stand once."""
    own_origin: str
    """Of the host that was asked: what an honest page of ours calls itself."""
    query: bytes
    address: str

    @property
    def secure(self) -> bool:
        """Whether the person's own connection is encrypted."""
        return self.own_origin.startswith("https://")


class Door:
    """Who may speak to the people port at all."""

    def __init__(self, settings: PeopleSettings, *, listen_host: str, listen_port: int) -> None:
        """Work out once under which names we are reached, and of which origin each one is."""
        self._settings = settings
        names = {listen_host.lower()}
        if listen_host.lower() in {"localhost", "::1"} or listen_host.startswith("127."):
            names |= {"localhost", "127.0.0.1", "[::1]"}
        names = {f"[{name}]" if ":" in name and not name.startswith("[") else name for name in names}
        self._origins = {f"{name}:{listen_port}": f"http://{name}:{listen_port}" for name in names}
        if listen_port == 80:
            self._origins |= {name: f"http://{name}" for name in names}
        if settings.public_url is not None:
            self._origins[settings.public_url.partition("://")[2]] = settings.public_url

    @property
    def hosts(self) -> frozenset[str]:
        """Host header values that are served."""
        return frozenset(self._origins)

    def open(self, scope: Scope) -> Head:
        """Check the head of a request.

        Raises:
            PeopleRefusal: it is for another host, or can be read in two ways.
        """
        raw: list[tuple[bytes, bytes]] = scope["headers"]
        headers = {name.decode("latin-1"): value.strip(b" \t").decode("latin-1") for name, value in raw}
        own_origin = self._origins.get(headers.get("host", "").lower())
        if own_origin is None:
            raise PeopleRefusal(
                "wrong_host", "this Host is not served here", next_step="set people.public_url"
            )
        repeated = [name for name, count in Counter(name for name, _ in raw).items() if count > 1]
        if not _ONCE.isdisjoint(repeated):
            raise PeopleRefusal("repeated_header", "a header that counts stands there twice")
        query: bytes = scope.get("query_string", b"")
        if len(query) > QUERY_BYTES_MAX:
            raise PeopleRefusal("invalid_query", f"a query string over {QUERY_BYTES_MAX} bytes")
        client = scope.get("client")
        return Head(
            verb=scope["method"],
            headers=headers,
            own_origin=own_origin,
            query=query,
            address=client[0] if client else "",
        )

    async def body(
        self, head: Head, receive: Receive, *, media: str, form_bytes_max: int = FORM_BYTES_MAX
    ) -> bytes:
        """Read a body of the one type that is expected here, within its bounds.

        Raises:
            PeopleRefusal: type, encoding, size, time, or the other side hung up.
        """
        given, _, parameters = head.headers.get("content-type", "").lower().partition(";")
        if given.strip() != media or parameters.strip() not in {"", "charset=utf-8"}:
            raise PeopleRefusal("content_type", f"the Content-Type must be {media}")
        if head.headers.get("content-encoding", "identity") != "identity":
            raise PeopleRefusal("content_type", "a compressed body is not accepted")
        bytes_max = self._settings.body_bytes_max if media == JSON else form_bytes_max
        declared = head.headers.get("content-length", "0")
        if declared.isdigit() and (len(declared) > 15 or int(declared) > bytes_max):
            raise _too_large(bytes_max)
        try:
            async with asyncio.timeout(self._settings.body_timeout_s):
                return await _whole(receive, bytes_max)
        except TimeoutError as error:
            raise PeopleRefusal("body_timeout", "the body did not arrive in time", headers=_CLOSE) from error


def check_origin(head: Head, *, strictly: bool) -> None:
    """Refuse what another page has a browser send.

    Args:
        head: of the request.
        strictly: it changes something and brings a cookie, or makes one: the browser has to say
            whose page it is.

    Raises:
        PeopleRefusal: it is another's, or nobody says.
    """
    origin, site = head.headers.get("origin"), head.headers.get("sec-fetch-site")
    foreign = origin is not None and origin.lower() != head.own_origin
    allowed = {None, "same-origin"} if strictly else {None, "same-origin", "none"}
    if foreign or site not in allowed or (strictly and origin is None):
        raise PeopleRefusal(
            "wrong_origin",
            "this request does not come from a page of this port",
            next_step=f"open {head.own_origin} itself; a proxy has to pass on the Host header",
        )


async def _whole(receive: Receive, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise PeopleRefusal("invalid_body", "the other side hung up before the body was complete")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise _too_large(bytes_max)
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def _too_large(bytes_max: int) -> PeopleRefusal:
    return PeopleRefusal("body_too_large", f"the body is over {bytes_max} bytes", headers=_CLOSE)
