"""Where requests go, and how errors speak about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    import yarl


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One endpoint, and how errors speak about it."""

    party: str
    """As in ``upstream 'orders'``."""
    next_step: str
    """What a person does when it cannot be reached."""
    url: yarl.URL
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Credentials of this destination; no other request carries them."""
    connect_timeout_s: float = 5.0


def origin_of(url: str) -> str:
    """Scheme, host and port for an error text; paths and queries may hold secrets."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}"[:128] if parts.hostname else "another place"
    except ValueError:
        return "another place"
