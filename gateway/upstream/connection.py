"""The port's ``Upstream``: keeps one link alive, lets calls through it, and says how it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.core.definition import Kind
from gateway.errors import (
    UpstreamError,
    UpstreamGarbled,
    UpstreamGone,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.ports import Listing, UpstreamHealth
from gateway.upstream.link import Aside
from gateway.upstream.listing import all_elements

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.background import Background
    from gateway.core.definition import Listed
    from gateway.ports import AskSink, NoticeSink, Reply, Send, UpstreamEvents
    from gateway.upstream.breaker import Breaker
    from gateway.upstream.link import Link, Peer
    from gateway.upstream.messages import Answer
    from gateway.upstream.party import Party
    from gateway.upstream.settings import UpstreamSettings

CLOSE_S = 5.0

CHANGE_PAUSE_S = 1.0
"""Between two reports of a change; each makes somebody list all tools again."""

DOUBT_S = 10.0
"""At most one new negotiation per this many seconds because of what a call was told."""

# What a server answers that does not speak what was negotiated (any more).
_WRONG_ERA = frozenset({400, 404, 405, 406, 415})


def _is_answer(error: UpstreamError) -> bool:
    """A JSON-RPC error, not one of HTTP."""
    return isinstance(error, UpstreamRefused) and not error.status


# What says something about one list, and nothing about the connection.
_OF_ONE_LIST = (UpstreamRefused, UpstreamGarbled, UpstreamTimeout)


class UpstreamConnection:
    """One upstream.

    A keeper task connects, watches, and connects again; calls only wait for it. So there is one
    attempt at a time, whoever wants one, and a call is refused at once while the circuit is open.
    A success forgets earlier failures once the link has lasted ``steady_s``.
    """

    def __init__(
        self,
        party: Party,
        link: Link,
        settings: UpstreamSettings,
        background: Background,
        breaker: Breaker,
        *,
        next_step: str,
        steady_s: float,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._id = party.upstream
        self._party = party
        self._link = link
        self._settings = settings
        self._background = background
        self._breaker = breaker
        self._next_step = next_step
        self._steady_s = steady_s
        self._connected_at_s = 0.0
        self._clock = clock
        self._random = random
        self._peer: Peer | None = None
        self._error: UpstreamError | None = None
        self._attempt: asyncio.Future[None] | None = None
        self._lost = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._in_flight = 0
        self._doubted_at_s: float | None = None
        self._closed = False
        self._changed_at_s: dict[str, float] = {}
        self._changes_due: dict[str, asyncio.TimerHandle] = {}
        self._events: UpstreamEvents | None = None

    @property
    def id(self) -> str:
        """The configured upstream id."""
        return self._id

    async def start(self, events: UpstreamEvents) -> None:
        """Begin connecting; a changed list is reported after each connect and each announced change."""
        self._events = events
        if self._keeper is None and not self._closed:
            self._attempt = asyncio.get_running_loop().create_future()
            self._keeper = self._background.start(self._keep(), f"{self._party}: keep connected")

    async def list_definitions(
        self, *, deadline_s: float, kinds: frozenset[Kind] = frozenset(Kind)
    ) -> Listing:
        """Fetch every page of these kinds within ``deadline_s``, each within the configured limit."""
        end_at_s = self._clock() + deadline_s

        async def fetch(method: str, cursor: str | None) -> Answer:
            remaining_s = max(end_at_s - self._clock(), 0.001)
            return await self._link.list_page(
                method, cursor, deadline_s=min(remaining_s, self._settings.list_timeout_s)
            )

        async def whole(kind: Kind) -> tuple[Listed, ...]:
            try:
                return await all_elements(fetch, kind, self._settings, party=self._party)
            except UpstreamGone:
                if not self._link.alive:
                    raise
                # Listing changes nothing: an idle connection that closed under it is no reason to fail.
                return await all_elements(fetch, kind, self._settings, party=self._party)

        peer = await self._ready(deadline_s)
        elements: dict[Kind, tuple[Listed, ...]] = {}
        failed: dict[Kind, str] = {}
        for kind in _listed_kinds(peer):
            if kind not in kinds:
                continue
            try:
                elements[kind] = await whole(kind)
            except UpstreamError as error:
                if kind is Kind.TOOL and not peer.offers("tools") and _is_answer(error):
                    # It never said that it has any.
                    elements[kind] = ()
                    continue
                one_list = kind is not Kind.TOOL and isinstance(error, _OF_ONE_LIST)
                if not one_list or Kind.TOOL not in elements:
                    # With the tools listed the server is well, and one list is missing.
                    self._failed(error, peer)
                if not one_list:
                    raise
                failed[kind] = error.reason
        self._succeeded()
        return Listing(
            era=peer.era,
            elements=elements,
            failed=failed,
            capabilities=peer.capabilities,
            instructions=peer.instructions,
        )

    async def call(
        self,
        send: Send,
        *,
        deadline_s: float,
        on_notice: NoticeSink | None = None,
        on_ask: AskSink | None = None,
    ) -> Reply:
        """One request; never sent twice."""
        deadline_s = min(deadline_s, self._settings.call_timeout_s)
        if on_ask is not None and send.asks:
            # People may be among those who are asked.
            deadline_s += self._settings.input_timeout_s
        end_at_s = self._clock() + deadline_s
        self._in_flight += 1
        try:
            try:
                return await self._call(send, deadline_s, on_notice, on_ask)
            except UpstreamUnreachable as error:
                if self._connected() is not None or self._breaker.is_open(self._clock()):
                    raise
                # Nothing was sent, and the link was found dead only now: the next one may live.
                remaining_s = end_at_s - self._clock()
                if error.sent or remaining_s <= 0:
                    raise
                return await self._call(send, remaining_s, on_notice, on_ask)
        finally:
            self._in_flight -= 1

    async def _call(
        self, send: Send, deadline_s: float, on_notice: NoticeSink | None, on_ask: AskSink | None
    ) -> Reply:
        peer = self._peer
        if peer is None or not self._link.alive:
            started_at_s = self._clock()
            peer = await self._ready(deadline_s)
            deadline_s = max(deadline_s - (self._clock() - started_at_s), 0.001)
        try:
            reply = await self._link.call(send, deadline_s=deadline_s, on_notice=on_notice, on_ask=on_ask)
        except UpstreamError as error:
            self._failed(error, peer)
            raise
        self._succeeded()
        return reply

    async def subscribe(self, uri: str, *, deadline_s: float) -> None:
        """Hear of changes of a resource."""
        await self._ready(deadline_s)
        await self._link.subscribe(uri, deadline_s=deadline_s)

    def unsubscribe(self, uri: str) -> None:
        """No longer."""
        self._link.unsubscribe(uri)

    def health(self) -> UpstreamHealth:
        """The state now."""
        reason = ""
        if self._closed:
            state = "closed"
        elif self._peer is not None:
            state = "ready"
        elif self._error is None:
            state = "connecting"
        else:
            state, reason = "down", self._error.reason
            if wait_s := self._breaker.wait_s(self._clock()):
                reason += f"; next try in {wait_s:.1f} s"
        peer = self._peer
        return UpstreamHealth(
            state=state,
            reason=reason,
            era=peer.era if peer else "",
            protocol_version=peer.protocol_version if peer else "",
            server=peer.server if peer else "",
            in_flight=self._in_flight,
        )

    async def aclose(self) -> None:
        """Stop keeping it connected, and end the link."""
        self._closed = True
        for due in self._changes_due.values():
            due.cancel()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper}, timeout=CLOSE_S / 5)
        self._peer = None
        try:
            async with asyncio.timeout(CLOSE_S * 4 / 5):
                await self._link.aclose()
        except TimeoutError:
            return  # Whatever is left holds no call of ours.

    async def _keep(self) -> None:
        while True:
            attempt = self._attempt = self._attempt or asyncio.get_running_loop().create_future()
            try:
                await asyncio.sleep(self._breaker.wait_s(self._clock()))
                await self._connect()
            finally:
                self._attempt = None
                attempt.set_result(None)
            if self._peer is not None:
                await self._watch(self._peer)

    async def _connect(self) -> None:
        self._lost.clear()
        try:
            self._peer = await self._link.connect()
        except UpstreamError as error:
            self._failed(error, None)
        else:
            self._error = None
            self._connected_at_s = self._clock()
            self.list_changed()

    async def _watch(self, peer: Peer) -> None:
        """Watch the link until it ends or a call found it lost."""
        watching = self._background.start(self._watch_link(peer), f"{self._party}: watch for changes")
        try:
            await self._lost.wait()
        finally:
            if watching is not None:
                watching.cancel()

    async def _watch_link(self, peer: Peer) -> None:
        loss: UpstreamError = UpstreamGone(f"{self._party} was lost", sent=False)
        try:
            await self._link.watch(self)
        except UpstreamError as error:
            loss = error
        finally:
            # Counted whatever the reason: a link that is lost at once must not be renewed at once.
            self._failed(loss, peer)
            if self._peer is peer:
                self._drop()

    def resource_updated(self, uri: str) -> None:
        """Pass on what the link heard."""
        if self._events is not None and not self._closed:
            self._events.resource_updated(self._id, uri)

    def list_changed(self, capability: str = "") -> None:
        """Report a change of what is offered, many of one list within a moment as one."""
        if capability not in self._changes_due and not self._closed:
            last_s = self._changed_at_s.get(capability, self._clock() - CHANGE_PAUSE_S)
            wait_s = max(last_s + CHANGE_PAUSE_S - self._clock(), 0.0)
            self._changes_due[capability] = asyncio.get_running_loop().call_later(
                wait_s, self._report_change, capability
            )

    def _report_change(self, capability: str) -> None:
        del self._changes_due[capability]
        self._changed_at_s[capability] = self._clock()
        if self._events is not None:
            self._events.list_changed(self._id, capability)

    async def _ready(self, deadline_s: float) -> Peer:
        """Wait for the attempt under way, if there is one and it may succeed."""
        if self._peer is not None:
            if self._link.alive:
                return self._peer
            self._failed(UpstreamGone(f"{self._party} has just ended", sent=False), self._peer)
        now_s = self._clock()
        if self._closed:
            raise UpstreamUnreachable(f"{self._party} is closed: the gateway is stopping", sent=False)
        if self._breaker.is_open(now_s):
            raise self._refused(f"next try in {self._breaker.wait_s(now_s):.1f} s")
        if self._keeper is None or self._keeper.done() or self._attempt is None:
            raise self._refused("it was not started")
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.shield(self._attempt)
        except TimeoutError as error:
            raise UpstreamTimeout(
                f"{self._party} was not connected within {deadline_s:g} s",
                sent=False,
                next_step=self._next_step,
            ) from error
        peer = self._connected()
        if peer is None:
            raise self._refused("")
        return peer

    def _connected(self) -> Peer | None:
        return self._peer

    def _refused(self, when: str) -> UpstreamUnreachable:
        known = self._error
        reason = known.reason if known is not None else f"{self._party} is not connected"
        return UpstreamUnreachable(
            f"{reason}; {when}" if when else reason,
            sent=False,
            next_step=(known.next_step if known is not None else "") or self._next_step,
        )

    def _succeeded(self) -> None:
        if self._breaker.failures and self._clock() - self._connected_at_s >= self._steady_s:
            self._breaker.succeeded()

    def _failed(self, error: UpstreamError, peer: Peer | None) -> None:
        """Count what says something about the connection, and let go of a link that is of no more use.

        ``peer`` is the one the failed work was begun with: what comes back later from a link that
        is already given up is the same failure, and is not counted again.
        """
        if isinstance(error, Aside):
            return
        if peer is not self._peer:
            if self._peer is None and self._error is not None:
                self._error = error  # It may know more about why.
            return
        if peer is not None and isinstance(error, UpstreamRefused):
            self._doubt(error)
        elif peer is None or isinstance(error, UpstreamUnreachable | UpstreamGone):
            self._breaker.failed(now_s=self._clock(), roll=self._random())
            self._error = error
            useless = isinstance(error, UpstreamUnreachable) or not self._link.alive
            if peer is not None and (useless or self._breaker.is_open(self._clock())):
                self._drop()

    def _doubt(self, error: UpstreamRefused) -> None:
        """A refusal may mean that another server, of another era, answers at that address now."""
        now_s = self._clock()
        recently = self._doubted_at_s is not None and now_s - self._doubted_at_s < DOUBT_S
        if (error.status in _WRONG_ERA or not error.sent) and not recently:
            self._doubted_at_s = now_s
            self._error = error
            self._drop()

    def _drop(self) -> None:
        self._peer = None
        # From this moment on calls wait for the next attempt.
        self._attempt = self._attempt or asyncio.get_running_loop().create_future()
        self._lost.set()


def _listed_kinds(peer: Peer) -> list[Kind]:
    """Tools from every server; the others only where they are announced."""
    return [kind for kind in Kind if kind is Kind.TOOL or peer.offers(kind.capability)]
