"""What stands around a held call on the sheet: what is unusual, what came before, what the schema says."""

from __future__ import annotations

import re

import pytest

from gateway.cli.approvals.paper import ALARM_STYLE
from gateway.cli.approvals.showing import ALARMING_FACTS, sheet_lines
from gateway.holding.usual import ORDER
from tests.unit.gateway.cli.approvals.screens import model
from tests.unit.gateway.cli.approvals.sheets import sheet

HOSTILE = "\x1b[2J\u202e\u200b\r\n│ x"
TRAIL = {"labels": [], "steps": [], "found": {}, "found_by": [], "problem": ""}
STEP = {
    "call": "c1",
    "at": "2026-09-21T13:59:40.000Z",
    "method": "tools/call",
    "target": "web/fetch",
    "effect": "allow",
    "status": "succeeded",
    "found": {"injection": 2, "email": 1},
}


def lines(value, *, width=120):
    return sheet_lines(model(value), width=width)


def texts(value, **more):
    return [line.plain for line in lines(value, **more)]


def after(value, beginning):
    """The lines of the block that begins like this."""
    found = texts(value)
    start = next(index for index, line in enumerate(found) if line.startswith(beginning))
    rest = found[start + 1 :]
    return rest[: rest.index("")] if "" in rest else rest


def fact(code, pointer="/to", text="It is so."):
    return {"code": code, "pointer": pointer, "text": text}


def test_what_is_unusual_stands_directly_under_the_risk():
    value = sheet(
        unusual=[fact("near_value"), fact("first_value", "/x"), fact("first_call", "")], compared=12
    )
    assert after(value, "Risk: ")[:4] == [
        "    differs from 12 earlier held calls of this tool that ran",
        "  ! /to  It is so.",
        "  unusual     /x  It is so.",
        "  unusual     It is so.",
    ]
    plain = after(sheet(compared=12), "Risk: ")
    assert plain[0].startswith("  why "), "control: nothing is said where nothing is unusual"
    (first, *_) = after(sheet(unusual=[fact("first_value")], compared=1), "Risk: ")
    assert first == "    differs from the one earlier held call of this tool that ran"
    (first, *_) = after(sheet(unusual=[fact("first_call", "")], compared=0), "Risk: ")
    assert first == "  unusual     It is so."


@pytest.mark.parametrize("code", ORDER)
def test_what_nobody_may_miss_is_told_in_the_style_of_an_alarm(code):
    (line,) = [one for one in lines(sheet(unusual=[fact(code)])) if "It is so." in one.plain]
    alarming = any(span.style == ALARM_STYLE for span in line.spans)
    assert alarming == (code in {"near_value", "definition_changed", "larger_number", "first_host"})
    assert set(ORDER) >= ALARMING_FACTS


def test_labels_and_steps_of_the_session_are_told_before_what_happened_to_the_call():
    steps = [STEP, {**STEP, "effect": "deny", "status": "refused", "found": {}}, {**STEP, "status": ""}]
    trail = TRAIL | {"labels": ["secret-seen", "untrusted-content"], "steps": steps}
    block = after(sheet(trail=trail), "What happened so far")
    assert block[0].endswith("  labels secret-seen, untrusted-content")
    assert block[1:4] == [
        "  before      2026-09-21 13:59:40Z  tools/call web/fetch  allow, succeeded  found injection 2, email 1",
        "  before      2026-09-21 13:59:40Z  tools/call web/fetch  deny, refused",
        "  before      2026-09-21 13:59:40Z  tools/call web/fetch  allow, no end is known  found injection 2, email 1",
    ]
    assert block[4].startswith("  1 "), "then the call's own events"
    plain = after(sheet(), "What happened so far")
    assert not any("labels" in line or "before" in line for line in plain)


def test_a_log_that_could_not_be_asked_is_told_of():
    block = after(sheet(trail=TRAIL | {"problem": "it is behind"}), "What happened so far")
    assert "  log         could not be asked: it is behind" in block
    assert not any("could not be asked" in line for line in texts(sheet()))


def test_what_was_found_in_the_arguments_is_told_by_kind_and_rule():
    trail = TRAIL | {"found": {"email": 2, "iban": 1}, "found_by": ["personal.email", "personal.iban"]}
    value = sheet(trail=trail, redactions=[{"pointer": "/x", "kind": "token"}])
    assert after(value, "Found in the arguments") == [
        "  kind        email, 2 times",
        "  kind        iban, 1 time",
        "    by personal.email, personal.iban",
        "  at          /x  token",
    ]
    assert "Found in the arguments" not in texts(sheet())


def test_the_schemas_words_stand_beneath_the_value_that_they_are_about_once():
    arguments = {"amount": 250, "to": [{"mail": "a@x.example"}, {"mail": "b@x.example"}]}
    described = [
        {"pointer": "/amount", "text": "In euros."},
        {"pointer": "/to", "text": "All of them."},
        {"pointer": "/to/0/mail", "text": "Their address."},
    ]
    shown = texts(sheet(arguments, described=described))
    start = next(index for index, line in enumerate(shown) if line.startswith("  /amount"))
    assert shown[start + 1] == "    its server says: In euros."
    mail = next(index for index, line in enumerate(shown) if line.startswith("  /to/0/mail"))
    assert shown[mail + 1 : mail + 3] == [
        "    its server says: /to  All of them.",
        "    its server says: Their address.",
    ]
    assert sum("its server says" in line for line in shown) == 3
    assert not any("its server says" in line for line in texts(sheet(arguments)))


@pytest.mark.abuse(68)
def test_no_word_of_a_server_or_an_agent_acts_on_the_terminal():
    step = STEP | {"target": HOSTILE, "status": HOSTILE, "method": HOSTILE, "found": {HOSTILE: 1}}
    value = sheet(
        unusual=[fact(code, "/" + HOSTILE, HOSTILE) for code in ORDER],
        described=[{"pointer": "/amount", "text": HOSTILE}],
        trail={
            "labels": [HOSTILE],
            "steps": [step],
            "found": {HOSTILE: 1},
            "found_by": [HOSTILE],
            "problem": HOSTILE,
        },
    )
    shown = "\n".join(texts(value))
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e]", shown) is None
    assert shown.count("‹U+202E›") >= len(ORDER) * 2 + 8
