"""What somebody allowed stays, there and no longer; what nobody can allow cannot be written down."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from scanners.allowances import Allowance, expired

NOON = 1_700_000_000_000


def allowance(**changes):
    given = {
        "tool": "billing/list_orders",
        "pointer": "/orders/*/reference",
        "rule": "named-member",
        "reason": "order references look like tokens; ticket 4711",
        "until_ms": NOON,
    }
    return Allowance(**(given | changes))


def covers(
    one, *, tool="billing/list_orders", pointer="/orders/3/reference", rule="named-member", now_ms=NOON - 1
):
    return one.covers_tool(tool, now_ms=now_ms) and one.covers_find(pointer=pointer, rule=rule)


def test_it_covers_its_rule_at_its_place_of_its_tool_until_it_ends():
    one = allowance()
    assert covers(one)
    assert not covers(one, now_ms=NOON)
    assert not covers(one, rule="named-text")
    assert not covers(one, tool="billing/list_orders_2")
    assert not covers(one, pointer="/orders/3/reference/x")
    assert not covers(one, pointer="/orders/reference")


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("", [""], ["/a"]),
        ("/a", ["/a"], ["", "/b", "/a/b"]),
        ("/*", ["/a", "/0", "/"], ["", "/a/b"]),
        ("/**", ["", "/a", "/a/b"], []),
        ("/**/id", ["/id", "/a/0/id"], ["/idx", "/id/x"]),
        ("/a/**/z", ["/a/z", "/a/b/c/z"], ["/az", "/b/z"]),
        ("/a~1b/m.n", ["/a~1b/m.n"], ["/a/b/m.n", "/a~1b/mxn"]),
        ("/ä/*", ["/ä/\n", "/ä/\ud800"], ["/a/x"]),
    ],
)
def test_a_pointer_may_leave_steps_open(pattern, inside, outside):
    one = allowance(pointer=pattern)
    assert [pointer for pointer in inside if not covers(one, pointer=pointer)] == []
    assert [pointer for pointer in outside if covers(one, pointer=pointer)] == []


def test_a_tool_may_be_one_of_several():
    one = allowance(tool="github/*")
    assert covers(one, tool="github/get_file")
    assert not covers(one, tool="gitlab/github/get_file")
    assert not covers(allowance(tool="a.c"), tool="abc")


def test_an_allowance_goes_to_another_process_as_what_it_says():
    sent = pickle.loads(pickle.dumps(allowance()))
    assert sent == allowance()
    assert covers(sent)


def test_those_that_ended_are_listed():
    good, void = allowance(until_ms=NOON + 1), allowance()
    assert expired([good, void], now_ms=NOON) == (void,)


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": " "},
        {"tool": "*"},
        {"tool": ""},
        {"rule": "*"},
        {"rule": ""},
        {"rule": "known"},
        {"rule": "bound"},
        {"pointer": "orders"},
    ],
    ids=str,
)
def test_what_is_too_wide_or_says_nothing_is_refused(changes):
    assert allowance()
    with pytest.raises(ValueError):
        allowance(**changes)


def test_the_gateways_own_credentials_cannot_be_allowed():
    """Their finds have the rule `known`, in every encoding."""
    with pytest.raises(ValueError, match="nobody can allow"):
        dataclasses.replace(allowance(), rule="known")


def test_equal_allowances_are_equal():
    assert allowance() == allowance()
    assert "_tools" not in repr(allowance())
