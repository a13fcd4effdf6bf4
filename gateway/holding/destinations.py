"""Which arguments say where something goes, by their names and their form; what looks nearly like what. Pure.

Deliberately simple. An address by its form is one under any name; a word or a number is one only under a name
that says so. What is missed is still on the sheet, only nothing is said about it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from scanners.definitions.characters import skeleton

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["mail", "link", "host", "repository", "account", "path", "shown"]

VALUE_CHARACTERS_MAX: Final = 2_048
"""Longer texts are no destinations."""
NAME_CHARACTERS_MAX: Final = 64
"""Of a longer name its end counts."""
NEAR_CHARACTERS_MIN: Final = 5
"""Shorter ones are too often alike."""
ADDRESSES_MAX: Final = 50
"""Of one value."""
KNOWN_MAX: Final = 2_000
"""Values that another one is held against."""
ALIKE_MAX: Final = 200
"""Of those the ones that have a half in common with it."""
LOOKS_ALIKE: Final = "can be taken for"

_MAIL: Final = re.compile(r"[^\s,;:<>()\"@]{1,128}@([^\s,;:<>()\"@/\\]{1,200}\.[^\s,;:<>()\"@/\\.]{2,64})")
_LINK: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,30}:(?://|\\\\)\S+")
_SHELL_PLACE: Final = re.compile(r"(?:[\w.-]+@)?([\w.-]+\.[A-Za-z][\w-]+):(?!//)\S+")
"""As git and scp write them: ``git@github.com:acme/site``."""
_HOST: Final = re.compile(r"(?:[^\s/@:.\[\]]{1,63}\.)+[^\s/@:.\[\]\d][^\s/@:.\[\]]{1,62}(?::\d{1,5})?")
_IBAN: Final = re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?")
_PATH: Final = re.compile(r"(?:(?:~|\.{1,2})?/|[A-Za-z]:\\)[^\s].*|\\\\[^\s].*")
_DIGITS: Final = re.compile(r"-?\d{1,15}(?:\.\d{1,6})?")

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ASIDE: Final = frozenset(
    {"id", "ids", "name", "names", "number", "no", "address", "addresses", "list", "key"}
)
"""Words at the end of a name that leave open what is meant."""
_HOSTS: Final = ("host", "hostname", "domain", "server", "endpoint", "origin")
_REPOSITORIES: Final = ("repo", "repository", "repositories", "owner", "org", "organization", "fork")
_PATHS: Final = ("path", "file", "filename", "folder", "directory", "dir")
_ACCOUNTS: Final = (
    "to", "cc", "bcc", "email", "mail", "mailbox", "recipient", "account", "iban", "wallet", "payee",
    "beneficiary", "destination", "dest", "channel", "phone", "bucket", "assignee", "user", "username",
    "customer",
)  # fmt: skip
_NAMED: Final[dict[str, Kind]] = {
    **dict.fromkeys(_HOSTS, "host"),
    **dict.fromkeys(_REPOSITORIES, "repository"),
    **dict.fromkeys(_PATHS, "path"),
    **dict.fromkeys(_ACCOUNTS, "account"),
}
_LABELS: Final = frozenset(
    {"id", "number", "no", "code", "key", "port", "phone", "zip", "year", "version", "timestamp", "seed"}
)
"""Numbers under these are not more or less of anything."""
_AMOUNTS: Final = frozenset(
    {"amount", "total", "sum", "price", "value", "quantity", "count", "limit", "balance"}
)
"""Digits in quotes under these are a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a value says that something goes."""

    kind: Kind
    text: str
    """As it is compared: what is the same in another spelling is the same text."""
    raw: str
    """As it is written."""
    host: str = ""
    """Of a mail address, a link or a host, in lower case."""


def destinations_of(name: str, value: str | int) -> tuple[Destination, ...]:
    """Those that a value under a member of that name tells; several only in a list of mail addresses."""
    text = str(value).strip()
    named = _named(name)
    if not text or len(text) > VALUE_CHARACTERS_MAX:
        return ()
    if isinstance(value, int):
        return (Destination(kind=named, text=text, raw=text),) if named == "account" else ()
    mails = tuple(islice(_MAIL.finditer(text), ADDRESSES_MAX)) if "@" in text else ()
    if mails and (named == "account" or len(mails[0][0]) == len(text.strip("<>"))):
        return tuple(_mail(found) for found in mails)
    if text[:7].lower() == "mailto:":
        return destinations_of(name, text[7:].partition("?")[0])
    if ":" in text and _LINK.fullmatch(text):
        return (Destination(kind="link", text=text, raw=text, host=_host_of(text)),)
    if ":" in text and (place := _SHELL_PLACE.fullmatch(text)) is not None:
        return (Destination(kind="link", text=text, raw=text, host=place[1].lower()),)
    return _plain(named, text)


def number_in(name: str, value: object) -> float | None:
    """The amount that a value under that name is; None if it is none, or a label in digits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    last = _last_word(name)
    if last in _LABELS or _named(name) == "account":
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e300 else None
    return float(value) if last in _AMOUNTS and _DIGITS.fullmatch(value) else None


