"""Legacy sessions of one upstream: opened on demand, kept apart by key, bounded, forgotten when idle."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gateway.upstream.levels import LogLevel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.upstream.incoming import Incoming
    from gateway.upstream.link import Peer

Key = tuple[str, ...]


class Session:
    """One handshake's result; ``opening`` makes concurrent first users wait for a single handshake."""

    __slots__ = (
        "capabilities", "headers", "id", "in_flight", "incoming", "log_level", "opening", "peer", "stream",
        "used_at_s",
    )  # fmt: skip

    def __init__(self, incoming: Callable[[Session], Incoming], capabilities: Mapping[str, Any]) -> None:
        self.capabilities = capabilities
        """What was declared in its ``initialize``."""
        self.incoming = incoming(self)
        """Where what the server says unasked goes."""
        self.log_level = LogLevel()
        """Outlasts the session: whoever opens it anew tells it again."""
        self.stream: asyncio.Task[None] | None = None
        """Reads the session's GET stream, where one is needed."""
        self.id: str | None = None
        self.peer: Peer | None = None
        self.headers: dict[str, str] = {}
        """What the session adds to each of its requests."""
        self.opening = asyncio.Lock()
        self.in_flight = 0
        self.used_at_s = 0.0

    def open(self, peer: Peer, session_id: str | None) -> None:
        """Keep what the handshake yielded."""
        self.peer = peer
        self.id = session_id
        self.headers = {"MCP-Protocol-Version": peer.protocol_version}
        if session_id is not None:
            self.headers["Mcp-Session-Id"] = session_id

    def close(self) -> None:
        """Back to unopened; the next user opens it anew."""
        self.id = None
        self.peer = None
        self.headers = {}
        self.leave_stream()

    def leave_stream(self) -> None:
        """Read its stream no further."""
        if self.stream is not None:
            self.stream.cancel()
            self.stream = None


class SessionTable:
    """Sessions by key, least recently used first."""

    def __init__(
        self,
        *,
        sessions_max: int,
        idle_s: float,
        clock: Callable[[], float],
        incoming: Callable[[Session], Incoming],
    ) -> None:
        self._sessions_max = sessions_max
        self._incoming = incoming
        self._idle_s = idle_s
        self._clock = clock
        self._sessions: OrderedDict[Key, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def take(self, key: Key, capabilities: Mapping[str, Any] = MappingProxyType({})) -> Session:
        """The session of this key, new (with these client capabilities) or kept."""
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = Session(self._incoming, capabilities)
        else:
            self._sessions.move_to_end(key)
        session.used_at_s = self._clock()
        return session

    def surplus(self) -> list[Session]:
        """Remove and return what is idle or over the bound; a session in use is never among them."""
        now = self._clock()
        over = len(self._sessions) - self._sessions_max
        removed: list[Session] = []
        for key, session in list(self._sessions.items()):
            idle = now - session.used_at_s > self._idle_s
            if not idle and len(removed) >= over:
                break
            if session.in_flight == 0 and not session.opening.locked():
                removed.append(self._sessions.pop(key))
        return removed

    def clear(self) -> list[Session]:
        """Remove and return all."""
        removed = list(self._sessions.values())
        self._sessions.clear()
        return removed
