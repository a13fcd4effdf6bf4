"""A tool server as a child process: one JSON message per line, many calls at once, either era.

A child is one session by its nature: all callers share it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import deque
from typing import TYPE_CHECKING, Any

from gateway.errors import (
    MalformedMessage,
    UpstreamGarbled,
    UpstreamGone,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.upstream import messages
from gateway.upstream.child import Child
from gateway.upstream.environment import child_environment, program_path
from gateway.upstream.lines import Overlong
from gateway.upstream.link import list_params
from gateway.upstream.probe import negotiate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.errors import UpstreamError
    from gateway.ports import ProgressSink, ToolReply, ToolSend
    from gateway.upstream.link import Peer
    from gateway.upstream.messages import Answer
    from gateway.upstream.settings import UpstreamSettings

    # A progress notification's params, an answer's line, an error, or (as text) how the child ended.
    Item = dict[str, Any] | bytes | UpstreamError | str

PROGRESS_HELD_MAX = 64
LISTEN_PAUSE_S = 5.0

UNASKED_BYTES_MAX = 64 << 10
"""Of a notification or request; a larger one is cut, and so no longer one."""


class _Waiting:
    """What has come for one request and was not looked at yet."""

    __slots__ = ("_arrived", "_ended", "_items", "strict")

    def __init__(self, *, strict: bool) -> None:
        self._items: deque[Item] = deque()
        self._arrived: asyncio.Future[None] | None = None
        self._ended = False
        self.strict = strict

    def put(self, item: Item) -> None:
        """Add one; old progress makes room for new, and nothing comes after the end."""
        if self._ended:
            return
        self._ended = not isinstance(item, dict)
        if len(self._items) >= PROGRESS_HELD_MAX:
            self._items.popleft()
        self._items.append(item)
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    async def get(self) -> Item:
        """The next one."""
        while not self._items:
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        return self._items.popleft()


class StdioLink:
    """One child at a time; ``connect`` starts a new one."""

    def __init__(
        self,
        upstream: str,
        settings: UpstreamSettings,
        *,
        client: Mapping[str, str],
        clock: Callable[[], float],
    ) -> None:
        self.party = f"upstream {upstream!r}"
        self._settings = settings
        self._client = client
        self._clock = clock
        self._meta = messages.modern_meta(client)
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Waiting] = {}
        self._program: str | None = None
        self._child: Child | None = None
        self._peer: Peer | None = None
        self._gone = asyncio.Event()
        self._how = ""
        self._noise = 0
        self._probe_kills = False
        self._on_changed: Callable[[], None] | None = None

    @property
    def alive(self) -> bool:
        """Whether there is a child to talk to."""
        return self._child is not None and self._child.alive

    async def connect(self) -> Peer:
        """Start the child and negotiate the era with it."""
        await self.aclose()
        if self._program is None:
            self._program = program_path(self._settings.command[0], party=self.party)
        self._pending = {}
        self._noise = 0
        self._gone = asyncio.Event()
        settings = self._settings
        self._child = Child(
            self.party,
            self,
            line_bytes_max=settings.answer_bytes_max,
            stderr_bytes_max=settings.stderr_bytes_max,
            clock=self._clock,
        )
        try:
            await self._child.spawn(
                self._program,
                [*settings.command[1:], *settings.args],
                env=child_environment(os.environ, settings.env),
                cwd=settings.cwd,
            )
            legacy_only = self._probe_kills and settings.era == "auto"
            self._peer = await negotiate(self, era="legacy" if legacy_only else settings.era)
        except BaseException:
            self._child.kill("was stopped during the handshake")
            raise
        return self._peer

    async def discover(self) -> Answer:
        """Ask as a modern client. Some legacy servers exit on it: the next child is not asked."""
        number = next(self._numbers)
        body = messages.request(number, "server/discover", {"_meta": self._meta})
        try:
            return await self._ask(number, body, deadline_s=self._settings.probe_timeout_s, cancels=False)
        except UpstreamGone:
            self._probe_kills = not self._probe_kills
            raise

    async def initialize(self) -> Answer:
        """Ask as a legacy client, and confirm."""
        number = next(self._numbers)
        params = {"protocolVersion": messages.LEGACY_VERSION, "capabilities": {}, "clientInfo": self._client}
        body = messages.request(number, "initialize", params)
        try:
            answer = await self._ask(number, body, deadline_s=self._settings.start_timeout_s, cancels=False)
        except UpstreamGone:
            self._probe_kills = False
            raise
        if answer.error is None and self._child is not None:
            self._child.write(messages.notification("notifications/initialized"))
        return answer

    async def call_tool(
        self, send: ToolSend, *, deadline_s: float, on_progress: ProgressSink | None
    ) -> ToolReply:
        """One call."""
        number = next(self._numbers)
        era = self._era()
        body = messages.tool_call(number, send, self._meta if era == "modern" else {})
        answer = await self._ask(number, body, deadline_s=deadline_s, on_progress=on_progress)
        return messages.tool_reply(answer, era=era, party=self.party)

    async def list_page(self, cursor: str | None, *, deadline_s: float) -> Answer:
        """One page of ``tools/list``."""
        number = next(self._numbers)
        params = list_params(cursor) | ({"_meta": self._meta} if self._era() == "modern" else {})
        return await self._ask(
            number, messages.request(number, "tools/list", params), deadline_s=deadline_s, strict=False
        )

    async def watch(self, on_changed: Callable[[], None]) -> None:
        """Wait for the end of the child; changes are reported as their lines come."""
        self._on_changed = on_changed
        while self._peer is not None and self._peer.announces_tools and self._era() == "modern":
            number = next(self._numbers)
            params = {"notifications": {"toolsListChanged": True}, "_meta": self._meta}
            body = messages.request(number, "subscriptions/listen", params)
            answer = await self._ask(number, body, deadline_s=None, cancels=False)
            if answer.error is not None:
                break
            await asyncio.sleep(LISTEN_PAUSE_S)
            on_changed()
        await self._gone.wait()
        raise UpstreamGone(f"{self.party} {self._how}", sent=False)

    async def aclose(self) -> None:
        """End the child."""
        if self._child is not None:
            await self._child.aclose()

    def on_line(self, line: bytes | Overlong) -> None:
        """Take one line of the child: an answer, a notification, a request or noise."""
        if isinstance(line, Overlong):
            self._blame(
                messages.claimed_id(line.head),
                f"an answer larger than {self._settings.answer_bytes_max} bytes",
            )
            return
        try:
            number, method = messages.outline(line)
        except MalformedMessage as error:
            self._blame(messages.claimed_id(line), error.reason)
            return
        if method is None:
            self._take_answer(number, line)
        else:
            self._take_unasked(line)

    def on_exit(self, reason: str) -> None:
        """Tell everybody who waits."""
        self._how = reason
        self._gone.set()
        for waiting in self._pending.values():
            waiting.put(reason)

    def _take_answer(self, number: int | str | None, line: bytes) -> None:
        # A wrong or second id answers nobody; who waits for the right one has a deadline.
        waiting = self._pending.get(number) if type(number) is int else None
        if waiting is None:
            self._count_noise()
            return
        self._noise = 0
        waiting.put(line)

    def _take_unasked(self, line: bytes) -> None:
        try:
            message = messages.read_message(line[:UNASKED_BYTES_MAX], elements_max=UNASKED_BYTES_MAX)
        except MalformedMessage:
            self._count_noise()
            return
        self._count_noise()
        if message.method == messages.TOOLS_CHANGED:
            if self._on_changed is not None:
                self._on_changed()
        elif message.id is not None:
            if self._child is not None:
                self._child.write(messages.reply_to(message))
        elif (progress := messages.progress_of(message)) is not None:
            waiting = self._pending.get(progress[0])
            if waiting is not None:
                waiting.put(progress[1])

    def _blame(self, number: int | None, reason: str) -> None:
        """An unusable line ends the call it claims to answer; a line that names none is noise."""
        self._count_noise()
        waiting = self._pending.get(number) if number is not None else None
        if waiting is not None:
            waiting.put(self._unusable(reason))

    def _count_noise(self) -> None:
        self._noise += 1
        if self._noise > self._settings.noise_lines_max and self._child is not None:
            self._child.kill(f"was stopped: it wrote {self._noise} lines that answer nothing")

    def _era(self) -> messages.Era:
        return self._peer.era if self._peer is not None else "modern"

    async def _ask(
        self,
        number: int,
        body: bytes,
        *,
        deadline_s: float | None,
        on_progress: ProgressSink | None = None,
        strict: bool = True,
        cancels: bool = True,
    ) -> Answer:
        child = self._child
        if child is None or not child.alive:
            raise UpstreamUnreachable(
                f"{self.party} is not running: {self._how or 'not started'}", sent=False
            )
        waiting = self._pending[number] = _Waiting(strict=strict)
        written = False
        try:
            async with asyncio.timeout(deadline_s) as limit:
                await child.writable()
                written = child.write(body)
                if not written:
                    raise UpstreamUnreachable(f"{self.party} stopped reading", sent=False)
                return await self._answer(number, waiting, on_progress)
        except asyncio.CancelledError:
            self._cancel(child, number, wanted=written and cancels)
            raise
        except TimeoutError as error:
            if not limit.expired():
                raise
            self._cancel(child, number, wanted=written and cancels)
            raise UpstreamTimeout(
                f"{self.party} gave no complete answer within {deadline_s:g} s", sent=written
            ) from error
        finally:
            self._pending.pop(number, None)

    async def _answer(self, number: int, waiting: _Waiting, on_progress: ProgressSink | None) -> Answer:
        while True:
            item = await waiting.get()
            if isinstance(item, str):
                raise UpstreamGone(f"{self.party} {item}", sent=True)
            if isinstance(item, Exception):
                raise item
            if isinstance(item, bytes):
                return await self._read(number, item, strict=waiting.strict)
            if on_progress is not None:
                await on_progress(item)

    async def _read(self, number: int, line: bytes, *, strict: bool) -> Answer:
        elements_max = self._settings.answer_elements_max
        try:
            message = await messages.read_off_loop(line, elements_max=elements_max, strict=strict)
        except MalformedMessage as error:
            raise self._unusable(error.reason) from error
        return messages.answer_to(number, message, party=self.party)

    def _unusable(self, reason: str) -> UpstreamGarbled:
        return UpstreamGarbled(f"{self.party} sent an unusable answer: {reason}", sent=True)

    @staticmethod
    def _cancel(child: Child, number: int, *, wanted: bool) -> None:
        if wanted:
            params: dict[str, Any] = {"requestId": number, "reason": "The caller no longer waits."}
            child.write(messages.notification("notifications/cancelled", params))
