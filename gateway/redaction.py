"""What is shown and listed of values: known credentials and well-known token formats become markers."""

from __future__ import annotations

import hashlib
import hmac
import importlib.resources
from typing import TYPE_CHECKING, Any

from scanners.bounded_view import bounded_view
from scanners.credentials import Credentials, header_literals
from scanners.redaction import Redactor
from scanners.token_formats import read_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VIEW_CHARACTERS_MAX = 4_096
"""Of a list's view of one call's arguments, as JSON."""


class Redaction:
    """Satisfies the ``Redaction`` port over the pure scanners."""

    def __init__(self, redactor: Redactor) -> None:
        """Take the built scanner."""
        self._redactor = redactor

    def view(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Redacted and bounded, for lists."""
        redacted = self._redactor.json_value(dict(value))
        view: dict[str, Any] = bounded_view(redacted.value, characters_max=VIEW_CHARACTERS_MAX)
        return view

    def shown(self, value: Any) -> tuple[Any, tuple[tuple[str, str], ...]]:
        """Redacted and whole, with the JSON Pointer and kind of each marker."""
        redacted = self._redactor.json_value(value)
        return redacted.value, tuple((one.pointer, one.kind) for one in redacted.findings)

    def text(self, value: str) -> str:
        """A sentence, redacted."""
        return self._redactor.text(value).text


def redaction_of(secrets: Iterable[str], key: bytes) -> Redaction:
    """Built from the shipped rules and the gateway's own credentials.

    Args:
        secrets: header values and variables that open something elsewhere.
        key: what the markers' digest key is derived from: who sees a marker cannot test guesses.
    """
    rules = read_rules(importlib.resources.files("scanners").joinpath("rules/tokens.toml").read_text("utf-8"))
    literals = (literal for secret in secrets for literal in header_literals(secret))
    digest_key = hmac.digest(key, b"toolgate redaction markers", hashlib.sha256)
    return Redaction(Redactor(Credentials(literals), rules, digest_key))
