"""The recognisers of presidio-analyzer themselves, each with a right and a wrong number."""

from __future__ import annotations

import warnings

import pytest

from gateway.content.presidio import live_recognizers, predefined, recognizer_forms
from gateway.content.presidio_recognizers import RECOGNIZERS
from scanners.detectors.personal import PersonalDetector
from scanners.document import document_of

NAMES = {
    "pl-pesel": "pesel", "se-personnummer": "personnummer", "kr-rrn": "rrn", "kr-frn": "frn", "es-nif": "dni",
    "es-nie": "nie", "th-tnin": "thai_national_id", "tr-national-id": "tckn", "za-id-number": "identity_number",
    "in-aadhaar": "aadhaar", "ng-nin": "nin", "ca-sin": "sin", "de-id-card": "Ausweisnummer",
    "de-passport": "passportNumber", "de-tax-id": "steuerId", "au-tfn": "tfn", "uk-nhs-number": "nhs_number",
    "au-medicare": "medicare", "de-health-insurance": "kvnr", "de-social-security": "rvnr", "us-npi": "npi",
    "us-dea-number": "dea",
}  # fmt: skip


@pytest.fixture(scope="module")
def forms():
    with warnings.catch_warnings():
        # Its dependencies warn about each other when they are imported.
        warnings.simplefilter("ignore")
        predefined()
        return recognizer_forms()


def test_all_that_are_listed_are_live(forms):
    listed = {row.name for row in RECOGNIZERS}
    assert {state.name for state in live_recognizers() if state.live} == listed
    assert {form.rule for form in forms} == {row.id for row in RECOGNIZERS}


@pytest.mark.parametrize("row", RECOGNIZERS, ids=lambda row: row.id)
def test_a_right_number_is_found_and_a_wrong_one_is_not(forms, row):
    detector = PersonalDetector(recognizers=forms)
    name = NAMES.get(row.id, "value")

    def rules(text: str) -> set[str]:
        return {span.rule for span in detector.spans(document_of({name: text}), spans_max=9)}

    assert row.id in rules(row.example)
    assert row.id not in rules(row.counter_example)
    if row.words:
        spans = detector.spans(document_of({"order": row.example}), spans_max=9)
        assert row.id not in {span.rule for span in spans}


def test_what_we_find_ourselves_is_still_found(forms):
    detector = PersonalDetector(recognizers=forms)
    document = document_of("ana@example.com, 4111 1111 1111 1111, DE89 3704 0044 0532 0130 00")
    assert [span.kind for span in detector.spans(document, spans_max=9)] == ["email", "card", "iban"]
