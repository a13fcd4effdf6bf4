"""Addresses of the net: of people (e-mail) and of machines (IP)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scanners.detectors import validators
from scanners.detectors.forms import Form, Value, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanners.detectors.surroundings import Candidate

LOCAL_PART_BYTES_MAX: Final = 64
DOMAIN_BYTES_MAX: Final = 254

_LETTER: Final = rb"(?:[A-Za-z0-9-]|[\xc3-\xc5][\x80-\xbf])"
"""Letters of Latin script, with and without accents, in bytes of UTF-8."""
_LOCAL_PART: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+'-" + bytes(
    range(0x80, 0xC6)
)
_CONTINUATION: Final = bytes(range(0x80, 0xC3))
_TOP_LEVEL: Final = re.compile(r"[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59}", re.IGNORECASE)
_VERSION: Final = re.compile(r"v?\d{1,6}\.\d|\d(?:\.\d)?x\.", re.IGNORECASE)
"""``name@1.2.0-beta.rc`` is a package, ``icon@2x.png`` a file."""
_IN_URL: Final = re.compile(rb"://[^\s/?#@]*\Z")
_ENCODED: Final = re.compile(rb"(?:%(?:[0-9A-Fa-f]{2}))+")

# Letters have ids that look like addresses; without them an agent cannot answer a letter.
_LETTER_IDS: Final = ({"message", "id"}, {"in", "reply", "to"}, {"cal", "uid"})
_LETTER_ID_BEFORE: Final = re.compile(r"(?:message-id|in-reply-to|references|uid):[^\n]*$")

_OCTET: Final = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_EUI: Final = re.compile(r"[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){7}", re.IGNORECASE)
_VERSION_BEFORE: Final = re.compile(r"(?:\bv|\bver\.?|version|release|build)[\s:=\"']{0,3}$")


def email(candidate: Candidate) -> Iterator[Value]:
    """Judges an at sign with a domain behind it; the local part is looked for in front of it."""
    sign = 3 if candidate.raw.startswith(b"%") else 1
    labels = candidate.raw[sign : sign + DOMAIN_BYTES_MAX].decode("utf-8", "ignore").split(".")
    while labels and not _TOP_LEVEL.fullmatch(labels[-1].rstrip("-")):
        labels.pop()
    domain = ".".join(labels).rstrip("-")
    if len(labels) < 2 or domain.startswith("-") or _VERSION.match(domain):
        return
    raw, leaf_start = candidate.document.raw, candidate.document.starts[candidate.index]
    before = raw[max(leaf_start, candidate.start - LOCAL_PART_BYTES_MAX) : candidate.start]
    local = before[len(before.rstrip(_LOCAL_PART)) :].lstrip(_CONTINUATION)
    if sign == 3:
        local = _ENCODED.split(local)[-1]
    local = local.lstrip(b".'%-+")
    start, end = candidate.start - len(local), candidate.start + sign + len(domain.encode())
    if local and not _is_no_address(candidate, start, end, local):
        yield Value(start, end, local + b"@" + domain.lower().encode())


def _is_no_address(candidate: Candidate, start: int, end: int, local: bytes) -> bool:
    raw = candidate.document.raw
    if local == b"git" and raw[end : end + 1] in {b":", b"/"}:
        return True
    if any(words <= candidate.name_words for words in _LETTER_IDS) or _LETTER_ID_BEFORE.search(
        candidate.before
    ):
        return True
    leaf_start = candidate.document.starts[candidate.index]
    return _IN_URL.search(raw[max(leaf_start, start - LOCAL_PART_BYTES_MAX) : start]) is not None


def ipv4(candidate: Candidate) -> Iterator[Value]:
    """Judges four numbers with dots."""
    if not candidate.stands_alone or candidate.byte_before in {b".", b"-"}:
        return
    behind = candidate.document.raw[candidate.end : candidate.end + 2]
    if (behind[:1] in {b".", b"-"} and behind[1:].isdigit()) or _VERSION_BEFORE.search(candidate.before):
        return
    if "version" not in candidate.name_words and validators.ip_address(candidate.text):
        yield from whole(candidate, candidate.text)


def ipv6(candidate: Candidate) -> Iterator[Value]:
    """Judges groups of hexadecimal digits with colons."""
    raw, start, end = candidate.document.raw, candidate.start, candidate.end
    text = candidate.text
    if text.endswith(".") or (text.endswith(":") and not text.endswith("::")):
        text = text[:-1]
        end -= 1
    if (
        raw[start - 1 : start].isalnum()
        or raw[end : end + 1].isalnum()
        or raw[start - 1 : start] in {b"_", b":"}
    ):
        return
    # ``add::face`` is a name in a program, and eight pairs are the address of a card.
    if not any(character.isdigit() for character in text) or _EUI.fullmatch(text):
        return
    if validators.ip_address(text):
        yield Value(start, end, text.lower().encode("latin-1"))


EMAIL: Final = Form("email", "email-address", rb"(?:@|%40)" + _LETTER + rb"+(?:\." + _LETTER + rb"+)+", email)
IPV4: Final = Form("ip-address", "ipv4", rb"\b(?:" + _OCTET + rb"\.){3}" + _OCTET + rb"\b", ipv4)
IPV6: Final = Form(
    "ip-address",
    "ipv6",
    rb"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{1,4}:){6}[0-9]{1,3}\.[0-9.]+"
    rb"|(?:[0-9A-Fa-f]{1,4}:){0,6}[0-9A-Fa-f]{0,4}::[0-9A-Fa-f:.]*",
    ipv6,
)
