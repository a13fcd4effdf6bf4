"""Where one HTTP/1.1 request ends and the next begins: the strict reading, before a lenient parser sees it.

Two programs that disagree about this can be made to see different requests. So nothing here is
repaired: one length, one line ending, one form of target (RFC 9112 sections 2 to 6).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.errors import MalformedFrame

HEAD_END = b"\r\n\r\n"

_TARGET = rb"/[!\"$-~]*"  # no fragment
_NAME = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
_HEAD = re.compile(rb"[A-Z]{1,32} %b HTTP/1\.[01]\r\n(?:%b:%b\r\n)*\r\n" % (_TARGET, _NAME, _VALUE))
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|upgrade):([^\r]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,15}")
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")


class Frame(NamedTuple):
    """What the head says about the message around it."""

    body_bytes: int
    upgrade: bool
    """An ``Upgrade`` header without a body: answered as if it were not there, then closed."""


def read_frame(head: bytes) -> Frame:
    """Read a complete head, its empty last line included.

    Raises:
        MalformedFrame: a bare line feed, a folded line, a space before a colon, a target that is not a
            path, a length that is repeated, signed or not a number, a transfer encoding (so no chunks
            and no chunk extensions), or an upgrade with a body.
    """
    if not _HEAD.fullmatch(head):
        raise MalformedFrame("not an HTTP/1.1 request head in its strict form")
    length, upgrade = b"", False
    for name, value in _FRAMING.findall(head):
        kind = name.lower()
        if kind == b"transfer-encoding":
            raise MalformedFrame("Transfer-Encoding is not accepted", next_step="send Content-Length")
        if kind == b"upgrade":
            upgrade = True
        elif length or not _LENGTH.fullmatch(value.strip(b" \t")):
            raise MalformedFrame("Content-Length must be one number")
        else:
            length = value.strip(b" \t")
    body_bytes = int(length or b"0")
    if upgrade and body_bytes:
        raise MalformedFrame("a request with a body cannot ask for an upgrade")
    return Frame(body_bytes, upgrade)


def can_become_head(part: bytes, looked_at: int = 0) -> bool:
    """Whether an incomplete head is still worth waiting for; its first bytes may have been looked at."""
    return not _BARE_LINE_FEED.search(part, looked_at)
