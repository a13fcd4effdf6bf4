"""What an address in a link can do by itself: run as a program, or carry somebody's data to a host. Pure."""

from __future__ import annotations

import html
import re
from typing import Final

ADDRESS_CHARACTERS_MAX: Final = 8_192
"""More of an address is not looked at; what is that long carries data."""
VALUE_CHARACTERS_MIN: Final = 20
"""From here on a value in an address can carry something."""
SEGMENT_CHARACTERS_MIN: Final = 48
LABEL_CHARACTERS_MIN: Final = 32

_RASTER: Final = ("data:image/png", "data:image/jpeg", "data:image/jpg", "data:image/gif", "data:image/webp")
_PROGRAMS: Final = ("javascript", "vbscript", "livescript", "data")
_TELLING_NAMES: Final = frozenset({
    "data", "secret", "secrets", "token", "password", "exfil", "conversation", "history", "summary", "dump",
    "payload", "leak", "prompt", "cookie", "cookies", "creds", "credentials", "content", "stolen", "chat",
    "messages",
})  # fmt: skip
_UUID_OR_DIGEST: Final = frozenset("0123456789abcdefABCDEF-._")
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")


def address_of(raw: bytes, *, markdown: bool = False) -> str:
    """The address as a browser reads it: references resolved, white space and controls dropped.

    Args:
        raw: as it stands in the text.
        markdown: it stands in Markdown, where a backslash is no part of it before punctuation.
    """
    text = raw[: ADDRESS_CHARACTERS_MAX + 1].decode("utf-8", "replace")
    if markdown and "\\" in text:
        text = _ESCAPED.sub(r"\1", text)
    if "&" in text:
        text = html.unescape(text)
    return "".join(char for char in text if char > " " and char != "\x7f")


def program_of(address: str) -> str:
    """The scheme of an address that is a program or a page itself; pictures as data are neither."""
    scheme, colon, _ = address[:16].lower().partition(":")
    if not colon or scheme not in _PROGRAMS:
        return ""
    return "" if address[:16].lower().startswith(_RASTER) else scheme


def host_of(address: str) -> str:
    """The host, with whatever stands beside it before the path."""
    rest = address.replace("\\", "/")
    start = rest.find("//")
    return rest[start + 2 :].partition("/")[0].partition("?")[0].partition("#")[0] if start >= 0 else ""


def is_elsewhere(address: str) -> bool:
    """Whether it leads to a host at all."""
    return (
        address.replace("\\", "/")
        .lower()
        .startswith(("http://", "https://", "//", "http:/", "https:/", "ftp:", "file:/"))
    )


def carries(address: str) -> bool:
    """Whether a plain address of another host can hold somebody's data, or a place for it."""
    if not is_elsewhere(address):
        return False
    if len(address) > ADDRESS_CHARACTERS_MAX:
        return True
    host = host_of(address)
    if "@" in host or any(len(label) >= LABEL_CHARACTERS_MIN for label in host.split(".")):
        return True
    rest = address.partition("//")[2].partition("/")[2] if "?" not in host else address
    lower = address.lower()
    if any(char in rest for char in "{}<>[]$`") or any(code in lower for code in ("%7b", "%5b", "%3c")):
        return True
    path, _, query = address.partition("?")
    path, _, fragment = path.partition("#")
    segments = path.partition("//")[2].split("/")[1:]
    return any(map(_is_long, segments)) or any(
        map(_tells, f"{query}&{fragment}".replace(";", "&").split("&"))
    )


def _is_long(segment: str) -> bool:
    return len(segment) >= SEGMENT_CHARACTERS_MIN and not (
        len(segment) <= 2 * SEGMENT_CHARACTERS_MIN
        and _UUID_OR_DIGEST.issuperset(segment.rpartition(".")[0] or segment)
    )


def _tells(parameter: str) -> bool:
    name, equals, value = parameter.partition("=")
    if not equals:
        return len(name) >= VALUE_CHARACTERS_MIN
    return value == "" or len(value) >= VALUE_CHARACTERS_MIN or name.lower() in _TELLING_NAMES
