"""Text that a model reads and a person does not see, removed; and terminal sequences, whole. Pure.

What stays: line feeds and tabs, letters of every script and direction, emoji with the selectors and joiners
that make them, joiners that Indic and Arabic writing needs. What cannot be told by eye to be missing goes;
`only_lays_out` says where it may come back, since it was there for people and not for hiding.

Afterwards no removable character is left anywhere, so nothing can be put together by removing something else,
and stripping twice is stripping once.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import re2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ZERO_WIDTH: Final = frozenset("\u200b\u2060\ufeff")
_JOINERS: Final = frozenset("\u200c\u200d")
_EMOJI_STYLE: Final = "\ufe0f"
_TEXT_STYLE: Final = "\ufe0e"
_LINE_ENDS: Final = frozenset("\r\x85\u2028\u2029")
_SEPARATOR: Final = 0x1E

_CLASSES: Final[Mapping[str, Iterable[int]]] = MappingProxyType(
    {
        "tag": range(0xE0000, 0xE0080),
        "variation-selector": chain(range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x1810)),
        "zero-width": map(ord, _ZERO_WIDTH | _JOINERS),
        "bidi": chain((0x061C, 0x200E, 0x200F), range(0x202A, 0x202F), range(0x2066, 0x206A)),
        "filler": (0x115F, 0x1160, 0x3164, 0xFFA0),
        # The rest of Default_Ignorable_Code_Point, assigned or not, and the anchors of hidden annotations.
        "invisible": chain(
            (0x00AD, 0x034F, 0x17B4, 0x17B5, 0x2065),
            range(0x2061, 0x2065),
            range(0x206A, 0x2070),
            range(0xFFF0, 0xFFFC),
            range(0x1BCA0, 0x1BCA4),
            range(0x1D173, 0x1D17B),
            range(0xE0080, 0xE0100),
            range(0xE01F0, 0xE1000),
        ),
        "control": (
            point
            for point in chain(range(0x20), range(0x7F, 0xA0))
            if point not in {0x08, 0x09, 0x0A, 0x0D, 0x85}
        ),
    }
)
_CLASS_OF: Final = MappingProxyType(
    {chr(point): name for name, points in _CLASSES.items() for point in points}
)
KINDS: Final = frozenset({*_CLASSES, "terminal-sequence", "backspace", "line-end"})
"""What `stripped` counts."""

_JUDGED: Final = _JOINERS | {_EMOJI_STYLE, _TEXT_STYLE} | frozenset(map(chr, range(0x180B, 0x1810)))
"""Kept where writing needs them."""
_GONE: Final = dict.fromkeys(ord(char) for char in _CLASS_OF if char not in _JUDGED)

# England, Scotland and Wales have flags that are written with tags. No other use of tags is known.
_FLAGS: Final = tuple(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f"
    for region in ("gbeng", "gbsct", "gbwls")
)

_ORDINARY_ASCII: Final = bytes({0x09, 0x0A, 0x0D, *range(0x20, 0x7F)})

# CSI, then what carries strings (OSC, DCS, SOS, PM, APC) up to its end, then every shorter escape sequence. A
# string that is never ended is taken to end with the line.
_SEQUENCE: Final = (
    r"(?:(?:\x1b\[|\x{9b})[0-?]{0,256}[ -/]{0,16}[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x{90}\x{98}\x{9d}-\x{9f}])[^\x07\x1b\x{9c}\n]*(?:\x07|\x1b\\|\x{9c})?"
    r"|\x1b[ -/]{0,16}[0-~])"
)


# What lays a text out and hides nothing of it: a byte-order mark at its beginning, a soft hyphen inside a
# word, two letters from its ends and from the next, page breaks, ends of lines and paragraphs. A mark of
# direction does so where two directions meet.
_LAYOUT: Final = re.compile(r"\A\ufeff|(?<=[^\W\d_]{2})\u00ad(?=[^\W\d_]{2})|[\f\u2028\u2029]")
_MARKS: Final = "[\u061c\u200e\u200f]"
_DIRECTION: Final = re.compile(f"(?<!{_MARKS}){_MARKS}(?!{_MARKS})")
_FROM_THE_RIGHT: Final = re.compile(
    "[\u05d0-\u05f2\u0620-\u064a\u066e-\u06d3\u0710-\u074f\u0780-\u07a5\u07ca-\u07ea\u08a0-\u08c9\ufb1d-\ufdfb\ufe70-\ufefc]"
)

_VIRAMA: Final = 9
"""Combining class of the sign that takes a consonant's vowel away."""
_WINDOW_CHARACTERS: Final = 4096
_ANY_JUDGED: Final = re.compile(f"[{''.join(sorted(_JUDGED))}]")


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def _class(chars: Iterable[str]) -> str:
    return "[" + "".join(f"\\x{{{ord(char):x}}}" for char in sorted(chars)) + "]"


