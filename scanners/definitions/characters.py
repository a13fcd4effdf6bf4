"""Characters that nobody sees, or that are taken for others: told apart, shown, and folded away.

Folding is for looking only. What is offered, hashed and pinned is the text as it came.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


def _range(*bounds: int) -> frozenset[str]:
    return frozenset(
        chr(code)
        for first, last in zip(bounds[::2], bounds[1::2], strict=True)
        for code in range(first, last + 1)
    )


_CONTROLS: Final = _range(0x00, 0x08, 0x0B, 0x0C, 0x0E, 0x1F, 0x7F, 0x9F)
_TAGS: Final = _range(0xE0000, 0xE007F)
_SELECTORS: Final = _range(0xFE00, 0xFE0F, 0xE0100, 0xE01EF, 0x180B, 0x180D, 0x180F, 0x180F)
_MARKS_OF_DIRECTION: Final = frozenset("\u061c\u200e\u200f")
_DIRECTIONS: Final = _range(0x202A, 0x202E, 0x2066, 0x2069)
_JOINERS: Final = frozenset("\u200c\u200d")
_INVISIBLE: Final = _range(
    0x00AD, 0x00AD, 0x034F, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x180E, 0x200B, 0x200B,
    0x2028, 0x2029, 0x2060, 0x2065, 0x206A, 0x206F, 0x2800, 0x2800, 0x3164, 0x3164, 0xFEFF, 0xFEFF,
    0xFFA0, 0xFFA0, 0xFFF0, 0xFFFB, 0x1D173, 0x1D17A, 0xE0080, 0xE00FF, 0xE01F0, 0xE0FFF,
)  # fmt: skip
_SURROGATES: Final = _range(0xD800, 0xDFFF)
_STYLED: Final = _range(
    0x1D400, 0x1D7FF, 0x1F130, 0x1F149, 0x1F150, 0x1F169, 0x1F170, 0x1F189, 0x24B6, 0x24E9
)
"""Letters that are drawn as others are written: bold, script, circled."""

HIDDEN: Final = (
    _CONTROLS | _TAGS | _SELECTORS | _MARKS_OF_DIRECTION | _DIRECTIONS | _JOINERS | _INVISIBLE | _SURROGATES
)
STYLED_CHARACTERS_MIN: Final = 5
"""Fewer are a formula."""

_NEAR_CHARACTERS: Final = 8
"""A mark of direction has a use within this distance of letters that run from right to left."""

_ASCII_CONTROLS: Final = bytes(ord(char) for char in _CONTROLS if char < "\x80")
_LOOK_ALIKES: Final = str.maketrans(
    "аеорсухіјѕԁԛԝһӏкмтнвАВЕКМНОРСТХІЈЅУαοονικρτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧаɑıℓոսօ",
    "aeopcyxijsdqwhlkmthbABEKMHOPCTXIJSYaoovikptuxABEZHIKMNOPTYXaailnuo",
)
_FOREIGN: Final = frozenset(chr(code) for code in _LOOK_ALIKES)


class HiddenText(NamedTuple):
    """The first character of its sort in a text, and how many there are."""

    rule: str
    offset: int
    times: int


def suspicious(raw: bytes) -> bool:
    """Whether the bytes of ASCII text hold a control character besides tab and line breaks."""
    return len(raw.translate(None, _ASCII_CONTROLS)) != len(raw)


def hidden_in(text: str) -> Iterator[HiddenText]:
    """What is in the text and is not seen, by sort; emoji and scripts that join their letters aside."""
    if text.isascii():
        if not text.isprintable() and not _CONTROLS.isdisjoint(text):
            yield from _counted(text)
        return
    if not HIDDEN.isdisjoint(text):
        yield from _counted(text)
    styled = sum(char in _STYLED for char in text)
    if styled >= STYLED_CHARACTERS_MIN:
        first = next(place for place, char in enumerate(text) if char in _STYLED)
        yield HiddenText("hidden-text.styled-letters", first, styled)


def _counted(text: str) -> Iterator[HiddenText]:
    found: dict[str, list[int]] = {}
    for place, char in enumerate(text):
        if char in HIDDEN and (rule := _rule(text, place)):
            found.setdefault(rule, []).append(place)
    for rule, places in found.items():
        yield HiddenText(rule, places[0], len(places))


def _rule(text: str, place: int) -> str:
    char = text[place]
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if char in _CONTROLS or char in _SURROGATES:
        return "hidden-text.control"
    if char in _TAGS:
        return "hidden-text.tags"
    if char in _SELECTORS:
        return "" if _is_selected(char, before) else "hidden-text.variation-selector"
    if char in _DIRECTIONS:
        return "hidden-text.direction"
    if char in _MARKS_OF_DIRECTION:
        near = text[max(0, place - _NEAR_CHARACTERS) : place + _NEAR_CHARACTERS].replace(char, "")
        right_to_left = any(unicodedata.bidirectional(one) in {"R", "AL"} for one in near)
        return "" if right_to_left else "hidden-text.direction"
    if char in _JOINERS and (_joins_emoji(before, after) or _joins_letters(before, after)):
        return ""
    return "hidden-text.invisible"


def _is_selected(char: str, before: str) -> bool:
    """One selector behind a character that has variants: an emoji, an ideograph, a digit of a keycap."""
    if not before:
        return False
    if char in "\ufe0e\ufe0f":
        return unicodedata.category(before) in {"So", "Sm", "Sk", "Po", "Nd"} and before not in ".,;:!?"
    return unicodedata.name(before, "").startswith(("CJK", "MONGOLIAN"))


def _joins_emoji(before: str, after: str) -> bool:
    return bool(before and after) and before in _EMOJI_PARTS | _so(before) and after in _so(after)


def _so(char: str) -> frozenset[str]:
    return frozenset(char) if unicodedata.category(char) == "So" else frozenset()


_EMOJI_PARTS: Final = frozenset("\ufe0f") | _range(0x1F3FB, 0x1F3FF)


def _joins_letters(before: str, after: str) -> bool:
    """Between letters of scripts in which joining is spelling: Arabic to Sinhala, Khmer, Mongolian."""
    codes = [ord(char) for char in before + after]
    return bool(codes) and all(0x0600 <= code <= 0x0DFF or 0x1780 <= code <= 0x18AF for code in codes)


def shown(text: str) -> str:
    """The text on one line, with an escape for everything that shows nothing or acts on a screen."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char in "\n\r\t":
        return " "
    if char.isprintable() and char not in HIDDEN:
        return char
    code = ord(char)
    if 0xE0020 <= code <= 0xE007E:
        # What the tag characters spell is what the model reads.
        return f"\\U{code:08x}({chr(code - 0xE0000)})"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def folded(text: str) -> str:
    """The text as a model may read it: letters as what they look like, tags as what they spell."""
    if text.isascii():
        return text
    if not HIDDEN.isdisjoint(text):
        text = "".join(_seen(char) for char in text)
    text = unicodedata.normalize("NFKC", text)
    if _FOREIGN.isdisjoint(text):
        return text
    # A word of one script stays: to fold Russian would be to lose it.
    return " ".join(
        word.translate(_LOOK_ALIKES) if any("a" <= char.lower() <= "z" for char in word) else word
        for word in text.split(" ")
    )


def _seen(char: str) -> str:
    if char not in HIDDEN:
        return char
    if 0xE0020 <= ord(char) <= 0xE007E:
        return chr(ord(char) - 0xE0000)
    return " " if char in "\u2028\u2029" else ""


def skeleton(name: str) -> str:
    """What the name looks like; names with the same skeleton can be taken for each other (after UTS 39)."""
    plain = name
    if not name.isascii():
        plain = unicodedata.normalize("NFKC", "".join(map(_seen, name))).translate(_LOOK_ALIKES)
    plain = plain.replace("I", "l").replace("1", "l").replace("|", "l").replace("O", "o").replace("0", "o")
    return plain.lower().replace("rn", "m").replace("vv", "w")
