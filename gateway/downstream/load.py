"""How much runs at once: a bound for everybody and one for each principal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.errors import AgentOverLimit, Draining, Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.core.principal import PrincipalKey
    from gateway.downstream.settings import WireSettings


class Load:
    """Counts calls in flight."""

    def __init__(self, settings: WireSettings) -> None:
        """Start idle."""
        self._settings = settings
        self._running: dict[PrincipalKey, int] = {}
        self.total = 0
        self.draining = False

    @contextmanager
    def call(self, owner: PrincipalKey) -> Iterator[None]:
        """Count one call while it runs.

        Raises:
            Draining: the gateway is shutting down.
            Overloaded, AgentOverLimit: a bound is reached; nothing was sent.
        """
        if self.draining:
            raise Draining(
                "the gateway is shutting down; nothing was sent", next_step="try again in a moment"
            )
        mine = self._running.get(owner, 0)
        if self.total >= self._settings.calls_max:
            raise Overloaded(
                "the gateway has too many calls in flight; nothing was sent", next_step="try again"
            )
        if mine >= self._settings.calls_per_principal_max:
            raise AgentOverLimit(
                f"this agent has {mine} calls in flight, which is its limit; nothing was sent",
                next_step="wait for one to finish, or raise limits.calls_per_principal_max",
            )
        self._enter(owner)
        try:
            yield
        finally:
            self._leave(owner)

    @contextmanager
    def aside(self, owner: PrincipalKey) -> Iterator[None]:
        """A call in flight that only waits for a person: others may run in its place."""
        self._leave(owner)
        try:
            yield
        finally:
            self._enter(owner)

    def _enter(self, owner: PrincipalKey) -> None:
        self._running[owner] = self._running.get(owner, 0) + 1
        self.total += 1

    def _leave(self, owner: PrincipalKey) -> None:
        self.total -= 1
        left = self._running[owner] - 1
        if left:
            self._running[owner] = left
        else:
            del self._running[owner]