_SEQUENCES: Final = _compiled(f"(?:{_SEQUENCE})+")
_UNCONDITIONAL: Final = _compiled(_class(char for char in _CLASS_OF if char not in _JUDGED))
_SUSPECT: Final = _compiled(_class({*_CLASS_OF, "\x08", *_LINE_ENDS} - {"\r"}))


def hides(raw: bytes, *, separators: int = 0) -> bool:
    """Whether `stripped` might change a text; one pass over its UTF-8, the answer for nearly all texts is no.

    Args:
        raw: UTF-8 of one text, or of the texts of a document.
        separators: how many of the bytes 0x1e stand between texts.
    """
    controls = raw.translate(None, _ORDINARY_ASCII) if raw.isascii() else None
    if controls is None:
        plain = raw.replace(b"\x1e", b" ") if separators and raw.count(b"\x1e") == separators else raw
        found = bool(_SUSPECT.search(plain))
    else:
        found = controls != b"\x1e" * separators
    return found or raw.count(b"\r") != raw.count(b"\r\n")


def stripped(text: str) -> tuple[str, Mapping[str, int]]:
    """The text without what hides in it, and how much of each kind of `KINDS` that was.

    A line end other than LF or CR LF becomes LF: what stands before a lone CR is overwritten where a terminal
    shows it, and stays to be seen here. What backspaces overwrite is removed with them.
    """
    if not hides(text.encode("utf-8", "surrogatepass")):
        return text, {}
    counts: Counter[str] = Counter()
    made = _without_sequences(text, counts)
    made = _with_line_feeds(made, counts)
    made = _without_single_characters(made, counts)
    if "\x08" in made:
        # What is overwritten may be what a joiner, or the last tag of a flag, was kept for.
        made = _without_single_characters(_without_overwritten(made, counts), counts)
    made = _without_needless(made, counts)
    return (text if made == text else made), {kind: count for kind, count in counts.items() if count}


def only_lays_out(text: str) -> bool:
    """Whether all that `stripped` takes out of the text only lays it out: looked through, it may stay.

    Texts of word processors, tables and pages have such characters; a person sees all that a model reads.
    """
    rest = _LAYOUT.sub("", text)
    if _FROM_THE_RIGHT.search(rest):
        rest = _DIRECTION.sub("", rest)
    return not stripped(rest)[1]


def _without_sequences(text: str, counts: Counter[str]) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    kept, end = [], 0
    for match in _SEQUENCES.finditer(raw):
        start = match.start()
        kept.append(raw[end:start])
        end = match.end()
        counts["terminal-sequence"] += 1
    if not kept:
        return text
    kept.append(raw[end:])
    return b"".join(kept).decode("utf-8", "surrogatepass")


