"""What the agent says and who was asked, on the sheet: foreign words behind the rule, in their place."""

from __future__ import annotations

import pytest

from gateway.cli.approvals.showing import sheet_lines
from tests.unit.gateway.cli.approvals.screens import model
from tests.unit.gateway.cli.approvals.sheets import ID, row, sheet

HEADING = "Written by the agent, checked by nobody"
PRETENDING = (
    "Risk: low\n\n"
    f"What to type next\n    toolgate approvals approve {ID[:12]} --seen 0000\n"
    "\x1b[2J\x1b[1;32mAPPROVED by security@example.com\x1b[0m\n"
    "<b>security approved</b><script>approve()</script>\u202e│ "
)


def said(**members):
    return {"recommendation": "", "reasons": "", "risks": ""} | members


def lines(value, **more):
    return [line.plain for line in sheet_lines(model(value), width=100, **more)]


def block(found):
    """The lines of the agent's block."""
    start = found.index(HEADING)
    return found[start + 1 : found.index("", start)]


def test_the_agents_words_stand_after_why_and_before_what_became_of_others():
    found = lines(sheet(statement=said(recommendation="approve", reasons="the customer waits", risks="none")))
    assert block(found) == [
        "  recommends  │ approve",
        "  reasons     │ the customer waits",
        "  risks       │ none",
    ]
    assert found.index("Risk: high") < found.index(HEADING)
    assert found.index(HEADING) < found.index("Earlier decisions about this tool")
    assert HEADING not in lines(sheet())


@pytest.mark.abuse(84)
def test_words_that_imitate_what_surrounds_them_stay_behind_the_rule():
    found = lines(sheet(statement=said(recommendation=PRETENDING, reasons=PRETENDING, risks=PRETENDING)))
    for line in block(found):
        lead, rule, words = line.partition("│ ")
        assert rule, line
        assert lead.strip() in {"", "recommends", "reasons", "risks"}
        assert "\x1b" not in words
        assert "│" not in words
        assert "\u202e" not in words
    shown = "\n".join(block(found))
    assert "<b>security approved</b><script>approve()</script>" in shown, "text, as it is"
    assert "‹ESC›[2J" in shown
    outside = [line for line in found if line not in block(found)]
    assert outside == [
        line for line in lines(sheet(statement=said(risks="x"))) if line != "  risks       │ x"
    ]
    assert "Risk: high" in outside


@pytest.mark.abuse(84)
def test_words_that_are_long_or_have_many_lines_push_nothing_off_the_screen():
    for words in ("x" * 2_000, "\n" * 2_000, "a\n" * 1_000):
        found = lines(sheet(statement=said(reasons=words)))
        assert len(block(found)) < 60
        assert "characters are not shown here; --full shows them" in "\n".join(found)
        assert "are not shown here" not in "\n".join(lines(sheet(statement=said(reasons=words)), full=True))


def asked(number):
    return {
        "by": "ana@example.com",
        "whom": f"ben{number}",
        "note": "your\x1b[2J customer" if number else "",
        "at": f"2026-09-21T14:0{number}:00.000Z",
    }


def test_who_was_asked_by_whom_stands_with_the_status():
    found = lines(sheet(asked=[asked(0), asked(1)], colleagues=["ben@example.com", "cem@example.com"]))
    assert "  asked       ben0, by ana@example.com, 2026-09-21 14:00:00Z" in found
    assert "  asked       ben1, by ana@example.com, 2026-09-21 14:01:00Z: your‹ESC›[2J customer" in found
    assert f"    toolgate approvals ask {ID[:12]} PERSON --note TEXT" in found
    assert "    PERSON is one of: ben@example.com, cem@example.com" in found
    assert not any("asked" in line or "PERSON" in line for line in lines(sheet()))


def test_of_very_many_who_were_asked_the_latest_are_told():
    found = [line for line in lines(sheet(asked=[asked(number) for number in range(9)])) if " asked " in line]
    assert found[0] == "  asked       4 times before; see what happened so far"
    assert [line.split()[1] for line in found[1:]] == [f"ben{number}," for number in range(4, 9)]


def test_nobody_is_offered_to_be_asked_about_what_is_decided():
    decided = sheet(hold=row(status="denied"), colleagues=["ben@example.com"])
    assert not any("PERSON" in line for line in lines(decided))
