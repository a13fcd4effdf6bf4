"""One reading of where a request ends."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.framing import Frame, can_become_head, read_frame
from gateway.errors import MalformedFrame


def head(*lines, request=b"POST /mcp HTTP/1.1"):
    return b"\r\n".join((request, b"Host: h", *lines, b"", b""))


def test_a_plain_head_is_read():
    assert read_frame(head(b"Content-Length: 12", b"X-Y: a b\t\xe9")) == Frame(12, upgrade=False)
    assert read_frame(head(request=b"GET /s/orders/mcp?a=b HTTP/1.0")) == Frame(0, upgrade=False)
    assert read_frame(head(b"content-length:  7 \t")) == Frame(7, upgrade=False)
    assert read_frame(head(b"Connection: Upgrade", b"Upgrade: websocket")) == Frame(0, upgrade=True)


@pytest.mark.abuse(6)
@pytest.mark.parametrize(
    "broken",
    [
        head(b"Content-Length: 2", b"Transfer-Encoding: chunked"),
        head(b"Transfer-Encoding: chunked"),
        head(b"transfer-encoding:identity"),
        head(b"Content-Length: 2", b"Content-Length: 2"),
        head(b"Content-Length: 2, 2"),
        head(b"Content-Length: +2"),
        head(b"Content-Length: -2"),
        head(b"Content-Length: 0x2"),
        head(b"Content-Length: 2_0"),
        head(b"Content-Length:"),
        head(b"Content-Length: " + b"9" * 16),
        head(b"Content-Length : 2"),
        head(b" Content-Length: 2"),
        head(b"X: a", b" b"),
        head(b"X: a", b"\tb"),
        head(b"X: a\nContent-Length: 2"),
        head(b"X: a\rb"),
        head(b"X: a\0b"),
        head(b"X"),
        head(b": a"),
        head(b"Upgrade: h2c", b"Content-Length: 2"),
        head(request=b"POST http://h/mcp HTTP/1.1"),
        head(request=b"POST /mcp#x HTTP/1.1"),
        head(request=b"POST /mcp"),
        head(request=b"POST /m cp HTTP/1.1"),
        head(request=b"POST  /mcp HTTP/1.1"),
        head(request=b"POST /mcp HTTP/2.0"),
        head(request=b"post /mcp HTTP/1.1"),
        head(request=b"POST /m\xc3\xa9 HTTP/1.1"),
        head(request=b"OPTIONS * HTTP/1.1"),
        b"\r\n" + head(),
        b"PRI * HTTP/2.0\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_a_head_that_others_could_delimit_differently_is_refused(broken):
    with pytest.raises(MalformedFrame):
        read_frame(broken)


@pytest.mark.abuse(6)
def test_a_bare_line_feed_never_becomes_a_head():
    assert not can_become_head(b"POST /mcp HTTP/1.1\nHost")
    assert can_become_head(b"POST /mcp HTTP/1.1\r\nHost: h\r")
    assert can_become_head(b"")
    assert can_become_head(b"POST /\r\nHost", looked_at=7)
    assert not can_become_head(b"POST /x\nHost", looked_at=7)


@given(st.lists(st.tuples(st.integers(0, 80), st.sampled_from(b"\r\n: \t+;0\0x")), max_size=3))
def test_an_accepted_head_has_one_length_and_no_line_break_of_another_kind(edits):
    text = bytearray(head(b"Content-Length: 12", b"X: y"))
    for at, byte in edits:
        text[at % len(text)] = byte
    try:
        frame = read_frame(bytes(text))
    except MalformedFrame:
        return
    lines = bytes(text).split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    lengths = [line for line in lines if line.lower().startswith(b"content-length:")]
    assert len(lengths) <= 1
    assert frame.body_bytes == (int(lengths[0][15:]) if lengths else 0)


@pytest.mark.abuse(8)
@pytest.mark.parametrize(
    "line",
    [
        b"Upgrade: x" + b" " * 30_000 + b"y",
        b"Content-Length:" + b" \t" * 15_000 + b"x",
        b"Content-Length: " + b"1 " * 15_000,
        b"X:" + b":" * 30_000,
        b"X" * 30_000,
        b"\r\n".join([b"Upgrade: a"] * 2_000),
    ],
)
def test_no_head_takes_long_to_read(line):
    started = time.process_time()
    for shape in (head(line), head(line) + b"\x01", head(line).replace(b"\r\n\r\n", b"\x01\r\n\r\n")):
        with contextlib.suppress(MalformedFrame):
            read_frame(shape)
    assert time.process_time() - started < 0.5
