"""What is shown and listed of values: known credentials and well-known token formats become markers."""

from __future__ import annotations

import hashlib
import hmac
import importlib.resources
from typing import TYPE_CHECKING, Any

from scanners.bounded_view import bounded_view
from scanners.credentials import Credentials, header_literals
from scanners.errors import ScanIncomplete
from scanners.finding import CROWDED
from scanners.redaction import Redactor
from scanners.token_formats import read_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HIDDEN = {"…": "not shown: the scan for secrets did not finish"}
VIEW_CHARACTERS_MAX = 4_096
"""Of a list's view of one call's arguments, as JSON."""


class Redaction:
    """Satisfies the ``Redaction`` port over the pure scanners."""

    def __init__(self, redactor: Redactor) -> None:
        """Take the built scanner."""
        self._redactor = redactor

    def view(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Redacted and bounded, for lists."""
        try:
            redacted = self._redactor.json_value(dict(value))
        except ScanIncomplete:
            # Without a scan nothing is shown: a view must never fall back on the value itself.
            return _HIDDEN
        view: dict[str, Any] = bounded_view(redacted.value, characters_max=VIEW_CHARACTERS_MAX)
        return view

    def shown(self, value: Any) -> tuple[Any, tuple[tuple[str, str], ...]]:
        """Redacted and whole, with the JSON Pointer and kind of each marker."""
        try:
            redacted = self._redactor.json_value(value)
        except ScanIncomplete:
            return _HIDDEN, (("", CROWDED),)
        return redacted.value, tuple((one.pointer, one.kind) for one in redacted.findings)

    def text(self, value: str) -> str:
        """A sentence, redacted."""
        try:
            return self._redactor.text(value).text
        except ScanIncomplete:
            return "(not shown: the scan for secrets did not finish)"


def redaction_of(headers: Iterable[str], values: Iterable[str], key: bytes) -> Redaction:
    """Built from the shipped rules and the gateway's own credentials.

    Args:
        headers: values of headers that open something elsewhere.
        values: other values that do: variables, secrets of webhooks.
        key: what the markers' digest key is derived from: who sees a marker cannot test guesses.
    """
    rules = read_rules(importlib.resources.files("scanners").joinpath("rules/tokens.toml").read_text("utf-8"))
    literals = [literal for header in headers for literal in header_literals(header)]
    literals += values
    digest_key = hmac.digest(key, b"toolgate redaction markers", hashlib.sha256)
    return Redaction(Redactor(Credentials(literals), rules, digest_key))
