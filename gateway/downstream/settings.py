"""Bounds and allow-lists of the agents' port."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class WireSettings(BaseModel):
    """Every bound of the agent side, with its unit in its name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    body_bytes_max: int = Field(1 << 20, ge=1024, description="largest request body")
    header_bytes_max: int = Field(16 << 10, ge=1024, description="all request headers together")
    header_fields_max: int = Field(64, ge=8, description="number of request header fields")
    header_timeout_s: float = Field(
        10, gt=0, description="from the first byte, or from connecting, to complete headers"
    )
    keep_alive_s: float = Field(75, gt=0, description="an idle connection is closed after this")
    body_timeout_s: float = Field(30, gt=0, description="from complete headers to complete body")
    write_stall_s: float = Field(30, gt=0, description="a client that does not read for this long is cut off")
    calls_max: int = Field(256, ge=1, description="calls in flight, all principals")
    calls_per_principal_max: int = Field(16, ge=1, description="calls in flight of one principal")
    streams_max: int = Field(10_000, ge=1, description="open notification streams")
    streams_per_principal_max: int = Field(
        100, ge=1, description="open notification streams of one principal"
    )
    sessions_max: int = Field(20_000, ge=1, description="legacy sessions kept")
    sessions_per_principal_max: int = Field(2_000, ge=1, description="legacy sessions of one principal")
    session_idle_s: float = Field(86_400, gt=0, description="an idle legacy session is forgotten after this")
    stream_ping_s: float = Field(15, gt=0, description="between keep-alive comments on an open stream")
    first_listing_s: float = Field(
        10, ge=0, description="how long after start the first questions wait for upstreams not listed yet"
    )
    drain_s: float = Field(30, gt=0, description="how long running calls may finish at shutdown")
    allowed_hosts: tuple[str, ...] = Field((), description="Host header values beside the listen address")
    allowed_origins: tuple[str, ...] = Field(
        (), description="browser origins (scheme://host:port) that may call"
    )
