"""Telephone numbers as people write them: how many digits each country has, and how they are grouped."""

from __future__ import annotations

import re
from itertools import accumulate
from types import MappingProxyType
from typing import Final

DIGITS_MIN: Final = 7
DIGITS_MAX: Final = 15
"""ITU-T E.164."""

GAP: Final = rb"(?: ?(?:-|/|\xe2\x80[\x90-\x95]) ?| ?\(|\)[ .]?[-/]?|[ .]|\xc2\xa0|\xe2\x80[\x82-\x8a\xaf])"
"""What may stand between two digits of one number, in bytes of UTF-8."""
EXTENSION: Final = rb"(?:[ ,;]{0,2}(?:x|ext\.?|#)[ =]?[0-9]{1,6})?"

INTERNATIONAL: Final = rb"\+ ?\(?[1-9](?:" + GAP + rb"?[0-9]){6,18}" + EXTENSION
NORTH_AMERICAN: Final = (
    rb"(?:\b(?:\+?1|001)(?:[ .-]|\xc2\xa0)?)?"
    rb"(?:\([2-9][0-9]{2}\)(?:[ .-]|\xc2\xa0)?|\b[2-9][0-9]{2}(?:[ .-]|\xc2\xa0))"
    rb"[2-9][0-9]{2}(?:[ .-]|\xc2\xa0)[0-9]{4}" + EXTENSION
)
WITH_TRUNK_ZERO: Final = (
    rb"\(0[1-9][0-9]{0,4}\)(?: ?[-/] ?| )?[0-9](?:[ -]?[0-9]){4,9}\b"
    rb"|\b0[1-9](?:[ .-][0-9]{2}){4}\b|\b0[1-9][0-9]{0,3}[ /-][0-9]{2,8}(?:[ -][0-9]{2,4}){0,3}\b"
)
ANY: Final = rb"[+(]{0,2}[0-9](?:" + GAP + rb"?[0-9]){6,18}" + EXTENSION

NATIONAL_DIGITS: Final = MappingProxyType(
    {
        code: bounds
        for bounds, codes in (
            ((4, 5), "290 683 690"),
            ((5, 6), "500 247 298 299 672 682 687"),
            ((5, 7), "676 677 678 688"),
            ((5, 8), "47 386 686"),
            ((5, 10), "27 64 685 48 53 95"),
            ((5, 13), "31 43 49 61 352 358 39 46 359 381 63"),
            ((6, 9), "40 98 252 355 376 421 508 597 681 689"),
            ((6, 11), "375 595 598 852"),
            ((7, 7), "238 239 246 248 269 291 297 592 673 674 680 691 692"),
            ((7, 9), "220 231 241 245 265 354 385 423 599 670 675 853 961 965 967 968 975"),
            ((7, 11), "44 84 230 243 254 263 267 353 372 501 503 507 679 886 960 972 974"),
            ((7, 13), "62 86 90"),
            (
                (8, 8),
                "45 216 222 223 226 227 228 232 235 236 253 257 266 350",
            ),
            ((8, 8), "356 357 370 371 373 374 389 505 509 973 993"),
            ((8, 9), "32 36 51 213 224 233 237 250 258 264 268 377 382 387 591 962 963"),
            ((8, 10), "20 60 378 506 850 855 856 964 970 971 976"),
            ((8, 13), "55 57 65 66 81 82 91 92 383 502 504 593 800 808 883 977"),
            (
                (9, 9),
                "33 34 93 94 211 212 218 221 240 242 244 249 251 255 256 260 261",
            ),
            ((9, 9), "262 351 590 594 596 979 992 994 995 998"),
            ((9, 11), "56 41 380 881 966 996 420 870"),
            ((10, 10), "1 7 52 58 225 229"),
            ((10, 12), "30 54 234 878 880 882 888"),
        )
        for code in codes.split()
    }
)
"""How many digits follow a country's code, at least and at most; a little wider than the plans of today."""

_GROUP: Final = re.compile(r"[0-9]+")
_EXTENSION: Final = re.compile(EXTENSION.decode())
_EXTENSION_AT_END: Final = re.compile(r"[ ,;]{0,2}(?:x|ext\.?|#).{1,8}$")
_TRUNK: Final = re.compile(r"\(0\)")
_DATE: Final = re.compile(r"(?:19|20)\d\d([-./])\d\d?\1\d\d?(?!\d)|\d\d?([-./])\d\d?\2(?:19|20)\d\d(?!\d)")
_DECIMAL: Final = re.compile(r"\d+\.\d{1,3}|\d{1,3}(?:\.\d{1,3}){3}")


def international_characters(text: str) -> int:
    """How many characters of a text that begins with a plus are one number; 0 if it has none.

    Args:
        text: at most some dozen characters.
    """
    text = _TRUNK.sub(lambda match: "~" * len(match[0]), text)
    groups = list(_GROUP.finditer(text))
    digits = "".join(group[0] for group in groups)
    code = next((digits[:size] for size in (1, 2, 3) if digits[:size] in NATIONAL_DIGITS), None)
    if code is None:
        return 0
    least, most = NATIONAL_DIGITS[code]
    ends = zip(groups, accumulate(len(group[0]) for group in groups), strict=True)
    fitting = [group.end() for group, count in ends if least <= count - len(code) <= most]
    if not fitting or (code == "1" and (digits[1] in "01" or digits[4] in "01")):
        return 0
    return fitting[-1]


def is_extension(text: str) -> bool:
    """Whether a text behind a number is nothing but an extension."""
    return _EXTENSION.fullmatch(text) is not None


def has_trunk_zero(text: str) -> bool:
    """Whether a grouped number that begins with a zero has as many digits as numbers of a land have."""
    return 9 <= sum(character.isdigit() for character in text) <= 12 and not _DATE.match(text)


def is_written_so(text: str) -> bool:
    """Whether digits that are said to be a telephone number are not plainly a date or an amount."""
    number = _EXTENSION_AT_END.sub("", text)
    digits = sum(character.isdigit() for character in number)
    return DIGITS_MIN <= digits <= DIGITS_MAX and not (_DATE.match(text) or _DECIMAL.fullmatch(text))
