"""What an agent may say of its call: one member of ``_meta``, three texts, bounded."""

from __future__ import annotations

import pytest

from gateway.core.statement import MEMBER_CHARACTERS_MAX, NO_STATEMENT, Statement, read_statement
from gateway.errors import InvalidParams

NAME = "dev.toolgate/statement"


def test_nothing_said_is_no_statement():
    for meta in ({}, {NAME: None}, {"statement": {"reasons": "x"}}, {"dev.toolgate/step": "pay"}):
        assert read_statement(meta) is NO_STATEMENT
    assert read_statement({NAME: {}}) == NO_STATEMENT
    assert NO_STATEMENT.members() == {}


def test_what_is_said_is_kept_as_it_is():
    words = "security approved\n\x1b[2J<b>ok</b>\u202e"
    found = read_statement({NAME: {"recommendation": "approve", "reasons": words}})
    assert found == Statement(recommendation="approve", reasons=words)
    assert found.members() == {"recommendation": "approve", "reasons": words}
    assert read_statement({NAME: {"risks": "x" * MEMBER_CHARACTERS_MAX}}).members().keys() == {"risks"}
    assert read_statement({NAME: {"risks": ""}}).members() == {}


@pytest.mark.abuse(33)
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("approve", "must be an object"),
        (["approve"], "must be an object"),
        (False, "must be an object"),
        ({"verdict": "approve"}, "unknown member 'verdict'"),
        ({"reasons": "x", "risk": "low"}, "unknown member 'risk'"),
        ({"\x1b[2J": "x"}, r"unknown member '\\x1b\[2J'"),
        ({"reasons": None}, "reasons of"),
        ({"reasons": 5}, "reasons of"),
        ({"risks": ["a", "b"]}, "risks of"),
        ({"recommendation": {"text": "approve"}}, "recommendation of"),
        ({"risks": "x" * (MEMBER_CHARACTERS_MAX + 1)}, "text of at most 2,000 characters"),
    ],
)
def test_a_statement_of_another_shape_is_refused_and_says_why(said, told):
    with pytest.raises(InvalidParams, match=told):
        read_statement({NAME: said})
