"""The queue as a table and as pages."""

import io

import pytest
from rich.console import Console

from gateway.cli.approvals.listing import folded, holds, table
from gateway.cli.approvals.watching import line_of
from gateway.people.models import HoldRow
from gateway.people.sheet.wording import shortest, span
from tests.unit.gateway.cli.approvals.sheets import row


def rows(*changes):
    return [HoldRow.model_validate(row(**one)) for one in changes]


def printed(found, *, several_statuses=False, width=140):
    written = io.StringIO()
    Console(file=written, width=width, highlight=False, markup=False, emoji=False).print(
        table(found, several_statuses=several_statuses)
    )
    return written.getvalue()


def test_a_row_says_what_it_is_how_long_it_waits_and_who_looks_at_it():
    shown = printed([(one, 1) for one in rows({"claimed_by": "max@example.com"})])
    heading, line = shown.splitlines()
    assert heading.split() == ["id", "risk", "left", "tool", "requester", "why", "claimed", "by"]
    words = [
        "3f9a21c4",
        "high",
        "3 h 45 min",
        "payments/refund",
        "desk for ana@example.com",
        "above 100 EUR",
        "max@example.com",
    ]
    assert [word for word in words if word in line] == words


def test_a_row_whose_definition_is_kept_back_says_so():
    kept, other = rows({"kept_back": "definition_drifted: why"}, {})
    assert "above 100 EUR  kept back" in printed([(kept, 1)])
    assert "kept back" not in printed([(other, 1)])


@pytest.mark.abuse(89)
def test_nearly_identical_calls_are_one_row_that_says_how_many():
    alike = rows(
        {"id": "a" * 20, "group": "g1", "group_size": 3},
        {"id": "b" * 20, "group": "g2"},
        {"id": "c" * 20, "group": "g1", "group_size": 3},
    )
    assert [(one.id[0], count) for one, count in folded(alike)] == [("a", 3), ("b", 1)]
    assert "payments/refund  x3" in printed(folded(alike))
    assert "x3" not in printed([(one, 1) for one in alike])


def test_what_no_longer_waits_is_not_folded_away():
    ended = rows(
        {"id": "a" * 20, "group_size": 2, "status": "denied"},
        {"id": "b" * 20, "group_size": 2, "status": "expired"},
    )
    assert len(folded(ended)) == 2
    assert "denied" in printed(folded(ended), several_statuses=True)


@pytest.mark.abuse(68)
def test_nothing_in_a_row_acts_on_the_terminal_or_is_cut():
    shown = printed(
        [(one, 1) for one in rows({"target": "pay\x1b[2Jments/\u202erefund", "claimed_by": "x" * 300})]
    )
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert shown.count("x") >= 300


def test_markup_is_text():
    assert "[red]x[/red]" in printed([(one, 1) for one in rows({"target": "[red]x[/red]"})])


def test_a_change_is_one_line_whatever_it_holds():
    (denied,) = rows({"status": "denied", "reason_by": "lea\n\x1b[2J@example.com"})
    assert line_of(denied).isprintable()
    assert line_of(denied).startswith("2026-09-21 14:00:00Z  3f9a21c4d5e6  denied ")
    (held,) = rows({})
    assert "3 h 45 min left" in line_of(held)


class Pages:
    def __init__(self, total):
        self.total = total
        self.asked = []

    def get(self, path, query):
        self.asked.append(dict(query))
        start = int(query.get("after", 0))
        end = min(start + query["limit"], self.total)
        found = [row(id=f"{number:020d}") for number in range(start, end)]
        return {"holds": found, "next": str(end) if end < self.total else None}


def test_a_long_list_is_read_page_by_page_up_to_the_limit():
    port = Pages(450)
    found, more = holds(port, status="held", limit=420)
    assert (len(found), more) == (420, True)
    assert [one["limit"] for one in port.asked] == [200, 200, 20]
    found, more = holds(Pages(3), status="held", limit=50)
    assert (len(found), more) == (3, False)


def test_ids_are_as_short_as_they_can_be_told_apart():
    assert shortest(["abcdefgh1", "abcdefgh2"]) == 9
    assert shortest(["a" * 20, "b" * 20]) == 8
    assert shortest([]) == 8


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "over"),
        (-5, "over"),
        (1, "1 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (13_500, "3 h 45 min"),
        (86_400, "1 d"),
        (90_061, "1 d 1 h"),
    ],
)
def test_a_span_is_told_in_two_units(seconds, text):
    assert span(seconds) == text
