"""Readable text inside base64 and hexadecimal runs: what no reviewer reads, and models do."""

from __future__ import annotations

import base64
import binascii
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import re2

from scanners.pattern_set import pattern_options

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS_MAX: Final = 20
RUN_BYTES_MAX: Final = 8_192
_READABLE_SHARE: Final = 0.9

_RUN: Final = re2.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}", pattern_options())
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")


class EncodedText(NamedTuple):
    """What a run says, and where it stands."""

    text: bytes
    start: int
    end: int


def encoded_texts(raw: bytes) -> Iterator[EncodedText]:
    """Runs that decode to readable text, once or twice; at most ``RUNS_MAX`` are tried."""
    for match in islice(_RUN.finditer(raw), RUNS_MAX):
        start, end = match.span()
        text = _decoded(raw[start : min(end, start + RUN_BYTES_MAX)])
        if text is None:
            continue
        yield EncodedText(text, start, end)
        for inner in islice(_RUN.finditer(text), RUNS_MAX):
            again = _decoded(inner[0])
            if again is not None:
                yield EncodedText(again, start, end)


def _decoded(run: bytes) -> bytes | None:
    candidates = [run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))]
    if _HEX.issuperset(run):
        candidates.append(b"")
    for number, candidate in enumerate(candidates):
        try:
            if number == 0:
                text = base64.b64decode(candidate[: len(candidate) // 4 * 4], validate=True)
            else:
                text = bytes.fromhex(run[: len(run) // 2 * 2].decode("ascii"))
        except (binascii.Error, ValueError):
            continue
        readable = sum(32 <= byte < 127 or byte in b"\n\t" for byte in text)
        if text and readable >= len(text) * _READABLE_SHARE:
            return text
    return None
