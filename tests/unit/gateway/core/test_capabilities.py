"""What an upstream is told that it may ask: the client's word, cut down to the operator's."""

from __future__ import annotations

import pytest

from gateway.core.capabilities import TASKS_EXTENSION, forwarded_capabilities, lacking, speaks_tasks

CLIENT = {
    "sampling": {"tools": {}, "vendor": 1},
    "elicitation": {"form": {}, "url": {}},
    "roots": {"listChanged": True},
    "experimental": {"x": {}},
    "extensions": {TASKS_EXTENSION: {}, "com.example/other": {}},
}


@pytest.mark.abuse(75)
def test_nothing_is_forwarded_that_was_not_granted():
    told = forwarded_capabilities(CLIENT, frozenset())
    assert told == {"extensions": {TASKS_EXTENSION: {}}}
    told = forwarded_capabilities(CLIENT, frozenset({"elicitation"}))
    assert told.keys() == {"elicitation", "extensions"}
    assert told["elicitation"] == {"form": {}, "url": {}}


@pytest.mark.abuse(75)
def test_nothing_is_forwarded_that_the_client_does_not_have():
    assert forwarded_capabilities({}, frozenset({"sampling", "roots"})) == {}
    assert forwarded_capabilities({"sampling": 5, "roots": []}, frozenset({"sampling", "roots"})) == {}


def test_members_we_do_not_know_are_promised_to_nobody():
    told = forwarded_capabilities(CLIENT, frozenset({"sampling", "roots"}))
    assert told["sampling"] == {"tools": {}}
    assert told["roots"] == {}
    assert "experimental" not in told


@pytest.mark.parametrize(
    ("method", "params", "declared", "missing"),
    [
        ("roots/list", {}, {"roots": {}}, ""),
        ("roots/list", {}, {}, "roots"),
        ("sampling/createMessage", {}, {"sampling": {}}, ""),
        ("sampling/createMessage", {"tools": []}, {"sampling": {}}, "sampling.tools"),
        ("sampling/createMessage", {"tools": []}, {"sampling": {"tools": {}}}, ""),
        ("elicitation/create", {}, {"elicitation": {}}, ""),
        ("elicitation/create", {"mode": "form"}, {"elicitation": {"form": {}}}, ""),
        ("elicitation/create", {"mode": "url"}, {"elicitation": {}}, "elicitation.url"),
        ("elicitation/create", {"mode": "url"}, {"elicitation": {"url": {}}}, ""),
        ("elicitation/create", {}, {"elicitation": {"url": {}}}, "elicitation.form"),
        ("elicitation/create", {"mode": "other"}, {"elicitation": {}}, "elicitation.other"),
        ("elicitation/create", {"mode": 5}, {"elicitation": {}}, "elicitation.5"),
    ],
)
def test_what_a_client_lacks_is_named(method, params, declared, missing):
    assert lacking(method, params, declared) == missing


def test_the_tasks_extension_must_be_declared():
    assert speaks_tasks(CLIENT)
    for other in ({}, {"extensions": {}}, {"extensions": 5}, {"extensions": {TASKS_EXTENSION: True}}):
        assert not speaks_tasks(other)
