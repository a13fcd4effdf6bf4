"""Access tokens: made here, stored hashed, looked up by hash."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gateway.core.principal import Principal, Subject
from gateway.errors import ConfigurationError, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.identity.settings import AgentSettings

TOKEN_PREFIX = "tg_"
TOKEN_BYTES_MAX = 4096


def new_token(random_bytes: bytes) -> str:
    """A token from 32 random bytes: 64 hexadecimal digits behind a recognisable prefix."""
    if len(random_bytes) < 32:
        raise ValueError("32 random bytes are needed")
    return TOKEN_PREFIX + random_bytes.hex()


def token_hash(token: str) -> str:
    """What is stored: tokens are random and long, so a plain SHA-256 cannot be reversed."""
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


class TokenDirectory:
    """Who a bearer token belongs to.

    The lookup is by the token's hash, so its time depends on nothing an attacker can steer. There
    is no fallback: without a token the answer is 401, unless the operator wrote ``anonymous: allow``.
    """

    def __init__(self, agents: Iterable[AgentSettings], *, anonymous: Principal | None = None) -> None:
        """Build the map once.

        Raises:
            ConfigurationError: two agents share a token.
        """
        self._anonymous = anonymous
        self._principals: dict[str, Principal] = {}
        for agent in agents:
            if agent.token in self._principals:
                raise ConfigurationError(f"agents: {agent.name} has the same token as another agent")
            subject = agent.subject
            self._principals[agent.token] = Principal(
                subject=Subject(
                    id=subject.id,
                    type=subject.type,
                    roles=subject.roles,
                    groups=subject.groups,
                    scopes=subject.scopes,
                ),
                agent=agent.name,
                tenant=subject.tenant,
            )

    def current(self, tenant: str, subject_type: str, subject_id: str, agent: str) -> Principal | None:
        """The principal with the rights it has now; None if the operator lets it in no more."""
        wanted = (tenant, subject_type, subject_id, agent)
        everybody = [*self._principals.values(), *([self._anonymous] if self._anonymous else [])]
        return next((principal for principal in everybody if principal.key == wanted), None)

    def authenticate(self, authorization: str | None) -> Principal:
        """Principal of one ``Authorization`` header value (RFC 6750 bearer).

        Raises:
            Unauthenticated: no header, another scheme, or an unknown token; the text is the same.
        """
        if authorization is None and self._anonymous is not None:
            return self._anonymous
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() == "bearer" and 0 < len(token) <= TOKEN_BYTES_MAX:
            principal = self._principals.get(token_hash(token))
            if principal is not None:
                return principal
        raise Unauthenticated(
            "no valid access token",
            next_step="send the header 'Authorization: Bearer <token>' with a token listed under agents",
        )
