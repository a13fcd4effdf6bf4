r"""Encoded stretches of a text as what they say, so that secrets in them are found; two levels deep.

=========== =========================================================================================
base64      both alphabets, wrapped lines too, where ASCII text or gzip or zlib is in it
hexadecimal pairs of digits, also with spaces, colons or hyphens between, where ASCII text is in it
escapes     ``%41``, ``\u0041``, ``\x41``, ``&#65;``, and ``\n`` and ``\"`` of texts in texts
=========== =========================================================================================

Hidden text is taken out of what they say. In base64 and hexadecimal the whole run is what a find covers: of a
part nobody could tell what it says. In escapes it is the stretch that was found.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import re2

from scanners.encodings import in_base64
from scanners.errors import ScanIncomplete
from scanners.hidden_text import stripped
from scanners.pattern_set import SEPARATOR, pattern_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scanners.spans import Span

LEVELS_MAX: Final = 2
"""Encodings inside each other that are looked through."""

DECODED_TIMES_MAX: Final = 4
"""All that a text says, its encodings read in every way, is at most so many times as long as itself,"""

INFLATED_BYTES_MAX: Final = 1 << 20
"""and what was compressed in it says so much more. A text that says more is not passed on."""

ESCAPES_MAX: Final = 300_000
"""Groups of escapes in one text that are read. Nor is one with more of them."""

AROUND_BYTES: Final = 256
"""Before and behind escapes that are read with them."""

# The four characters that stand for three bytes of printable ASCII.
_QUAD: Final = r"[I-Za-f][A-HQ-Xg-nw-z0-3\x2d+][A-Za-z0-9+/_\x2d][A-Za-z0-9+/_\x2d]"
_TEXT_IN_BASE64: Final = rf"(?:{_QUAD}){{4}}"
_PACKED_IN_BASE64: Final = r"(?:H4sI|eJ[w-z]|eN[o-r]|eAE|eF[4-7])[A-Za-z0-9+/_\x2d]{8}"
# What begins characters that nobody sees, in UTF-8: zero widths, the mark of byte order, selectors, tags.
_HIDDEN_BEGINNINGS: Final = (b"\xe2\x80", b"\xe2\x81\xa0", b"\xef\xbb\xbf", b"\xef\xb8\x8f", b"\xf3\xa0")
_HIDING_BYTES: Final = (*_HIDDEN_BEGINNINGS, b"\xef\xb8", b"\xc2\xad", b"\x1b")
_HIDDEN_IN_BASE64: Final = "|".join(
    # Not wrapped: one of many is enough.
    in_base64(one, offset).replace(r"\s*", "")
    for one in _HIDDEN_BEGINNINGS
    for offset in range(3)
)
_HIDDEN_IN_HEX: Final = "(?i:e2808[b-f]|e281a0|efbbbf|efb88f|f3a08[014-7])"
_TEXT_IN_HEX: Final = r"(?:[2-7][0-9A-Fa-f]|0[9AaDd]){8}"
_TEXT_IN_SPACED_HEX: Final = r"(?:(?:[2-7][0-9A-Fa-f]|0[9AaDd])[ :+-]){6}"
_CHARACTER_REFERENCE: Final = r"&#(?:[xX]0{0,6}(?:[2-7][0-9A-Fa-f]|[9AaDd])|0{0,6}(?:9|[0-9]{2,3}));"
# Characters that nobody sees, and colours of terminals: they say nothing, and separate what says something.
_HIDING: Final = (
    r"\\+u(?i:200[b-f]|202[a-e]|206[0-9a-f]|feff|00ad|034f|061c|180[b-f]|115f|1160|3164|ffa0|fe0[0-9a-f]"
    r"|db40\\+ud[cd][0-9a-f]{2}|00(?:0[0-8bcef]|1[0-9ac-f]|7f|[89][0-9a-f]))"
    r"|\\+(?:u001[bB]|x1[bB]|033|e)\[[0-?]{0,16}[@-~]"
    r"|\\+x(?i:e2)\\+x8(?:0\\+x(?i:8[b-f]|a[a-e])|1\\+x(?i:a[0-9a-f]))|\\+x(?i:ef)\\+x(?i:bb)\\+x(?i:bf)"
    r"|\\+x(?i:ef)\\+x(?i:b8)\\+x8[0-9A-Fa-f]|\\+x(?i:f3)\\+x(?i:a0)(?:\\+x[89ABab][0-9A-Fa-f]){2}"
    r"|%(?:25)?(?i:E2%(?:25)?8(?:0%(?:25)?(?:8[b-f]|a[a-e])|1%(?:25)?a[0-9a-f])|EF%(?:25)?BB%(?:25)?BF"
    r"|C2%(?:25)?AD|EF%(?:25)?B8%(?:25)?8[0-9a-f]|F3%(?:25)?A0%(?:25)?[89ab][0-9a-f]%(?:25)?[89ab][0-9a-f])"
    r"|&(?:#(?:[xX]0{0,6}(?i:200[b-f]|202[a-e]|206[0-9a-f]|feff|ad|fe0[0-9a-f]|e0[01][0-9a-f]{2})"
    r"|0{0,6}(?:820[3-7]|823[4-8]|829[0-9]|8288|65279|173|650[23][0-9]|917[5-9][0-9]{2}|918[0-2][0-9]{2}));|(?:ZeroWidthSpace|zwn?j|shy|NoBreak|[lr]rm);)"
)
_ESCAPES: Final = (
    rf"(?:{_HIDING})+"
    r"|(?:%(?:25)?(?:[2-7][0-9A-Fa-f]|0[9AaDd]))+"
    r"|(?:\\+u00(?:[2-7][0-9A-Fa-f]|0[9AaDd]))+|(?:\\+x(?:[2-7][0-9A-Fa-f]|0[9AaDd]))+"
    rf"|(?:{_CHARACTER_REFERENCE})+|\\+[nrt\"'/]"
)

TRIGGERS: Final = tuple(
    pattern.encode()
    for pattern in (
        _TEXT_IN_BASE64,
        _PACKED_IN_BASE64,
        _HIDDEN_IN_BASE64,
        _TEXT_IN_HEX,
        _HIDDEN_IN_HEX,
        _TEXT_IN_SPACED_HEX,
        rf"%(?:25)?[2-7][0-9A-Fa-f]|\\u00[2-7][0-9A-Fa-f]|\\x[2-7][0-9A-Fa-f]|{_CHARACTER_REFERENCE}|{_HIDING}",
        r"\\[nrt][A-Za-z0-9]",
    )
)


def _compiled(pattern: str) -> Any:
    return re2.compile(pattern.encode(), pattern_options())


_BASE64: Final = _compiled(f"{_TEXT_IN_BASE64}|{_PACKED_IN_BASE64}|{_HIDDEN_IN_BASE64}")
_HEX: Final = _compiled(f"{_TEXT_IN_HEX}|{_HIDDEN_IN_HEX}")
_SPACED_HEX: Final = _compiled(_TEXT_IN_SPACED_HEX)
_ESCAPED: Final = _compiled(_ESCAPES)
_HIDDEN: Final = _compiled(f"(?:{_HIDING})+")
_BASE64_RUN: Final = _compiled(
    r"[A-Za-z0-9+/_\x2d]+(?:(?:\\?[rn]|\s){1,4}[A-Za-z0-9+/_\x2d]{20,})*(?:(?:\\?[rn]|\s){1,4}[A-Za-z0-9+/_\x2d]{1,19}={1,2})?={0,2}"
)
_HEX_RUN: Final = _compiled(r"(?:[0-9A-Fa-f]{2})+")
_SPACED_HEX_RUN: Final = _compiled(
    r"(?:[0-9A-Fa-f]{2}[ :+-]){11,}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{2}[ :+-]){11,}"
)
_NOT_BASE64: Final = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
)
_BASE64_CHARACTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_GAP: Final = _compiled(r"[\s\x1e]")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_CONTROLS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An encoded stretch, and what it says."""

    start: int
    end: int
    said: bytes
    places: tuple[tuple[int, int], ...] = ()
    """(in ``said``, in the text) where each literal or escaped piece begins; none: only the whole counts."""

    def covered(self, start: int, end: int) -> tuple[int, int]:
        """What of the text says these bytes."""
        if not self.places:
            return self.start, self.end
        return self._at(start), self._at(end)

    def _at(self, offset: int) -> int:
        number = bisect_right(self.places, (offset, -1)) if offset else 0
        if number < len(self.places) and self.places[number][0] == offset:
            return self.places[number][1]
        said, stands = self.places[number - 1]
        return min(stands + offset - said, self.end)


