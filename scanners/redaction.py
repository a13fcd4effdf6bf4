"""Redacted views of texts and JSON values: secrets out, everything else as it was.

A value's strings are scanned as what they are, never as serialised JSON, where an escape would hide a secret
and a replacement could break the document. All of them are scanned in one pass, joined by a character that is
part of no secret; only strings in which something was found are looked at one by one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from scanners.finding import CROWDED, FOREIGN_MARKER, RESERVED_KINDS, Finding
from scanners.json_strings import rebuilt, strings_of
from scanners.markers import KEY_BYTES_MIN, PREFIX, keyed_digest, marker, markers_of
from scanners.pattern_set import SEPARATOR
from scanners.spans import Span, in_characters, united

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scanners.credentials import Credentials
    from scanners.token_formats import TokenRules

SPANS_MAX: Final = 2_000
"""Secrets and markers in one text or value. With more, all of it is replaced at once: each costs time."""

_ROUNDS_MAX: Final = 4
_PREFIX = re.compile(re.escape(PREFIX))


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A text without the secrets that were found in it."""

    text: str
    findings: tuple[Finding, ...] = ()
    """In the order of the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedValue:
    """A JSON value without the secrets that were found in it."""

    value: Any
    """The very object that was given, if nothing was found; else one that shares no container with it."""
    findings: tuple[Finding, ...] = ()
    """In the order of the document; pointers lead into ``value``."""


class _Crowded(Exception):
    """More was found than is replaced one by one. Never leaves this module."""


class Redactor:
    """Replaces what credentials and rules find by markers.

    Redacting a redacted text again changes nothing: markers are left alone, and a text is looked at until
    nothing more is found. Views are for reading: what decides, and what runs, is the original.
    """

    def __init__(self, credentials: Credentials, rules: TokenRules, digest_key: bytes) -> None:
        """Take what to look for, and the secret key of the markers' digests."""
        if len(digest_key) < KEY_BYTES_MIN:
            raise ValueError(f"a digest key has at least {KEY_BYTES_MIN} bytes")
        self._credentials = credentials
        self._rules = rules
        self._key = digest_key
        self._markers = markers_of(rules.kinds | (RESERVED_KINDS - {FOREIGN_MARKER}))

    def text(self, value: str) -> Redacted:
        """The text with a marker in place of each secret.

        Raises:
            ScanIncomplete: the text could not be read to its end, so there is no view of it.
        """
        try:
            text, marks = self._until_nothing_is_found(value)
        except _Crowded:
            text, marks = self._replaced_at_once(_utf8(value))
        if PREFIX in text:
            marks = sorted([*marks, *self._foreign(text, marks)], key=lambda mark: mark.start)
        return Redacted(text=text, findings=tuple(marks))

    def json_value(self, value: Any) -> RedactedValue:
        """The value with a marker in place of each secret in its strings and its members' names.

        Names that become equal get numbers behind them, so that no member is lost.

        Raises:
            TypeError: it holds something that JSON does not have.
            ScanIncomplete: it could not be read to its end, so there is no view of it.
        """
        strings = strings_of(value, numbers=self._credentials.numeric)
        joined = SEPARATOR.decode().join(strings)
        raw = _utf8(joined)
        try:
            spans = self._spans(raw, markers=joined.count(PREFIX))
        except _Crowded:
            return self._value_replaced_at_once(value, raw)
        looked_at = _touched(strings, spans)
        if PREFIX in joined:
            looked_at.update(string for string in strings if PREFIX in string)
        redacted = {string: one for string in looked_at if (one := self.text(string)).findings}
        if not redacted:
            return RedactedValue(value=value)
        findings: list[Finding] = []

        def replaced(string: str, pointer: str, in_name: bool) -> None:  # noqa: FBT001 - a callback's shape
            findings.extend(
                replace(finding, pointer=pointer, in_name=in_name) for finding in redacted[string].findings
            )

        texts = {string: one.text for string, one in redacted.items()}
        return RedactedValue(value=rebuilt(value, texts, replaced), findings=tuple(findings))

    def _spans(self, raw: bytes, *, markers: int) -> list[Span]:
        found = self._credentials.spans(raw, spans_max=SPANS_MAX + 1)
        found += self._rules.spans(raw, spans_max=SPANS_MAX + 1)
        if len(found) + markers > SPANS_MAX:
            raise _Crowded
        return found

    def _new_spans(self, text: str) -> list[Span]:
        raw = _utf8(text)
        spans = self._spans(raw, markers=text.count(PREFIX))
        if not spans:
            return []
        spans = in_characters(spans, raw)
        if PREFIX in text:
            # A password in a connection string is a marker by now, and still stands where passwords stand.
            ends = {match.start(): match.end() for match in self._markers.finditer(text)}
            starts = [-1, *ends]
            spans = [
                span
                for span in spans
                if span.end > ends.get(starts[bisect_right(starts, span.start) - 1], -1)
            ]
        return united(spans)

    def _until_nothing_is_found(self, text: str) -> tuple[str, list[Finding]]:
        marks: list[Finding] = []
        for _ in range(_ROUNDS_MAX):
            spans = self._new_spans(text)
            if not spans:
                return text, marks
            text, marks = self._rewritten(text, spans, marks)
        raise _Crowded

    def _rewritten(self, text: str, spans: list[Span], marks: list[Finding]) -> tuple[str, list[Finding]]:
        """The text with the spans replaced, and where its markers are now: new ones and those before."""
        ends = [span.end for span in spans]
        standing = [
            mark
            for mark in marks
            if (next_span := bisect_right(ends, mark.start)) == len(spans)
            or spans[next_span].start >= mark.end
        ]
        pieces: list[str] = []
        made: list[Finding] = []
        read = written = 0
        for finding in sorted([*map(self._finding, spans), *standing], key=lambda one: one.start):
            kept, mark = text[read : finding.start], marker(finding.kind, finding.digest)
            pieces += (kept, mark)
            written += len(kept) + len(mark)
            made.append(replace(finding, start=written - len(mark), end=written))
            read = finding.end
        pieces.append(text[read:])
        return "".join(pieces), made

    def _finding(self, span: Span) -> Finding:
        digest = keyed_digest(self._key, span.kind, span.secret)
        return Finding(kind=span.kind, rule=span.rule, digest=digest, start=span.start, end=span.end)

    def _value_replaced_at_once(self, value: Any, raw: bytes) -> RedactedValue:
        """What stays is whether it was an object, an array or a single value."""
        text, [found] = self._replaced_at_once(raw)
        if isinstance(value, dict):
            return RedactedValue(value={"…": text}, findings=(replace(found, pointer="/…"),))
        if isinstance(value, list):
            return RedactedValue(value=[text], findings=(replace(found, pointer="/0"),))
        return RedactedValue(value=text, findings=(found,))

    def _replaced_at_once(self, raw: bytes) -> tuple[str, list[Finding]]:
        digest = keyed_digest(self._key, CROWDED, raw)
        text = marker(CROWDED, digest)
        return text, [Finding(kind=CROWDED, rule="bound", digest=digest, start=0, end=len(text))]

    def _foreign(self, text: str, marks: list[Finding]) -> Iterator[Finding]:
        ours = {mark.start for mark in marks}
        for match in _PREFIX.finditer(text):
            if match.start() not in ours:
                whole = self._markers.match(text, match.start()) or match
                yield Finding(
                    kind=FOREIGN_MARKER, rule="marker", digest="", start=whole.start(), end=whole.end()
                )


def _utf8(text: str) -> bytes:
    # A lone surrogate is no text, but a view of it must not fail.
    return text.encode("utf-8", "surrogatepass")


def _touched(strings: Sequence[str], spans: Sequence[Span]) -> set[str]:
    """The strings that a span touches when they are joined: in one of them, or across, is looked at again."""
    if not spans:
        return set()
    starts = list(accumulate((len(_utf8(string)) + len(SEPARATOR) for string in strings), initial=0))
    touched: set[str] = set()
    for span in spans:
        first, last = bisect_right(starts, span.start) - 1, bisect_right(starts, span.end - 1) - 1
        touched.update(strings[first : last + 1])
    return touched
