"""The snapshot behind every list and every call; readers never see it half changed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from durable.pins.state import State
from gateway.core.definition import Kind
from gateway.core.pin_states import BLOCKED, CODES, kept_back, untrusted
from gateway.core.uri_template import UriPattern
from gateway.errors import InvalidParams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.core.definition import Definition, RefusedDefinition, Words
    from gateway.core.varying import Varying
    from gateway.ports import ServerFacts

_NOTHING: Mapping[str, Definition] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one upstream offers: by kind and name, names in sorted order."""

    definitions: Mapping[Kind, Mapping[str, Definition]]
    refused: tuple[RefusedDefinition, ...]
    server: ServerFacts
    kept_back: Mapping[tuple[Kind | Words, str], RefusedDefinition] = field(default_factory=dict)
    """Of ``refused`` what is well-formed and not pinned."""
    kept_back_patterns: tuple[tuple[UriPattern, RefusedDefinition], ...] = ()
    """Of those the templates."""


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
            kept_back={(one.kind, one.name): one for one in refused if one.code in BLOCKED},
            kept_back_patterns=_patterns(refused),
        )
        self.current = Snapshot(
            version=before.version + 1, offers=MappingProxyType({**before.offers, upstream: offer})
        )
        earlier = before.offers.get(upstream)
        for kind in Kind:
            if _forms(earlier, kind) != _forms(offer, kind):
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
        """The listed resource of that URI, or else the first template that stands for it.

        Raises:
            DefinitionKeptBack: it is listed, and not offered: nor can it be read as if it were unlisted.
        """
        blocked = self.kept_back(Kind.RESOURCE, upstream, uri)
        if blocked is not None:
            raise kept_back(blocked.code, f"resource {upstream}/{uri}")
        return self.find(Kind.RESOURCE, upstream, uri) or self._template_for(upstream, uri)

    def kept_back(self, kind: Kind, upstream: str, name: str) -> RefusedDefinition | None:
        """What is listed under that name, well-formed and not pinned; of a URI also its template."""
        offer = self.current.offers.get(upstream)
        if offer is None or name in offer.definitions[kind]:
            return None
        listed = offer.kept_back.get((kind, name))
        if listed is not None or kind is not Kind.RESOURCE or self._template_for(upstream, name) is not None:
            return listed
        return next((one for pattern, one in offer.kept_back_patterns if pattern.stands_for(name)), None)

    def _template_for(self, upstream: str, uri: str) -> Definition | None:
        for one in self._of(Kind.TEMPLATE, upstream).values():
            if one.pattern is not None and one.pattern.stands_for(uri):
                return one
        return None

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

    def attention(self) -> dict[str, str]:
        """What people should look at: each definition that is not offered, those that are new together."""
        found = {}
        for upstream, offer in self.current.offers.items():
            new = sum(one.code == CODES[State.NEW] for one in offer.refused)
            if new:
                found[f"definitions of {upstream}"] = untrusted(upstream, new)
            for one in offer.refused:
                if one.code != CODES[State.NEW]:
                    found[f"{one.kind.value} {upstream}/{one.name}"] = f"not offered: {one.reason}"
        return found

    def _of(self, kind: Kind, upstream: str) -> Mapping[str, Definition]:
        offer = self.current.offers.get(upstream)
        return offer.definitions[kind] if offer is not None else _NOTHING


def _patterns(
    refused: tuple[RefusedDefinition, ...],
) -> tuple[tuple[UriPattern, RefusedDefinition], ...]:
    found = []
    for one in refused:
        if one.kind is Kind.TEMPLATE and one.code in BLOCKED:
            # It was parsed before it was held against its pin.
            with contextlib.suppress(InvalidParams):
                found.append((UriPattern(one.name), one))
    return tuple(found)


def _forms(offer: Offer | None, kind: Kind) -> dict[str, tuple[str, Varying]]:
    if offer is None:
        return {}
    return {name: (one.digest, one.varying) for name, one in offer.definitions[kind].items()}