def encoded_spans(
    raw: bytes, scan: Callable[[bytes], list[Span]], *, spans_max: int, levels: int = LEVELS_MAX
) -> list[Span]:
    """What ``scan`` finds in the encoded stretches of a text, as spans of the text; at most ``spans_max``."""
    views = _views(raw)
    if not views:
        return []
    joined = SEPARATOR.join([view.said for view in views])
    found = scan(joined)
    if levels > 1:
        found += encoded_spans(joined, scan, spans_max=spans_max, levels=levels - 1)
    starts = [0]
    for view in views[:-1]:
        starts.append(starts[-1] + len(view.said) + len(SEPARATOR))
    result: dict[tuple[int, int, str], Span] = {}
    for span in found:
        for number in range(bisect_right(starts, span.start) - 1, bisect_right(starts, span.end - 1)):
            view, offset = views[number], starts[number]
            start, end = view.covered(
                max(span.start - offset, 0), min(max(span.end - offset, 0), len(view.said))
            )
            if start < end:
                result.setdefault((start, end, span.kind), replace(span, start=start, end=end))
        if len(result) >= spans_max:
            break
    return list(result.values())[:spans_max]


def _views(raw: bytes) -> list[View]:
    views: list[View] = []
    budget = DECODED_TIMES_MAX * len(raw) + INFLATED_BYTES_MAX
    for view in _all_views(raw):
        budget -= len(view.said)
        if budget < 0:
            raise ScanIncomplete("more is said in encodings than is looked at")
        views.append(view)
    return views


