"""What the tests of the secrets detector share."""

from __future__ import annotations

import json

from scanners.credentials import Credentials
from scanners.detectors.secrets import Secrets
from scanners.document import document_of
from scanners.pattern_set import PatternSet
from scanners.spans import united
from tests.unit.scanners.samples import RULES

KNOWN = "correct/horse+battery~staple"
SECRETS = Secrets(RULES, Credentials([KNOWN]))
TRIGGERS = PatternSet(sum(SECRETS.trigger_groups, ()))
MANY = 2_001


def found(value, detector=SECRETS):
    """(kind, what stands there) of everything that is found, and none overlaps another."""
    document = document_of(value)
    spans = united(detector.spans(document, spans_max=MANY))
    return [(span.kind, document.raw[span.start : span.end].decode("utf-8", "replace")) for span in spans]


def texts(value, detector=SECRETS):
    return [text for _, text in found(value, detector)]


def is_triggered(value, triggers=TRIGGERS):
    """Whether the detector would be asked: about the document, and about its JSON where nothing is escaped."""
    raw = json.dumps(value)
    return bool(triggers.occurring(document_of(value).raw)) and (
        "\\" in raw or bool(triggers.occurring(raw.encode()))
    )
