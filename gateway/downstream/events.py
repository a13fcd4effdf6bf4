"""Server-sent events towards agents: the head of a stream, one message, and nothing to say."""

from __future__ import annotations

STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
PING = b": ping\n\n"


def event(message: bytes) -> bytes:
    """One server-sent event on one data line: line breaks in JSON are white space, never part of a string."""
    if b"\n" in message or b"\r" in message:
        message = message.translate(_ON_ONE_LINE)
    return b"event: message\ndata: " + message + b"\n\n"


_ON_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
