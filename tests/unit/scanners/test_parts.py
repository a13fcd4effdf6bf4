"""The parts under a view: patterns in one pass, spans that overlap."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners import pattern_set
from scanners.errors import RulesRejected, ScanIncomplete
from scanners.pattern_set import PatternSet
from scanners.spans import Span, in_characters, united
from tests.unit.scanners.samples import GITHUB, PATIENT, redactor

SPANS = st.builds(
    lambda start, length, order: Span(
        start=start, end=start + length, kind="k", rule="r", secret=bytes([order]), order=order
    ),
    st.integers(0, 60),
    st.integers(1, 20),
    st.integers(0, 3),
)


def test_a_set_tells_which_patterns_occur():
    patterns = PatternSet([b"abc", b"[0-9]{3}", b"zzz"])
    assert patterns.occurring(b"--123--abc") == [0, 1]
    assert patterns.occurring(b"") == []


def test_a_text_that_ends_like_the_sets_own_end_is_nothing_special():
    assert PatternSet([b"abc"]).occurring(pattern_set._LAST + b"abc") == [0]
    assert PatternSet([b"abc"]).occurring(pattern_set._LAST) == []


class GaveUp:
    """Answers as google-re2 does when it is out of memory."""

    def Match(self, text):  # noqa: N802 - google-re2's name
        return None


def test_an_engine_that_gave_up_is_not_taken_for_a_clean_text():
    patterns = PatternSet([b"abc"])
    assert patterns.occurring(b"clean") == []
    patterns._set = GaveUp()
    with pytest.raises(ScanIncomplete):
        patterns.occurring(b"clean")


def test_a_text_that_was_not_read_has_no_view():
    ours = redactor()
    assert ours.text("clean").text == "clean"
    ours._rules._set, standing = PatternSet([b"abc"]), ours._rules._set
    ours._rules._set._set = GaveUp()
    try:
        with pytest.raises(ScanIncomplete):
            ours.text(GITHUB)
        with pytest.raises(ScanIncomplete):
            ours.json_value({"a": GITHUB})
    finally:
        ours._rules._set = standing


def test_a_set_that_is_too_large_for_its_memory_is_refused_when_it_is_made(monkeypatch):
    patterns = [str(number).encode() + b"(?:ab|a?b?c)" * 60 for number in range(200)]
    assert PatternSet(patterns).occurring(b"7" + b"ab" * 60) == [7]
    monkeypatch.setattr(pattern_set, "SET_MEMORY_BYTES_MAX", 1 << 20)
    with pytest.raises(RulesRejected):
        PatternSet(patterns)


@PATIENT
@given(st.lists(SPANS, max_size=12))
def test_united_spans_cover_the_same_and_do_not_overlap(spans):
    result = united(spans)
    covered = {place for span in spans for place in range(span.start, span.end)}
    assert {place for span in result for place in range(span.start, span.end)} == covered
    assert all(one.end <= other.start for one, other in pairwise(result))


@PATIENT
@given(st.lists(SPANS, min_size=1, max_size=12))
def test_the_known_name_the_others(spans):
    for whole in united(spans):
        inside = [span for span in spans if whole.start <= span.start and span.end <= whole.end]
        assert whole.order == min(inside, key=lambda span: span.precedence).order


def test_pieces_of_one_secret_that_touch_are_one_and_of_two_are_two():
    def piece(start, end, secret):
        return Span(start=start, end=end, kind="k", rule="r", secret=secret, order=0)

    assert len(united([piece(0, 4, b"a"), piece(4, 8, b"a")])) == 1
    assert len(united([piece(0, 4, b"a"), piece(4, 8, b"b")])) == 2


@PATIENT
@given(st.text(max_size=30), st.data())
def test_places_in_bytes_become_places_in_characters(text, data):
    raw = text.encode("utf-8", "surrogatepass")
    start = data.draw(st.integers(0, max(len(raw) - 1, 0)))
    end = data.draw(st.integers(start + 1, len(raw) + 1))
    if end > len(raw):
        return
    [span] = in_characters([Span(start=start, end=end, kind="k", rule="r", secret=b"", order=0)], raw)
    before = text[: span.start].encode("utf-8", "surrogatepass")
    covered = text[: span.end].encode("utf-8", "surrogatepass")
    assert len(before) <= start
    assert len(covered) >= end
    assert len(before) + len(text[span.start].encode("utf-8", "surrogatepass")) > start
    assert len(text[: span.end - 1].encode("utf-8", "surrogatepass")) < end
