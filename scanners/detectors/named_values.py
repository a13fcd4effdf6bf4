r"""Secrets that only their names give away: members of objects, settings in texts, cookies.

======== ==========================================================================================
member   ``{"password": ...}``, ``{"password": {"value": ...}}``, lists under such a name
pair     ``{"name": "DB_PASSWORD", "value": ...}``, in either order
text     ``DB_PASSWORD=...``, ``client_secret: ...``, ``"password": "..."`` in a text, also escaped
cookie   ``Set-Cookie: sessionid=...``, as a line or as a member
======== ==========================================================================================
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import re2

from scanners.detectors.secret_names import (
    CHECKSUM_OF,
    NAME_CHARACTERS_MAX,
    OTHER_TRADES,
    PASSWORDS,
    Naming,
    is_uuid,
    naming,
    plausible,
    random_looking,
    speaks_of_other_trades,
)
from scanners.pattern_set import pattern_options
from scanners.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanners.document import Document, Leaf, Place

PASSWORD: Final = "password"
SECRET: Final = "secret-value"
COOKIE: Final = "cookie"
KINDS: Final = frozenset({PASSWORD, SECRET, COOKIE})
ORDER: Final = 10_000
"""Behind every rule: of the same stretch a rule knows better what it is."""

NEAR_BYTES: Final = 400
"""Around a setting in a text that are asked the same as siblings of a member."""

SIBLINGS_MAX: Final = 64
"""Members of the same object that are asked whether it is of another trade."""

_PASSWORD_WORDS: Final = "|".join(
    sorted((rf"\b{word}" if len(word) < 5 else word) for word in PASSWORDS if word.isascii())
)
_FOREIGN_WORDS: Final = "|".join(sorted(word for word in PASSWORDS if not word.isascii()))
_KEY_OWNERS: Final = (
    "api|access|private|sign|signing|encrypt|encryption|decryption|master|account|auth|authorization|service|shared|"
    "subscription|license|storage|admin|session|client|webhook|integration|deploy|hmac|ssh|root|app|application|"
    "consumer|credential"
)
_KEYWORD: Final = (
    rf"(?i:{_PASSWORD_WORDS}|_pwd|_pass|{_FOREIGN_WORDS}|secret|(?:{_KEY_OWNERS})[ _.-]?key|"
    r"token|credential|authorization|cookie|jwt|_pat|\bpat)"
)
_TEXT_KEYWORD: Final = rf"(?:{_KEYWORD}|[A-Za-z0-9][ _.-]?(?:key|KEY|Key))"
_NAME_END: Final = r"[A-Za-z0-9_.-]*"
_VALUE_MEMBER: Final = r"(?i:value|plaintext|secretvalue|plain_text|secret_value)"
_QUOTE: Final = r"""\\*["'`]"""
_BETWEEN: Final = rf"(?:{_QUOTE})?\]?[ \t]*(?:=>|:=|[:=>])[ \t]*"

_PROSE: Final = r"[ \t]+(?:(?:is|are|was|=>|->)[ \t:]+)?"
_JSON_SPACE: Final = r"[ \t\r\n]*"
_FOLLOWED: Final = (
    rf"(?:[A-Za-z0-9_. -]*\x1e(?:{_VALUE_MEMBER}\x1e)?[^\x1e\s]{{4}}"
    rf"|{_QUOTE}{_JSON_SPACE}[,:]{_JSON_SPACE}(?:\[|\{{?{_JSON_SPACE}{_QUOTE}{_VALUE_MEMBER}{_QUOTE})"
    rf"""|{_BETWEEN}(?:{_QUOTE})?[^\s"'`<>{{}}()\[\],;\\\x1e]{{4}}"""
    rf"|{_PROSE}[A-Za-z_+/=.~-]*[0-9][A-Za-z0-9_+/=.~-]{{4}}|[ \t]+is[ \t:]+[^\s]{{4}})"
)
TRIGGERS: Final = (
    rf"{_TEXT_KEYWORD}{_NAME_END}{_FOLLOWED}".encode(),
    rf"--[a-z0-9-]*{_KEYWORD}[a-z0-9-]*[ \t]+[^\s-]{{4}}".encode(),
    # A value before its name.
    rf"\b(?i:value)\x1e[^\x1e]+\x1e(?i:name|key)\x1e[A-Za-z0-9_. -]*{_KEYWORD}".encode(),
    rf"""(?i:"(?:name|key)"[ \t]*:[ \t]*")[A-Za-z0-9_. -]*{_KEYWORD}{_NAME_END}"{_JSON_SPACE}\}}""".encode(),
)

_NAME_LEAF: Final[Any] = re2.compile(rf"{_KEYWORD}[A-Za-z0-9_. -]*(?:\x1e|$)".encode(), pattern_options())
_TEXT: Final[Any] = re2.compile(
    (
        rf"({_TEXT_KEYWORD}{_NAME_END})(?:{_BETWEEN}"
        rf"""(?:({_QUOTE})([^"'`\\\r\n\x1e]{{4,}})\\{{0,6}}["'`]|([^\s"'`<>{{}}()\[\],;\\\x1e]{{4,}}))"""
        rf"|{_PROSE}([A-Za-z0-9_+/=.~-]{{20,}})|[ \t]+is[ \t:]+([^\s\x1e]{{8,}}))"
    ).encode(),
    pattern_options(),
)
_OTHER_TRADE: Final[Any] = re2.compile(
    (
        rf"(?i:\b(?:{'|'.join(sorted(OTHER_TRADES))})(?:[_A-Z][A-Za-z_]*)?)" + r"""\\*["']?[ \t]*[:=]"""
    ).encode(),
    pattern_options(),
)
_FLAG: Final[Any] = re2.compile(
    (
        rf"--([a-z0-9-]*{_KEYWORD}[a-z0-9-]*)[ \t]+"
        r"""["']?([^\s"'<>${}()\x1e\\-][^\s"'<>{}()\x1e\\]{3,})"""
    ).encode(),
    pattern_options(),
)
_COOKIES: Final[Any] = re2.compile(
    rb"""(?i:cookie)(?:\\{0,6}["'])?(?:[ \t]{0,4}[:=]|\x1e)[ \t]{0,4}(?:\\{0,6}["'])?([^\r\n\x1e"']{8,})""",
    pattern_options(),
)
_SESSION_COOKIE: Final[Any] = re2.compile(
    rb"(?i:sess|\bsid|[._-]sid\b|auth|token|jwt|remember|login|user_credentials)[A-Za-z0-9_.-]{0,32}=([^\s;,]{16,})",
    pattern_options(),
)
_NAME_BYTES: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-" + bytes(
    range(0x80, 0x100)
)
_NAMING_MEMBERS: Final = frozenset(
    {"name", "key", "variable", "header", "parameter", "label", "property", "field"}
)
_VALUE_MEMBERS: Final = frozenset({"value", "plaintext", "secretvalue", "plain_text", "secret_value"})
_SCHEMES: Final = ("bearer ", "basic ", "token ", "digest ", "apikey ", "bot ", "negotiate ")


