"""Names towards agents: a bijection, and no two that can be mixed up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.naming import (
    TOOL_NAME,
    UPSTREAM_ID,
    is_tool_name,
    is_upstream_id,
    join_name,
    look_alikes,
    split_name,
)

ids = st.from_regex(UPSTREAM_ID, fullmatch=True).filter(is_upstream_id)
tools = st.from_regex(TOOL_NAME, fullmatch=True) | st.text("_a", min_size=1, max_size=6)


@pytest.mark.abuse(45)
@given(ids, tools)
def test_splitting_gives_back_the_pair_that_was_joined(upstream, tool):
    assert split_name(join_name(upstream, tool)) == (upstream, tool)


@pytest.mark.abuse(45)
@given(st.text("ab_-.", max_size=12))
def test_a_name_that_splits_was_joined_from_that_pair(name):
    pair = split_name(name)
    if pair is not None:
        assert is_upstream_id(pair[0])
        assert is_tool_name(pair[1])
        assert join_name(*pair) == name


@pytest.mark.abuse(45)
@pytest.mark.parametrize(
    "text", ["", "_a", "a_", "a__b", "a.b", "a/b", "a b", "toolgate", "ToolGate", "a" * 33, "a\n", "ä", "-a"]
)
def test_an_id_that_could_shift_the_split_names_no_upstream(text):
    assert not is_upstream_id(text)


@pytest.mark.parametrize("text", ["a", "a_b", "a-b", "orders2", "A" * 32, "a-", "tool-gate"])
def test_a_plain_id_names_an_upstream(text):
    assert is_upstream_id(text)


@pytest.mark.abuse(46)
@pytest.mark.parametrize(
    "text", ["", "a b", "a\u200bb", "a/b", "ｆｉｌｅ", "a\0", "a\n", "é", "a" * 129, "a\u212a"]
)
def test_a_name_with_other_characters_names_no_tool(text):
    assert not is_tool_name(text)


@pytest.mark.abuse(46)
@pytest.mark.parametrize(
    ("one", "other"),
    [("Read", "read"), ("item1", "iteml"), ("itemI", "iteml"), ("v0", "vO"), ("modern", "modem")],
)
def test_names_that_look_alike_share_a_key(one, other):
    assert set(look_alikes(one)) & set(look_alikes(other))


@pytest.mark.parametrize(("one", "other"), [("read", "write"), ("step1", "step2"), ("get_a", "get-a")])
def test_names_that_look_different_share_none(one, other):
    assert not set(look_alikes(one)) & set(look_alikes(other))
