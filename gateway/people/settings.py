"""Bounds and addresses of the people port."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be https://host or https://host:port")
    if text not in {f"{parts.scheme}://{parts.netloc}", f"{parts.scheme}://{parts.netloc}/"}:
        raise ValueError("must be an origin: scheme, host and port, without a path")
    # Browsers leave the usual port out, of Host and of Origin.
    return text.rstrip("/").lower().removesuffix(":443" if parts.scheme == "https" else ":80")


class PeopleSettings(BaseModel):
    """Every bound of the people side, with its unit in its name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    public_url: Annotated[str, AfterValidator(_origin)] | None = Field(
        None,
        description="where people reach the port through a proxy that has TLS and keeps the Host header",
    )
    body_bytes_max: int = Field(1 << 20, ge=1024, description="largest request body")
    body_timeout_s: float = Field(30, gt=0, description="from complete headers to complete body")
    session_idle_s: float = Field(1_800, gt=0, description="a login nobody uses ends after this")
    session_s: float = Field(43_200, gt=0, description="every login ends after this")
    sessions_max: int = Field(1_000, ge=1, description="logins at a time; the oldest makes room")
    sessions_per_person_max: int = Field(10, ge=1, description="logins of one person")
    login_code_s: float = Field(600, gt=0, description="a login link nobody uses ends after this")
    login_codes_max: int = Field(200, ge=1, description="unused login links; the oldest makes room")
    login_codes_per_person_max: int = Field(5, ge=1, description="unused login links of one person")
    undo_s: float = Field(
        5,
        ge=0,
        le=60,
        description="how long a decision made on a page can be taken back before it takes effect",
    )
    failures_per_minute_max: int = Field(
        30, ge=1, description="failed authentications of one address that are answered and counted one by one"
    )
    streams_max: int = Field(200, ge=1, description="open event streams")
    streams_per_person_max: int = Field(10, ge=1, description="open event streams of one person")
    stream_ping_s: float = Field(15, gt=0, description="between keep-alive comments on an open stream")
