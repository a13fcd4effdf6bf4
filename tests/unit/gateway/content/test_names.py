"""Names and addresses by a model: a small one that is made here, loaded as any other is."""

from __future__ import annotations

import dataclasses
import json

import pytest
import spacy

from gateway.content.engines import built, parts_of
from gateway.content.look import Job
from gateway.content.names import LEAF_CHARACTERS_MAX, NamesMissing, names_detector
from gateway.content.settings import ContentSettings
from gateway.content.workers import ScanWorkers
from gateway.core.obligations import Treatment
from scanners.document import document_of

NAMES = [("PERSON", "Maria Schmidt"), ("PERSON", "山田太郎"), ("GPE", "Berlin"), ("ORG", "Acme")]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    made = spacy.blank("xx")
    made.add_pipe("entity_ruler").add_patterns([{"label": label, "pattern": name} for label, name in NAMES])
    made.to_disk(folder)
    return str(folder)


def found(detector, value):
    document = document_of(value, numbers=True)
    spans = detector.spans(document, spans_max=100)
    return [(one.kind, document.raw[one.start : one.end].decode()) for one in spans]


def test_people_and_places_are_found_where_they_stand(model):
    detector = names_detector(model)
    value = {
        "Maria Schmidt": 1,
        "a": ["grün: Maria Schmidt, Berlin", "no name here"],
        "b": "by 山田太郎 of Acme",
    }
    assert found(detector, value) == [
        ("person", "Maria Schmidt"),
        ("address", "Berlin"),
        ("person", "山田太郎"),
    ]
    assert {kind for kind, _ in found(detector, value)} <= detector.kinds
    assert found(detector, {"a": "x " * LEAF_CHARACTERS_MAX + "Berlin"}) == [("address", "Berlin")]
    assert len(detector.spans(document_of(["Berlin"] * 9), spans_max=3)) == 3


def test_a_model_that_cannot_be_used_is_refused(tmp_path, model):
    assert names_detector(model)
    with pytest.raises(NamesMissing, match="cannot be loaded"):
        names_detector("no-such-model")
    spacy.blank("en").to_disk(tmp_path / "empty")
    with pytest.raises(NamesMissing, match="finds no entities"):
        names_detector(str(tmp_path / "empty"))


async def test_names_are_redacted_where_policy_says_personal(model):
    parts = dataclasses.replace(parts_of((), b"k" * 32), names_model=model)
    assert "person" in built(parts).kinds
    workers = ScanWorkers(parts, ContentSettings(deadline_s=30, worker_bytes_max=4 << 30))
    raw = json.dumps({"content": [{"type": "text", "text": "Ask Maria Schmidt of Acme in Berlin"}]}).encode()
    try:
        new, seen, problem, _ = await workers.answer(
            Job(raw=raw, treatment=Treatment(redact=frozenset({"personal"}))), whose=()
        )
        assert (problem, seen.counts) == ("", {"person": 1, "address": 1})
        text = json.loads(new)["content"][0]["text"]
        assert text.startswith("Ask [REDACTED:person:")
        assert " of Acme in [REDACTED:address:" in text
        untouched, *_ = await workers.answer(Job(raw=raw), whose=())
        assert untouched is None, "control: found, and left where policy asks for nothing"
    finally:
        await workers.aclose()
