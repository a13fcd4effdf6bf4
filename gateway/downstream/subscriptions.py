"""Who wants to hear of which resource: agents' subscriptions, shared towards each upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PER_LISTENER_MAX = 500
"""Resources one session or stream may subscribe to."""


class Listener(Protocol):
    """Somebody who can be told."""

    def resource_updated(self, uri: str) -> None:
        """Must not block."""
        ...


class Subscriptions:
    """Counts listeners, so that an upstream is told when the last one has gone."""

    def __init__(self, unsubscribe: Callable[[str, str], None]) -> None:
        """``unsubscribe(upstream, uri)``: nobody wants it any more."""
        self._unsubscribe = unsubscribe
        self._listeners: dict[tuple[str, str], list[Listener]] = {}

    def add(self, upstream: str, uri: str, listener: Listener) -> None:
        """Tell ``listener`` of changes from now on."""
        listeners = self._listeners.setdefault((upstream, uri), [])
        if listener not in listeners:
            listeners.append(listener)

    def drop(self, listener: Listener, resources: Iterable[tuple[str, str]]) -> None:
        """Tell it no more of these."""
        for key in resources:
            listeners = self._listeners.get(key)
            if listeners is None or listener not in listeners:
                continue
            listeners.remove(listener)
            if not listeners:
                del self._listeners[key]
                self._unsubscribe(*key)

    def updated(self, upstream: str, uri: str) -> None:
        """A resource changed."""
        for listener in self._listeners.get((upstream, uri), ()):
            listener.resource_updated(uri)
