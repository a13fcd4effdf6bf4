"""What the detector finds of published attacks, and how often it is wrong about ordinary texts."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from scanners.detectors.injection import InjectionDetector, read_injection_rules
from scanners.document import document_of
from tests.conftest import SCAN_DATA

pytestmark = pytest.mark.needs("scan-data")

SHIPPED = (Path(__file__).parents[4] / "scanners" / "rules" / "injection.toml").read_text(encoding="utf-8")
DETECTOR = InjectionDetector(read_injection_rules(SHIPPED))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("scan")
    with tarfile.open(SCAN_DATA) as archive:
        archive.extractall(place, filter="data")
    return next(place.rglob("outputs_injected.jsonl")).parent


def rows(data: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (data / name).read_text(encoding="utf-8").splitlines()]


def share_found(values: list[Any]) -> float:
    return sum(bool(DETECTOR.spans(document_of(value), spans_max=1)) for value in values) / len(values)


@pytest.mark.abuse(71)
@pytest.mark.parametrize("attack", ["important_instructions", "ignore_previous"])
def test_published_attacks_in_results_are_found(data: Path, attack: str) -> None:
    texts = [row["text"] for row in rows(data, "outputs_injected.jsonl") if row["attack"] == attack]
    assert len(texts) > 50
    assert share_found(texts) >= 0.95


def test_ordinary_results_are_not_taken_for_attacks(data: Path) -> None:
    assert share_found([row["text"] for row in rows(data, "outputs_benign.jsonl")]) <= 0.01


def test_ordinary_questions_are_not_taken_for_attacks(data: Path) -> None:
    assert share_found([row["text"] for row in rows(data, "prompts_mixed.jsonl") if not row["label"]]) <= 0.01


def test_ordinary_definitions_are_not_taken_for_attacks(data: Path) -> None:
    assert share_found(rows(data, "definitions_benign.jsonl")) <= 0.005
