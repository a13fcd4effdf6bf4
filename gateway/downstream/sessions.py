"""Legacy sessions: small records, found only by the principal that opened them.

A session id is routing, never identity: it is looked up together with the principal, so another
valid token with a stolen id finds nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.core.log_level import LEGACY_DEFAULT
from gateway.errors import AgentOverLimit, UnknownSession

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Mapping

    from gateway.bridge.inputs import InputAnswer
    from gateway.core.principal import Principal, PrincipalKey
    from gateway.downstream.exchange import Exchange
    from gateway.downstream.message import RequestId
    from gateway.downstream.settings import WireSettings
    from gateway.downstream.streams import ChangeStream


class Question(NamedTuple):
    """Something we asked the client and wait for."""

    method: str
    waiting: asyncio.Future[InputAnswer]


NO_CAPABILITIES: Mapping[str, Any] = MappingProxyType({})


class Session:
    """One legacy session. Everything optional stays None until used: thousands of these idle."""

    __slots__ = (
        "asked", "capabilities", "client", "id", "last_used_s", "log_level", "owner", "running", "stream",
        "subscribed", "upstream", "version",
    )  # fmt: skip

    def __init__(
        self,
        session_id: str,
        *,
        owner: PrincipalKey,
        upstream: str | None,
        version: str,
        client: str,
        capabilities: Mapping[str, Any],
        now_s: float,
    ) -> None:
        """Open at ``now_s`` (monotonic seconds)."""
        self.id = session_id
        self.owner = owner
        self.upstream = upstream
        """The route it was opened on; it is valid on no other."""
        self.version = version
        self.client = client
        self.capabilities = capabilities
        """What the client declared in ``initialize``, as far as it means something to us."""
        self.log_level = LEGACY_DEFAULT
        self.asked: dict[RequestId, Question] | None = None
        """Requests of ours that wait for the client's response."""
        self.subscribed: set[tuple[str, str]] | None = None
        """Upstream and URI of the resources whose changes it wants to hear of."""
        self.last_used_s = now_s
        self.running: dict[RequestId, Exchange] | None = None
        """Calls in flight by request id, for ``notifications/cancelled``."""
        self.stream: ChangeStream | None = None
        """The open GET stream."""

    def resource_updated(self, uri: str) -> None:
        """Say so on the open stream; without one the client does not listen."""
        if self.stream is not None:
            self.stream.resource_updated(uri)


class Sessions:
    """All legacy sessions of this process, least recently used first."""

    def __init__(
        self,
        settings: WireSettings,
        *,
        monotonic_s: Callable[[], float],
        new_id: Callable[[], str],
        ended: Callable[[Session], None],
    ) -> None:
        """Start empty; ``new_id`` must be unguessable (128 random bits or more)."""
        self._ended = ended
        self._settings = settings
        self._monotonic_s = monotonic_s
        self._new_id = new_id
        self._sessions: OrderedDict[tuple[PrincipalKey, str], Session] = OrderedDict()
        self._counts: dict[PrincipalKey, int] = {}

    def holds(self, session: Session) -> bool:
        """Whether it is still open."""
        return (session.owner, session.id) in self._sessions

    def __len__(self) -> int:
        """Sessions open now."""
        return len(self._sessions)

    def open(
        self,
        principal: Principal,
        *,
        upstream: str | None,
        version: str,
        client: str,
        capabilities: Mapping[str, Any] = NO_CAPABILITIES,
    ) -> Session:
        """Open a session; the idlest one makes room at the global bound.

        Raises:
            AgentOverLimit: this principal has too many.
        """
        now_s = self._monotonic_s()
        self._forget_idle(now_s)
        owner = principal.key
        if self._counts.get(owner, 0) >= self._settings.sessions_per_principal_max:
            raise AgentOverLimit(
                "too many open sessions of this agent", next_step="end sessions you no longer use"
            )
        if len(self._sessions) >= self._settings.sessions_max:
            self._drop(next(iter(self._sessions)))
        session = Session(
            self._new_id(),
            owner=owner,
            upstream=upstream,
            version=version,
            client=client,
            capabilities=capabilities,
            now_s=now_s,
        )
        self._sessions[(owner, session.id)] = session
        self._counts[owner] = self._counts.get(owner, 0) + 1
        return session

    def find(self, principal: Principal, session_id: str, *, upstream: str | None) -> Session:
        """The caller's own session on this route.

        Raises:
            UnknownSession: never issued, ended, expired, another's, or opened on another route.
        """
        key = (principal.key, session_id)
        session = self._sessions.get(key)
        now_s = self._monotonic_s()
        if session is None or session.upstream != upstream or self._is_idle(session, now_s):
            raise UnknownSession("no such session", next_step="initialize again")
        self._use(key, session, now_s)
        return session

    def stream_ended(self, session: Session, stream: ChangeStream) -> None:
        """A GET stream is over: from now on the session counts as idle, unless a newer stream took over."""
        if session.stream is stream:
            session.stream = None
            self._use((session.owner, session.id), session, self._monotonic_s())

    def close(self, session: Session) -> None:
        """End a session."""
        self._drop((session.owner, session.id))

    def streams(self) -> Iterator[ChangeStream]:
        """Open GET streams."""
        return (session.stream for session in list(self._sessions.values()) if session.stream is not None)

    def _is_idle(self, session: Session, now_s: float) -> bool:
        return session.stream is None and now_s - session.last_used_s > self._settings.session_idle_s

    def _forget_idle(self, now_s: float) -> None:
        # Ordered by use, so the first one used lately ends the search.
        while self._sessions:
            key, session = next(iter(self._sessions.items()))
            if now_s - session.last_used_s <= self._settings.session_idle_s:
                return
            if session.stream is not None:
                # In use all the time: it must not hide the idle ones behind it.
                self._use(key, session, now_s)
            else:
                self._drop(key)

    def _use(self, key: tuple[PrincipalKey, str], session: Session, now_s: float) -> None:
        if key in self._sessions:
            session.last_used_s = now_s
            self._sessions.move_to_end(key)

    def _drop(self, key: tuple[PrincipalKey, str]) -> None:
        session = self._sessions.pop(key, None)
        if session is None:
            return
        left = self._counts[session.owner] - 1
        if left:
            self._counts[session.owner] = left
        else:
            del self._counts[session.owner]
        if session.stream is not None:
            session.stream.close()
        self._ended(session)
