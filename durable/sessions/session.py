"""Which session, and how it lies in columns."""

from __future__ import annotations

from dataclasses import dataclass

OF_SESSION = (
    "tenant = :tenant AND subject_type = :subject_type AND subject_id = :subject_id AND agent = :agent "
    "AND workflow = :workflow"
)
"""The condition that every statement about one session has; its values are ``SessionKey.columns``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKey:
    """One principal in one workflow. What one session remembers no other one can see."""

    tenant: str
    subject_type: str
    subject_id: str
    agent: str
    workflow: str = ""
    """Id of a workflow that the token signs; empty for all that the agent does outside of one."""

    @property
    def principal(self) -> tuple[str, str, str, str]:
        """Tenant, subject type, subject id, agent."""
        return (self.tenant, self.subject_type, self.subject_id, self.agent)

    @property
    def columns(self) -> dict[str, str]:
        """The values of ``OF_SESSION``."""
        return {
            "tenant": self.tenant,
            "subject_type": self.subject_type,
            "subject_id": self.subject_id,
            "agent": self.agent,
            "workflow": self.workflow,
        }