def _all_views(raw: bytes) -> Iterator[View]:
    yield from _unescaped(raw)
    yield from _runs(raw, _BASE64, _from_base64)
    yield from _runs(raw, _HEX, _from_hex)
    yield from _runs(raw, _SPACED_HEX, _from_spaced_hex)


def _runs(raw: bytes, mark: Any, decoded: Callable[[bytes, int, int], list[View]]) -> Iterator[View]:
    place = 0
    while match := mark.search(raw, place):
        views = decoded(raw, place, match.start())
        yield from views
        place = max([match.end(), *(view.end for view in views)])


def _start_of_run(raw: bytes, read: int, aligned: int, characters: bytes) -> int:
    """Where the run begins that goes on at a place; what was read before belongs to another one."""
    return read + len(raw[read:aligned].rstrip(characters))


# --- base64 -------------------------------------------------------------------------------------------------


def _from_base64(raw: bytes, read: int, aligned: int) -> list[View]:
    """The run around a place at which four characters begin that seem to stand for three bytes of text."""
    start = _start_of_run(raw, read, aligned, _BASE64_CHARACTERS)
    run = _BASE64_RUN.match(raw, aligned)
    if run is None:
        return []
    # Digits seem to be text at every place: whoever encoded the run began where it begins.
    views = []
    for skipped in sorted({0, (aligned - start) % 4}):
        body = raw[start + skipped : run.end()].replace(b"\\n", b"").replace(b"\\r", b"")
        text = body.translate(_STANDARD, _NOT_BASE64)
        text = text[: len(text) - (len(text) % 4 == 1)]
        said = base64.b64decode(text + b"=" * (-len(text) % 4))
        views.append(View(start=start, end=run.end(), said=_shown(_inflated(said) or said)))
    return views


def _inflated(packed: bytes) -> bytes:
    """What gzip or zlib packed; nothing if they did not."""
    if packed[:2] != b"\x1f\x8b" and packed[:1] != b"\x78":
        return b""
    try:
        said = zlib.decompressobj(wbits=47).decompress(packed, INFLATED_BYTES_MAX + 1)
    except zlib.error:
        return b""
    if len(said) > INFLATED_BYTES_MAX:
        raise ScanIncomplete("more is said in a compressed text than is looked at")
    return said


def _shown(said: bytes) -> bytes:
    """What is said, without what hides in it and separates."""
    if not any(beginning in said for beginning in _HIDING_BYTES):
        return said
    text = said.decode("utf-8", "surrogateescape")
    return stripped(text)[0].encode("utf-8", "surrogateescape")


