"""Whether what a server wants people to see may be shown to them at all. Pure; no policy can allow it."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway.core.decision import refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.decision import Decision

# In anything a field says of itself: forms must not ask for these (MCP, elicitation, security).
_ALWAYS_SECRET = re.compile(
    r"passw(?:or)?d|(?:^|[^a-z])"
    r"(?:pass ?(?:phrase|code)s?|(?:api|private) ?keys?|cv[vc]2?|credit ?card ?numbers?)(?:$|[^a-z])"
)
# In the name or title of a field, where such a word is the thing itself; in a sentence it need not be.
_SECRET_NAME = re.compile(r"(?:^|[^a-z])(?:pwd|pin|otp|secrets?|token|credentials?)(?:$|[^a-z])")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_FORM_DEPTH_MAX = 16
_WORDS = frozenset({"title", "description", "enumNames"})
"""Of a form, what only people read."""


def unfit_elicitation(params: Mapping[str, Any]) -> Decision | None:
    """Why a form or an address must not be shown; None if it may."""
    if not isinstance(params.get("message"), str):
        # Whoever reads it could not be told which server asks.
        return refusal("unfit_form", "a question has a message, which is a string")
    if params.get("mode", "form") == "url":
        if _plain_url(params.get("url")):
            return None
        return refusal("unfit_url", "only http and https addresses are shown to people")
    schema = params.get("requestedSchema")
    fields = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(fields, dict):
        return refusal("unfit_form", "the form has no fields")
    if any(_secret(name, about) for name, about in fields.items()):
        return refusal("secret_field", "a form must not ask for passwords, keys or tokens")
    return None


def another_question(asked: Mapping[str, Any], shown: Mapping[str, Any]) -> Decision | None:
    """Why an answer would answer something else than what was asked; None if it would not.

    Args:
        asked: the params of a question as it came.
        shown: the same after something was taken out of its texts.
    """
    if _answered_by(asked) == _answered_by(shown):
        return None
    return refusal(
        "redaction_breaks_schema", "without what was taken out it asks for something else than it did"
    )


def _answered_by(params: Mapping[str, Any]) -> tuple[Any, Any]:
    """What an answer is made from: where a person goes, and a form without the words about its fields."""
    return params.get("url"), _form(params.get("requestedSchema"))


def _form(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_form(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    # A member of that name that is an object is a field of the form.
    return {name: _form(one) for name, one in schema.items() if name not in _WORDS or isinstance(one, dict)}


def _secret(name: str, about: Any, depth: int = 0) -> bool:
    """Whether a field, or one within it, is for a secret."""
    if depth > _FORM_DEPTH_MAX:
        return True
    if not isinstance(about, dict):
        return _names_secret(name)
    inner = about.get("properties")
    return (
        _names_secret(name)
        or _names_secret(str(about.get("title", "")))
        or _ALWAYS_SECRET.search(_words(str(about.get("description", "")))) is not None
        or about.get("format") == "password"
        or (isinstance(inner, dict) and any(_secret(key, value, depth + 1) for key, value in inner.items()))
    )


def _names_secret(text: str) -> bool:
    words = _words(text)
    return _ALWAYS_SECRET.search(words) is not None or _SECRET_NAME.search(words) is not None


def _words(text: str) -> str:
    """Lower-case words, whatever the spelling: letters of other widths and hidden ones are no disguise."""
    plain = "".join(one for one in unicodedata.normalize("NFKC", text) if unicodedata.category(one) != "Cf")
    return re.sub(r"[\s_\-]+", " ", _CAMEL.sub(" ", plain)).lower()


def _plain_url(url: object) -> bool:
    if not isinstance(url, str) or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
