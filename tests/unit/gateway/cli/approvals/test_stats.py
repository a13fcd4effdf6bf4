"""How reviewing goes, as a small table."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from durable.holds.reviewing import TIMED_MAX
from gateway.cli.approvals.stats import day_table, decider_table, sentences
from gateway.people.reviewing_models import ReviewingModel

NOTHING = {"held": 0, "approved": 0, "denied": 0, "expired": 0, "other": 0}


def model(**changes):
    counts = {"held": 4, "approved": 2, "denied": 1, "expired": 1, "other": 0}
    found = {
        "days": [
            {"date": "2026-09-20", "start": "2026-09-20T00:00:00.000Z"} | NOTHING,
            {"date": "2026-09-21", "start": "2026-09-21T00:00:00.000Z"} | counts,
        ],
        "total": counts,
        "approval_rate": 2 / 3,
        "timed": 3,
        "median_ms": 240_000,
        "p90_ms": 1_799_001,
        "deciders": [{"person": "lea\x1b[2J", "yes": 2, "no": 1}],
        "open": {
            "high": 1,
            "medium": 0,
            "low": 2,
            "oldest": "3f9a21c4d5e6f708192a",
            "oldest_since": "2026-09-21T14:00:00.000Z",
            "oldest_waits_s": 90,
        },
    }
    return ReviewingModel.model_validate(found | changes)


def printed(table):
    written = io.StringIO()
    Console(file=written, width=100, highlight=False, markup=False, emoji=False).print(table)
    return [line.split() for line in written.getvalue().splitlines()]


def test_days_with_calls_and_their_sum_are_a_table():
    assert printed(day_table(model())) == [
        ["day", "held", "approved", "denied", "expired", "other"],
        ["2026-09-21", "4", "2", "1", "1", "0"],
        ["in", "all", "4", "2", "1", "1", "0"],
    ]


@pytest.mark.abuse(68)
def test_names_of_reviewers_cannot_act_on_the_terminal():
    assert printed(decider_table(model())) == [["reviewer", "yes", "no"], ["lea‹ESC›[2J", "2", "1"]]


def test_the_rest_is_said_in_sentences():
    assert list(sentences(model())) == [
        "without a held call, and not listed: 1 day",
        "approved: 67% of 3 that people decided",
        "decided: half within 4 min, nine of ten within 30 min",
        "waiting now: 1 high, 0 medium, 2 low; longest 3f9a21c4d5e6, 1 min 30 s, since 2026-09-21 14:00:00Z",
    ]


def test_where_there_is_nothing_that_is_said():
    nobody = {"high": 0, "medium": 0, "low": 0, "oldest": "", "oldest_since": None, "oldest_waits_s": 0}
    quiet = model(
        days=[model().days[0].model_dump()],
        total=NOTHING,
        approval_rate=None,
        median_ms=None,
        p90_ms=None,
        open=nobody,
    )
    assert list(sentences(quiet)) == ["no call was held in 1 day", "waiting now: none"]


def test_that_only_the_latest_were_timed_is_said():
    told = [line for line in sentences(model(timed=TIMED_MAX)) if line.startswith("decided")]
    assert told == ["decided: half within 4 min, nine of ten within 30 min (of the latest 20,000)"]
