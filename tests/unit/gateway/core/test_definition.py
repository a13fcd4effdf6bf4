"""A listed tool: read alone, digested whole."""

from __future__ import annotations

import pytest

from gateway.core.definition import Definition, RefusedDefinition, parse_definition
from tests.fakes import SCHEMA, definition, listed, tool_members


def test_a_well_formed_definition_is_kept_whole():
    members = tool_members(description="pays back", vendor={"x": [1]})
    found = parse_definition("orders", listed(members), labels=("read_only",))
    assert isinstance(found, Definition)
    assert found.members == members
    assert found.labels == ("read_only",)


@pytest.mark.abuse(40)
@pytest.mark.parametrize(
    "change",
    [
        {"description": "pays back"},
        {"title": "Refund"},
        {"annotations": {"readOnlyHint": True}},
        {"inputSchema": {**SCHEMA, "$comment": "x"}},
        {"outputSchema": {"type": "object"}},
        {"_meta": {"vendor": 1}},
        {"icons": []},
        {"neverHeardOf": None},
    ],
)
def test_the_digest_covers_every_member_known_or_not(change):
    assert definition(**change).digest != definition().digest


def test_the_digest_does_not_depend_on_the_order_of_members():
    one, other = tool_members(a=1, b=2), dict(reversed(tool_members(a=1, b=2).items()))
    assert parse_definition("orders", listed(one)).digest == parse_definition("orders", listed(other)).digest


@pytest.mark.parametrize(
    ("members", "code"),
    [
        (None, "definition_malformed"),
        ([], "definition_malformed"),
        ({}, "definition_malformed"),
        ({"name": 5, "inputSchema": SCHEMA}, "definition_malformed"),
        ({"name": ["x"], "inputSchema": SCHEMA}, "definition_malformed"),
        (tool_members(""), "definition_name"),
        (tool_members("a b"), "definition_name"),
        (tool_members("re\u200bfund"), "definition_name"),
        (tool_members("a" * 129), "definition_name"),
        ({"name": "x"}, "definition_schema"),
        ({"name": "x", "inputSchema": True}, "definition_schema"),
        ({"name": "x", "inputSchema": {"type": "string"}}, "definition_schema"),
        ({"name": "x", "inputSchema": {"type": "object", "properties": 1}}, "definition_schema"),
        ({"name": "x", "inputSchema": {"$ref": "http://h/x"}}, "definition_schema"),
    ],
)
def test_a_definition_that_cannot_be_used_is_refused_with_a_code(members, code):
    found = parse_definition("orders", listed(members))
    assert isinstance(found, RefusedDefinition)
    assert found.code == code
    assert found.reason
    assert len(found.name) <= 128


def test_the_servers_annotations_are_a_claim_and_never_a_label():
    found = definition(annotations={"readOnlyHint": True})
    assert found.annotations == {"readOnlyHint": True}
    assert found.labels == ()
    assert definition(annotations="yes").annotations == {}
