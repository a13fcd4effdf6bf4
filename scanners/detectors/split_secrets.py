"""Secrets in pieces: over lines, over the items of a list, over members, over blocks of content.

A piece is noticed where a known beginning stands at the end of a line or string, or is cut in two there.
Pieces are then added to it, one by one, until a rule knows the whole, or it is a credential of the gateway.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, Final

import re2

from scanners.credentials import RULE
from scanners.errors import ScanIncomplete
from scanners.finding import CREDENTIAL
from scanners.pattern_set import SEPARATOR, PatternSet, pattern_options
from scanners.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scanners.document import Document
    from scanners.token_formats import TokenRules

PIECES_MAX: Final = 96
"""Pieces that are put together for one secret."""

KEYS_MAX: Final = 500
"""Private keys in pieces that are put together in one document; with more it is not passed on."""

WHOLE_BYTES_MAX: Final = 8 << 10
"""Of the pieces together."""

TRIES_MAX: Final = 20_000
"""Pieces added in one document; each costs time. With more it is not passed on."""

MARKS_MAX: Final = 50_000
"""Places in one document where a first piece may end. Nor is one with more of them."""

RUN_BYTES: Final = 256
"""Of the end of a piece, in which it is looked for further beginnings."""

_BEGINNINGS: Final = (
    "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glft- glsoat- glrt- glcbt- glptt- glagent- "
    "gloas- AKIA ASIA sk- sk_live_ sk_test_ rk_live_ rk_test_ xoxa- xoxb- xoxc- xoxe- xoxe.xoxp- "
    "xoxe.xoxb- xoxo- xoxp- xoxr- xoxs- xapp- AIza GOCSPX- ya29. eyJ eyA npm_ pypi-AgE hf_ gsk_ xai- "
    "r8_ pplx- dapi whsec_ shpat_ shpca_ shppa_ shpss_ shpua_ SG. ntn_ lin_api_ figo_ figd_ figu_ "
    "figh_ sbp_ hvs. hvb. hvr. dp. glsa_ glc_ doo_v1_ dop_v1_ dor_v1_ dckr_pat_ dckr_oat_ ATATT PMAK- "
    "sntrys_ sntryu_ lsv2_ AGE-SECRET-KEY- tg_ tgr_ cfk_ cfut_ cfat_ fm1_ fm2_ fm1a_ fm1r_ fm2a_ fm2r_ "
    "tskey- rubygems_ pul- CCIPAT_ CCIPRJ_ sgp_ "
)
"""What well-known secrets begin with."""

_WORD_BYTES_MAX: Final = 4
"""Beginnings up to this long are words of their own; longer ones may stand behind letters."""
_ENDS: Final = rb"""(?:\\*["'`\x1e]|[ \t]*[\\+]?[ \t]*[\r\n])"""
_STARTS: Final = rb"""["'`\x1e\r\n][ \t]*"""

_KEY_TRIGGER: Final = rb"PRIVATE KEY(?: BLOCK)?-----[\"\x1e]"
_KEY_MARK: Final[Any] = re2.compile(
    rb"(-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----)[ \t]*\x1e", pattern_options()
)
PRIVATE_KEY: Final = "private-key"
_MORE: Final[Any] = re2.compile(rb"[A-Za-z0-9+/=_.-]{16,}|={1,2}", pattern_options())
_LINE: Final[Any] = re2.compile(rb"[A-Za-z0-9+/=]+|[A-Z][A-Za-z-]+: [^\r\n]+", pattern_options())
_END: Final = b"-----END "
_PIECE = re.compile(rb"""(?:[^\s\x1e"'`,+|>\\&]|\+(?=[A-Za-z0-9+/=]))+(?:[ \t][^\r\n\x1e"'`]*)?""")
"""Of a window of bounded size. What joins strings in code, and what quotes lines, is part of none."""
_LEFT_OUT: Final = b""" \t\r\n"'`,+|>\\&"""
_NEAR_BYTES: Final = 256
_GAP: Final = re.compile(rb"[ \t]")
_IN_TWO_PARTS: Final = b"ey"
"""A web token's second part begins as the first does; elsewhere that is where another secret begins."""


class SplitSecrets:
    """Finds secrets that are whole only when pieces are put together."""

    def __init__(self, rules: TokenRules, literals: Iterable[str]) -> None:
        """Take what a whole one looks like, and the gateway's own credentials."""
        self._rules = rules
        self._own = [literal.encode("utf-8", "surrogatepass") for literal in literals]
        self._run_bytes = max([RUN_BYTES, *map(len, self._own)])
        known = [beginning.encode() for beginning in _BEGINNINGS.split()]
        self._beginnings: dict[bytes, list[bytes]] = {}
        for one in known:
            self._beginnings.setdefault(one[:1], []).append(one)
        self._begins = re2.compile(_any(map(re2.escape, known)), pattern_options())
        everything = (*known, *self._own)
        whole = rb"(?:%b)[A-Za-z0-9_+/=.-]*" % _any(map(_as_word, known))
        heads = _any(sorted({re2.escape(one[1:6]) for one in everything}))
        firsts = b"".join(sorted({re2.escape(one[:1]) for one in everything}))
        self.triggers: tuple[bytes, ...] = (
            rb"(?:%b)%b" % (_any((whole, *self._cuts(known, 2))), _ENDS),
            # Cut behind the first character; and that character by itself.
            rb"%b(?:%b)[A-Za-z0-9_+/=.-]" % (_STARTS, heads),
            rb"%b[%b]%b" % (_STARTS, firsts, _ENDS),
            _KEY_TRIGGER,
        )
        self._set = PatternSet(self.triggers)
        short = (*(rb"\b" + one for one in _short_tails(known)), *_short_tails(self._own))
        self._tails = re2.compile(
            rb"(?:%b)(?:%b|$)|%b" % (_any((whole, *self._cuts(known, 3))), _ENDS, _any(short)),
            pattern_options(),
        )

    def _cuts(self, known: Sequence[bytes], characters_min: int) -> Iterator[bytes]:
        for one in known:
            yield rb"\b" + _cut(one, characters_min)
        for one in self._own:
            yield _cut(one, characters_min)

    def spans(self, document: Document, direct: Sequence[Span], *, spans_max: int) -> list[Span]:
        """Secrets in pieces; one span for each piece, at most ``spans_max``.

        Args:
            document: where to look.
            direct: what was found without this; what begins in such a span is no piece.
            spans_max: spans at most.

        Raises:
            ScanIncomplete: there is more to put together than is looked at.
        """
        if not self._set.occurring(document.raw) and all(span.kind != PRIVATE_KEY for span in direct):
            return []
        return list(islice(self._split(document, direct), spans_max))

    def _split(self, document: Document, direct: Sequence[Span]) -> Iterator[Span]:
        yield from _keys(document, direct)
        bounds = sorted((span.start, span.end) for span in direct)
        begins = [begin for begin, _ in bounds]
        reaches = list(accumulate((end for _, end in bounds), max))
        tries = marks = place = 0
        while mark := self._tails.search(document.raw, place):
            marks += 1
            if tries > TRIES_MAX or marks > MARKS_MAX:
                raise ScanIncomplete("more pieces of secrets than are put together")
            start = mark.start()
            # What ends one piece may begin the next. In a long one rules find what begins later; only one of
            # our own has to begin where we look.
            place = max(start + 1, mark.end() - self._run_bytes)
            before = bisect_right(begins, start)
            if (before and reaches[before - 1] > start) or self._ends_here(document.raw, start):
                continue
            for same_key in (True, False):
                pieces = islice(_pieces(document, start, same_key=same_key), PIECES_MAX)
                found, tried = self._whole(document.raw, pieces)
                yield from found
                tries += tried
                if found:
                    break

    def _ends_here(self, raw: bytes, start: int) -> bool:
        """Whether the next line of the same string goes on with something else; nearly always it does."""
        first = _PIECE.match(raw, start, start + _NEAR_BYTES)
        if first is None or _GAP.search(first[0].rstrip(b" \t")):
            return False
        follows = _PIECE.search(raw, first.end(), first.end() + _NEAR_BYTES)
        if follows is None or SEPARATOR in raw[first.end() : follows.start()]:
            return False
        whole = first[0].rstrip(b" \t") + follows[0]
        if whole[:2] != _IN_TWO_PARTS and self._begins.match(follows[0]):
            return True
        return not self._may_begin(whole) and not any(_reach(whole, one) for one in self._own)

    def _whole(self, raw: bytes, pieces: Iterable[tuple[int, int]]) -> tuple[list[Span], int]:
        """The secret that begins with the first piece, and how often rules were asked about it."""
        whole = b""
        known: Span | None = None
        places: list[tuple[int, int, int]] = []
        tried = 0
        for begin, end in pieces:
            piece = raw[begin:end].rstrip(b" \t")
            if len(whole) + len(piece) > WHOLE_BYTES_MAX or (
                known is not None and _MORE.fullmatch(piece) is None
            ):
                break
            if places and whole[:2] != _IN_TWO_PARTS and self._begins.match(piece):
                break
            places.append((len(whole), begin, begin + len(piece)))
            whole += piece
            reaches = [(_reach(whole, one), one) for one in self._own]
            if not any(reach for reach, _ in reaches) and not self._may_begin(whole):
                break
            if len(places) > 1:
                reach, own = max(reaches, default=(0, b""))
                if reach > 0:
                    known = Span(start=0, end=reach, kind=CREDENTIAL, rule=RULE, secret=own, order=0)
                    break
                tried += 1
                spans = [span for span in self._rules.spans(whole, spans_max=8) if span.start < places[1][0]]
                known = max(spans, key=lambda span: span.end, default=known)
            if _GAP.search(piece):
                # The rest of a line, so nothing goes on behind it.
                break
        if known is None:
            return [], tried
        return [
            replace(known, start=begin, end=min(end, begin + known.end - offset))
            for offset, begin, end in places
            if offset < known.end
        ], tried

    def _may_begin(self, whole: bytes) -> bool:
        """Whether a secret of a well-known form can begin with these bytes."""
        return any(
            whole.startswith(one) or one.startswith(whole) for one in self._beginnings.get(whole[:1], ())
        )


def _reach(whole: bytes, own: bytes) -> int:
    """How far a credential reaches in pieces put together; -1 if more is needed, 0 if it is another text.

    Characters that are part of no piece may be missing.
    """
    read = at = 0
    while at < len(own):
        if read == len(whole):
            return read if not own[at:].strip(_LEFT_OUT) else -1
        if whole[read] == own[at]:
            read, at = read + 1, at + 1
        elif own[at] in _LEFT_OUT:
            at += 1
        elif whole[read] in _LEFT_OUT:
            read += 1
        else:
            return 0
    return read


def _any(patterns: Iterable[bytes]) -> bytes:
    return b"|".join(patterns)


def _as_word(beginning: bytes) -> bytes:
    escaped: bytes = re2.escape(beginning)
    return rb"\b" + escaped if len(beginning) <= _WORD_BYTES_MAX else escaped


def _cut(beginning: bytes, characters_min: int) -> bytes:
    """So many characters of it, and as many of the others as there are."""
    characters = [re2.escape(beginning[place : place + 1]) for place in range(len(beginning))]
    rest = b""
    for character in reversed(characters[characters_min:]):
        rest = rb"(?:%b%b)?" % (character, rest)
    return b"".join(characters[:characters_min]) + rest


def _short_tails(beginnings: Sequence[bytes]) -> Iterator[bytes]:
    """One or two characters end many a line; the one behind them has to follow, where that can be seen."""
    for length in (1, 2):
        following: dict[bytes, set[bytes]] = {}
        for one in beginnings:
            following.setdefault(one[:length], set()).add(one[length : length + 1])
        for tail, characters in sorted(following.items()):
            yield rb"%b(?:\x1e|%b[\s\"'`,+|>\\&]*[%b])" % (
                re2.escape(tail),
                _ENDS,
                b"".join(sorted(map(re2.escape, characters))),
            )


def _keys(document: Document, direct: Sequence[Span]) -> Iterator[Span]:
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
    if len(begun) > KEYS_MAX:
        raise ScanIncomplete(f"more than {KEYS_MAX} private keys in pieces")
    for key in begun:
        first = document.index_at(key.start)
        for same_key in (True, False):
            behind = [
                place
                for place in islice(_pieces(document, key.start, same_key=same_key), PIECES_MAX)
                if document.index_at(place[0]) > first
            ]
            lines = _lines_of_key([raw[begin:end] for begin, end in behind])
            if lines:
                yield key
                for begin, end in behind[:lines]:
                    yield replace(key, start=begin, end=end)
                break


def _lines_of_key(lines: list[bytes]) -> int:
    """How many of the lines belong to a key: all up to its end, or as long as they are long."""
    for number, line in enumerate(lines):
        if line.startswith(_END):
            return number + 1
        if _LINE.fullmatch(line) is None:
            break
    return next((number for number, line in enumerate(lines) if _MORE.fullmatch(line) is None), len(lines))


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
