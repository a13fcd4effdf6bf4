"""Secrets in pieces: over lines, over the items of a list, over members, over blocks of content.

A piece is noticed where a known beginning stands at the end of a line or string. Pieces are then added to it,
one by one, until a rule knows the whole.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import re2

from scanners.pattern_set import SEPARATOR, pattern_options
from scanners.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanners.document import Document
    from scanners.token_formats import TokenRules

PIECES_MAX: Final = 96
"""Pieces that are put together for one secret."""

KEYS_MAX: Final = 50
"""Private keys in pieces that are put together in one document."""

WHOLE_BYTES_MAX: Final = 8 << 10
"""Of the pieces together."""

TRIES_MAX: Final = 2_000
"""Pieces added in one document; each costs time."""

_BEGINNING: Final = (
    r"(?:\bgh[pousr]_|github_pat_|\bgl(?:pat|dt|ft|soat|rt|cbt|ptt|agent|oas)-|\b(?:AKIA|ASIA)|\bsk-|\b[sr]k_(?:live|test)_|"
    r"\bxox[abceoprs](?:\.xox[abp])?-|\bxapp-|\bAIza|GOCSPX-|\bya29\.|\bey[JA]|\bnpm_|pypi-AgE|\bhf_|\bgsk_|\bxai-|\br8_|"
    r"\bpplx-|\bdapi|\bwhsec_|\bshp(?:at|ca|pa|ss|ua)_|\bSG\.|\bntn_|\blin_api_|\bfig[douh]_|\bsbp_|\bhv[sbr]\.|\bdp\.|"
    r"\bglsa_|\bglc_|\bdo[opr]_v1_|dckr_(?:pat|oat)_|\bATATT|\bPMAK-|\bsntry[su]_|lsv2_|AGE-SECRET-KEY-|\btgr?_|\bcf(?:k|ut|at)_|"
    r"\bfm[12][ar]?_|tskey-|rubygems_|\bpul-|CCIP(?:AT|RJ)_|\bsgp_)[A-Za-z0-9_+/=.-]{4,}"
)
_LINES_END: Final = r"""(?:\\*["'`\x1e]|[ \t]*[\\+]?[ \t]*[\r\n])"""
TRIGGERS: Final = (f"{_BEGINNING}{_LINES_END}".encode(), rb"PRIVATE KEY(?: BLOCK)?-----[\"\x1e]")

_MARK: Final[Any] = re2.compile(rf"{_BEGINNING}(?:{_LINES_END}|$)".encode(), pattern_options())
_KEY_MARK: Final[Any] = re2.compile(
    rb"(-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----)[ \t]*\x1e", pattern_options()
)
PRIVATE_KEY: Final = "private-key"
_MORE: Final[Any] = re2.compile(rb"[A-Za-z0-9+/=_.-]{16,}|={1,2}", pattern_options())
_LINE: Final[Any] = re2.compile(rb"[A-Za-z0-9+/=]+|[A-Z][A-Za-z-]+: [^\r\n]+", pattern_options())
_END: Final = b"-----END "
_PIECE = re.compile(rb"""(?:[^\s\x1e"'`,+|>\\&]|\+(?=[A-Za-z0-9+/=]))+(?:[ \t][^\r\n\x1e"'`]*)?""")
"""Of a window of bounded size. What joins strings in code, and what quotes lines, is part of none."""


def split_spans(document: Document, rules: TokenRules, direct: list[Span], *, spans_max: int) -> list[Span]:
    """Secrets that are whole only when pieces are put together; one span for each piece.

    Args:
        document: where to look.
        rules: what a whole one looks like.
        direct: what was found without this; what begins in such a span is no piece.
        spans_max: spans at most.
    """
    return list(islice(_split(document, rules, direct), spans_max))


def _split(document: Document, rules: TokenRules, direct: list[Span]) -> Iterator[Span]:
    yield from _keys(document, direct)
    taken = sorted((span.start, span.end) for span in direct)
    tries = TRIES_MAX
    for mark in _MARK.finditer(document.raw):
        start = mark.start()
        if any(begin <= start < end for begin, end in taken):
            continue
        for same_key in (True, False):
            pieces = list(islice(_pieces(document, start, same_key=same_key), PIECES_MAX))
            tries -= len(pieces)
            if tries < 0:
                return
            found = _whole(document.raw, pieces, rules)
            yield from found
            if found:
                break


def _keys(document: Document, direct: list[Span]) -> Iterator[Span]:
    """Private keys that have their lines in strings of their own, or go on in the next one."""
    raw = document.raw
    begun = [
        span
        for span in direct
        if span.kind == PRIVATE_KEY and raw[span.end : span.end + 1] == SEPARATOR and _END not in span.secret
    ]
    begun += [
        Span(
            start=mark.start(),
            end=mark.end(1),
            kind=PRIVATE_KEY,
            rule="pem-private-key",
            secret=mark[1],
            order=1,
        )
        for mark in _KEY_MARK.finditer(raw)
    ]
    for key in islice(begun, KEYS_MAX):
        first = document.index_at(key.start)
        behind = [
            place
            for place in islice(_pieces(document, key.start, same_key=True), PIECES_MAX)
            if document.index_at(place[0]) > first
        ]
        lines = _lines_of_key([raw[begin:end] for begin, end in behind])
        if lines:
            yield key
        for begin, end in behind[:lines]:
            yield replace(key, start=begin, end=end)


def _lines_of_key(lines: list[bytes]) -> int:
    """How many of the lines belong to a key: all up to its end, or as long as they are long."""
    for number, line in enumerate(lines):
        if line.startswith(_END):
            return number + 1
        if _LINE.fullmatch(line) is None:
            break
    return next((number for number, line in enumerate(lines) if _MORE.fullmatch(line) is None), len(lines))


def _whole(raw: bytes, pieces: list[tuple[int, int]], rules: TokenRules) -> list[Span]:
    whole = b""
    known: Span | None = None
    places: list[tuple[int, int, int]] = []
    for begin, end in pieces:
        piece = raw[begin:end]
        if len(whole) + len(piece) > WHOLE_BYTES_MAX or (
            known is not None and _MORE.fullmatch(piece) is None
        ):
            break
        places.append((len(whole), begin, end))
        whole += piece
        if len(places) == 1:
            continue
        spans = [span for span in rules.spans(whole, spans_max=8) if span.start < places[1][0]]
        known = max(spans, key=lambda span: span.end, default=known)
    if known is None:
        return []
    return [
        replace(known, start=begin, end=min(end, begin + known.end - offset))
        for offset, begin, end in places
        if offset < known.end
    ]


def _pieces(document: Document, start: int, *, same_key: bool) -> Iterator[tuple[int, int]]:
    """Where the lines stand that follow in the same string and in those behind it."""
    raw, leaves = document.raw, document.leaves
    first = document.index_at(start)
    for number in range(first, min(first + 4 * PIECES_MAX, len(leaves))):
        leaf = leaves[number]
        if number > first and (leaf.in_name or (same_key and leaf.key != leaves[first].key)):
            continue
        begin = start if number == first else document.starts[number]
        end = min(document.end_of(number), begin + WHOLE_BYTES_MAX)
        for match in _PIECE.finditer(raw[begin:end]):
            yield begin + match.start(), begin + match.end()
