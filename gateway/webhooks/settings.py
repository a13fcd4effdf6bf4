"""What an operator says about the receivers of webhooks."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from gateway.webhooks.message import EventKind
from gateway.webhooks.signature import signing_key

if TYPE_CHECKING:
    from collections.abc import Mapping

# One shape that every parser of addresses reads in the same way: no user, no backslash, nothing beyond ASCII.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?][!-\"$-\[\]-~]*)?"
)
_NAME = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?)+")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


def _receiver(url: str) -> str:
    found = _URL.fullmatch(url)
    if found is None or not 0 < int(found["port"] or 443) < 65536:
        raise ValueError("must be https://host[:port]/path, without user, password or #fragment")
    loopback = _is_loopback(found["host"])
    if found["scheme"] == "http" and not loopback:
        raise ValueError("must be https; http is for localhost and loopback addresses only")
    return url


def _is_loopback(host: str) -> bool:
    """Whether nothing leaves this machine; refuses addresses in disguise and those no receiver has."""
    name = host.strip("[]").rstrip(".").lower()
    if host[0] != "[" and not _NUMBER.fullmatch(name.rpartition(".")[2]):
        if not _NAME.fullmatch(host):
            raise ValueError("has no host name")
        return name == "localhost"
    try:
        address = ipaddress.ip_address(name)
    except ValueError as error:
        raise ValueError(
            "has an address in an unusual spelling; write it as 192.0.2.1 or [2001:db8::1]"
        ) from error
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise ValueError("has an IPv4 address inside an IPv6 one; write it as 192.0.2.1")
    if address.is_loopback:
        return True
    if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        raise ValueError("has an address of a kind that no receiver has: link-local, multicast or reserved")
    return False


def _secret(text: str) -> str:
    signing_key(text)
    return text


Secret = Annotated[str, AfterValidator(_secret)]


class WebhookSettings(BaseModel):
    """One receiver. For a chat the address itself is the secret: whoever has it may post."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_receiver)] = Field(
        repr=False, max_length=2048, description="https address of the receiver; http on loopback only"
    )
    secret: Secret | None = Field(
        None, repr=False, description="whsec_ and base64 of 24 to 64 random bytes; signs what is sent"
    )
    previous_secret: Secret | None = Field(
        None, repr=False, description="signs as well, while the receiver changes to the new secret"
    )
    form: Literal["standard", "chat"] = Field(
        "standard", description="standard: Standard Webhooks; chat: one paragraph as {text: ...}"
    )
    events: tuple[EventKind, ...] = Field(
        ("held", "reminder", "escalated", "asked", "approved", "denied", "expired", "outcome_unknown"),
        min_length=1,
        description="kinds of events that are sent",
    )
    tenants: tuple[str, ...] = Field((), description="whose events are sent; none named: everybody's")
    timeout_s: float = Field(10, gt=0, le=60, description="for one attempt, up to the status of its answer")
    attempts_max: int = Field(12, ge=1, le=30, description="after so many failures a message is given up")

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if self.form == "standard" and self.secret is None:
            raise ValueError(
                "`form: standard` needs `secret: ${env:NAME}`; make one with: "
                'echo "whsec_$(openssl rand -base64 32)"'
            )
        if self.previous_secret is not None and self.previous_secret == self.secret:
            raise ValueError("`previous_secret` is the same as `secret`")
        if self.previous_secret is not None and self.secret is None:
            raise ValueError("`previous_secret` needs `secret`")
        return self

    @property
    def keys(self) -> tuple[bytes, ...]:
        """What signs, the current one first; none where nothing is signed."""
        return tuple(signing_key(one) for one in (self.secret, self.previous_secret) if one is not None)

    def wants(self, event: str, tenant: str) -> bool:
        """Whether this receiver is told of such an event."""
        return event in self.events and (not self.tenants or tenant in self.tenants)


def _own_secrets(hooks: dict[str, WebhookSettings]) -> dict[str, WebhookSettings]:
    # Who receives at one place could sign as us towards the other.
    owners: dict[bytes, str] = {}
    for name, hook in hooks.items():
        for key in hook.keys:
            other = owners.setdefault(key, name)
            if other != name:
                raise ValueError(f"{name} has the same secret as {other}; every receiver needs its own")
    return hooks


HookName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
Webhooks = Annotated[dict[HookName, WebhookSettings], AfterValidator(_own_secrets)]
"""The member ``webhooks`` of the configuration."""


def wanted_by(hooks: Mapping[str, WebhookSettings], event: str, tenant: str) -> tuple[str, ...]:
    """The names of the receivers that are told of such an event."""
    return tuple(name for name, hook in hooks.items() if hook.wants(event, tenant))
