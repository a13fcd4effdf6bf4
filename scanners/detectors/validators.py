"""Whether a value is what it looks like: check digits, lengths, assigned ranges. No context, no guessing.

Every function takes the bare value, of a length that its caller has bounded.
"""

from __future__ import annotations

import hashlib
import ipaddress
from types import MappingProxyType
from typing import Final

IBAN_CHARACTERS: Final = MappingProxyType(
    {
        country: length
        for length, countries in (
            (15, "NO"),
            (16, "BE"),
            (18, "DK FI FK FO GL NL SD"),
            (19, "MK SI"),
            (20, "AT BA EE KZ LT LU MN XK"),
            (21, "CH HR LI LV"),
            (22, "BG BH CR DE GB GE IE ME RS VA"),
            (23, "AE GI IL IQ OM SO TL"),
            (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
            (25, "AO CV GW LY MZ PT ST"),
            (26, "DZ IR IS TR"),
            (27, "BI CF CG CM DJ FR GA GQ GR IT KM MC MG MR SM TD"),
            (28, "AL AZ BF BJ BY CI CY DO GT HN HU LB MA ML NE NI PL SN SV TG"),
            (29, "BR EG PS QA UA"),
            (30, "JO KW MU YE"),
            (31, "MT SC"),
            (32, "LC"),
            (33, "RU"),
        )
        for country in countries.split()
    }
)
"""How long an account number of a country is, from the IBAN registry and its list of partial users."""

IBAN_CHARACTERS_MAX: Final = 34

CARD_DIGITS_MIN: Final = 12
CARD_DIGITS_MAX: Final = 19

# First and last prefix, of the same number of digits, and how many digits a whole number has.
_ISSUERS: Final = (
    ("4", "4", {13, 16, 19}),
    ("51", "55", {16}),
    ("2221", "2720", {16}),
    ("34", "34", {15}),
    ("37", "37", {15}),
    ("6011", "6011", {16, 17, 18, 19}),
    ("644", "659", {16, 17, 18, 19}),
    ("300", "305", {14, 16}),
    ("309", "309", {14, 16}),
    ("36", "36", {14, 16, 19}),
    ("38", "39", {14, 16}),
    ("35", "35", {16, 17, 18, 19}),
    ("1800", "1800", {15}),
    ("2131", "2131", {15}),
    ("62", "62", {16, 17, 18, 19}),
    ("81", "82", {16, 17, 18, 19}),
    ("2200", "2204", {16, 17, 18, 19}),
    ("508", "508", {16}),
    ("60", "60", {16}),
    ("9792", "9792", {16}),
    ("0604", "0604", {12}),
    ("50", "50", set(range(13, 20))),
    ("5018", "5018", {12}),
    ("5020", "5020", {12}),
    ("5038", "5038", {12}),
    ("56", "58", set(range(12, 20))),
    ("6304", "6304", {12}),
    ("6390", "6390", {12}),
    ("6759", "6763", {12}),
    ("63", "63", set(range(13, 20))),
    ("67", "67", set(range(13, 20))),
)

_ISSUERS_BY_DIGIT: Final = MappingProxyType(
    {digit: tuple(row for row in _ISSUERS if row[0][0] == digit) for digit in "0123456789"}
)

_BASE58: Final = MappingProxyType(
    {c: n for n, c in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
)
_BECH32: Final = MappingProxyType({c: n for n, c in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")})
_BECH32_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CONSTANTS: Final = frozenset({1, 0x2BC830A3})
"""What the checksum comes to: of bech32, and of bech32m."""

_UNSPOKEN_IP: Final = frozenset(
    map(ipaddress.ip_address, ("127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1"))  # noqa: S104
)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812."""
    doubled = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
    places = [ord(digit) - 48 for digit in reversed(digits)]
    return (sum(places[0::2]) + sum(doubled[place] for place in places[1::2])) % 10 == 0


def card(digits: str) -> bool:
    """Whether it is the number of a payment card: an issuer's range and length, the check digit."""
    return len(digits) >= CARD_DIGITS_MIN and _is_issued(digits) and len(set(digits)) > 1 and luhn(digits)


def _is_issued(digits: str) -> bool:
    for first, last, lengths in _ISSUERS_BY_DIGIT.get(digits[:1], ()):
        if len(digits) in lengths and first <= digits[: len(first)] <= last:
            return True
    return False


def ean13(digits: str) -> bool:
    """Whether it is the number of an article: those of one land begin as 13-digit cards do."""
    places = [ord(digit) - 48 for digit in digits]
    return len(digits) == 13 and (sum(places[0::2]) + 3 * sum(places[1::2])) % 10 == 0


def mod97(account: str) -> bool:
    """Whether an account number's two check digits are right (ISO 7064)."""
    if not account[2:4].isdigit() or len(account) < min(IBAN_CHARACTERS.values()):
        return False
    return int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97 == 1


def iban(account: str) -> bool:
    """Whether it is an account number: a country, its length, its check digits."""
    return IBAN_CHARACTERS.get(account[:2]) == len(account) and mod97(account)


def ssn(digits: str) -> bool:
    """Whether nine digits can be a US social security number, or a taxpayer's number in its place."""
    area, group, serial = int(digits[:3]), int(digits[3:5]), int(digits[5:])
    if area >= 900:
        return 50 <= group <= 65 or 70 <= group <= 99
    return area not in {0, 666} and group > 0 and serial > 0


def ip_address(text: str) -> bool:
    """Whether it is an address of a machine, other than those that every machine has."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address not in _UNSPOKEN_IP and not text.startswith("255.255.")


def base58check(text: str) -> bool:
    """Whether it is a address of the old form: version, 20 bytes, four bytes of a double SHA-256."""
    number = 0
    for character in text:
        value = _BASE58.get(character)
        if value is None:
            return False
        number = number * 58 + value
    # Leading ones are zero bytes, so the number alone does not say how long it is.
    for size in (25, 26):
        if number.bit_length() <= size * 8:
            raw = number.to_bytes(size, "big")
            check = hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()
            if check[:4] == raw[-4:]:
                return True
    return False


def bech32(text: str) -> bool:
    """Whether it is an address of the new form (BIP 173, BIP 350)."""
    lowered = text.lower()
    prefix, _, rest = lowered.rpartition("1")
    if text not in {lowered, text.upper()} or not prefix or not 6 <= len(rest) <= 83:
        return False
    values = [_BECH32.get(character, -1) for character in rest]
    if -1 in values:
        return False
    spread = [ord(character) >> 5 for character in prefix] + [0] + [ord(c) & 31 for c in prefix] + values
    sum_ = 1
    for value in spread:
        top = sum_ >> 25
        sum_ = (sum_ & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATORS):
            if top >> bit & 1:
                sum_ ^= generator
    return sum_ in _BECH32_CONSTANTS
