"""The agents the operator lets in."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.core.principal import TENANT_DEFAULT

_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def _hashed(text: str) -> str:
    if not _HASH.fullmatch(text):
        raise ValueError(
            "must be 'sha256:' and 64 hexadecimal digits; a token itself never stands in the file. "
            "Make one with: toolgate token new"
        )
    return text


class SubjectSettings(BaseModel):
    """On whose behalf the agent acts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=256)
    type: str = "user"
    tenant: str = Field(TENANT_DEFAULT, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


class AgentSettings(BaseModel):
    """One agent and the hash of its access token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=128)
    token: Annotated[str, AfterValidator(_hashed)]
    subject: SubjectSettings
