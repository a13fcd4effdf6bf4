"""Seeded mutants of well-formed MCP messages: about half stay JSON, and half of the others only just do not."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from tests.contract.json.texts import KEYS, MESSAGES, NUMBERS, SPACES, STRINGS

_NUMBER = re.compile(rb"(?<=[:,\[])-?[0-9][0-9.eE+-]*(?=[,\]}])")
_INSIDE = re.compile(rb'(?<=[A-Za-z0-9 ])[A-Za-z0-9 ](?=[^"]*")')
_MEMBER = re.compile(rb'"(\w)(\w*)":(?:"[^"\\]*"|[a-z0-9.]+)(?=[,}])')
_SEAM = re.compile(rb"(?<=[:,\[{])|(?=[:,\]}])")
_VALUE = re.compile(rb'(?<=[:,\[])(?:"[^"\\]*"|true|false|null|[0-9.]+)(?=[,\]}])')

_TOKENS = [
    *(b",", b":", b"{", b"}", b"[", b"]", b'"', b"\\", b"0", b"-", b".", b"e", b"E9", b"\0", b"\xff", b" ", b"\n", b"/", b"'"),
    *(b"null", b"NaN", b"1e400", b'"a":1,', b'"id":1,', b"//", b"/**/", b"\\u0061", b"\\ud800", b"\xef\xbb\xbf", b"{}", b"[]", b"\xc2"),
]  # fmt: skip


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """So many texts; the same for the same seed."""
    dice = random.Random(seed)
    for _ in range(count):
        text = dice.choice(MESSAGES)
        for _ in range(dice.choice([1, 1, 1, 2, 3])):
            text = dice.choice(_CHANGES)(text, dice)
        yield text


def _at(pattern: re.Pattern[bytes], text: bytes, dice: random.Random) -> re.Match[bytes] | None:
    found = list(pattern.finditer(text))
    return dice.choice(found) if found else None


def _odd_number(text: bytes, dice: random.Random) -> bytes:
    place = _at(_NUMBER, text, dice)
    literal = dice.choice(NUMBERS).encode() if dice.random() < 0.4 else _number(dice)
    return text[: place.start()] + literal + text[place.end() :] if place else literal


def _number(dice: random.Random) -> bytes:
    """Well-formed, of any size and any number of digits."""
    digits = str(dice.getrandbits(dice.choice([1, 8, 30, 49, 53, 60, 80])))
    fraction = (
        "." + "".join(dice.choices("0123456789", k=dice.choice([1, 2, 16, 17, 30])))
        if dice.random() < 0.6
        else ""
    )
    power = dice.choice(
        ["", "", f"e{dice.randint(-30, 12)}", f"E-{dice.randint(0, 330)}", f"e+{dice.randint(0, 320)}"]
    )
    return f"{dice.choice(['', '-'])}{digits}{fraction}{power}".encode()


def _odd_text(text: bytes, dice: random.Random) -> bytes:
    place = _at(_INSIDE, text, dice)
    odd = dice.choice(STRINGS)
    raw = odd if isinstance(odd, bytes) else odd.encode()
    return text[: place.start()] + raw + text[place.end() :] if place else b'"%b"' % raw


def _escaped(text: bytes, dice: random.Random) -> bytes:
    """One character spelled as an escape: another text, the same value."""
    place = _at(_INSIDE, text, dice)
    return text[: place.start()] + b"\\u%04x" % place.group()[0] + text[place.end() :] if place else text


def _odd_space(text: bytes, dice: random.Random) -> bytes:
    place = _at(_SEAM, text, dice)
    space = (
        dice.choice(SPACES) if dice.random() < 0.5 else dice.choice([b" ", b"\t", b"\n", b"\r", b" \r\n "])
    )
    return text[: place.start()] + space + text[place.start() :] if place else space


def _second_member(text: bytes, dice: random.Random) -> bytes:
    """A member repeated, its key spelled the same, with an escape, or in another case."""
    place = _at(_MEMBER, text, dice)
    if place is None:
        return text
    first, rest = place.groups()
    key = dice.choice([first, b"\\u%04x" % first[0], first.swapcase(), b"_" + first, b"\\/" + first]) + rest
    return text[: place.start()] + b'"%b":%d,' % (key, dice.randint(0, 9)) + text[place.start() :]


def _odd_keys(text: bytes, dice: random.Random) -> bytes:
    place = _at(_VALUE, text, dice)
    one, other = dice.choice(KEYS)
    members = f'{{"{one}":1,"{other}":2}}'.encode()
    return text[: place.start()] + members + text[place.end() :] if place else members


def _deeper(text: bytes, dice: random.Random) -> bytes:
    place = _at(_VALUE, text, dice)
    if place is None:
        return text
    depth = dice.choice([1, 2, 20, 59, 61, 63, 64])
    opened, closed = dice.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return text[: place.start()] + opened * depth + place.group() + closed * depth + text[place.end() :]


def _moved_value(text: bytes, dice: random.Random) -> bytes:
    one, other = _at(_VALUE, text, dice), _at(_VALUE, text, dice)
    return text[: one.start()] + other.group() + text[one.end() :] if one and other else text


def _odd_token(text: bytes, dice: random.Random) -> bytes:
    at = dice.randint(0, len(text))
    return text[:at] + dice.choice(_TOKENS) + text[at:]


def _lost_bytes(text: bytes, dice: random.Random) -> bytes:
    at = dice.randint(0, len(text))
    return text[:at] + text[at + dice.choice([1, 1, 2, 5, 20]) :]


def _repeated_bytes(text: bytes, dice: random.Random) -> bytes:
    at = dice.randint(0, len(text))
    return text[: at + dice.choice([1, 2, 5, 20])] + text[at:]


def _flipped_bit(text: bytes, dice: random.Random) -> bytes:
    changed = bytearray(text or b"0")
    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _cut_off(text: bytes, dice: random.Random) -> bytes:
    return text[: dice.randint(0, len(text))]


_CHANGES = (
    *(
        _odd_number,
        _odd_number,
        _odd_text,
        _odd_text,
        _escaped,
        _odd_space,
        _odd_space,
        _second_member,
        _odd_keys,
        _deeper,
    ),
    *(_moved_value, _odd_token, _lost_bytes, _repeated_bytes, _flipped_bit, _flipped_bit, _cut_off),
)
