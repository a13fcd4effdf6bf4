"""Lines come out whole, bounded, however their bytes were cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.lines import LineAssembler, Overlong


def assemble(*chunks, bytes_max=10):
    assembler = LineAssembler(line_bytes_max=bytes_max)
    return [line for chunk in chunks for line in assembler.feed(chunk)]


def test_lines_are_taken_at_newlines_and_blank_ones_left_out():
    assert assemble(b"a\nb\r\n\n  \nc") == [b"a", b"b"]


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_where_the_bytes_are_cut_changes_no_line(stream, cuts):
    stream = stream.replace(b"\0", b"\n")
    edges = [0, *sorted(cuts), len(stream)]
    chunks = [stream[start:end] for start, end in itertools.pairwise(edges)]
    whole = [line for line in assemble(stream) if isinstance(line, bytes)]
    assert [line for line in assemble(*chunks) if isinstance(line, bytes)] == whole


def test_a_line_beyond_the_bound_is_reported_once_and_the_next_one_is_whole():
    lines = assemble(b"x" * 8, b"x" * 8, b"x" * 8, b"\nok\n")
    assert lines == [Overlong(b"x" * 16), b"ok"]
    assert assemble(b"x" * 10 + b"\n") == [b"x" * 10]


def test_what_is_thrown_away_is_counted_until_the_line_ends():
    assembler = LineAssembler(line_bytes_max=10)
    assembler.feed(b"x" * 11)
    assembler.feed(b"x" * 100)
    assert assembler.skipped_bytes == 100
    assembler.feed(b"\n")
    assert assembler.skipped_bytes == 0