def named_spans(document: Document, *, spans_max: int) -> list[Span]:
    """What names in a document give away, at most ``spans_max``."""
    found = list(islice(_members(document), spans_max))
    return found + text_spans(document.raw, spans_max=spans_max - len(found))


def text_spans(raw: bytes, *, spans_max: int) -> list[Span]:
    """What names in a text give away, at most ``spans_max``."""
    found = list(islice(_settings(raw), spans_max))
    found += islice(_flags(raw), spans_max - len(found))
    return found + list(islice(_cookies(raw), spans_max - len(found)))


def _span(start: int, end: int, raw: bytes, kind: str, rule: str) -> Span:
    return Span(start=start, end=end, kind=kind, rule=rule, secret=raw[start:end], order=ORDER)


# --- members of objects -------------------------------------------------------------------------------------


def _members(document: Document) -> Iterator[Span]:
    raw, leaves = document.raw, document.leaves
    for match in _NAME_LEAF.finditer(raw):
        index = document.index_at(match.start())
        leaf = leaves[index]
        says = naming(leaf.text)
        if says in {Naming.NOTHING, Naming.VENDOR}:
            continue
        rule = "named-member" if leaf.in_name else "named-pair"
        for number in _named_by(leaves, index):
            text = leaves[number].text
            start = document.starts[number]
            skipped = _scheme(text)
            if says is Naming.PERHAPS and _of_another_trade(leaves, number):
                continue
            if plausible(text[skipped:], says):
                kind = PASSWORD if says is Naming.PASSWORD else SECRET
                yield _span(start + skipped, document.end_of(number), raw, kind, rule)