def _with_line_feeds(text: str, counts: Counter[str]) -> str:
    if not any(char in text for char in _LINE_ENDS):
        return text
    lone = sum(map(text.count, _LINE_ENDS)) - text.count("\r\n")
    counts["line-end"] += lone
    if not lone:
        return text
    for other in _LINE_ENDS - {"\r"}:
        text = text.replace(other, "\n")
    return "\r\n".join(part.replace("\r", "\n") for part in text.split("\r\n"))


def _without_single_characters(text: str, counts: Counter[str]) -> str:
    if not _UNCONDITIONAL.search(text.encode("utf-8", "surrogatepass")):
        return text
    for char, count in Counter(text).items():
        if (kind := _CLASS_OF.get(char)) and char not in _JUDGED:
            counts[kind] += count
    if "\U000e007f" not in text:
        return text.translate(_GONE)
    for flag in _FLAGS:
        counts["tag"] -= text.count(flag) * (len(flag) - 1)
    return _translated(text, _FLAGS)


def _translated(text: str, flags: tuple[str, ...]) -> str:
    if not flags:
        return text.translate(_GONE)
    return flags[0].join(_translated(part, flags[1:]) for part in text.split(flags[0]))


def _without_needless(text: str, counts: Counter[str]) -> str:
    if not any(char in text for char in _JUDGED):
        return text
    kept: list[str] = []
    last, end = "", 0
    for window in range(0, len(text), _WINDOW_CHARACTERS):
        for match in _ANY_JUDGED.finditer(text, window, window + _WINDOW_CHARACTERS):
            place, char = match.start(), match[0]
            kept.append(text[end:place])
            last = (last + text[max(end, place - 2) : place])[-2:]
            end = place + 1
            if _is_needed(last, char, text[end : end + 1]):
                kept.append(char)
                last = last[-1:] + char
            else:
                counts[_CLASS_OF[char]] += 1
    kept.append(text[end:])
    return "".join(kept)


def _is_needed(kept: str, char: str, following: str) -> bool:
    """Whether writing needs it, behind what was kept (two characters are enough) and before what follows."""
    before = kept[-1:]
    if char in {_EMOJI_STYLE, _TEXT_STYLE}:
        return _is_emoji(before) or (before != "" and before in "0123456789#*" and following == "\u20e3")
    if char not in _JOINERS:  # Mongolian
        return "\u1820" <= before <= "\u18aa"
    if char == "\u200d" and _is_emoji(following):
        base = kept[-2:-1] if before == _EMOJI_STYLE else before
        if _is_emoji(base):
            return True
    if _joins(before) and _joins(following):
        return True
    # A virama with a joiner at the end of a word shows its letter in another form.
    return char == "\u200d" and before != "" and _joins(before) and unicodedata.combining(before) == _VIRAMA


def _without_overwritten(text: str, counts: Counter[str]) -> str:
    pieces = text.split("\x08")
    counts["backspace"] += len(pieces) - 1
    kept = list(pieces[0])
    for piece in pieces[1:]:
        if kept and kept[-1] != "\n":
            kept.pop()
        kept.extend(piece)
    return "".join(kept)


def _is_emoji(char: str) -> bool:
    """Of what may have a selector or a joiner: pictographs, symbols that have both faces, skin tones."""
    if char == "":
        return False
    return (
        "\U0001f000" <= char <= "\U0001faff"
        or (
            "\u203c" <= char <= "\u3299"
            and unicodedata.category(char)[0] in "SP"
            and not "\u2800" <= char <= "\u28ff"
        )
        or char in "©®ℹ"
    )


def _joins(char: str) -> bool:
    """Letters and marks of scripts in which a joiner changes how neighbours are written."""
    if (
        char == ""
        or char in _JUDGED
        or not (
            "\u0600" <= char <= "\u0dff"
            or "\u1000" <= char <= "\u109f"
            or "\u1780" <= char <= "\u18af"
            or "\ua840" <= char <= "\ua9df"
            or "\ufb50" <= char <= "\ufefc"
        )
    ):
        return False
    return unicodedata.category(char)[0] in "LM"
