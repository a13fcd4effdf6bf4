"""The look at texts put together: rules to engines, engines to the screen that the flows ask."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.content.engines import built, parts_of
from gateway.content.names import NamesMissing
from gateway.content.presidio import PresidioMissing
from gateway.content.resource_links import ResourceLinks
from gateway.content.screen import ContentScreen, Unscreened
from gateway.content.screening import Screening
from gateway.content.sessions import Sessions
from gateway.content.vault import Vault
from gateway.content.workers import ScanWorkers
from gateway.errors import ConfigurationError
from scanners.credentials import header_literals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from durable.stores.base import HoldStore
    from gateway.catalogue.snapshot import CatalogueStore
    from gateway.content.engines import EngineParts
    from gateway.content.settings import ContentSettings
    from gateway.core.seal import Seal
    from gateway.ports import Screen
    from gateway.upstream.settings import UpstreamSettings
    from scanners.pipeline import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentPlane:
    """What the gateway asks, keeps running and closes."""

    screen: Screen
    sessions: Sessions
    workers: ScanWorkers | None
    """None where nothing is looked at."""

    async def aclose(self) -> None:
        """End what runs."""
        if self.workers is not None:
            await self.workers.aclose()


def content_plane(
    settings: ContentSettings,
    own_headers: list[str],
    own_values: list[str],
    *,
    links: ResourceLinks,
    key: bytes,
    store: HoldStore,
    seal: Seal,
    monotonic_s: Callable[[], float],
    now_ms: Callable[[], int],
) -> ContentPlane:
    """Build it.

    Args:
        settings: bounds, and whether to look at all.
        own_headers: values of headers that open something elsewhere.
        own_values: other values that do.
        links: where results may lead.
        key: what the key of the markers' digests is derived from.
        store: keeps labels and what placeholders stand for.
        seal: closes that.
        monotonic_s: how long sessions are idle.
        now_ms: Unix time.
    """
    sessions = Sessions(store, monotonic_s=monotonic_s)
    if not settings.scan:
        return ContentPlane(screen=Unscreened(sessions), sessions=sessions, workers=None)
    literals = [literal for header in own_headers for literal in header_literals(header)]
    parts = parts_of((*literals, *own_values), key, settings.recognizers, settings.names_model)
    pipeline = checked_pipeline(parts)
    workers = ScanWorkers(parts, settings)
    screen = ContentScreen(
        Screening(
            pipeline,
            workers,
            settings,
            links_of=links.of,
            new_nonce=lambda: secrets.token_hex(12),
            now_ms=now_ms,
        ),
        sessions,
        Vault(store, seal, random_bytes=secrets.token_bytes),
    )
    return ContentPlane(screen=screen, sessions=sessions, workers=workers)


def checked_pipeline(parts: EngineParts) -> Pipeline:
    """The engines, built.

    Raises:
        ConfigurationError: a recogniser or model that is wanted is not there.
    """
    try:
        return built(parts)
    except NamesMissing as error:
        raise ConfigurationError(
            f"content.names_model: {error}",
            next_step="install it into toolgate's environment, or name a folder that holds one",
        ) from error
    except (PresidioMissing, ValueError) as error:
        raise ConfigurationError(
            f"content.recognizers: {error}", next_step="toolgate config recognizers"
        ) from error


def resource_links(upstreams: Mapping[str, UpstreamSettings], catalogue: CatalogueStore) -> ResourceLinks:
    """Where the results of each upstream may lead."""
    hosts = {name: urlsplit(one.url).hostname or "" for name, one in upstreams.items() if one.url}
    return ResourceLinks(catalogue, hosts, {name: one.links for name, one in upstreams.items()})
