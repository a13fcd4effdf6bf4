"""Names that could be taken for the gateway's own tools are nobody else's."""

from __future__ import annotations

import pytest

from gateway.core.definition import Definition, Kind, RefusedDefinition, parse_definition
from tests.fakes import listed, tool_members

OURS = [
    "toolgate__approval_wait",
    "TOOLGATE__APPROVAL_WAIT",
    "too1gate__approval_wait",
    "t0olgate__approval_wait",
    "tooIgate__approval_wait",
    "toolgate.approval_wait",
    "toolgate-approval_wait",
    "toolgate_approval_wait",
    "toolgate__approval_wait_v2",
    "Toolgate__x",
]
OTHERS = [
    "approval_wait",
    "toolgate",
    "my_toolgate__approval_wait",
    "toolgates_x",
    "tool_gate__approval_wait",
]


def parsed(name, *, upstream="orders", kind=Kind.TOOL):
    members = tool_members(name) if kind is Kind.TOOL else {"name": name, "uri": name}
    return parse_definition(upstream, listed(members), kind=kind)


@pytest.mark.abuse(44)
@pytest.mark.abuse(46)
@pytest.mark.parametrize("kind", [Kind.TOOL, Kind.PROMPT])
@pytest.mark.parametrize("name", OURS)
def test_a_name_that_can_be_taken_for_the_gateways_own_is_refused(name, kind):
    found = parsed(name, kind=kind)
    assert isinstance(found, RefusedDefinition)
    assert found.code == "definition_reserved"
    assert "gateway" in found.reason


@pytest.mark.parametrize("name", OTHERS)
def test_other_names_are_not(name):
    assert isinstance(parsed(name), Definition)


@pytest.mark.parametrize("upstream", ["too1gate", "t00lgate", "TooIgate"])
def test_an_upstream_whose_id_looks_like_the_gateways_offers_nothing(upstream):
    assert isinstance(parsed("approval_wait", upstream=upstream), RefusedDefinition)


def test_a_uri_is_an_address_and_no_name():
    assert isinstance(parsed("toolgate://approval_wait", kind=Kind.RESOURCE), Definition)
