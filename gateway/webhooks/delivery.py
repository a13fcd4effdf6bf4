"""One attempt to tell one receiver one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yarl

from gateway.egress import Destination
from gateway.errors import GatewayError
from gateway.webhooks.message import message_body
from gateway.webhooks.schedule import REST_S_MAX, Delivered, GivenUp, Later, asked_s, retry_after_s
from gateway.webhooks.signature import signed_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.egress import Egress
    from gateway.webhooks.message import HoldNews
    from gateway.webhooks.settings import WebhookSettings

ANSWER_BYTES_MAX = 64 << 10
_GONE = 410
_BUSY = frozenset({429, 503})
"""Answers whose ``Retry-After`` counts."""


class WebhookDelivery:
    """Sends messages through the one outgoing client: no redirect is followed, no answer is believed.

    Whether it arrived is the status of the answer and nothing else; its body is neither read nor kept. What
    is said about a failure names the receiver and its origin: the rest of the address, the secret and the
    body are in no reason.
    """

    def __init__(
        self,
        hooks: Mapping[str, WebhookSettings],
        egress: Egress,
        *,
        clock_us: Callable[[], int],
        random: Callable[[], float],
    ) -> None:
        """``clock_us``: microseconds since the Unix epoch. ``random``: 0 up to 1."""
        self.hooks = dict(hooks)
        self._egress = egress
        self._clock_us = clock_us
        self._random = random
        self._destinations = {name: _destination(name, hook) for name, hook in self.hooks.items()}

    async def deliver(self, hook: str, news: HoldNews, *, attempts: int) -> Delivered | Later | GivenUp:
        """Try once.

        Args:
            hook: name of a configured receiver.
            news: what it is told.
            attempts: how often that failed before.
        """
        settings = self.hooks[hook]
        body = message_body(news, settings.form)
        signed = signed_headers(
            settings.keys, message_id=news.id, timestamp_s=self._clock_us() // 1_000_000, body=body
        )
        try:
            async with self._egress.exchange(
                self._destinations[hook],
                "POST",
                headers={"Content-Type": "application/json", "User-Agent": "toolgate", **signed},
                deadline_s=settings.timeout_s,
                body=body,
                body_bytes_max=ANSWER_BYTES_MAX,
            ) as answer:
                status, asked = answer.status, answer.headers.get("Retry-After", "")
                answer.enough()
        except GatewayError as error:
            return self.failed(hook, error.reason, attempts=attempts)
        if 200 <= status < 300:
            return Delivered(status=status)
        reason = f"webhook {hook!r} answered {status}"
        if status == _GONE:
            return GivenUp(reason=f"{reason}: it wants no more", rest_s=REST_S_MAX)
        wait_s = asked_s(asked, now_s=self._clock_us() // 1_000_000) if status in _BUSY else 0.0
        return self.failed(hook, reason, attempts=attempts, asked_s=wait_s)

    def failed(self, hook: str, reason: str, *, attempts: int, asked_s: float = 0.0) -> Later | GivenUp:
        """What follows from one more failure; never sooner than the receiver asked for."""
        attempt = attempts + 1
        rest_s = min(asked_s, REST_S_MAX)
        if attempt >= self.hooks[hook].attempts_max:
            return GivenUp(reason=f"{reason}; that was attempt {attempt}", rest_s=rest_s)
        after_s = max(retry_after_s(attempt, self._random), asked_s)
        return Later(after_s=after_s, reason=reason, rest_s=rest_s)


def _destination(name: str, hook: WebhookSettings) -> Destination:
    return Destination(
        party=f"webhook {name!r}",
        next_step=f"look at `webhooks.{name}.url`",
        url=yarl.URL(hook.url, encoded=True),
        connect_timeout_s=min(5.0, hook.timeout_s),
    )
