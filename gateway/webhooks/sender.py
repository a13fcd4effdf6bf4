"""The loop that carries messages from the durable outbox to their receivers, each of them at least once."""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from durable.errors import DurableError
from gateway.webhooks.schedule import Delivered, GivenUp, Later, rest_s

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gateway.webhooks.delivery import WebhookDelivery
    from gateway.webhooks.message import HoldNews

AT_ONCE_MAX = 8
"""Messages on their way to one receiver. A chat gets one at a time: people read them in this order."""
LOOK_S = 5.0
"""The outbox is looked at this often, though nobody said that something had changed."""
STORE_RETRY_S = 1.0
_LEASE_SPARE_MS = 30_000
"""Beyond the deadline of an attempt; after a crash it is how much later the message is sent again."""

_logger = logging.getLogger("toolgate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One message for one receiver. ``hook``, ``news.hold`` and ``news.seq`` together name its row."""

    hook: str
    attempts: int
    """How often it failed before."""
    news: HoldNews


class Outbox(Protocol):
    """What waits to be told, durable. Each method raises ``DurableError`` if the store does not confirm.

    The receivers are strangers to each other here, too: every method is about one of them, and what waits
    for one that hangs is in nobody's way. Several calls may be under way at a time.
    """

    async def take(self, hook: str, *, limit: int, lease_ms: int) -> Sequence[Waiting]:
        """Those due, the longest waiting first; not given to anybody again before ``lease_ms`` are over."""
        ...

    async def done(self, waiting: Waiting) -> None:
        """It was told."""
        ...

    async def later(self, waiting: Waiting, *, after_ms: int, reason: str) -> None:
        """It failed once more; it is due again after that time."""
        ...

    async def given_up(self, waiting: Waiting, *, reason: str) -> None:
        """It is not told any more."""
        ...

    async def changed(self, hook: str, *, timeout_s: float) -> None:
        """Return when there may be something to take for this receiver, or when the time is up.

        Something that became due between the last ``take`` and this call is not missed. What waits for other
        receivers is no reason to return.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HookHealth:
    """How one receiver has done since the start of the process."""

    delivered: int = 0
    failures: int = 0
    given_up: int = 0
    failing: int = 0
    """Failures since the last success."""
    reason: str = ""
    """Of the last failure."""


class _Hook:
    """One receiver: how it does, and how long it is left in peace."""

    def __init__(self, at_once_max: int, lease_ms: int) -> None:
        self.health = HookHealth()
        self.at_once_max = at_once_max
        self.lease_ms = lease_ms
        self.rests_until_s = -math.inf
        self._rests = 0
        """How many there have been since it last worked."""

    @property
    def room(self) -> int:
        """How many may be on their way. One is enough to find out whether a receiver works again."""
        return 1 if self.health.failing else self.at_once_max

    def note(self, result: Delivered | Later | GivenUp, *, now_s: float) -> None:
        """Count it, and leave a receiver that fails in peace for a while."""
        health = self.health
        if isinstance(result, Delivered):
            self._rests = 0
            self.health = replace(health, delivered=health.delivered + 1, failing=0)
            return
        self.health = replace(
            health,
            failures=health.failures + 1,
            given_up=health.given_up + isinstance(result, GivenUp),
            failing=health.failing + 1,
            reason=result.reason,
        )
        if now_s >= self.rests_until_s:
            # Several that failed together are one reason to rest.
            self.rests_until_s = now_s + rest_s(self._rests)
            self._rests += 1
        self.rests_until_s = max(self.rests_until_s, now_s + result.rest_s)


class WebhookSender:
    """Takes, delivers, marks, waits; for each receiver on its own.

    What was delivered and not marked, because the process or the store went away in between, is sent again
    under the same id once its lease is over.
    """

    def __init__(
        self,
        outbox: Outbox,
        delivery: WebhookDelivery,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``clock`` counts seconds and never steps back; ``sleep`` takes some."""
        self._outbox = outbox
        self._delivery = delivery
        self._clock = clock
        self._sleep = sleep
        self._hooks = {
            name: _Hook(
                1 if settings.form == "chat" else AT_ONCE_MAX,
                math.ceil(settings.timeout_s * 1_000) + _LEASE_SPARE_MS,
            )
            for name, settings in delivery.hooks.items()
        }

    async def run(self) -> None:
        """Carry messages until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name in self._hooks:
                group.create_task(self._keep(name), name=f"webhook {name}")

    def health(self) -> Mapping[str, HookHealth]:
        """How each receiver does."""
        return {name: hook.health for name, hook in self._hooks.items()}

    def conditions(self) -> Mapping[str, str]:
        """What deserves a look: receivers whose last message failed."""
        return {
            f"webhook {name}": f"{health.failing} failures in a row, the last: {health.reason}"
            for name, health in self.health().items()
            if health.failing
        }

    async def _keep(self, name: str) -> None:
        hook = self._hooks[name]
        under_way: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                await self._rest(hook)
                room = hook.room - len(under_way)
                try:
                    taken = (
                        await self._outbox.take(name, limit=room, lease_ms=hook.lease_ms) if room > 0 else ()
                    )
                    if room > 0 and not taken:
                        await self._outbox.changed(name, timeout_s=LOOK_S)
                except DurableError:
                    await self._sleep(STORE_RETRY_S)
                    continue
                for waiting in taken:
                    task = group.create_task(
                        self._tell(hook, waiting), name=f"webhook {name}: {waiting.news.id}"
                    )
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                if len(under_way) >= hook.room:
                    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)

    async def _rest(self, hook: _Hook) -> None:
        while (left_s := hook.rests_until_s - self._clock()) > 0:
            await self._sleep(left_s)

    async def _tell(self, hook: _Hook, waiting: Waiting) -> None:
        extra = {"hook": waiting.hook, "message_id": waiting.news.id}
        try:
            if not self._delivery.hooks[waiting.hook].wants(waiting.news.event, waiting.news.tenant):
                await self._outbox.given_up(waiting, reason="it is not told of such events")
                return
            result = await self._attempt(waiting)
            hook.note(result, now_s=self._clock())
            if isinstance(result, GivenUp):
                _logger.warning("a webhook message is given up", extra=extra | {"reason": result.reason})
            await self._mark(waiting, result)
        except DurableError as error:
            # Its lease ends, and it is sent once more: receivers know it by its id.
            _logger.warning("a webhook message could not be marked", extra=extra | {"code": error.code})

    async def _attempt(self, waiting: Waiting) -> Delivered | Later | GivenUp:
        try:
            return await self._delivery.deliver(waiting.hook, waiting.news, attempts=waiting.attempts)
        except Exception as error:  # noqa: BLE001 - a message that cannot be built must not stop the others
            reason = f"a fault of the gateway: {type(error).__name__}"
            return self._delivery.failed(waiting.hook, reason, attempts=waiting.attempts)

    async def _mark(self, waiting: Waiting, result: Delivered | Later | GivenUp) -> None:
        match result:
            case Delivered():
                await self._outbox.done(waiting)
            case Later(after_s=after_s, reason=reason):
                await self._outbox.later(waiting, after_ms=math.ceil(after_s * 1_000), reason=reason)
            case GivenUp(reason=reason):
                await self._outbox.given_up(waiting, reason=reason)
