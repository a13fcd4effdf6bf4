"""The snapshot behind every list and every call; readers never see it half changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from gateway.core.definition import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.core.definition import Definition, RefusedDefinition
    from gateway.ports import ServerFacts

_NOTHING: Mapping[str, Definition] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one upstream offers: by kind and name, names in sorted order."""

    definitions: Mapping[Kind, Mapping[str, Definition]]
    refused: tuple[RefusedDefinition, ...]
    server: ServerFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One state of the catalogue."""

    version: int = 0
    """Grows with every change; part of cache keys."""
    offers: Mapping[str, Offer] = field(default_factory=dict)
    """By upstream id."""


class CatalogueStore:
    """Holds the current snapshot and tells listeners when another one takes its place."""

    def __init__(self) -> None:
        """Start empty: nothing is offered before admission said so."""
        self.current = Snapshot()
        self._listeners: list[Callable[[str, Kind], None]] = []

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self.current.version

    def on_change(self, listener: Callable[[str, Kind], None]) -> None:
        """Call ``listener(upstream_id, kind)`` for each list that changed; it must not block or raise."""
        self._listeners.append(listener)

    def replace(
        self,
        upstream: str,
        definitions: tuple[Definition, ...],
        refused: tuple[RefusedDefinition, ...],
        server: ServerFacts,
    ) -> None:
        """Put one upstream's admitted definitions in place."""
        before = self.current
        by_kind: dict[Kind, dict[str, Definition]] = {kind: {} for kind in Kind}
        for one in sorted(definitions, key=lambda one: one.name):
            by_kind[one.kind][one.name] = one
        offer = Offer(
            definitions=MappingProxyType({kind: MappingProxyType(by_kind[kind]) for kind in Kind}),
            refused=refused,
            server=server,
        )
        self.current = Snapshot(
            version=before.version + 1, offers=MappingProxyType({**before.offers, upstream: offer})
        )
        earlier = before.offers.get(upstream)
        for kind in Kind:
            if _digests(earlier, kind) != _digests(offer, kind):
                for listener in self._listeners:
                    listener(upstream, kind)

    def touched(self, upstream: str, kinds: frozenset[Kind]) -> None:
        """An upstream announced a change that left its lists as they were; agents hear of it all the same."""
        for kind in kinds:
            for listener in self._listeners:
                listener(upstream, kind)

    def find(self, kind: Kind, upstream: str, name: str) -> Definition | None:
        """The admitted definition, or None."""
        return self._of(kind, upstream).get(name)

    def resource(self, upstream: str, uri: str) -> Definition | None:
        """The listed resource of that URI, or else the first template that stands for it."""
        found = self.find(Kind.RESOURCE, upstream, uri)
        if found is not None:
            return found
        templates = self._of(Kind.TEMPLATE, upstream).values()
        return next(
            (one for one in templates if one.pattern is not None and one.pattern.stands_for(uri)), None
        )

    def offered(self, kind: Kind, upstream: str | None) -> tuple[Definition, ...]:
        """Admitted definitions of one upstream, or of all, sorted by upstream and name."""
        names = sorted(self.current.offers) if upstream is None else (upstream,)
        return tuple(one for name in names for one in self._of(kind, name).values())

    def server(self, upstream: str) -> ServerFacts | None:
        """What an upstream said of itself when it was last listed."""
        offer = self.current.offers.get(upstream)
        return offer.server if offer is not None else None

    def refused(self) -> tuple[RefusedDefinition, ...]:
        """What was listed but is not offered."""
        return tuple(item for offer in self.current.offers.values() for item in offer.refused)

    def _of(self, kind: Kind, upstream: str) -> Mapping[str, Definition]:
        offer = self.current.offers.get(upstream)
        return offer.definitions[kind] if offer is not None else _NOTHING


def _digests(offer: Offer | None, kind: Kind) -> dict[str, str]:
    if offer is None:
        return {}
    return {name: one.digest for name, one in offer.definitions[kind].items()}
