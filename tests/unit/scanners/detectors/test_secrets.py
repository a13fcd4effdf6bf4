"""The detector as a whole: what it promises its caller, and the figures over published data."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.credentials import Credentials
from scanners.detectors.detect_secrets_plugins import KINDS as ENGINE_KINDS
from scanners.detectors.secrets import Secrets
from scanners.document import document_of
from scanners.finding import CREDENTIAL
from scanners.markers import KIND_PATTERN
from scanners.pattern_set import PatternSet
from scanners.spans import united
from tests.conftest import SCAN_DATA
from tests.unit.scanners.detectors.secret_samples import KNOWN, MANY, SECRETS, found, is_triggered, texts
from tests.unit.scanners.samples import ENCODERS, GITHUB, PATIENT, RULES

if TYPE_CHECKING:
    from pathlib import Path

PIECES = st.sampled_from(
    [
        GITHUB,
        "password=",
        "hunter22x",
        "token: ",
        '"secret": "',
        '"',
        "\n",
        " ",
        "%41",
        "\\u0041",
        ENCODERS["base64, padded"](GITHUB),
        ENCODERS["hex"]("some text that is encoded"),
        "é",
        "\ud800",
        "-----BEGIN PRIVATE" + " KEY-----",
        "MIIEvQIBADANBgkqhkiG9w0BAQ",
    ]
)
TEXTS = st.lists(PIECES, max_size=6).map("".join)
VALUES = st.recursive(
    TEXTS | st.none() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["password", "value", "name", "token", "a"]) | TEXTS, inner, max_size=3
        )
    ),
    max_leaves=10,
)


@PATIENT
@given(VALUES)
def test_every_span_lies_in_one_string(value):
    document = document_of(value)
    for span in SECRETS.spans(document, spans_max=MANY):
        assert 0 <= span.start < span.end <= len(document.raw)
        assert document.index_at(span.start) == document.index_at(span.end - 1)
        assert span.end <= document.end_of(document.index_at(span.start))
        assert span.kind in SECRETS.kinds


@PATIENT
@given(VALUES)
def test_whatever_is_found_the_triggers_notice(value):
    document = document_of(value)
    if SECRETS.spans(document, spans_max=MANY):
        assert PatternSet(sum(SECRETS.trigger_groups, ())).occurring(document.raw)


def test_the_keys_of_aws_manuals_are_none():
    key, secret = "AKIA" + "IOSFODNN7", "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCY"
    assert texts(f"aws_access_key_id = {key}EXAMPLE") == []
    assert texts(f"aws_secret_access_key = {secret}EXAMPLEKEY") == []
    assert texts({"SecretAccessKey": f"{secret}EXAMPLEKEY"}) == []
    assert texts(f"aws_access_key_id = {key}EXAMPLF") == [f"{key}EXAMPLF"], "control"
    other = f"{secret}EXAMPLEKEZ"
    assert texts(f"aws_secret_access_key = {other}") == [other], "control"


def test_at_most_as_many_spans_as_asked_for():
    document = document_of([{"password": f"hunter{n}x", "t": f"{GITHUB}{n}"} for n in range(50)])
    assert len(SECRETS.spans(document, spans_max=7)) == 7
    assert len(SECRETS.spans(document, spans_max=MANY)) == 100


def test_a_document_without_strings_has_nothing_in_it():
    assert found([]) == []
    assert found({"a": [1, None, True]}) == []


def test_kinds_are_words_for_markers():
    import re

    assert {CREDENTIAL, "password", "secret-value", "cookie", "github-token"} <= SECRETS.kinds
    assert [kind for kind in SECRETS.kinds if re.fullmatch(KIND_PATTERN, kind) is None] == []
    assert not ENGINE_KINDS & SECRETS.kinds - RULES.kinds


def test_a_known_credential_as_it_stands_is_for_the_caller():
    assert found(f"x {KNOWN} y") == []
    assert [kind for kind, _ in found(ENCODERS["base64, padded"](f"x {KNOWN} y"))] == [CREDENTIAL]


def test_a_manuals_connection_string_stays_and_a_real_one_goes():
    assert found("postgres://user:password@localhost/db and redis://:${REDIS_PASSWORD}@cache") == []
    assert texts("postgres://app:" + "s3cr-t@db.example/orders") == ["s3cr-t"]


# --- figures --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scan-data")
    with tarfile.open(SCAN_DATA) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.rglob("synthetic_tokens.json")).parent


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.needs("scan-data")
def test_modern_formats_are_found(corpus):
    tokens = json.loads((corpus / "synthetic_tokens.json").read_text("utf-8"))
    missed = [name for name, text in tokens.items() if not found(text) or not is_triggered(text)]
    assert len(tokens) == 70
    assert len(missed) <= 2, missed


@pytest.mark.needs("scan-data")
def test_ordinary_definitions_and_outputs_are_left_alone(corpus):
    values = lines(corpus / "definitions_benign.jsonl") + lines(corpus / "outputs_benign.jsonl")
    size = sum(len(json.dumps(value)) for value in values)
    as_values = [find for value in values for find in found(value)]
    as_texts = [find for value in values for find in found(json.dumps(value, indent=1))]
    assert size > 600_000
    assert len(as_values) <= 3 * size / 1e6, as_values
    assert len(as_texts) <= 3 * size / 1e6, as_texts


@pytest.mark.needs("scan-data")
def test_published_examples_are_covered_as_far_as_they_can_be_without_a_list_of_vendors(corpus):
    examples = json.loads((corpus / "secret_formats.json").read_text("utf-8"))["P"]

    def covered(text, places):
        raw = text.encode()
        spans = united(SECRETS.spans(document_of(text), spans_max=MANY))
        return all(
            any(
                span.start <= len(text[:start].encode()) and len(text[:end].encode()) <= span.end
                for span in spans
            )
            for start, end in places
        ) and bool(raw)

    whole = sum(covered(text, places) for _, _, text, places in examples)
    assert whole >= 0.6 * len(examples), f"{whole} of {len(examples)}"


@pytest.mark.needs("scan-data")
@pytest.mark.abuse(66)
def test_modern_formats_are_found_in_encodings(corpus):
    tokens = json.loads((corpus / "synthetic_tokens.json").read_text("utf-8"))
    for encoding in (
        "base64, padded",
        "hex",
        "percent, every byte",
        "JSON, every character",
    ):
        missed = [name for name, text in tokens.items() if not found(f"see {ENCODERS[encoding](text)} there")]
        assert len(missed) <= 2, (encoding, missed)


def test_the_detector_needs_no_credentials():
    assert Secrets(RULES, Credentials([])).spans(document_of({"a": GITHUB}), spans_max=MANY)
