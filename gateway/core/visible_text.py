"""Text that people decide by, with everything visible that could hide in it or pass as something else. Pure.

What is shown is printable ASCII, letters in everyday use, and a little punctuation that looks like nothing
else. Everything else becomes a mark between ``‹`` and ``›``, which therefore never stand for themselves:

- ``‹U+202E›`` is one character, ``‹U+200B x3›`` several of it; ``‹LF›``, ``‹TAB›``, ``‹CR›`` and ``‹ESC›``
  have names;
- ``‹Cyrillic›``, ``‹Latin›``: from here on letters are of that script. Every text begins and ends in Latin.

So the text can be read back from what is shown, and two different texts are never shown alike. Letters of
scripts that run from right to left stand alone between their marks, with nothing but single spaces: nothing
else can be reordered. What is not told apart: letters of one script that resemble each other, as ``l`` and
``I`` do, or kana and the ideographs they come from.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN, CLOSE = "‹", "›"
SPACES_MAX = 16
"""A longer run of spaces, or of any other character that is shown as a mark, is counted."""
MARKS_MAX = 4
"""Combining marks of its own script that a letter may carry."""


class Kind(enum.StrEnum):
    """What a piece of shown text is."""

    PLAIN = "plain"
    """As it was."""
    BREAK = "break"
    """A line feed or a tab."""
    SPACES = "spaces"
    """More spaces than anybody counts."""
    SCRIPT = "script"
    """The letters that follow are of another script."""
    UNUSUAL = "unusual"
    """A symbol, an emoji, a space of another width: what it looks like is not relied upon."""
    LOOK_ALIKE = "look-alike"
    """It can be taken for another character, or for the letters of the word it stands in."""
    RIGHT_TO_LEFT = "right-to-left"
    """The letters that follow run the other way."""
    CONTROL = "control"
    """It can act on whatever shows it."""
    DIRECTION = "direction"
    """It changes the order in which others are shown."""
    INVISIBLE = "invisible"
    """It shows nothing."""


ALARMING = frozenset({Kind.LOOK_ALIKE, Kind.RIGHT_TO_LEFT, Kind.CONTROL, Kind.DIRECTION, Kind.INVISIBLE})
"""What a person is warned of before they decide."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what is shown. All pieces joined are the shown text."""

    text: str
    raw: str
    """What it stands for; empty for the name of a script."""
    kind: Kind
    name: str = ""
    """What a mark stands for, in words; empty for plain text."""


LATIN = "Latin"
# The scripts in everyday use (UAX 31, recommended), by the first word of their letters' names.
_SCRIPTS = {
    word.upper(): word
    for word in (
        "Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic", "Thaana", "Devanagari", "Bengali",
        "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Thai", "Lao",
        "Tibetan", "Myanmar", "Georgian", "Ethiopic", "Khmer",
    )
}  # fmt: skip
# Two columns wide, so that nobody takes them for anything else, and written together.
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC"})
_RIGHT_TO_LEFT = frozenset({"Hebrew", "Arabic", "Thaana"})

_PUNCTUATION = frozenset("€£¥§°¿¡«»“”„‘’—…±÷©®•←→、。「」『』【】・（），！？：；")
"""Shown as it is: what looks like nothing else."""

# Written by everybody who writes in their script, though Unicode would have them written otherwise.
_EVERYDAY = frozenset("\u0e33\u0eb3\u0587")
# The capital eth is the capital d with stroke to every eye, and the kra a small Cyrillic k; the other two are
# halves of letters above.
_TWINS = frozenset("\u00d0\u0138\u0e4d\u0ecd")
_EMPTY_NAMES = re.compile(r"\b(?:FILLER|BLANK|NULL|INVISIBLE)\b")
_NAMES = {"\n": "LF", "\t": "TAB", "\r": "CR", "\x1b": "ESC"}

# Default_Ignorable_Code_Point: whatever its category says, it is not shown.
_IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_PLAIN = re.compile(r"(?: {1,16}(?! )|[!-~])*+")
"""Printable ASCII without long runs of spaces: by far the most of what is shown."""
_ASCII_RUN = re.compile(r"[A-Za-z]+|[!-@\[-`{-~]+")


