"""What is shown of values: the gateway's own credentials and known formats never, and nothing without a scan."""

from __future__ import annotations

import json

import pytest

from gateway.redaction import VIEW_CHARACTERS_MAX, Redaction, redaction_of
from gateway.upstream.settings import UpstreamSettings
from scanners.errors import ScanIncomplete

OWN = "sk-orders-0123456789abcdef"


@pytest.fixture(scope="module")
def redaction():
    return redaction_of([f"Bearer {OWN}"], ["hunter2-hunter2"], b"k" * 32)


@pytest.mark.abuse(114)
@pytest.mark.parametrize("secret", [OWN, "hunter2-hunter2", "ghp_" + "a1B2" * 9])
def test_credentials_and_known_formats_are_hidden_everywhere(redaction, secret):
    value = {"note": f"use {secret} please", "n": 5, secret: [secret]}
    for told in (redaction.view(value), redaction.shown(value)[0]):
        assert secret not in json.dumps(told)
        assert told["n"] == 5
    assert secret not in redaction.text(f"because {secret}")
    assert redaction.shown({"note": "nothing"}) == ({"note": "nothing"}, ())


def test_a_view_is_bounded_whatever_the_value(redaction):
    view = redaction.view({f"k{number}": "x" * 1000 for number in range(1000)})
    text = json.dumps(view, ensure_ascii=False, separators=(",", ":"))
    assert len(text) <= VIEW_CHARACTERS_MAX


def test_without_a_finished_scan_nothing_is_shown():
    class Broken:
        def json_value(self, value):
            raise ScanIncomplete("no memory")

        text = json_value

    broken = Redaction(Broken())
    assert OWN not in json.dumps(broken.view({"a": OWN}))
    shown, found = broken.shown({"a": OWN})
    assert OWN not in json.dumps(shown)
    assert found == (("", "crowded"),), "which nobody can approve"
    assert OWN not in broken.text(OWN)


def test_only_what_is_called_a_secret_is_taken_for_one():
    http = UpstreamSettings(
        url="https://orders.example/mcp", headers={"Authorization": f"Bearer {OWN}", "User-Agent": "toolgate"}
    )
    child = UpstreamSettings(command=("python",), env={"ROOT": "./data", "API_TOKEN": OWN})
    assert list(http.secret_headers()) == [f"Bearer {OWN}"]
    assert list(child.secret_variables()) == [OWN]
