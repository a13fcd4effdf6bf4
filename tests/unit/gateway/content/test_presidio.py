"""Recognisers of another engine: which are used, what keeps them off clean text, and what is said if they are not there."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from gateway.content.presidio import (
    PACKAGE,
    PresidioMissing,
    live_recognizers,
    predefined,
    recognizer_forms,
)
from gateway.content.presidio_recognizers import NO_PERSON, OWN, RECOGNIZERS
from scanners.detectors.personal import PersonalDetector
from scanners.document import document_of
from scanners.markers import KIND_PATTERN
from scanners.pattern_set import PatternSet

BY_ID = {row.id: row for row in RECOGNIZERS}


@dataclass
class Result:
    start: int
    end: int
    score: float


def judging(right: str, asked: list[str], *, lenient: bool = False):
    """A class of recognisers that take one number for right, and any other for possible."""

    class Judge:
        supported_entities = ("NUMBER",)

        def analyze(self, text, entities, nlp_artifacts):
            assert entities is self.supported_entities
            assert nlp_artifacts is None
            asked.append(text)
            score = 1.0 if text == right or lenient else 0.4
            return [Result(0, len(text), score)]

    return Judge


def engine(asked: list[str], *, without: str = "", lenient: str = "") -> SimpleNamespace:
    classes = {
        row.name: judging(row.example, asked, lenient=row.id == lenient)
        for row in RECOGNIZERS
        if row.id != without and row.score_min == 1.0
    }
    return SimpleNamespace(
        **classes, EmailRecognizer=object, AuAbnRecognizer=object, UsPassportRecognizer=object
    )


def found(value, forms) -> list[tuple[str, str, str]]:
    document = document_of(value)
    spans = PersonalDetector(kinds=(), recognizers=forms).spans(document, spans_max=100)
    return [(span.kind, span.rule, document.raw[span.start : span.end].decode()) for span in spans]


def test_a_number_is_found_behind_its_word_and_in_the_member_that_says_what_it_is():
    forms = recognizer_forms({"pl-pesel"}, load=lambda: engine([]))
    number = BY_ID["pl-pesel"].example
    expected = [("national-id", "pl-pesel", number)]
    assert found(f"PESEL: {number}.", forms) == expected
    assert found({"pesel": number}, forms) == expected
    assert found({"pesel_number": [number]}, forms) == expected


def test_and_not_without_the_word_or_with_a_wrong_digit():
    forms = recognizer_forms({"pl-pesel"}, load=lambda: engine([]))
    row = BY_ID["pl-pesel"]
    assert found({"order": row.example}, forms) == []
    assert found({"compesels": row.example}, forms) == []
    assert found({"pesel": row.counter_example}, forms) == []
    assert found({"pesel": f"1{row.example}"}, forms) == []


def test_a_recogniser_sees_single_candidates_and_never_a_text():
    asked: list[str] = []
    forms = recognizer_forms({"pl-pesel"}, load=lambda: engine(asked))
    asked.clear()
    found({"text": "lorem ipsum " * 1_000, "sum": "44051401359"}, forms)
    assert asked == []
    found({"text": "lorem ipsum " * 1_000 + "pesel 44051401359"}, forms)
    assert asked == ["44051401359"]


def test_words_of_other_scripts_may_have_letters_behind_them():
    forms = recognizer_forms({"kr-rrn"}, load=lambda: engine([]))
    number = BY_ID["kr-rrn"].example
    assert found(f"주민등록번호는 {number}", forms) == [("national-id", "kr-rrn", number)]


def test_a_recogniser_that_judges_wrongly_is_not_used():
    def load():
        return engine([], without="fi-hetu", lenient="pl-pesel")

    states = {state.name: state for state in live_recognizers(load=load)}
    assert states["FiPersonalIdentityCodeRecognizer"].reason == "not in this version of presidio-analyzer"
    assert states["PlPeselRecognizer"].reason == "accepts a wrong digit"
    assert states["EsNifRecognizer"].live
    rules = {form.rule for form in recognizer_forms(load=load)}
    assert "es-nif" in rules
    assert not rules & {"fi-hetu", "pl-pesel"}
    with pytest.raises(ValueError, match="pl-pesel: accepts a wrong digit"):
        recognizer_forms({"pl-pesel"}, load=load)
    with pytest.raises(ValueError, match="shoe-size"):
        recognizer_forms({"shoe-size"}, load=load)


def test_every_state_has_a_reason_and_those_that_are_not_used_have_theirs():
    states = {state.name: state for state in live_recognizers(load=lambda: engine([]))}
    assert all(state.reason for state in states.values())
    assert states["EmailRecognizer"].reason == "our own form is used"
    assert states["AuAbnRecognizer"].reason == "numbers of companies, not of people"
    assert "checks no digit" in states["UsPassportRecognizer"].reason
    assert not any(
        states[name].live for name in ("EmailRecognizer", "AuAbnRecognizer", "UsPassportRecognizer")
    )


def test_without_the_package_nothing_is_live_and_asking_for_it_is_an_error():
    def load():
        raise PresidioMissing("presidio-analyzer is not installed")

    states = live_recognizers(load=load)
    assert {state.name for state in states} == {row.name for row in RECOGNIZERS}
    assert not any(state.live for state in states)
    with pytest.raises(PresidioMissing):
        recognizer_forms(load=load)


@pytest.mark.parametrize("row", RECOGNIZERS, ids=lambda row: row.id)
def test_a_row_is_in_order(row):
    assert re.fullmatch(KIND_PATTERN, row.kind)
    assert re.fullmatch(KIND_PATTERN, row.id)
    assert row.example != row.counter_example
    assert PatternSet([row.pattern.encode()]).occurring(row.example.encode()) == [0]
    assert row.name not in OWN | NO_PERSON
    assert len([one for one in RECOGNIZERS if one.id == row.id or one.name == row.name]) == 1


def test_importing_the_bridge_imports_no_part_of_the_package():
    code = "import gateway.content.presidio, scanners.detectors.personal, sys; print([n for n in sys.modules if n.startswith(('presidio', 'spacy'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_package_that_cannot_be_imported_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(PresidioMissing):
        predefined()
