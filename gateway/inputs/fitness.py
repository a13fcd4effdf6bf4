"""Whether what a server wants people to see may be shown to them at all. Pure; no policy can allow it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway.core.decision import refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.decision import Decision

# In the name or title of a form field: forms must not ask for these (MCP, elicitation, security).
_SECRET = re.compile(
    r"(?:^|[^a-z])(?:password|passwd|passphrase|passcode|secret|token|api ?key|private ?key|credentials?|cvv)"
    r"(?:$|[^a-z])"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def unfit_elicitation(params: Mapping[str, Any]) -> Decision | None:
    """Why a form or an address must not be shown; None if it may."""
    if params.get("mode", "form") == "url":
        if _plain_url(params.get("url")):
            return None
        return refusal("unfit_url", "only http and https addresses are shown to people")
    schema = params.get("requestedSchema")
    fields = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(fields, dict):
        return refusal("unfit_form", "the form has no fields")
    for name, about in fields.items():
        title = about.get("title", "") if isinstance(about, dict) else ""
        if _SECRET.search(_words(name)) or _SECRET.search(_words(str(title))):
            return refusal("secret_field", "a form must not ask for passwords, keys or tokens")
    return None


def _words(text: str) -> str:
    return re.sub(r"[\s_\-]+", " ", _CAMEL.sub(" ", text)).lower()


def _plain_url(url: object) -> bool:
    if not isinstance(url, str) or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
