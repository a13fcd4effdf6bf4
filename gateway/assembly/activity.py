"""What people read about calls and upstreams put together."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from durable.audit.index import AuditIndex
from durable.audit.keyring import read_master_key
from durable.audit.payloads import find_payload
from durable.errors import DurableError
from durable.holds.finding import of_prefix
from durable.pins.rows import counts
from gateway.activity.desk import LoggedActivity
from gateway.activity.news import IndexNews
from gateway.catalogue.pins import TENANT
from gateway.data import KEYS, MASTER_KEY
from gateway.upstream.standing import UpstreamStandings

if TYPE_CHECKING:
    from pathlib import Path

    from durable.holds.hold import Hold
    from durable.stores.base import HoldStore
    from gateway.config.loading import Configuration
    from gateway.core.activity import Transport
    from gateway.ports import Redaction
    from gateway.telemetry.ends import RecentEnds
    from gateway.upstream.pool import UpstreamPool


def open_index(data: Path) -> tuple[AuditIndex, IndexNews]:
    """What follows the log, and what tells the loop that runs now of it."""
    news = IndexNews(asyncio.get_running_loop())
    return AuditIndex.open(data, on_progress=news.tell), news


def activity_desk(
    configuration: Configuration, index: AuditIndex, news: IndexNews, store: HoldStore, redaction: Redaction
) -> LoggedActivity:
    """Over the log that is open, and its index."""
    data = configuration.data

    async def hold_of(tenant: str, hold_id: str) -> Hold | None:
        try:
            return await store.read(of_prefix, tenant, hold_id)
        except DurableError:
            # The story is the log's; what the rows would add to it can wait.
            return None

    return LoggedActivity(
        data,
        index,
        news,
        redaction=redaction,
        hold_of=hold_of,
        find_payload=partial(find_payload, data, read_master_key(data / KEYS / MASTER_KEY)),
    )


def upstreams_desk(
    configuration: Configuration,
    pool: UpstreamPool,
    store: HoldStore,
    recent: RecentEnds,
    redaction: Redaction,
) -> UpstreamStandings:
    """Over the connections there are."""
    transports: dict[str, Transport] = {
        name: "stdio" if one.url is None else "http" for name, one in configuration.settings.upstreams.items()
    }
    return UpstreamStandings(
        health=pool.health,
        transports=transports,
        counts=partial(store.read, counts, TENANT),
        latency_of=recent.of,
        redacted=redaction.text,
    )
