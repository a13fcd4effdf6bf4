"""The settings model: every setting, its default and its unit, in one place for each adapter."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.content.settings import ContentSettings
from gateway.downstream.settings import WireSettings
from gateway.holding.settings import ApprovalSettings
from gateway.identity.settings import AgentSettings, ReviewerSettings
from gateway.people.settings import PeopleSettings
from gateway.upstream.settings import UpstreamSettings
from gateway.webhooks.settings import Webhooks


def _address(text: str) -> str:
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be host:port, for example 127.0.0.1:8420")
    return text


def _zone(text: str) -> str:
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("must be a time zone name, for example Europe/Berlin") from error
    return text


Address = Annotated[str, AfterValidator(_address)]


class ListenSettings(BaseModel):
    """Where the two planes listen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agents: Address = Field("127.0.0.1:8420", description="agents' port")
    people: Address = Field("127.0.0.1:8421", description="people's port: health, later pages and API")


class PolicySettings(BaseModel):
    """Where policy comes from and how long a decision may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = Field(
        None, description="folder of .rego files or an OPA bundle; none: the starter policy"
    )
    compiler: Literal["auto", "opa", "regopy"] = Field("auto", description="what turns Rego into a plan")
    deadline_s: float = Field(0.25, gt=0, le=10, description="no answer by then is a denial")
    watch: bool = Field(True, description="load again when a file changes")


class AuditSettings(BaseModel):
    """The audit log's bounds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    segment_bytes_max: int = Field(64 << 20, ge=4096, description="a segment file is closed at this size")
    ballast_bytes: int = Field(
        1 << 20, ge=0, description="disk space kept back so that a full disk can be left"
    )
    payload_retention_days: int | None = Field(
        None, ge=31, description="sealed values older than this are removed; none: kept until erased"
    )
    sync_deadline_s: float = Field(2.0, gt=0, description="a sync slower than this refuses calls")


class Settings(BaseModel):
    """Everything that can stand in toolgate.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    upstreams: dict[str, UpstreamSettings] = Field({}, description="tool servers by id")
    import_: str | None = Field(
        None, alias="import", description="an mcpServers file whose servers are added"
    )
    agents: tuple[AgentSettings, ...] = Field((), description="who may call; none: one local agent is made")
    anonymous: Literal["refuse", "allow"] = Field("refuse", description="calls without token; loopback only")
    reviewers: tuple[ReviewerSettings, ...] = Field(
        (), description="who decides held calls; none: single-user mode, one local person"
    )
    approvals: ApprovalSettings = ApprovalSettings()
    content: ContentSettings = ContentSettings()
    people: PeopleSettings = PeopleSettings()
    webhooks: Webhooks = Field({}, description="who is told what happens to held calls, by name")
    policy: PolicySettings = PolicySettings()
    listen: ListenSettings = ListenSettings()
    limits: WireSettings = WireSettings()
    audit: AuditSettings = AuditSettings()
    pin_on_first_use: bool | None = Field(
        None,
        description="pin what is listed for the first time unseen, if no scanner finds anything in it; "
        "by default only in shadow mode",
    )
    mode: Literal["enforce", "shadow"] = Field(
        "enforce", description="shadow evaluates and records, never blocks"
    )
    zone: Annotated[str, AfterValidator(_zone)] = Field(
        "UTC", description="time zone of hours and weekdays in policy"
    )
    data: str = Field("./.toolgate", description="folder for log, keys and tokens; made 0700")
