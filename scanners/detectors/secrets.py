"""Secrets of every sort in one document: well-known forms, names, encodings, pieces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scanners.detectors import detect_secrets_plugins, encoded, named_values
from scanners.detectors.encoded import encoded_spans
from scanners.detectors.named_values import named_spans, text_spans
from scanners.detectors.secret_names import documents
from scanners.detectors.split_secrets import SplitSecrets
from scanners.finding import CREDENTIAL
from scanners.pattern_set import SEPARATOR, PatternSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanners.credentials import Credentials
    from scanners.detectors.detect_secrets_plugins import DetectSecrets
    from scanners.document import Document
    from scanners.spans import Span
    from scanners.token_formats import TokenRules

FAMILY: Final = "secret"
_SHOWN_IN_MANUALS: Final = frozenset({"password", "authorization"})
_EXAMPLES_OF_AWS: Final = (b"EXAMPLE", b"EXAMPLEKEY")
"""The ends of every key in AWS's manuals; a key that was issued has them once in ten thousand million."""


class Secrets:
    """Finds secrets.

    Known credentials as they stand are for the caller to find; here they are found in encodings of encodings.
    """

    family: str = FAMILY

    def __init__(
        self, rules: TokenRules, credentials: Credentials, *, engine: DetectSecrets | None = None
    ) -> None:
        """Take what to look for; ``engine`` adds the forms that detect-secrets knows."""
        self._rules = rules
        self._credentials = credentials
        self._engine = engine
        self._split = SplitSecrets(rules, credentials.literals)
        engine_triggers = detect_secrets_plugins.TRIGGERS if engine is not None else ()
        self.kinds: frozenset[str] = (
            rules.kinds
            | named_values.KINDS
            | {CREDENTIAL}
            | (detect_secrets_plugins.KINDS if engine is not None else frozenset())
        )
        self.trigger_groups: tuple[tuple[bytes, ...], ...] = (
            (
                *((rule.trigger or rule.pattern).encode() for rule in rules.rules),
                *self._split.triggers,
                *engine_triggers,
            ),
            named_values.TRIGGERS,
            encoded.TRIGGERS,
        )
        """What is in every document in which something can be found; also as that document's JSON."""
        # One set for each, as in the pipeline.
        self._named, self._encoded, self._engine_triggers = (
            PatternSet(patterns) for patterns in (named_values.TRIGGERS, encoded.TRIGGERS, engine_triggers)
        )

    def spans(self, document: Document, *, spans_max: int) -> list[Span]:
        """Every secret, at most ``spans_max``, in no order; they may overlap.

        Raises:
            ScanIncomplete: the engine did not reach the end of the text.
        """
        raw = document.raw
        found = self._of_rules(raw, spans_max)
        if self._named.occurring(raw):
            found += named_spans(document, spans_max=spans_max)
        found += self._split.spans(document, found, spans_max=spans_max)
        if self._engine is not None and self._engine_triggers.occurring(raw):
            found += self._engine.spans(raw, spans_max=spans_max)
        if self._encoded.occurring(raw):
            found += encoded_spans(raw, lambda said: self._said(said, spans_max), spans_max=spans_max)
        return found[:spans_max]

    def _said(self, said: bytes, spans_max: int) -> list[Span]:
        """What is found in decoded text."""
        found = self._credentials.spans(said, spans_max=spans_max)
        found += self._of_rules(said, spans_max)
        found += text_spans(said, spans_max=spans_max)
        if self._engine is not None:
            found += self._engine.spans(said, spans_max=spans_max)
        return found

    def _of_rules(self, raw: bytes, spans_max: int) -> list[Span]:
        """What rules find; manuals show where a password stands, and that is none."""
        return [span for span in self._in_strings(raw, spans_max) if not _is_shown_in_manuals(span)][
            :spans_max
        ]

    def _in_strings(self, raw: bytes, spans_max: int) -> Iterator[Span]:
        """What rules find in strings by themselves: over their ends, some see what is not there."""
        for span in self._rules.spans(raw, spans_max=spans_max):
            if SEPARATOR not in span.secret:
                yield span
                continue
            start = raw.rfind(SEPARATOR, 0, span.start) + 1
            for string in raw[start : _end_of_string(raw, span.end)].split(SEPARATOR):
                for inside in self._rules.spans(string, spans_max=spans_max):
                    yield replace(inside, start=start + inside.start, end=start + inside.end)
                start += len(string) + len(SEPARATOR)


def _is_shown_in_manuals(span: Span) -> bool:
    """Whether it stands where a secret would, and is none."""
    if span.kind == "aws-key":
        return span.secret.endswith(_EXAMPLES_OF_AWS)
    return span.kind in _SHOWN_IN_MANUALS and documents(span.secret.decode("utf-8", "replace"))


def _end_of_string(raw: bytes, place: int) -> int:
    end = raw.find(SEPARATOR, place)
    return end if end >= 0 else len(raw)
