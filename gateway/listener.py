"""A bound port served by uvicorn, with the guards uvicorn lacks: strict frames, deadlines, stalled readers.

The process owns its signals (app.py), so the server is told when to stop and never asks the OS.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.core.framing import HEAD_END, can_become_head, read_frame
from gateway.errors import ConfigurationError, MalformedFrame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Asgi = Callable[[Any, Any, Any], Awaitable[None]]

BACKLOG = 2048
BEHIND_BYTES_MAX = 64 << 10
"""Of requests that wait for the one before them on their connection; then no more is read."""
_BAD_REQUEST = b"400 Bad Request"
_HEAD_TOO_LARGE = b"431 Request Header Fields Too Large"


def _tell_nobody(code: str) -> None:
    pass


class _OneWrite(asyncio.Transport):
    """A write waits for the next one, at most until this turn of the loop ends; both leave together.

    uvicorn writes head and body of an answer one after the other. Under uvloop each would be a packet
    of its own, and wake the client twice for one answer. No more than two are held back, so that a
    slow reader is noticed as before.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._pending: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._pending.append(bytes(data))
        if len(self._pending) > 1:
            self._flush()
        else:
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._pending.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if pending and not self._transport.is_closing():
            self._transport.writelines(pending)


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol behind a strict reading of frames, and with deadlines.

    The parser below sees whole heads that ``read_frame`` accepted and exactly the body they announced.
    A connection has ``header_timeout_s`` to deliver a complete head, counted from connecting or from
    the first byte of a later request, and as long to finish a body that nobody waits for any more
    (one that is still wanted has its deadline in wire.py). A client that leaves our bytes unread for
    ``write_stall_s`` is cut off, whatever is being sent.
    """

    header_timeout_s = 10.0
    header_bytes_max = 16 << 10
    write_stall_s = 30.0
    refused: Callable[[str], None] = staticmethod(_tell_nobody)
    """Told the code of everything that never became a request."""

    # Slots: past 30 members, which uvicorn alone nearly has, an object's dictionary costs 1.5 KiB more.
    __slots__ = (
        "_behind", "_body_deadline", "_body_left", "_deaf", "_head", "_head_deadline", "_stall_deadline",
    )  # fmt: skip

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock on a new connection."""
        self._head = b""
        self._behind = b""
        self._body_left = 0
        self._deaf = False
        self._body_deadline: asyncio.TimerHandle | None = None
        self._stall_deadline: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self.transport = _OneWrite(transport, self.loop)
        self._head_deadline: asyncio.TimerHandle | None = self.loop.call_later(
            self.header_timeout_s, self._too_late, "head_timeout"
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        for deadline in (self._head_deadline, self._body_deadline, self._stall_deadline):
            if deadline is not None:
                deadline.cancel()
        self._head_deadline = self._body_deadline = self._stall_deadline = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Cut what arrives into heads and bodies and pass them on one message at a time.

        The next request waits here until the one before it was answered: the protocol below would forget
        which of the two is running, and whom to tell that the client has gone.
        """
        if self._behind:
            data = self._behind + data
        while data and not self._deaf:
            if self._body_left:
                data = self._take_body(data)
            elif self._answering():
                break
            else:
                data = self._take_head(data)
        self._behind = b"" if self._deaf else data
        if len(self._behind) > BEHIND_BYTES_MAX:
            self.flow.pause_reading()

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def send_400_response(self, msg: str) -> None:
        """The parser below is stricter in something (a method it does not know): the same refusal."""
        self._refuse(_BAD_REQUEST, MalformedFrame.code, msg)

    def on_response_complete(self) -> None:
        """The answer may be done before its request: an unwanted body has a deadline, too."""
        super().on_response_complete()
        if self._body_left and not self.transport.is_closing():
            self._body_deadline = self.loop.call_later(self.header_timeout_s, self._too_late, "body_timeout")
        if self._behind and not self.transport.is_closing():
            behind, self._behind = self._behind, b""
            self.data_received(behind)

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came for long; a reader who has not taken his last answer by now will not."""
        self._cut_off()

    def pause_writing(self) -> None:
        """The client is behind: start counting."""
        super().pause_writing()
        if self._stall_deadline is None:
            self._stall_deadline = self.loop.call_later(self.write_stall_s, self._too_late, "write_stall")

    def resume_writing(self) -> None:
        """The client caught up."""
        if self._stall_deadline is not None:
            self._stall_deadline.cancel()
            self._stall_deadline = None
        super().resume_writing()

    def _take_head(self, data: bytes) -> bytes:
        message = self._head + data if self._head else data
        # A head may come byte by byte: what was looked at is not looked at again.
        looked_at = max(0, len(self._head) - len(HEAD_END) + 1)
        end = message.find(HEAD_END, looked_at) + len(HEAD_END)
        complete = end >= len(HEAD_END)
        # Twice the bound: the exact one is checked on the parsed fields, with a proper answer.
        if (end if complete else len(message)) > 2 * self.header_bytes_max:
            return self._refuse(_HEAD_TOO_LARGE, "head_too_large")
        if not complete:
            if not can_become_head(message, looked_at):
                return self._refuse(_BAD_REQUEST, MalformedFrame.code)
            self._head = message
            self._unset_keepalive_if_required()
            if self._head_deadline is None:
                self._head_deadline = self.loop.call_later(
                    self.header_timeout_s, self._too_late, "head_timeout"
                )
            return b""
        try:
            frame = read_frame(message[:end])
        except MalformedFrame as error:
            return self._refuse(_BAD_REQUEST, error.code, error.reason)
        self._head = b""
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None
        length = min(len(message), end + frame.body_bytes)
        self._body_left = end + frame.body_bytes - length
        super().data_received(message if length == len(message) else message[:length])
        if frame.upgrade and not self._deaf:
            self.cycle.keep_alive = False
        self._listen_on()
        return message[length:]

    def _take_body(self, data: bytes) -> bytes:
        part, rest = data[: self._body_left], data[self._body_left :]
        self._body_left -= len(part)
        super().data_received(part)
        if not self._body_left and self._body_deadline is not None:
            self._body_deadline.cancel()
            self._body_deadline = None
            # The answer was complete before; only now does the connection idle.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        self._listen_on()
        return rest

    def _listen_on(self) -> None:
        """After the last request of a connection there is no next one, whatever its bytes say."""
        cycle: RequestResponseCycle | None = self.cycle
        if not self._body_left and (cycle is None or not cycle.keep_alive):
            self._deaf = True

    def _refuse(self, status: bytes, code: str, sentence: str = "") -> bytes:
        self._deaf = True
        self.refused(code)
        if self.transport.is_closing():
            return b""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            # A good request is still being answered; it gets its answer, this one gets none.
            cycle.keep_alive = False
            return b""
        body = sentence.encode()
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status, len(body), body)
        )
        self.transport.close()
        return b""

    def _too_late(self, code: str) -> None:
        if not self.transport.is_closing():
            self.refused(code)
        self._cut_off()

    def _cut_off(self) -> None:
        # Abort, not close: closing waits for the client to read what is left, which may be never.
        self.transport.abort()


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
            # Only listening claims the port for good; who connects early waits instead of being refused.
            self._socket.listen(BACKLOG)
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
        refused: Callable[[str], None] = _tell_nobody,
    ) -> None:
        """Serve until ``stop``; then finish what runs, for at most ``drain_s``.

        ``refused`` is told the code of everything that is turned away before it is a request.
        """
        guards: dict[str, Any] = {
            "refused": staticmethod(refused),
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
