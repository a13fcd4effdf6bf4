"""Whether bytes in base64 are what their block says they are, told by their beginning.

A block that says ``image/png`` and holds a page is shown as a page by some hosts. puremagic knows the types.
"""

from __future__ import annotations

import binascii
import re
from types import MappingProxyType
from typing import Final

import puremagic

PROBED_BYTES: Final = 4096
"""From the beginning; the signatures of pictures and sounds lie there."""

UNSIGNED_AUDIO: Final = frozenset({"audio/pcm", "audio/l16", "audio/l24", "audio/raw", "audio/basic"})
"""Samples without a head: any bytes can be that."""

_MAY_BE: Final = MappingProxyType(
    {"audio": ("audio/", "video/", "application/ogg"), "image": ("image/",)},
)
"""By what a block says, what its first bytes may be. Sounds travel in the containers of films."""

_ACTIVE: Final = (b"<script", b"<html", b"<!doctype html", b"<iframe", b"<svg", b"<?php", b"<foreignobject")
"""Beginnings of what runs in a browser or a server; in lower case. No picture has them by chance."""

_TYPE: Final = re.compile(r"[a-z]{1,12}/[a-z0-9.+-]{1,32}")
_TEXT_ENDS: Final = ("+xml", "+json", "/json", "/xml", "/javascript", "/yaml", "/x-yaml", "/toml", "/sql")


def opened(base64: str) -> bytes | None:
    """The bytes; None if it is no base64 (RFC 4648, padded; line breaks are none of it)."""
    try:
        data = binascii.a2b_base64(base64, strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    # Too much padding passes the strict mode.
    return data if len(base64) == -(-len(data) // 3) * 4 else None


def closed(data: bytes) -> str:
    """As it stands in a block."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def why_no_medium(mime_type: object, data: bytes | None, *, wanted: str = "") -> str:
    """Why the bytes are not what is said of them; empty if they are, or if nothing is known of that type.

    Args:
        mime_type: as the block says.
        data: what `opened` gave.
        wanted: ``image`` or ``audio`` where the block is one; empty for a blob, which may be anything.
    """
    if data is None:
        return "it is no base64"
    said = mime_type.lower().partition(";")[0].strip() if isinstance(mime_type, str) else wanted
    family = said.partition("/")[0]
    # Only words of a fixed form are repeated: whoever chose them may mean them for the model.
    shown = said if _TYPE.fullmatch(said) else "something else"
    if wanted and family != wanted:
        return f"it is said to be {shown}"
    if family not in _MAY_BE or said in UNSIGNED_AUDIO or is_text_type(said):
        return "it is a program, no picture" if wanted and is_text_type(said) else ""
    if any(mark in data.lower() for mark in _ACTIVE):
        return f"it is said to be {shown}, and holds what a browser runs"
    found = types_of(data)
    if any(one.startswith(_MAY_BE[family]) and not is_text_type(one) for one in found):
        return ""
    return f"it is said to be {shown}, and is {found[0] if found else 'nothing known'}"


def types_of(data: bytes) -> list[str]:
    """What the first bytes say, the surest first; empty if they say nothing."""
    try:
        matches = puremagic.magic_string(data[:PROBED_BYTES])
    except (puremagic.PureError, ValueError):
        return []
    return [match.mime_type for match in matches if match.mime_type]


def is_text_type(mime_type: str) -> bool:
    """Whether bytes of that type are read as text."""
    return mime_type.startswith("text/") or mime_type.endswith(_TEXT_ENDS)