@dataclass(frozen=True, slots=True)
class _Look:
    """What one character is, whatever stands around it."""

    kind: Kind
    script: str = ""
    """Of letters: whose marks announce them; empty for what every script shares."""
    combining: str = ""
    """Of combining marks: the script of the letters that may carry them."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is shown together: a letter with its marks, or a run of one other character."""

    raw: str
    look: _Look


def visible(text: str) -> str:
    """The text as it is shown."""
    return "".join(piece.text for piece in pieces(text))


def pieces(text: str) -> tuple[Piece, ...]:
    """The text as it is shown, mark by mark."""
    if _PLAIN.fullmatch(text):
        return (_plain(text),) if text else ()
    units = list(_units(text))
    mixed = _mixed(units)
    found: list[Piece] = []
    script = LATIN

    def switch(to: str, *, mixing: bool) -> None:
        nonlocal script
        kind = Kind.SCRIPT
        if mixing:
            kind = Kind.LOOK_ALIKE
        elif to in _RIGHT_TO_LEFT:
            kind = Kind.RIGHT_TO_LEFT
        name = " and ".join(sorted((to, script))) + " letters in one word" if mixing else f"{to} letters"
        found.append(Piece(f"{OPEN}{to}{CLOSE}", "", kind, name))
        script = to

    for index, unit in enumerate(units):
        look = unit.look
        if look.script and look.script != script:
            switch(look.script, mixing=index in mixed)
        elif script in _RIGHT_TO_LEFT and not look.script and not _between(units, index, script):
            switch(LATIN, mixing=False)
        found.append(_piece(unit))
    if script != LATIN:
        switch(LATIN, mixing=False)
    return tuple(_joined(found))


def is_plain(text: str) -> bool:
    """Whether it is shown exactly as it is."""
    return all(piece.kind is Kind.PLAIN for piece in pieces(text))


def _units(text: str) -> Iterator[_Unit]:
    index = 0
    while index < len(text):
        if run := _ASCII_RUN.match(text, index):
            yield _Unit(run[0], _Look(Kind.PLAIN, LATIN if run[0][0].isalpha() else ""))
            index = run.end()
            continue
        char = text[index]
        look = _look(char)
        end = index + 1
        if look.combining:
            # It has no letter of its script before it.
            look = _Look(Kind.LOOK_ALIKE if char in _TWINS else Kind.UNUSUAL)
        elif look.kind is Kind.PLAIN and look.script:
            end = _with_marks(text, index, look.script)
        elif char == " " or look.kind is not Kind.PLAIN:
            while end < len(text) and text[end] == char:
                end += 1
            if char == " " and end - index > SPACES_MAX:
                look = _Look(Kind.SPACES)
            elif char == "\r" and end - index == 1 and text[end : end + 1] == "\n":
                look = _Look(Kind.BREAK)
        yield _Unit(text[index:end], look)
        index = end


def _with_marks(text: str, start: int, script: str) -> int:
    """Where the letter with those of its marks ends that are shown as they are."""
    end = start + 1
    while end < len(text) and end - start <= MARKS_MAX and _look(text[end]).combining == script:
        if text[end] == text[end - 1] or text[end] in _TWINS:
            break
        end += 1
    # Of the ways to write the same letter with the same marks, one is shown as it is.
    while end > start + 1 and unicodedata.normalize("NFC", text[start:end]) != text[start:end]:
        end -= 1
    return end


def _mixed(units: list[_Unit]) -> set[int]:
    """The units of words that mix scripts."""
    found: set[int] = set()
    word: list[int] = []
    scripts: set[str] = set()
    for index, unit in enumerate((*units, _Unit(" ", _Look(Kind.PLAIN)))):
        if not unit.raw.isspace():
            word.append(index)
            scripts.add(unit.look.script)
            continue
        if len(scripts - {""}) > 1:
            found.update(word)
        word, scripts = [], set()
    return found