# --- hexadecimal --------------------------------------------------------------------------------------------


def _from_hex(raw: bytes, read: int, aligned: int) -> list[View]:
    start = _start_of_run(raw, read, aligned, b"0123456789abcdefABCDEF")
    run = _HEX_RUN.match(raw, aligned)
    if run is None:
        return []
    first = start + (aligned - start) % 2
    return [View(start=start, end=run.end(), said=_shown(binascii.unhexlify(raw[first : run.end()])))]


def _from_spaced_hex(raw: bytes, _read: int, aligned: int) -> list[View]:
    run = _SPACED_HEX_RUN.match(raw, aligned)
    if run is None:
        return []
    said = binascii.unhexlify(run[0].translate(None, b" :+-"))
    return [View(start=aligned, end=run.end(), said=_shown(said))]


# --- escapes ------------------------------------------------------------------------------------------------


def _unescaped(raw: bytes) -> Iterator[View]:
    """The stretches in which escapes stand, with what stands around them."""
    group: list[tuple[int, int, bytes]] = []
    for count, match in enumerate(_ESCAPED.finditer(raw)):
        if count == ESCAPES_MAX:
            raise ScanIncomplete(f"more than {ESCAPES_MAX} groups of escapes")
        start, end = match.span()
        if group and start - group[-1][1] > 2 * AROUND_BYTES:
            yield from _stretches(raw, group)
            group = []
        group.append((start, end, match[0]))
    if group:
        yield from _stretches(raw, group)


def _stretches(raw: bytes, group: list[tuple[int, int, bytes]]) -> Iterator[View]:
    begin, end = max(0, group[0][0] - AROUND_BYTES), min(len(raw), group[-1][1] + AROUND_BYTES)
    # To begin or end inside a word could make a secret of it.
    if begin and (gap := _GAP.search(raw[begin : group[0][0]])) is not None:
        begin += gap.end()
    if end < len(raw) and (gaps := list(_GAP.finditer(raw[group[-1][1] : end]))):
        end = group[-1][1] + gaps[-1].start()
    pieces: list[bytes] = []
    places: list[tuple[int, int]] = []
    said = 0
    read = begin
    for start, stop, escapes in group:
        parts = [(raw[read:start], read)] if start > read else []
        for piece, stands in (*parts, *_characters(escapes, start)):
            pieces.append(piece)
            places.append((said, stands))
            said += len(piece)
        read = stop
    pieces.append(raw[read:end])
    places.append((said, read))
    yield View(start=begin, end=end, said=b"".join(pieces), places=tuple(places))
    if b"+" in raw[begin:end] and b"%" in group[0][2]:
        # As forms are sent: a plus sign is a space.
        said_by_form = b"".join(
            b"+" if piece == b"+" and raw[at : at + 1] != b"+" else piece.replace(b"+", b" ")
            for piece, (_, at) in zip(pieces, places, strict=True)
        )
        yield View(start=begin, end=end, said=said_by_form, places=tuple(places))


def _characters(escapes: bytes, start: int) -> Iterator[tuple[bytes, int]]:
    """The characters of a group of escapes of one sort, and where each of them stands."""
    if _HIDDEN.fullmatch(escapes):
        yield b"", start
        return
    if escapes[:1] == b"\\" and escapes.lstrip(b"\\")[:1] not in (b"u", b"x"):
        last = escapes[-1:]
        yield _CONTROLS.get(last, last), start
        return
    if escapes[:1] == b"&":
        place = start
        for one in escapes.split(b";")[:-1]:
            number = one[2:]
            code = int(number[1:], 16) if number[:1] in b"xX" else int(number)
            yield bytes([code & 0xFF]), place
            place += len(one) + 1
        return
    place = 0
    while place < len(escapes):
        begin = place
        lead = b"%" if escapes[:1] == b"%" else b"\\"
        while escapes[place : place + 1] == lead:
            place += 1
        if lead == b"%":
            place += 2 * (
                escapes[place : place + 2] == b"25" and escapes[place + 2 : place + 3] not in (b"", b"%")
            )
        else:
            place += 3 if escapes[place : place + 1] == b"u" else 1
        yield bytes([int(escapes[place : place + 2], 16)]), start + begin
        place += 2


__all__: Sequence[str] = ("TRIGGERS", "View", "encoded_spans")
