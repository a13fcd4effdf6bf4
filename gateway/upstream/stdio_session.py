"""One child process as one session: a JSON message per line, many requests at once, either era."""

from __future__ import annotations

import asyncio
import itertools
import os
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
from gateway.upstream.incoming import Incoming
from gateway.upstream.levels import LogLevel
from gateway.upstream.lines import Overlong
from gateway.upstream.link import list_params
from gateway.upstream.listening import Listening
from gateway.upstream.probe import negotiate
from gateway.upstream.subscribing import Subscribing
from gateway.upstream.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.ports import AskSink, NoticeSink, Reply, Send
    from gateway.upstream.incoming import Start
    from gateway.upstream.link import LinkEvents, Peer
    from gateway.upstream.messages import Answer, Message
    from gateway.upstream.party import Party
    from gateway.upstream.settings import EraSetting, UpstreamSettings

NOTICE_BYTES_MAX = 64 << 10
"""Of a notification; a larger one is noise."""

ASK_BYTES_MAX = 1 << 20
"""Of a request of the server; a larger one is declined unread."""


class StdioSession:
    """One child at a time; ``connect`` starts a new one."""

    def __init__(
        self,
        party: Party,
        settings: UpstreamSettings,
        start: Start,
        *,
        client: Mapping[str, str],
        era: EraSetting,
        capabilities: Mapping[str, Any],
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        """``capabilities``: what a server of the session era is told that it may ask."""
        self.party = party
        self._settings = settings
        self._start = start
        self._client = client
        self._era: EraSetting = era
        self._capabilities = capabilities
        self._clock = clock
        self._meta = messages.ModernMeta(client)
        self.listening = Listening(self._listen, self.party, clock=clock, random=random)
        self.incoming = Incoming(self.party, start, self._tell)
        self.in_flight = 0
        self.used_at_s = 0.0
        self._log_level = LogLevel()
        self._subscribing = Subscribing(self.party, self._ask_plainly, start, self._updated)
        self._numbers = itertools.count(1)
        self._pending: dict[int, Waiting] = {}
        self._program: str | None = None
        self._child: Child | None = None
        self._peer: Peer | None = None
        self._gone = asyncio.Event()
        self._how = ""
        self._noise = 0
        self._probe_kills = False

    @property
    def alive(self) -> bool:
        """Whether there is a child to talk to."""
        return self._child is not None and self._child.alive

    @property
    def ready(self) -> bool:
        """Whether that child was greeted, too."""
        return self.alive and self._peer is not None

    async def connect(self) -> Peer:
        """Start the child and negotiate the era with it."""
        await self.aclose()
        if self._program is None:
            self._program = program_path(self._settings.command[0], party=self.party)
        self._pending = {}
        self._noise = 0
        self._log_level = LogLevel()
        self.incoming.forget()
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
            legacy_only = self._probe_kills and self._era == "auto"
            self._peer = await negotiate(self, era="legacy" if legacy_only else self._era)
        except BaseException:
            self._child.kill("was stopped during the handshake")
            raise
        if self._peer.era == "legacy":
            self._subscribing.again()
        return self._peer

    async def discover(self) -> Answer:
        """Ask as a modern client. Some legacy servers exit on it: the next child is not asked."""
        number = next(self._numbers)
        body = messages.request(number, "server/discover", {"_meta": self._meta.plain})
        try:
            return await self._ask(number, body, deadline_s=self._settings.probe_timeout_s, cancels=False)
        except UpstreamGone:
            self._probe_kills = not self._probe_kills
            raise

    async def initialize(self) -> Answer:
        """Ask as a legacy client, and confirm."""
        number = next(self._numbers)
        params = {
            "protocolVersion": messages.LEGACY_VERSION,
            "capabilities": dict(self._capabilities),
            "clientInfo": self._client,
        }
        body = messages.request(number, "initialize", params)
        try:
            answer = await self._ask(number, body, deadline_s=self._settings.start_timeout_s, cancels=False)
        except UpstreamGone:
            self._probe_kills = False
            raise
        if answer.error is None and self._child is not None:
            self._child.write(messages.notification("notifications/initialized"))
        return answer

    @property
    def era(self) -> messages.Era:
        """Of the child that runs, or ran last."""
        return self._peer.era if self._peer is not None else "modern"

    async def call(
        self, send: Send, *, deadline_s: float, on_notice: NoticeSink | None, on_ask: AskSink | None
    ) -> Reply:
        """One request."""
        modern = self.era == "modern"
        end_at_s = self._clock() + deadline_s
        self.in_flight += 1
        try:
            if send.log_level and not modern:
                await self._lower_level(send.log_level, deadline_s)
                deadline_s = max(end_at_s - self._clock(), 0.001)
            number = next(self._numbers)
            body = messages.request_for(number, send, self._meta.of(send) if modern else {})
            # At 2026-07-28 a server has no requests of its own.
            may_ask = None if modern else on_ask
            with self.incoming.calling(number, send.session_key, on_notice, may_ask):
                answer = await self._ask(number, body, deadline_s=deadline_s)
        finally:
            self.in_flight -= 1
            self.used_at_s = self._clock()
        return messages.reply_of(answer, send, era=self.era, party=self.party)

    async def _lower_level(self, level: str, deadline_s: float) -> None:
        """Have the server log from the lowest level up that anybody asked for."""

        async def tell(wanted: str, within_s: float) -> None:
            await self._ask_plainly("logging/setLevel", {"level": wanted}, within_s)

        if self._peer is not None and self._peer.offers("logging"):
            await self._log_level.lower_to(level, tell, deadline_s=deadline_s, party=self.party)

    async def list_page(self, method: str, cursor: str | None, *, deadline_s: float) -> Answer:
        """One page of a list."""
        number = next(self._numbers)
        params = list_params(cursor) | ({"_meta": self._meta.plain} if self.era == "modern" else {})
        return await self._ask(
            number, messages.request(number, method, params), deadline_s=deadline_s, strict=False
        )

    async def subscribe(self, uri: str, *, deadline_s: float) -> None:
        """Hear of changes of a resource."""
        heard = self.listening if self.era == "modern" else self._subscribing
        await heard.subscribe(uri, deadline_s=deadline_s)

    def unsubscribe(self, uri: str) -> None:
        """No longer."""
        self.listening.unsubscribe(uri)
        self._subscribing.unsubscribe(uri)

    def _updated(self, uri: str) -> None:
        if self.incoming.events is not None:
            self.incoming.events.resource_updated(uri)

    async def _ask_plainly(self, method: str, params: dict[str, Any], deadline_s: float) -> Answer:
        number = next(self._numbers)
        return await self._ask(number, messages.request(number, method, params), deadline_s=deadline_s)

    async def watch(self, events: LinkEvents) -> None:
        """Wait for the end of the child; changes are reported as their lines come."""
        self.incoming.events = events
        peer = self._peer
        if peer is not None and peer.era == "modern":
            listening = self._start(self.listening.run(peer, events), f"{self.party}: listen")
            try:
                await self._gone.wait()
            finally:
                if listening is not None:
                    listening.cancel()
        await self._gone.wait()
        raise UpstreamGone(f"{self.party} {self._how}", sent=False)

    async def _listen(
        self, params: dict[str, Any], on_message: Callable[[Message], Awaitable[None]]
    ) -> Answer:
        number = next(self._numbers)
        body = messages.request(number, "subscriptions/listen", {**params, "_meta": self._meta.plain})
        return await self._ask(number, body, deadline_s=None, on_message=on_message)

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
            self._take_unasked(number, method, line)

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

    def _take_unasked(self, asked: int | str | None, method: str, line: bytes) -> None:
        self._count_noise()
        if len(line) > (NOTICE_BYTES_MAX if asked is None else ASK_BYTES_MAX):
            if asked is not None:
                self._tell(messages.reply_to(messages.Message(id=asked, method=method, params=b"{}")))
            return
        try:
            message = messages.read_message(line, elements_max=NOTICE_BYTES_MAX)
        except MalformedMessage:
            return
        number = self._number_of(message)
        waiting = self._pending.get(number) if number is not None else None
        if waiting is not None:
            # In order with that request's answer.
            waiting.put(message)
        else:
            self._start(self.incoming.take(message), f"{self.party}: a message")

    def _number_of(self, message: Message) -> int | None:
        """The request of ours that a notification belongs to: progress and subscriptions say so."""
        if message.id is not None:
            return None
        if message.method == messages.LOG:
            return self.incoming.listens_to_logs()
        if message.method == messages.PROGRESS:
            found = messages.notice_of(message)
            return found[0] if found is not None else None
        return messages.subscription_of(message)

    def _tell(self, body: bytes) -> None:
        if self._child is not None:
            self._child.write(body)

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

    async def _ask(
        self,
        number: int,
        body: bytes,
        *,
        deadline_s: float | None,
        on_message: Callable[[Message], Awaitable[None]] | None = None,
        strict: bool = True,
        cancels: bool = True,
    ) -> Answer:
        child = self._child
        if child is None or not child.alive:
            raise UpstreamUnreachable(
                f"{self.party} is not running: {self._how or 'not started'}", sent=False
            )
        waiting = self._pending[number] = Waiting(strict=strict, on_message=on_message)
        written = False
        try:
            async with asyncio.timeout(deadline_s) as limit:
                await child.writable()
                written = child.write(body)
                if not written:
                    raise UpstreamUnreachable(f"{self.party} stopped reading", sent=False)
                return await self._answer(number, waiting)
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

    async def _answer(self, number: int, waiting: Waiting) -> Answer:
        while True:
            item = await waiting.get()
            if isinstance(item, str):
                raise UpstreamGone(f"{self.party} {item}", sent=True)
            if isinstance(item, Exception):
                raise item
            if isinstance(item, bytes):
                return await self._read(number, item, strict=waiting.strict)
            if waiting.on_message is not None:
                await waiting.on_message(item)
            else:
                await self.incoming.take(item, number)

    async def _read(self, number: int, line: bytes, *, strict: bool) -> Answer:
        elements_max = self._settings.answer_elements_max
        try:
            message = await messages.read_off_loop(line, elements_max=elements_max, strict=strict)
        except MalformedMessage as error:
            raise self._unusable(error.reason) from error
        return messages.answer_to(number, message, party=self.party)

    def _unusable(self, reason: str) -> UpstreamGarbled:
        return UpstreamGarbled(f"{self.party} sent an unusable answer: {self.party.says(reason)}", sent=True)

    @staticmethod
    def _cancel(child: Child, number: int, *, wanted: bool) -> None:
        if wanted:
            params: dict[str, Any] = {"requestId": number, "reason": "The caller no longer waits."}
            child.write(messages.notification("notifications/cancelled", params))
