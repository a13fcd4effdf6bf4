"""One pass of triggers, then detectors, then what stands in place of what they found."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.credentials import Credentials
from scanners.pipeline import SPANS_MAX, Pipeline
from scanners.spans import Span

KEY = b"k" * 16
OWN = "correct-horse-battery"


class Words:
    """Finds one word, as whatever it is told to be; counts how often it is asked."""

    def __init__(self, word, family="injection", kind="word", *, triggers=None):
        self.family, self.kinds = family, frozenset({kind})
        self.trigger_groups = ((word.encode(),),) if triggers is None else triggers
        self.word, self.kind, self.asked = word.encode(), kind, 0

    def spans(self, document, *, spans_max):
        self.asked += 1
        return [
            Span(start=one.start(), end=one.end(), kind=self.kind, rule="words", secret=self.word, order=1)
            for one in re.finditer(re.escape(self.word), document.raw)
        ]


def pipeline(*detectors):
    return Pipeline(Credentials([OWN]), detectors, KEY)


def told(analysis):
    return [(one.family, one.kind, analysis.pointer_of(one), analysis.text_of(one)) for one in analysis.found]


def test_a_find_has_a_family_a_kind_and_a_place():
    analysis = pipeline(Words("bad")).analysed({"a": ["so bad", {"x": f"<{OWN}>"}]})
    assert told(analysis) == [("injection", "word", "/a/0", "bad"), ("secret", "credential", "/a/1/x", OWN)]


def test_a_detector_without_its_trigger_is_not_asked():
    bad, worse = Words("bad"), Words("worse")
    always = Words("never-there", triggers=())
    pipeline(bad, worse, always).analysed({"a": "so bad"})
    assert (bad.asked, worse.asked, always.asked) == (1, 0, 1)


def test_names_of_members_are_texts_too():
    analysis = pipeline(Words("bad")).analysed({"bad": 1, "bad-too": {"bad": 2}})
    made = analysis.rewritten(lambda one: "good")
    assert made == {"good": 1, "good-too": {"good": 2}}


def test_only_what_is_named_is_replaced_and_characters_before_it_do_not_move_it():
    analysis = pipeline(Words("bad")).analysed(["ä\U0001f600 bad ß bad", "bad"])
    assert analysis.rewritten(lambda one: "!" if one.leaf == 0 else None) == ["ä\U0001f600 ! ß !", "bad"]
    assert analysis.rewritten(lambda one: None) is analysis.value


def test_of_overlapping_finds_the_longer_one_stands_and_nothing_of_the_shorter_is_left():
    both = pipeline(Words("bad", "personal", "short"), Words("very bad day", "link", "long"))
    analysis = both.analysed("a very bad day, bad")
    made = analysis.rewritten(lambda one: f"<{one.kind}>")
    assert made == "a <long>, <short>"
    crossing = pipeline(Words("abc", "personal", "one"), Words("cde", "link", "two")).analysed("xabcdex")
    assert crossing.rewritten(lambda one: f"<{one.kind}>") == "x<one>x"


@pytest.mark.abuse(67)
def test_hidden_text_goes_first_so_that_nothing_hides_behind_it():
    words = pipeline(Words("bad"))
    analysis = words.analysed({"t": "b\u200ba\U000e0041d and \x1b[31mred\x1b[0m"})
    assert told(analysis) == [("injection", "word", "/t", "bad")]
    assert analysis.rewritten(lambda one: None) == {"t": "bad and red"}
    assert sum(analysis.hidden.values()) >= 3
    assert words.analysed({"t": "b a d, größer, שלום"}).hidden == {}, "control: ordinary text hides nothing"


@pytest.mark.abuse(67)
def test_what_only_lays_a_text_out_is_looked_through_and_stays_unless_the_text_changes():
    words = pipeline(Words("badger"))
    analysis = words.analysed(
        {"\ufeffname": "\ufeffLiefer\u00adkette", "t": "so bad\u00adger", "u": "a\u200bb"}
    )
    assert told(analysis) == [("injection", "word", "/t", "badger")]
    assert analysis.hidden == {"zero-width": 1}
    kept = {"\ufeffname": "\ufeffLiefer\u00adkette"}
    assert analysis.rewritten(lambda one: "!") == {**kept, "t": "so !", "u": "ab"}
    assert analysis.rewritten(lambda one: None) == {**kept, "t": "so bad\u00adger", "u": "ab"}
    plain = words.analysed({"t": "Liefer\u00adkette"})
    assert plain.rewritten(lambda one: "!") is plain.value


@pytest.mark.abuse(67)
def test_the_character_between_texts_cannot_cut_a_word_in_two():
    analysis = pipeline(Words("bad")).analysed(["b\x1ead", "fine"])
    assert told(analysis) == [("injection", "word", "/0", "bad")]


def test_what_is_set_apart_is_neither_looked_at_nor_changed():
    value = {"state": "bad \u200b", "text": "bad"}
    analysis = pipeline(Words("bad")).analysed(value, apart={(None, "state")}.__contains__)
    assert analysis.rewritten(lambda one: "good") == {"state": "bad \u200b", "text": "good"}


def test_finds_among_letters_of_any_script_lie_where_they_are_seen():
    text = "é bad 密码 bad \U0001f600 bad"
    analysis = pipeline(Words("bad")).analysed(["bad", text, "bad é"])
    assert [analysis.text_of(one) for one in analysis.found] == ["bad"] * 5
    assert analysis.rewritten(lambda one: "!") == ["!", text.replace("bad", "!"), "! é"]


def test_a_number_can_be_personal_or_a_credential_but_no_secret_that_is_only_guessed():
    words = [Words("4111", "personal", "card"), Words("1234", "secret", "password")]
    numbers = Pipeline(Credentials(["998877665544"]), words, KEY)
    analysis = numbers.analysed({"card": 4111, "pin": 1234, "key": 998877665544, "text": "1234"})
    assert analysis.rewritten(lambda one: one.kind) == {
        "card": "card",
        "pin": 1234,
        "key": "credential",
        "text": "password",
    }


def test_the_same_thing_has_the_same_digest_and_only_with_the_key():
    words = [Words("bad"), Words("worse")]
    found = Pipeline(Credentials([]), words, KEY).analysed(["bad", "worse", "bad"]).found
    other = Pipeline(Credentials([]), words, b"l" * 16).analysed(["bad"]).found
    assert found[0].digest == found[2].digest != found[1].digest
    assert other[0].digest != found[0].digest


def test_with_more_finds_than_are_looked_for_the_family_is_crowded():
    words = pipeline(Words("b"), Words("rare", family="personal"))
    whole = words.analysed(["b"] * SPANS_MAX + ["rare"])
    assert (len(whole.found), whole.crowded) == (SPANS_MAX + 1, frozenset())
    more = words.analysed(["b"] * (SPANS_MAX + 1) + ["rare"])
    assert (len(more.found), more.crowded) == (SPANS_MAX + 1, {"injection"})


@pytest.mark.parametrize(
    ("raw", "nothing"),
    [
        (b'{"a":"fine","b":[1,2.50,null]}', True),
        (b'{"a":"two\\nlines \\"quoted\\" \\/ \\t c:\\\\new"}', True),
        (b'{"a":"so bad"}', False),
        (b'{"a":"so b\\"ad"}', True),
        (b'{"a":"\\u0062ad"}', False),
        (b'{"a":"\\bad"}', False),
        ('{"a":"ü"}'.encode(), False),
        (b'{"bad":1}', False),
        (b'{"a":"over\\rwritten"}', False),
        (b'{"a":"one\\r\\ntwo"}', True),
        (f'{{"a":"{OWN}"}}'.encode(), False),
    ],
)
def test_what_is_certain_without_reading_the_json(raw, nothing):
    assert pipeline(Words("bad")).nothing_in(raw) is nothing


TEXTS = st.text(st.sampled_from('bad\\"/\n\t\r nu0062'), max_size=12)


@given(
    st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))
)
def test_certainty_without_reading_is_never_wrong(value):
    words = pipeline(Words("bad"), Words('a"b'), Words("d\nb"), Words("b\\a"))
    for separators in ((",", ":"), (", ", ": ")):
        raw = json.dumps(value, separators=separators).encode()
        if words.nothing_in(raw):
            assert words.analysed(value).found == ()


def test_a_key_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="16 bytes"):
        Pipeline(Credentials([]), (), b"short")


def test_each_group_of_triggers_asks_its_detector():
    two = Words("hunter2", triggers=((b"first",), (b"second",)))
    other = Words("hunter2", triggers=((b"third",),))
    made = pipeline(two, other)
    for text, asked in (
        ("second hunter2", (1, 0)),
        ("first second", (2, 0)),
        ("third", (2, 1)),
        ("", (2, 1)),
    ):
        made.analysed({"a": text})
        assert (two.asked, other.asked) == asked, text
