"""Server-sent events come out the same however their bytes were cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedMessage
from gateway.upstream.sse import Event, SseParser


def parse(*chunks, bytes_max=1000):
    parser = SseParser(event_bytes_max=bytes_max)
    return [event for chunk in chunks for event in parser.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [Event(data=b"a")]),
        (b"data:a\n\n", [Event(data=b"a")]),
        (b"data:  a\n\n", [Event(data=b" a")]),
        (b"data: a\r\n\r\ndata: b\r\r", [Event(data=b"a"), Event(data=b"b")]),
        (b"data: a\ndata: b\n\n", [Event(data=b"a\nb")]),
        (b"data\n\n", [Event(data=b"")]),
        (b": comment\n\n: another\ndata: a\n\n", [Event(data=b"a")]),
        (b"event: ping\ndata: a\n\ndata: b\n\n", [Event(data=b"a", name="ping"), Event(data=b"b")]),
        (b"id: 1\ndata: a\n\ndata: b\n\n", [Event(data=b"a", last_id="1"), Event(data=b"b", last_id="1")]),
        (b"id: 1\x002\ndata: a\n\n", [Event(data=b"a")]),
        (b"unknown: x\ndata: a\n\n", [Event(data=b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Event(data=b"a")]),
        (b"event: lost\n\ndata: a\n\n", [Event(data=b"a")]),
        (b"data: never finished\n", []),
        (b'data: {"a":"\xc3\xa9\xe2\x80\xa8"}\n\n', [Event(data='{"a":"é\u2028"}'.encode())]),
    ],
)
def test_streams_are_read_as_the_standard_says(stream, events):
    assert parse(stream) == events
    assert parse(*(stream[n : n + 1] for n in range(len(stream)))) == events


@given(
    lines=st.lists(
        st.sampled_from([b"data: x", b"data: yy", b"", b": c", b"id: 7", b"event: e", b"data"]), max_size=12
    ),
    ends=st.lists(st.sampled_from([b"\n", b"\r", b"\r\n"]), min_size=12, max_size=12),
    cuts=st.lists(st.integers(0, 80), max_size=6),
)
def test_where_the_bytes_are_cut_changes_nothing(lines, ends, cuts):
    stream = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    edges = [0, *sorted(cuts), len(stream)]
    chunks = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert parse(*chunks) == parse(stream)


@pytest.mark.parametrize(
    "stream", [b"data: " + b"x" * 200, b"data: x\n" * 50, b"x" * 200, b"event: " + b"x" * 200 + b"\n"]
)
def test_an_event_beyond_the_bound_is_refused_however_it_comes(stream):
    with pytest.raises(MalformedMessage, match="larger than 100 bytes"):
        parse(stream, bytes_max=100)
    with pytest.raises(MalformedMessage, match="larger than 100 bytes"):
        parse(*(stream[n : n + 1] for n in range(len(stream))), bytes_max=100)


def test_the_bound_is_per_event_and_comments_between_events_cost_nothing():
    assert len(parse(b"data: x\n\n" * 500, bytes_max=100)) == 500
    assert parse(b": ping\n\n" * 500 + b"data: a\n\n", bytes_max=100) == [Event(data=b"a")]
    assert parse(b": ping\n" * 500 + b"data: a\n\n", bytes_max=100) == [Event(data=b"a")]


@pytest.mark.parametrize(
    ("value", "seconds"), [(b"1500", 1.5), (b"x", None), (b"-1", None), (b"9" * 30, None)]
)
def test_the_pause_a_server_asks_for_is_kept(value, seconds):
    parser = SseParser(event_bytes_max=1000)
    parser.feed(b"retry: " + value + b"\n\n")
    assert parser.retry_s == seconds
