"""Webhooks put together: the outbox, and one sender for all receivers."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from gateway.assembly.agents import clock_us
from gateway.webhooks.delivery import WebhookDelivery
from gateway.webhooks.outbox import HoldOutbox
from gateway.webhooks.sender import WebhookSender

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from durable.stores.base import HoldStore
    from gateway.background import Background
    from gateway.egress import Egress
    from gateway.ports import Redaction
    from gateway.webhooks.settings import WebhookSettings


def start_webhooks(
    hooks: Mapping[str, WebhookSettings],
    *,
    store: HoldStore,
    egress: Egress,
    redaction: Redaction,
    people_url: str,
    background: Background,
) -> Callable[[], Mapping[str, str]]:
    """Start telling; returns what deserves a look about receivers."""
    outbox = HoldOutbox(
        store,
        hooks,
        link_of=lambda hold: f"{people_url}/holds/{hold}",
        text=redaction.text,
    )
    background.start(outbox.keep(), "events for webhooks")
    if not hooks:
        return dict
    delivery = WebhookDelivery(hooks, egress, clock_us=clock_us, random=secrets.SystemRandom().random)
    sender = WebhookSender(outbox, delivery, clock=time.monotonic)
    background.start(sender.run(), "webhooks")
    return sender.conditions
