"""What a transport offers to the connection that owns it, and what a handshake yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.errors import UpstreamRefused
    from gateway.ports import AskSink, NoticeSink, Reply, Send
    from gateway.upstream.messages import Answer, Era


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who answered, and in which protocol."""

    era: Era
    protocol_version: str
    server: str = ""
    """Name and version as claimed; for people only."""
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    """What it announced."""
    instructions: str = ""
    """Its own words on how to use it."""

    def offers(self, capability: str) -> bool:
        """Whether it announced the capability."""
        return isinstance(self.capabilities.get(capability), dict)

    def says(self, capability: str, member: str) -> bool:
        """Whether it announced that member of the capability."""
        found = self.capabilities.get(capability)
        return isinstance(found, dict) and found.get(member) is True

    @property
    def changes(self) -> tuple[str, ...]:
        """The lists whose changes it announces."""
        return tuple(name for name in ("tools", "prompts", "resources") if self.says(name, "listChanged"))


class Aside:
    """Mixed into an error that says nothing about the link: it is not counted against it."""


# Too many, too early, or the old one is not gone yet.
_PASSING = frozenset({408, 409, 425, 429})


def passes(refusal: UpstreamRefused) -> bool:
    """Whether what was refused may be served in a moment."""
    return refusal.status >= 500 or refusal.status in _PASSING


class LinkEvents(Protocol):
    """What a link says without being asked."""

    def list_changed(self, capability: str = "") -> None:
        """What this capability lists changed; empty: anything may have."""
        ...

    def resource_updated(self, uri: str) -> None:
        """A resource changed."""
        ...


class Link(Protocol):
    """One transport to one upstream.

    Only ``UpstreamError`` leaves these methods. After ``connect`` succeeded the others may be called
    at any time, any number at once, until ``watch`` returns or raises.
    """

    @property
    def alive(self) -> bool:
        """False once nothing can be sent any more before another ``connect``."""
        ...

    async def connect(self) -> Peer:
        """Open what needs opening and negotiate the era; may be called again after a loss."""
        ...

    async def call(
        self, send: Send, *, deadline_s: float, on_notice: NoticeSink | None, on_ask: AskSink | None
    ) -> Reply:
        """One request; a cancelled coroutine cancels it upstream."""
        ...

    async def list_page(self, method: str, cursor: str | None, *, deadline_s: float) -> Answer:
        """One page of a list; its result is only checked on the outside."""
        ...

    async def subscribe(self, uri: str, *, deadline_s: float) -> None:
        """Hear of changes of a resource, also after a reconnect."""
        ...

    def unsubscribe(self, uri: str) -> None:
        """No longer."""
        ...

    async def watch(self, events: LinkEvents) -> None:
        """Report what changes until the link is lost; raises or returns then."""
        ...

    async def aclose(self) -> None:
        """End it, politely first."""
        ...


def list_params(cursor: str | None) -> dict[str, Any]:
    """The params of a list."""
    return {} if cursor is None else {"cursor": cursor}
