"""Numbers that a state gives to people. Those of further countries come from another engine's recognisers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scanners.detectors import validators
from scanners.detectors.forms import GAP, HYPHEN, Form, Value, digits_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanners.detectors.surroundings import Candidate

_NAME: Final = re.compile(r"\bssns?\b|social ?sec|soc ?sec|\bi?tin\b|tax ?payer|tax ?id")
_BEFORE: Final = re.compile(r"(?:ssn|social.{0,3}sec|soc\.? ?sec|\bi?tin\b|tax.?payer|tax.?id)[^0-9]{0,32}$")
_TRIGGER: Final = rb"(?i)ssn|social|soc\.? ?sec|\bi?tin\b|tax.?payer|tax.?id"


def grouped(candidate: Candidate) -> Iterator[Value]:
    """Judges three, two and four digits with hyphens: nothing else is written so."""
    raw = candidate.document.raw
    before, behind = candidate.byte_before, raw[candidate.end : candidate.end + 2]
    if before in {b"-", b".", b"/", b"+"} or (behind[:1] in {b"-", b"."} and behind[1:].isalnum()):
        return
    yield from _judged(candidate)


def named(candidate: Candidate) -> Iterator[Value]:
    """Judges nine digits of which a name or a text says what they are."""
    if _NAME.search(candidate.name) or _BEFORE.search(candidate.before):
        yield from _judged(candidate)


def _judged(candidate: Candidate) -> Iterator[Value]:
    digits = digits_of(candidate.text)
    if candidate.stands_alone and validators.ssn(digits):
        yield from whole(candidate, digits)


SSN_GROUPED: Final = Form(
    "ssn", "us-ssn", rb"\b[0-9]{3}" + HYPHEN + rb"[0-9]{2}" + HYPHEN + rb"[0-9]{4}\b", grouped
)
SSN_NAMED: Final = Form(
    "ssn",
    "us-ssn-named",
    rb"\b[0-9]{3}" + GAP + rb"?[0-9]{2}" + GAP + rb"?[0-9]{4}\b",
    named,
    trigger=_TRIGGER,
    near=True,
)