def _named_by(leaves: list[Leaf], index: int) -> Iterator[int]:
    """The numbers of the leaves that the leaf names."""
    leaf = leaves[index]
    if leaf.in_name:
        first = index + 1
        if first < len(leaves) and leaves[first].in_name and _below(leaves[first], leaf.place):
            first += leaves[first].text.lower() in _VALUE_MEMBERS
        for number in range(first, len(leaves)):
            if leaves[number].in_name or not _below(leaves[number], leaf.place):
                return
            yield number
        return
    if leaf.key.lower() not in _NAMING_MEMBERS or leaf.place is None:
        return
    for name, value in ((index + 1, index + 2), (index - 3, index - 2)):
        if (
            name >= 0
            and value < len(leaves)
            and leaves[name].in_name
            and leaves[name].text.lower() in _VALUE_MEMBERS
            and not leaves[value].in_name
            and leaves[value].place == leaves[name].place
            and _parent(leaves[name].place) == leaf.place[0]
        ):
            yield value


def _below(leaf: Leaf, place: Place) -> bool:
    """Whether it stands at a place, or one or two steps below."""
    at = leaf.place
    return at == place or _parent(at) == place or _parent(_parent(at)) == place


def _parent(place: Place) -> Place:
    return place[0] if place is not None else None


def _scheme(text: str) -> int:
    """Characters of an authentication scheme before the credential."""
    head = text[:12].lower()
    return next((len(scheme) for scheme in _SCHEMES if head.startswith(scheme)), 0)


def _of_another_trade(leaves: list[Leaf], number: int) -> bool:
    """Whether a value stands among or below members beside which a token is a cursor or a coin."""
    place = leaves[number].place
    while place is not None:
        if isinstance(place[1], str) and speaks_of_other_trades(place[1]):
            return True
        place = place[0]
    parent = _parent(leaves[number].place)
    near = leaves[max(0, number - SIBLINGS_MAX) : number + SIBLINGS_MAX]
    return any(
        leaf.in_name and _parent(leaf.place) == parent and speaks_of_other_trades(leaf.text) for leaf in near
    )


# --- texts --------------------------------------------------------------------------------------------------


def _settings(raw: bytes) -> Iterator[Span]:
    for match in _TEXT.finditer(raw):
        start = match.start()
        before = raw[max(0, start - NAME_CHARACTERS_MAX) : start]
        other = before.rstrip(_NAME_BYTES)
        if other.endswith(CHECKSUM_OF.encode()):
            continue
        name = raw[start - len(before) + len(other) : match.end(1)].decode("utf-8", "replace")
        says = naming(name)
        if says is Naming.NOTHING:
            continue
        group = next(number for number in (4, 3, 5, 6) if match.start(number) >= 0)
        begin, end = match.span(group)
        if group == 4 and raw[end : end + 1] in (b"(", b"["):  # code that gets one
            continue
        if group != 3:
            end = begin + len(raw[begin:end].rstrip(b".!?:,;)\"'"))
        value = raw[begin:end].decode("utf-8", "surrogateescape")
        if group == 3:
            begin += _scheme(value)
            value = value[_scheme(value) :]
        if _is_text_value(value, name, says, group):
            near = raw[max(0, start - NEAR_BYTES) : end + NEAR_BYTES]
            if says is Naming.PERHAPS and _OTHER_TRADE.search(near) is not None:
                continue
            kind = PASSWORD if says is Naming.PASSWORD else SECRET
            yield _span(begin, end, raw, kind, "named-text")


def _is_text_value(value: str, name: str, says: Naming, group: int) -> bool:
    if group == 5 and says is not Naming.PASSWORD:
        return random_looking(value)
    if group == 6 and says is not Naming.PASSWORD:
        return False
    if says is Naming.PERHAPS and name.isupper() and is_uuid(value):
        return True
    if not plausible(value, says, quoted=group == 3):
        return False
    # In a text, a quoted word behind `password` may be what a sentence is about.
    return says is not Naming.PASSWORD or not value.isalpha() or len(set(map(str.isupper, value[1:]))) > 1


def _flags(raw: bytes) -> Iterator[Span]:
    for match in _FLAG.finditer(raw):
        says = naming(match[1].decode("latin-1"))
        if plausible(match[2].decode("utf-8", "surrogateescape"), says, quoted=False):
            kind = PASSWORD if says is Naming.PASSWORD else SECRET
            yield _span(match.start(2), match.end(2), raw, kind, "named-flag")


def _cookies(raw: bytes) -> Iterator[Span]:
    for line in _COOKIES.finditer(raw):
        begin, end = line.span(1)
        for cookie in _SESSION_COOKIE.finditer(raw[begin:end]):
            value = cookie[1].decode("utf-8", "surrogateescape")
            if plausible(value, Naming.KEY):
                start = begin + cookie.start(1)
                yield _span(start, begin + cookie.end(1), raw, COOKIE, "session-cookie")
