r"""The patterns that find one literal in any of the spellings in which it may travel.

========== =============================================================================================
spelled    as it is; any of its characters as ``%41`` (also ``%2541``), ``\u0041``, ``\x41`` or with
           backslashes before it, however many: JSON in JSON in JSON
hex        digits in either case, with colons, hyphens or white space between the pairs
base64     at each of the three places where it can begin among other bytes, both alphabets, wrapped or not
reversed   last character first
========== =============================================================================================

A literal's first and last base64 characters may share bits with its neighbours; they are matched by those
bits that are the literal's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE64_RUN: Final = (_ALPHABET + "-_=").encode()
_HEX_RUN: Final = b"0123456789abcdefABCDEF"
_BACKSLASHED: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", '"': '"', "'": "'", "/": "/"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """One way to spell a literal."""

    pattern: bytes
    """RE2, over bytes."""
    run: bytes = b""
    """Bytes that belong to the same encoded run: left standing, they would be the rest of it."""


def encodings(literal: str) -> Iterator[Encoding]:
    """Every spelling that is looked for."""
    raw = literal.encode("utf-8", "surrogatepass")
    yield Encoding(pattern="".join(map(_spelled, literal)).encode())
    yield Encoding(pattern=r"[\s:-]*".join(map(_hex, raw)).encode(), run=_HEX_RUN)
    for offset in range(3):
        yield Encoding(pattern=in_base64(raw, offset).encode(), run=_BASE64_RUN)
    yield Encoding(pattern="".join(map(_plain, reversed(literal))).encode())


def _hex(byte: int) -> str:
    return "".join(digit if digit.isdigit() else f"[{digit}{digit.upper()}]" for digit in f"{byte:02x}")


def _plain(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def _spelled(character: str) -> str:
    if character == "\\":
        return r"(?:\\+|(?:%(?:25)*|\\+(?:u00|x))5[cC])"
    raw = character.encode("utf-8", "surrogatepass")
    forms = [_plain(character)]
    if len(raw) == 1:
        forms.append(rf"(?:%(?:25)*|\\+(?:u00|x)){_hex(raw[0])}")
    else:
        forms.append("".join(f"%(?:25)*{_hex(byte)}" for byte in raw))
        units = character.encode("utf-16-be", "surrogatepass")
        forms.append(
            "".join(rf"\\+u{_hex(high)}{_hex(low)}" for high, low in zip(*[iter(units)] * 2, strict=True))
        )
    if character in _BACKSLASHED:
        forms.append(rf"\\+{_plain(_BACKSLASHED[character])}")
    if character == " ":
        forms.append(r"\+")
    return f"(?:{'|'.join(forms)})"


def in_base64(raw: bytes, offset: int) -> str:
    """A pattern: these bytes with ``offset`` unknown ones before, and as many as are needed behind."""
    bits = "?" * 8 * offset + "".join(f"{byte:08b}" for byte in raw)
    bits += "?" * (-len(bits) % 6)
    sextets = (bits[place : place + 6] for place in range(0, len(bits), 6))
    return r"\s*".join(_sextet(bits) for bits in sextets if bits != "??????")


@cache
def _sextet(bits: str) -> str:
    fitting = [
        character
        for value, character in enumerate(_ALPHABET)
        if all(known in ("?", bit) for known, bit in zip(bits, f"{value:06b}", strict=True))
    ]
    characters = "".join({"+": r"+\-", "/": "/_"}.get(character, character) for character in fitting)
    form = f"[{characters}]" if len(characters) > 1 else characters
    if "+" in fitting:
        form += "|%2[bB]"
    if "/" in fitting:
        form += r"|%2[fF]|\\/"
    return f"(?:{form})" if "|" in form else form
