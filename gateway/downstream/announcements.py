"""What the gateway says of itself on a route: capabilities and instructions, from those of its upstreams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.core.capabilities import TASKS_EXTENSION

if TYPE_CHECKING:
    from gateway.ports import Catalogue, ServerFacts

INSTRUCTIONS_CHARACTERS_MAX = 32_768
"""Of all together; what is beyond is cut."""

# On the aggregate route upstreams come and go, and a client is told once for a whole session.
_EVERYTHING: dict[str, Any] = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "completions": {},
    "logging": {},
}


class Announcements:
    """Reads what upstreams announced."""

    def __init__(self, catalogue: Catalogue, upstream_ids: frozenset[str], *, instructions: str) -> None:
        """``instructions``: the gateway's own words; those of upstreams follow."""
        self._catalogue = catalogue
        self._upstream_ids = sorted(upstream_ids)
        self._instructions = instructions

    def capabilities(self, upstream: str | None, *, modern: bool) -> dict[str, Any]:
        """Server capabilities of a route (None: the aggregate)."""
        facts = self._catalogue.server(upstream) if upstream is not None else None
        told = dict(_EVERYTHING) if facts is None else _of(facts)
        servers = [facts] if upstream is not None else map(self._catalogue.server, self._upstream_ids)
        known = [one for one in servers if one is not None]
        if modern and any(_speaks_tasks(one) for one in known):
            told["extensions"] = {TASKS_EXTENSION: {}}
        if not modern and any(one.era == "legacy" and _runs_tasks(one) for one in known):
            told["tasks"] = {"cancel": {}, "requests": {"tools": {"call": {}}}}
        return told

    def instructions(self, upstream: str | None) -> str:
        """Ours, then what the upstreams of the route say, each under its name."""
        named = self._upstream_ids if upstream is None else [upstream]
        told = [self._instructions]
        for one in named:
            server = self._catalogue.server(one)
            if server is not None and server.instructions:
                told.append(f"Upstream {one} says of itself: {server.instructions}")
        return "\n\n".join(told)[:INSTRUCTIONS_CHARACTERS_MAX]


def _of(facts: ServerFacts) -> dict[str, Any]:
    claimed = facts.capabilities
    told: dict[str, Any] = {"tools": {"listChanged": True}} if "tools" in claimed else {}
    if "prompts" in claimed:
        told["prompts"] = {"listChanged": True}
    resources = claimed.get("resources")
    if isinstance(resources, dict):
        told["resources"] = {"listChanged": True}
        if resources.get("subscribe") is True:
            told["resources"]["subscribe"] = True
    return told | {name: {} for name in ("completions", "logging") if name in claimed}


def _speaks_tasks(facts: ServerFacts) -> bool:
    extensions = facts.capabilities.get("extensions")
    return facts.era == "modern" and isinstance(extensions, dict) and TASKS_EXTENSION in extensions


def _runs_tasks(facts: ServerFacts) -> bool:
    tasks = facts.capabilities.get("tasks")
    return isinstance(tasks, dict) and isinstance(tasks.get("requests"), dict)
