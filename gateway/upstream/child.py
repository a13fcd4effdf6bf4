"""A child process and its three pipes: lines in, lines out, last words kept, nobody left behind."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, cast

from gateway.errors import UpstreamUnreachable
from gateway.upstream.lines import LineAssembler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.upstream.lines import Overlong
    from gateway.upstream.party import Party

EOF_GRACE_S = 0.8
"""From the end of its stdin to SIGTERM."""
TERM_GRACE_S = 2.0
"""From SIGTERM to SIGKILL."""
KILL_GRACE_S = 1.0
EXIT_FLUSH_S = 0.5
"""After its exit, for answers still in the pipe; a descendant may hold the pipe open for ever."""

EXIT_NOTICE_S = 0.2
"""From the end of a pipe to the news of the exit that mostly is its cause."""

LINE_FACTOR_MAX = 8
"""A line this many times longer than the bound is not going to end."""

LOG_LINES_MAX = 20
LOG_WINDOW_S = 10.0

_LOG = logging.getLogger(__name__)


class Listener(Protocol):
    """Who reads the child's lines; called on the loop, must not raise."""

    def on_line(self, line: bytes | Overlong) -> None:
        """One line of stdout."""
        ...

    def on_exit(self, reason: str) -> None:
        """The process has ended, after its last line; called once."""
        ...


class Child(asyncio.SubprocessProtocol):
    """One process, the leader of its own group.

    Lines are taken straight from the loop's callback: no task and no queue per child.
    """

    def __init__(
        self,
        party: Party,
        listener: Listener,
        *,
        line_bytes_max: int,
        stderr_bytes_max: int,
        clock: Callable[[], float],
    ) -> None:
        self._party = party
        self._listener = listener
        self._lines = LineAssembler(line_bytes_max=line_bytes_max)
        self._line_bytes_max = line_bytes_max
        self._stderr = bytearray()
        self._stderr_bytes_max = stderr_bytes_max
        self._clock = clock
        self._log_window_at_s = clock()
        self._log_lines = 0
        self._transport: asyncio.SubprocessTransport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._exited = asyncio.Event()
        self._finished = False
        self._cause = ""
        self._deaf = False

    async def spawn(
        self, program: str, arguments: Sequence[str], *, env: Mapping[str, str], cwd: str | None
    ) -> None:
        """Execute the program, without a shell.

        Raises:
            UpstreamUnreachable: the system cannot start it.
        """
        try:
            await asyncio.get_running_loop().subprocess_exec(
                lambda: self,
                program,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise UpstreamUnreachable(
                f"{self._party} cannot start {program}: {error.strerror or error}",
                sent=False,
                next_step="run its `command` by hand to see why, or fix it",
            ) from error

    @property
    def alive(self) -> bool:
        """Running, with a stdin that takes lines."""
        return (
            self._transport is not None and not self._exited.is_set() and not self._cause and not self._deaf
        )

    async def writable(self) -> None:
        """Wait until the child reads what it was sent before."""
        if not self._writable.is_set():
            await self._writable.wait()

    def write(self, line: bytes) -> bool:
        """Send one line; False, and nothing is sent, once it cannot take any."""
        stdin = self._stdin()
        if not self.alive or stdin is None or stdin.is_closing():
            return False
        stdin.write(line + b"\n")
        return True

    def last_words(self) -> str:
        """The last line of its stderr."""
        lines = self._stderr.rstrip().rsplit(b"\n", 1)
        return self._party.says(lines[-1].decode("utf-8", "replace"))

    def kill(self, cause: str) -> None:
        """End it and its descendants at once."""
        self._cause = self._cause or cause
        self._signal(signal.SIGKILL)

    async def aclose(self) -> None:
        """End it: close its stdin, then SIGTERM, then SIGKILL, to the whole group."""
        self._cause = self._cause or "was closed"
        try:
            if (stdin := self._stdin()) is not None:
                stdin.close()
            if not await self._exits_within(EOF_GRACE_S):
                self._signal(signal.SIGTERM)
                if not await self._exits_within(TERM_GRACE_S):
                    self._signal(signal.SIGKILL)
                    await self._exits_within(KILL_GRACE_S)
        finally:
            self._signal(signal.SIGKILL)
            self._finish()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The process runs."""
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        """Lines on stdout, words on stderr."""
        assert isinstance(data, bytes)
        if fd != 1:
            self._keep_words(data)
            return
        for line in self._lines.feed(data):
            if self._finished or (self._cause and not self._exited.is_set()):
                return
            self._listener.on_line(line)
        if self._lines.skipped_bytes > LINE_FACTOR_MAX * self._line_bytes_max:
            self.kill("was stopped: it writes a line without end")

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """A child that cannot be spoken to, or cannot answer, is of no use."""
        if fd == 2 or self._cause or self._exited.is_set():
            return
        self._deaf = True
        # Mostly it is about to exit, and how it exits says more than this.
        how = "closed its stdin" if fd == 0 else "closed its stdout"
        asyncio.get_running_loop().call_later(EXIT_NOTICE_S, self._kill_deaf, how)

    def _kill_deaf(self, how: str) -> None:
        if not self._exited.is_set():
            self.kill(how)

    def pause_writing(self) -> None:
        """It does not read fast enough."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It reads again."""
        self._writable.set()

    def process_exited(self) -> None:
        """It ended; what it wrote before may still arrive."""
        self._exited.set()
        self._writable.set()
        # What it started must not outlive it; its group lasts as long as one member does.
        self._signal(signal.SIGKILL)
        asyncio.get_running_loop().call_later(EXIT_FLUSH_S, self._finish)

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended, and all of its pipes are closed."""
        self._finish()

    def _finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        self._writable.set()
        if self._transport is not None:
            self._transport.close()
        self._listener.on_exit(self._how_it_ended())

    def _how_it_ended(self) -> str:
        code = self._transport.get_returncode() if self._transport is not None else None
        if self._cause:
            how = self._cause
        elif code is not None and code < 0:
            how = f"was killed by signal {-code}"
        else:
            how = f"exited with status {code}"
        words = self.last_words()
        return f"{how}; its last words: {words}" if words else how

    def _stdin(self) -> asyncio.WriteTransport | None:
        if self._transport is None:
            return None
        return cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(0))

    def _signal(self, number: signal.Signals) -> None:
        # Once it is finished its number may belong to somebody else.
        if self._transport is not None and not self._finished and (pid := self._transport.get_pid()):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)

    async def _exits_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._exited.wait()
        except TimeoutError:
            return False
        return True

    def _keep_words(self, words: bytes) -> None:
        self._stderr += words[-self._stderr_bytes_max :] if self._stderr_bytes_max else b""
        if len(self._stderr) > self._stderr_bytes_max:
            del self._stderr[: len(self._stderr) - self._stderr_bytes_max]
        now_s = self._clock()
        if now_s - self._log_window_at_s > LOG_WINDOW_S:
            self._log_window_at_s, self._log_lines = now_s, 0
        for line in words[: 64 << 10].split(b"\n"):
            if not line or self._log_lines >= LOG_LINES_MAX:
                continue
            self._log_lines += 1
            _LOG.info("%s says: %s", self._party, self._party.says(line.decode("utf-8", "replace")))
