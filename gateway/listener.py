"""A bound port served by uvicorn, with the guards uvicorn lacks: slow heads, large heads, stalled readers.

The process owns its signals (app.py), so the server is told when to stop and never asks the OS.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterator

    Asgi = Callable[[Any, Any, Any], Awaitable[None]]

BACKLOG = 2048
_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with deadlines.

    A connection has ``header_timeout_s`` to deliver complete headers, counted from connecting or
    from the first byte of a later request; and a client that leaves our bytes unread for
    ``write_stall_s`` is cut off, whatever is being sent.
    """

    header_timeout_s = 10.0
    header_bytes_max = 16 << 10
    write_stall_s = 30.0

    _head_deadline: asyncio.TimerHandle | None = None
    _stall_deadline: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock on a new connection."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser while the head is within its bounds."""
        if self._in_head and self._head_deadline is None:
            self._await_head()
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:
            self._head_bytes += len(data)
            # Twice the bound: the exact one is checked on the parsed fields, with a proper answer.
            if self._head_bytes > 2 * self.header_bytes_max and not self.transport.is_closing():
                self.transport.write(_HEAD_TOO_LARGE)
                self.transport.close()

    def on_headers_complete(self) -> None:
        """The head arrived in time."""
        self._in_head = False
        self._head_bytes = 0
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body ended; what follows is the next head."""
        super().on_message_complete()
        self._in_head = True

    def pause_writing(self) -> None:
        """The client is behind: start counting."""
        super().pause_writing()
        if self._stall_deadline is None:
            self._stall_deadline = self.loop.call_later(self.write_stall_s, self._cut_off)

    def resume_writing(self) -> None:
        """The client caught up."""
        if self._stall_deadline is not None:
            self._stall_deadline.cancel()
            self._stall_deadline = None
        super().resume_writing()

    def _await_head(self) -> None:
        self._head_deadline = self.loop.call_later(self.header_timeout_s, self._cut_off)

    def _cut_off(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()

    def _clear(self) -> None:
        for deadline in (self._head_deadline, self._stall_deadline):
            if deadline is not None:
                deadline.cancel()
        self._head_deadline = self._stall_deadline = None


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


class Listener:
    """One port, bound before anything else starts, so that a port in use is found out first."""

    def __init__(self, address: str, *, setting: str) -> None:
        """Bind ``host:port``; port 0 picks a free one.

        Raises:
            ConfigurationError: the address cannot be bound; names the setting and the next step.
        """
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, int(port)))
        except OSError as error:
            self._socket.close()
            raise ConfigurationError(
                f"{setting}: cannot listen on {address}: {error.strerror or error}",
                next_step=f"end the program that uses the port, or set {setting} to another one",
            ) from error
        self._socket.set_inheritable(False)
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self._server: uvicorn.Server | None = None

    @property
    def url(self) -> str:
        """``http://host:port``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def serve(
        self,
        app: Asgi,
        *,
        header_timeout_s: float,
        header_bytes_max: int,
        write_stall_s: float,
        keep_alive_s: float,
        drain_s: float,
    ) -> None:
        """Serve until ``stop``; then finish what runs, for at most ``drain_s``."""
        guards = {
            "header_timeout_s": header_timeout_s,
            "header_bytes_max": header_bytes_max,
            "write_stall_s": write_stall_s,
        }
        config = uvicorn.Config(
            app,
            http=type("PortProtocol", (GuardedProtocol,), guards),
            ws="none",
            lifespan="off",
            loop="none",
            backlog=BACKLOG,
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=max(1, int(keep_alive_s)),
            timeout_graceful_shutdown=max(1, int(drain_s)),
        )
        self._server = _QuietServer(config)
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Stop accepting and drain."""
        if self._server is not None:
            self._server.should_exit = True

    def close(self) -> None:
        """Give the port back if it was never served."""
        self._socket.close()