class Known:
    """Texts that are known, and which of them another one looks nearly like."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Of very many the first ones count."""
        self._by_look: dict[str, str] = {}
        self._by_half: dict[tuple[int, bool, str], list[str]] = {}
        for text in islice(texts, KNOWN_MAX):
            if len(text) >= NEAR_CHARACTERS_MIN:
                self._by_look.setdefault(skeleton(in_letters(text)), text)
                for half in _halves(text.lower(), len(text)):
                    self._by_half.setdefault(half, []).append(text)

    def near(self, text: str) -> tuple[str, str]:
        """Which one, and how; empty strings: like none."""
        if len(text) < NEAR_CHARACTERS_MIN:
            return "", ""
        if (same := self._by_look.get(skeleton(in_letters(text)))) is not None:
            return same, LOOKS_ALIKE
        folded = text.lower()
        for size in (len(text), len(text) - 1, len(text) + 1):
            for half in _halves(folded, size):
                for other in islice(self._by_half.get(half, ()), ALIKE_MAX):
                    if _is_one_edit(folded, other.lower()):
                        return other, "is one character away from"
        return "", ""


def _halves(text: str, size: int) -> tuple[tuple[int, bool, str], tuple[int, bool, str]]:
    """Wherever one character is changed, one of these stays: of a text of that size after the change."""
    kept = max(1, size // 2 - 1)
    return (size, False, text[:kept]), (size, True, text[-kept:])


def in_letters(text: str) -> str:
    """With the labels of international host names (``xn--``) as a browser would show them."""
    if "xn--" not in text:
        return text
    return re.sub(r"xn--([a-z0-9-]{1,59})", lambda found: _decoded(found[1]) or found[0], text)


def _decoded(label: str) -> str:
    try:
        return label.encode("ascii").decode("punycode")
    except UnicodeError:
        return ""


def _is_one_edit(one: str, other: str) -> bool:
    """Whether one character was added, left out, replaced or exchanged with the next.

    Not among digits: that is how one number follows another.
    """
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1 or short == long:
        return False
    place = next((index for index, char in enumerate(short) if char != long[index]), len(short))
    if len(short) < len(long):
        return short[place:] == long[place + 1 :] and not long[place].isdigit()
    if short[place + 1 :] == long[place + 1 :]:
        return not (short[place].isdigit() and long[place].isdigit())
    ahead, behind = short[place : place + 2], long[place : place + 2]
    return ahead == behind[::-1] and short[place + 2 :] == long[place + 2 :] and not ahead.isdigit()


def _plain(named: Kind | None, text: str) -> tuple[Destination, ...]:
    if _PATH.fullmatch(text):
        return (Destination(kind="path", text=text, raw=text),)
    if _IBAN.fullmatch(text):
        return (Destination(kind="account", text=text.replace(" ", ""), raw=text),)
    if named is None or any(char in "\r\n\t" for char in text) or text.count(" ") > 2:
        # A sentence says where something goes under no name.
        return ()
    if named == "host":
        return (Destination(kind=named, text=text.lower(), raw=text, host=_bare(text)),)
    folded = text.lower() if named == "repository" else text
    return (Destination(kind=named, text=folded, raw=text),)


def _bare(text: str) -> str:
    return text.lower().partition(":")[0] if _HOST.fullmatch(text) else ""


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name[-NAME_CHARACTERS_MAX:])]


@lru_cache(maxsize=4_096)
def _last_word(name: str) -> str:
    words = _words(name)
    return words[-1].removesuffix("s") if words else ""


@lru_cache(maxsize=4_096)
def _named(name: str) -> Kind | None:
    """What a name says, by its last word that says anything: ``targetAccountId`` is an account."""
    words = _words(name)
    while len(words) > 1 and words[-1] in _ASIDE:
        words.pop()
    if not words:
        return None
    return _NAMED.get(words[-1]) or _NAMED.get(words[-1].removesuffix("s"))


def _mail(found: re.Match[str]) -> Destination:
    # Two mailboxes that differ in case only are rarer than one that is written in both ways.
    return Destination(kind="mail", text=found[0].lower(), raw=found[0], host=found[1].lower())


def _host_of(link: str) -> str:
    try:
        # To a browser both slashes are the same.
        return urlsplit(link.replace("\\", "/")).hostname or ""
    except ValueError:
        return ""
