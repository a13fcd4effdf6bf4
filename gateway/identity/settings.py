"""The agents the operator lets in, and the people who decide what is held."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.core.principal import TENANT_DEFAULT

_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_WRONG = (
    "must be 'sha256:' and 64 hexadecimal digits; a token itself never stands in the file. Make one with: "
)
_RESERVED = frozenset({"gateway"})
"""What the gateway itself is called where it is recorded who did something."""


def is_token_hash(text: str) -> bool:
    """Whether the text is a hash as it is stored."""
    return _HASH.fullmatch(text) is not None


def _hashed(text: str) -> str:
    if not is_token_hash(text):
        raise ValueError(_WRONG + "toolgate token new")
    return text


def _reviewer_hashed(text: str) -> str:
    if not is_token_hash(text):
        raise ValueError(_WRONG + "toolgate reviewer new")
    return text


def _person(text: str) -> str:
    if not text.isprintable() or any(character.isspace() for character in text):
        raise ValueError("must be visible characters without spaces, for example lea@example.com")
    if text.casefold() in _RESERVED:
        raise ValueError(f"{text} is what the gateway calls itself")
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


class ReviewerSettings(BaseModel):
    """One person who may decide held calls, and the hash of their token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_person)]
    token: Annotated[str, AfterValidator(_reviewer_hashed)]
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tenant: str = Field(TENANT_DEFAULT, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
