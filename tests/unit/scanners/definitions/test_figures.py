"""Published poisonings are found, real tools are left alone: measured on definitions that no rule was copied from."""

from __future__ import annotations

import json
import tarfile
import time
from collections import defaultdict

import pytest

from tests.conftest import SCAN_DATA
from tests.unit.scanners.definitions.kit import SCANNER, quarantined, tool

pytestmark = pytest.mark.needs("scan-data")

RECALL_MIN = 0.95
FALSE_SHARE_MAX = 0.005
TOOL_S_MAX = 0.003
"""Ten times what we hold ourselves to, so that a busy machine fails nobody's build; the figure is printed."""

NOT_OF_THE_WIRE = ("src", "label", "cat", "kind")


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan-data")
    with tarfile.open(SCAN_DATA) as archive:
        archive.extractall(folder, filter="data")

    def read(name):
        [path] = folder.rglob(name)
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    return read


@pytest.mark.abuse(39)
def test_published_poisonings_are_found(lines):
    poisoned = lines("definitions_poisoned.jsonl")
    missed = [one["name"] for one in poisoned if not quarantined(tool(one["text"], name=one["name"]))]
    print(f"definitions: {len(poisoned) - len(missed)} of {len(poisoned)} published poisonings")
    assert len(poisoned) >= 5
    assert 1 - len(missed) / len(poisoned) >= RECALL_MIN, missed


def test_real_tools_are_left_alone(lines):
    servers = defaultdict(list)
    for one in lines("definitions_benign.jsonl"):
        servers[one["src"]].append({key: value for key, value in one.items() if key not in NOT_OF_THE_WIRE})
    names = {server: {one["name"] for one in tools} for server, tools in servers.items()}
    every = frozenset().union(*names.values())
    false, looked_at, took_s = [], 0, 0.0
    for server, tools in servers.items():
        others = every - names[server]
        began_s = time.process_time()
        for one in tools:
            findings = SCANNER.scan("tool", one["name"], one, others=others)
            if any(finding.severity == "quarantine" for finding in findings):
                false.append((server, one["name"], [finding.rule for finding in findings]))
        took_s += time.process_time() - began_s
        looked_at += len(tools)
    print(f"definitions: {len(false)} of {looked_at} real tools, {took_s / looked_at * 1e6:.0f} us per tool")
    assert looked_at > 500
    assert len(false) / looked_at <= FALSE_SHARE_MAX, false
    assert took_s / looked_at < TOOL_S_MAX
