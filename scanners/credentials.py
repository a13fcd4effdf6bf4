"""The gateway's own credentials, found literally in every encoding of `encodings.py`.

The cheapest and strongest control there is: nothing is guessed, so nothing else is touched.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Final

import re2

from scanners.encodings import encodings
from scanners.finding import CREDENTIAL
from scanners.pattern_set import PatternSet, pattern_options
from scanners.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LITERAL_CHARACTERS_MIN: Final = 8
"""Shorter ones are ordinary words; replacing them would tear texts apart. ``ignored`` counts them."""

PIECE_CHARACTERS_MAX: Final = 64
"""Longer literals (key files) are looked for in pieces: a part of a key is found, too."""

BATCH_CHARACTERS_MAX: Final = 4_096
"""Literals in one set of patterns; keeps a set far below its memory."""

RULE: Final = "known"

_SCHEME_AND_VALUE = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,31} +(\S.*)", re.DOTALL)
_COOKIES = re.compile(r"[^=;\s]+=[^;]*(?:; *[^=;\s]+=[^;]*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    pattern: bytes
    run: bytes
    literal: bytes
    """The whole literal, if this is a piece of it."""


class Credentials:
    """Finds known literals."""

    def __init__(self, literals: Iterable[str]) -> None:
        """Prepare the search: about a millisecond and 150 KiB for each literal.

        Args:
            literals: values whose every appearance is a leak. White space around them is not part of them.
        """
        wanted = sorted({literal.strip() for literal in literals} - {""})
        long_enough = [literal for literal in wanted if len(literal) >= LITERAL_CHARACTERS_MIN]
        self.literals = tuple(long_enough)
        """What is looked for. Never to be logged."""
        self.ignored = len(wanted) - len(long_enough)
        """How many are shorter than ``LITERAL_CHARACTERS_MIN`` and are not looked for."""
        self.numeric = any(literal.lstrip("-").replace(".", "", 1).isdigit() for literal in long_enough)
        """Whether one could stand in JSON as a number."""
        self._batches = [_Batch(forms) for forms in _batches(long_enough)]

    def spans(self, raw: bytes, *, spans_max: int) -> list[Span]:
        """Every appearance, overlapping ones included; at most ``spans_max``, in no order."""
        found = (span for batch in self._batches for span in batch.spans(raw))
        return list(islice(found, spans_max))


class _Batch:
    def __init__(self, forms: list[_Form]) -> None:
        self._forms = forms
        self._set = PatternSet([form.pattern for form in forms])
        self._exact: dict[int, Any] = {}

    def spans(self, raw: bytes) -> Iterator[Span]:
        for number in self._set.occurring(raw):
            form = self._forms[number]
            exact = self._exact.get(number)
            if exact is None:
                exact = self._exact[number] = re2.compile(form.pattern, pattern_options())
            place = 0
            while match := exact.search(raw, place):
                start, end = match.span()
                # A literal may overlap itself, so the search goes on inside; but not inside an encoded run.
                place = start + 1
                if form.run:
                    start, end = _run(raw, start, end, form.run)
                    place = end
                yield Span(start=start, end=end, kind=CREDENTIAL, rule=RULE, secret=form.literal, order=0)


def header_literals(value: str) -> list[str]:
    """The parts of a header's value that are secret on their own.

    ``Bearer X`` is X; ``Basic X`` is X, what X says, and the password in it; cookies are their values. Any
    other value is itself.
    """
    value = value.strip()
    if _COOKIES.fullmatch(value):
        return [value, *(cookie.partition("=")[2].strip() for cookie in value.split(";"))]
    if (match := _SCHEME_AND_VALUE.fullmatch(value)) is None:
        return [value]
    secret = match[1]
    try:
        pair = base64.b64decode(secret, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return [secret]
    user, colon, password = pair.partition(":")
    return [secret, pair, password] if user and colon and value[:5].lower() == "basic" else [secret]


def _run(raw: bytes, start: int, end: int, characters: bytes) -> tuple[int, int]:
    return len(raw[:start].rstrip(characters)), len(raw) - len(raw[end:].lstrip(characters))


def _pieces(literal: str) -> list[str]:
    # Of equal length, so that the last one is not too short to be looked for.
    count = -(-len(literal) // PIECE_CHARACTERS_MAX)
    bounds = [len(literal) * number // count for number in range(count + 1)]
    return [literal[start:end] for start, end in pairwise(bounds)]


def _batches(literals: list[str]) -> Iterator[list[_Form]]:
    batch: list[_Form] = []
    characters = 0
    for literal in literals:
        whole = literal.encode("utf-8", "surrogatepass")
        for piece in _pieces(literal):
            if characters + len(piece) > BATCH_CHARACTERS_MAX:
                yield batch
                batch, characters = [], 0
            characters += len(piece)
            batch += [_Form(pattern=one.pattern, run=one.run, literal=whole) for one in encodings(piece)]
    if batch:
        yield batch
