"""Bounds of held calls."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from gateway.holding.inspectable import Inspectable


class ApprovalSettings(BaseModel):
    """What an operator may change about held calls."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_agent_max: int = Field(100, ge=1, description="calls of one agent that wait for a person")
    per_tenant_max: int = Field(10_000, ge=1, description="calls of one tenant that wait for people")
    round_s: float = Field(25, gt=0, le=50, description="how long one round of a waiting call is kept open")
    progress_s: float = Field(15, gt=0, le=25, description="between two signs of life to a waiting client")
    unknown_client_s: float = Field(
        4, gt=0, description="how long a client that nobody knows is kept waiting at once"
    )
    client_budget_s: dict[str, float] = Field(
        {}, description="by client name: how long it is kept waiting at once; wins over what we know"
    )
    executions_max: int = Field(32, ge=1, description="approved calls that run at the same time")
    back_off_max_s: float = Field(
        60, ge=1, description="longest pause before an approved call is tried again"
    )
    kept_days: int = Field(
        365, ge=31, description="calls that are over leave the database after this; the log keeps their story"
    )
    shown_values_max: int = Field(
        1_000, ge=16, description="arguments with more values are uninspectable, and nobody can approve them"
    )
    shown_bytes_max: int = Field(
        65_536, ge=1024, description="larger arguments are uninspectable, and nobody can approve them"
    )

    @property
    def inspectable(self) -> Inspectable:
        """What a person can be expected to look at."""
        return Inspectable(bytes_max=self.shown_bytes_max, values_max=self.shown_values_max)
