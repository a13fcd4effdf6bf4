"""The snapshot behind every list and every call; readers never see it half changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.core.definition import RefusedDefinition, ToolDefinition

_NOTHING: Mapping[str, ToolDefinition] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One state of the catalogue."""

    version: int = 0
    """Grows with every change; part of cache keys."""
    tools: Mapping[str, Mapping[str, ToolDefinition]] = field(default_factory=dict)
    """Upstream id -> tool name -> definition, names in sorted order."""
    refused: Mapping[str, tuple[RefusedDefinition, ...]] = field(default_factory=dict)


class CatalogueStore:
    """Holds the current snapshot and tells listeners when another one takes its place."""

    def __init__(self) -> None:
        """Start empty: nothing is offered before admission said so."""
        self.current = Snapshot()
        self._listeners: list[Callable[[str], None]] = []

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Call ``listener(upstream_id)`` after each change; it must not block or raise."""
        self._listeners.append(listener)

    def replace(
        self, upstream: str, tools: tuple[ToolDefinition, ...], refused: tuple[RefusedDefinition, ...]
    ) -> None:
        """Put one upstream's admitted definitions in place."""
        before = self.current
        by_name = {tool.name: tool for tool in sorted(tools, key=lambda one: one.name)}
        self.current = Snapshot(
            version=before.version + 1,
            tools=MappingProxyType({**before.tools, upstream: MappingProxyType(by_name)}),
            refused=MappingProxyType({**before.refused, upstream: refused}),
        )
        for listener in self._listeners:
            listener(upstream)

    def find(self, upstream: str, tool: str) -> ToolDefinition | None:
        """The admitted definition, or None."""
        return self.current.tools.get(upstream, _NOTHING).get(tool)

    def offered(self, upstream: str | None) -> tuple[ToolDefinition, ...]:
        """Admitted definitions of one upstream, or of all, sorted by upstream and name."""
        if upstream is not None:
            return tuple(self.current.tools.get(upstream, _NOTHING).values())
        return tuple(
            tool for name in sorted(self.current.tools) for tool in self.current.tools[name].values()
        )

    def refused(self) -> tuple[RefusedDefinition, ...]:
        """What was listed but is not offered."""
        return tuple(item for items in self.current.refused.values() for item in items)
