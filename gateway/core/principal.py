"""Who is calling: subject and agent together, inside a tenant; and what the caller says of its workflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gateway.core.statement import NO_STATEMENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.statement import Statement

TENANT_DEFAULT = "default"

PrincipalKey = tuple[str, str, str, str]
"""Tenant, subject type, subject id, agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """On whose behalf (AuthZEN ``subject``)."""

    id: str
    type: str = "user"
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    claims: tuple[tuple[str, Any], ...] = ()
    """Verified token claims beyond the standard ones, as sorted pairs, so that the value stays hashable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The authenticated pair of subject and agent; never one of them alone.

    The tenant is part of it and of every stored key, cache key and query.
    """

    subject: Subject
    agent: str
    """The software acting: the configured agent's name, or the token's ``client_id``."""
    tenant: str = TENANT_DEFAULT

    @property
    def key(self) -> PrincipalKey:
        """What identifies this principal in maps and caches: the same parts as in the call digest."""
        return (self.tenant, self.subject.type, self.subject.id, self.agent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """What the caller says about the workflow this call belongs to. Claims, unless signed in the token."""

    id: str = ""
    step: str = ""
    attempt: int = 0
    idempotency_key: str = ""
    model: str = ""
    verified: bool = False


NO_WORKFLOW = Workflow()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One request's origin, as far as the flow needs it."""

    principal: Principal
    workflow: Workflow = NO_WORKFLOW
    session_id: str = ""
    """Legacy session id, or empty; never an identity."""
    era: str = "modern"
    protocol_version: str = ""
    client: str = ""
    """The client's name and version as it states them; for people and statistics only."""
    ip: str = ""
    capabilities: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What the client says it can do (sampling, elicitation, roots, extensions); allows nothing by itself."""
    log_level: str = ""
    """Log notices from this level up are wanted with the answer; empty: none."""
    trace: tuple[tuple[str, str], ...] = field(default=())
    """W3C trace context members (``traceparent``, ``tracestate``) of the request."""
    statement: Statement = NO_STATEMENT
    """What the agent says of the call; for people, and no part of what policy or a digest sees."""