def _between(units: list[_Unit], index: int, script: str) -> bool:
    """Whether the unit is one space between two letters of the script."""
    following = units[index + 1] if index + 1 < len(units) else None
    return units[index].raw == " " and following is not None and following.look.script == script


def _piece(unit: _Unit) -> Piece:
    kind = unit.look.kind
    if kind is Kind.PLAIN:
        return _plain(unit.raw)
    char, count = unit.raw[0], len(unit.raw)
    code = _NAMES.get(char, f"U+{ord(char):04X}")
    times = f" x{count}" if count > 1 else ""
    name = unicodedata.name(char, "") or _UNNAMED.get(unicodedata.category(char), "")
    return Piece(f"{OPEN}{code}{times}{CLOSE}", unit.raw, kind, f"U+{ord(char):04X} {name}".rstrip())


_UNNAMED = {"Cc": "CONTROL CHARACTER", "Co": "PRIVATE USE", "Cs": "SURROGATE", "Cn": "UNASSIGNED"}


def _joined(found: list[Piece]) -> Iterator[Piece]:
    """Plain pieces that follow each other are one."""
    plain: list[str] = []
    for piece in found:
        if piece.kind is Kind.PLAIN:
            plain.append(piece.text)
            continue
        if plain:
            yield _plain("".join(plain))
            plain.clear()
        yield piece
    if plain:
        yield _plain("".join(plain))


def _plain(text: str) -> Piece:
    return Piece(text, text, Kind.PLAIN)


@lru_cache(maxsize=8192)
def _look(char: str) -> _Look:
    if char == " ":
        return _Look(Kind.PLAIN)
    category = unicodedata.category(char)
    if category in {"Cc", "Cs"}:
        return _Look(Kind.BREAK if char in "\n\t" else Kind.CONTROL)
    if _DIRECTIONS.match(char):
        return _Look(Kind.DIRECTION)
    name = unicodedata.name(char, "")
    hides = category in {"Cf", "Zl", "Zp"} or _IGNORED.match(char) or _EMPTY_NAMES.search(name)
    if hides:
        return _Look(Kind.INVISIBLE)
    if char in _PUNCTUATION:
        return _Look(Kind.PLAIN)
    return _of_letter(char, category, name) if category[0] in "LM" else _Look(_of_symbol(char, category))


def _of_letter(char: str, category: str, name: str) -> _Look:
    first = name.partition(" ")[0].partition("-")[0]
    one_of_its_kind = char in _EVERYDAY or unicodedata.normalize("NFKC", char) == char
    if category[0] == "M":
        # Marks for any letter, and those of scripts nobody writes every day, are shown on their own.
        script = _SCRIPTS.get(first, "") if one_of_its_kind else ""
        return _Look(Kind.UNUSUAL, combining=script)
    if char in _TWINS:
        return _Look(Kind.LOOK_ALIKE)
    if first in _EAST_ASIAN:
        everyday = one_of_its_kind and char <= "\uffff" and (first != "HANGUL" or "SYLLABLE" in name)
        return _Look(Kind.PLAIN if everyday else Kind.UNUSUAL)
    script = _SCRIPTS.get(first, "")
    if script and one_of_its_kind and (script != LATIN or _is_everyday_latin(char)):
        return _Look(Kind.PLAIN, script)
    return _Look(Kind.UNUSUAL if char <= "\u00ff" else Kind.LOOK_ALIKE)


def _is_everyday_latin(char: str) -> bool:
    """Of the letters of European languages, Romanian and Vietnamese among them, and of romanised Chinese."""
    return (
        char <= "\u017f" or "\u01cd" <= char <= "\u01dc" or char in "ƠơƯưȘșȚț" or "\u1e00" <= char <= "\u1ef9"
    )


def _of_symbol(char: str, category: str) -> Kind:
    plain = unicodedata.normalize("NFKC", char)
    imitates = category in {"Nd", "Nl"} or (category[0] in "PS" and plain.isascii())
    return Kind.LOOK_ALIKE if imitates else Kind.UNUSUAL
