"""Arguments as a text to be edited: JSON of the same value, with nothing in it that hides. Pure."""

from __future__ import annotations

import json
import re

from gateway.core.visible_text import ALARMING, pieces

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def editable(text: str) -> str:
    """The JSON text, indented; strings in which something hides or misleads have all but ASCII escaped."""
    if not text:
        return "{}"
    drawn = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    return _STRING.sub(lambda found: _harmless(found[0]), drawn)


def _harmless(literal: str) -> str:
    if any(piece.kind in ALARMING for piece in pieces(literal)):
        return json.dumps(json.loads(literal))
    return literal
